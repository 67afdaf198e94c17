/*
 * A name and a value, as HTTP's headers are: what the HTTP client hands out
 * and the providers' readers look things up in.
 *
 *	const char *wait = header_find(reply->headers, reply->header_count, "retry-after");
 */
#ifndef SLUICE_HEADER_H
#define SLUICE_HEADER_H

#include <stddef.h>

struct header {
	const char *name;
	const char *value; /* without the blanks around it */
};

/* The value of the first header of that name, in any case; NULL: absent. */
const char *header_find(const struct header *headers, size_t count, const char *name);

#endif
