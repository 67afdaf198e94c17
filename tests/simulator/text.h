/*
 * Small pieces of output, written fast.
 */
#ifndef SIMULATOR_TEXT_H
#define SIMULATOR_TEXT_H

#include <stddef.h>
#include <stdint.h>

#include "buffer.h"

/* A JSON string with its quotes. Bytes from 0x80 up pass as they are. */
void text_quote(struct buffer *out, const char *text);
void text_quote_bytes(struct buffer *out, const char *bytes, size_t len);
void text_nullable(struct buffer *out, const char *text); /* NULL: null */
void text_integer(struct buffer *out, int64_t value);

/* How many of the first `want` bytes end at a whole UTF-8 character. */
size_t text_whole(const char *bytes, size_t len, size_t want);

#endif
