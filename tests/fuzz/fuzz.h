/*
 * What the targets share: the bytes as a text, and a raw reply out of them.
 *
 *	429
 *	retry-after: 7
 *
 *	{"error":…}                     -- the body, to the end
 */
#ifndef FUZZ_H
#define FUZZ_H

#include <stddef.h>
#include <stdint.h>

#include "provider.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

#define FUZZ_WALL (1793491200 * NSEC_PER_SEC) /* 2026-11-01T00:00:00Z */

/* Read by the adapter, and what holds for every reply whatever came. */
void fuzz_reply(const struct provider *provider, const uint8_t *bytes, size_t len);
void fuzz_check_reply(const struct reply *reply);

/* The bytes up to the first line "---", and what follows it. */
struct fuzz_halves {
	const char *first, *second;
	size_t first_len, second_len;
};
struct fuzz_halves fuzz_split(const uint8_t *bytes, size_t len);

#endif
