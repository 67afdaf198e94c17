/*
 * What a prompt asks of the simulator, by directives in its text:
 *
 *	[[sim:malformed]]               that fault, always
 *	[[sim:malformed*2]]             for the first two attempts of this prompt
 *	[[sim:429*1]] [[sim:500*1]]     one after the other
 *	[[sim:refusal@gpt-4o-mini]]     for that model only
 *	[[sim:answer {"label":"ham"}]]  these words
 *	[[sim:tokens 500]]              so long an answer
 *	[[sim:latency 2500]]            so many milliseconds
 *
 * Attempts are counted per directive and message text, whatever the model, so a
 * retry or repair that repeats the message counts on.
 */
#ifndef SIMULATOR_WISH_H
#define SIMULATOR_WISH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "buffer.h"
#include "fault.h"
#include "map.h"

struct wishes {
	enum fault fault;
	bool low_confidence;
	bool has_answer;
	struct buffer answer;
	int64_t tokens;	    /* of output; 0: as it comes */
	int64_t latency_ms; /* -1: as it comes */
};

void wishes_clear(struct wishes *wishes);
void wishes_finish(struct wishes *wishes);

/* Take the directives out of one message of the prompt. */
void wishes_read(struct wishes *wishes, const char *text, size_t len, const char *model,
		 struct map *attempts);

/*
 * Is a fault of a batch asked for in its raw bytes? [[sim:batch_expire*1]] holds for the
 * first batch only; attempts are counted by the text from there to the message's end.
 */
bool wishes_batch(const char *bytes, size_t len, enum fault fault, struct map *attempts);

#endif
