/*
 * Bytes that grow, up to a cap. What comes from outside is collected in one of
 * these, so that nothing outside decides how much memory we take.
 *
 *	AUTO_FINISH(buffer_finish) struct buffer b = {.max = MAX_REPLY_BYTES};
 *	if (!buffer_append(&b, data, len))
 *		return error_set(err, ERROR_REJECT, "reply is over %zu bytes", b.max);
 *
 * `data` is always followed by a zero byte (not counted in `len`), once
 * anything was appended.
 */
#ifndef SLUICE_BUFFER_H
#define SLUICE_BUFFER_H

#include <stdbool.h>
#include <stddef.h>

#include "compiler.h"

struct buffer {
	char *data;
	size_t len;
	size_t capacity;
	size_t max; /* most bytes it may hold; 0: no cap */
};

/* False when the cap would be passed; then nothing was appended. */
bool buffer_append(struct buffer *b, const void *bytes, size_t len);
bool buffer_text(struct buffer *b, const char *text);
bool buffer_printf(struct buffer *b, const char *fmt, ...) PRINTF(2, 3);
bool buffer_byte(struct buffer *b, char byte);

void buffer_clear(struct buffer *b); /* len = 0, memory kept */
void buffer_finish(struct buffer *b);

/* Hands the bytes over (the caller frees them); the buffer is empty again. Never NULL. */
char *buffer_take(struct buffer *b);

#endif
