/*
 * What an answer's spelling needs besides the answer itself.
 */
#ifndef SIMULATOR_SPELLING_H
#define SIMULATOR_SPELLING_H

#include <stdint.h>

#include "buffer.h"
#include "fault.h"

struct spelling {
	const char *id;	  /* 24 letters or so, without prefix */
	int64_t created;  /* Unix seconds */
	const char *tier; /* service_tier */
	enum fault fault; /* of STAGE_BODY, applied where it is written */
};

/* The answer's text as a JSON string, or what a fault puts in its place. */
void spelling_content(const struct spelling *spelling, const char *text, size_t len,
		      struct buffer *out);
/* Where a fault wants it: members that no client knows, with values that no parser likes. */
void spelling_oddity(const struct spelling *spelling, struct buffer *out);

#endif
