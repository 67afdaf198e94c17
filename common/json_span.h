/*
 * Where a value's bytes lie in a text that was already read as JSON. What a
 * model wrote is passed on byte by byte: written again from a tree, its numbers
 * could change their spelling.
 *
 *	struct json_span whole = {body, len}, content, input;
 *
 *	if (json_span_member(whole, "content", &content) &&
 *	    json_span_item(content, 0, &content) && json_span_member(content, "input", &input))
 *		...             -- input.bytes, input.len are the value as it was sent
 *
 * Bounded by the span whatever the bytes are; finds nothing in what is not JSON.
 */
#ifndef SLUICE_JSON_SPAN_H
#define SLUICE_JSON_SPAN_H

#include <stdbool.h>
#include <stddef.h>

struct json_span {
	const char *bytes;
	size_t len;
};

/* The member of that name (spelled without escapes); of duplicates the last, as in json_read(). */
bool json_span_member(struct json_span object, const char *name, struct json_span *value);

bool json_span_item(struct json_span array, size_t index, struct json_span *value);

#endif
