/*
 * Bytes as base64 (RFC 4648, with padding), for dead letters and signatures.
 *
 *	base64_encode(&out, bytes, len);
 */
#ifndef SLUICE_BASE64_H
#define SLUICE_BASE64_H

#include <stdbool.h>
#include <stddef.h>

#include "buffer.h"

bool base64_encode(struct buffer *out, const void *bytes, size_t len);

/* Appends the bytes. False for what is not base64 (blanks are not allowed). */
bool base64_decode(struct buffer *out, const char *text, size_t len);

#endif
