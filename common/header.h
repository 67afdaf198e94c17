/*
 * A name and a value, as HTTP's headers are: what the HTTP client collects
 * and the providers' readers look things up in.
 *
 *	const char *wait = header_find(reply->headers, reply->header_count, "retry-after");
 */
#ifndef SLUICE_HEADER_H
#define SLUICE_HEADER_H

#include <stdbool.h>
#include <stddef.h>

#include "buffer.h"

struct header {
	const char *name;
	const char *value; /* without the blanks around it */
};

/* The value of the first header of that name, in any case; NULL: absent. */
const char *header_find(const struct header *headers, size_t count, const char *name);

/*
 * Headers collected from the lines of a reply as they come. What is beyond the
 * caps is not kept.
 *
 *	struct header_list list = {0};
 *	header_list_add(&list, "Retry-After: 7\r\n", 16);
 *	header_list_close(&list);       -- only now list.items is filled
 */
#define MAX_HEADERS 96
#define MAX_HEADER_BYTES ((size_t)32 << 10)

struct header_list {
	struct header items[MAX_HEADERS];
	size_t count;
	struct buffer bytes; /* name, zero, value, zero, … */
};

/* False: no header, or beyond the caps. */
bool header_list_add(struct header_list *list, const char *line, size_t len);
void header_list_close(struct header_list *list);
void header_list_clear(struct header_list *list); /* memory kept */
void header_list_finish(struct header_list *list);

#endif
