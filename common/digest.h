/*
 * SHA-256: fingerprints of jobs, keys of caches, signatures of webhooks.
 *
 *	struct digest d = digest_of(bytes, len);
 *	char text[DIGEST_TEXT];
 *	puts(digest_format(text, &d));
 *
 * By OpenSSL, which is included here only. Safe from several threads.
 */
#ifndef SLUICE_DIGEST_H
#define SLUICE_DIGEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define DIGEST_BYTES 32
#define DIGEST_TEXT (2 * DIGEST_BYTES + 1) /* in hex, with the final zero */

struct digest {
	uint8_t bytes[DIGEST_BYTES];
};

struct digest digest_of(const void *bytes, size_t len);

/* HMAC-SHA-256 of the bytes under the key. The key is under a gigabyte. */
struct digest digest_hmac(const void *key, size_t key_len, const void *bytes, size_t len);

/* In constant time, so that a forged signature learns nothing from how long we look. */
bool digest_equal(const struct digest *a, const struct digest *b);
bool digest_equal_bytes(const void *a, const void *b, size_t len);

const char *digest_format(char text[DIGEST_TEXT], const struct digest *digest); /* returns text */
bool digest_parse(const char *text, struct digest *digest); /* 64 hex digits, any case */

#endif
