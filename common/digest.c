#include "digest.h"

#include <limits.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <pthread.h>

#include "ensure.h"

/* Looked up once: finding the algorithm by name costs a quarter of a short digest. */
static EVP_MD *sha256;
static pthread_once_t sha256_once = PTHREAD_ONCE_INIT;

static void fetch_sha256(void)
{
	sha256 = EVP_MD_fetch(NULL, "SHA256", NULL);
	ENSURE(sha256);
}

struct digest digest_of(const void *bytes, size_t len)
{
	struct digest digest;
	unsigned written = 0;

	pthread_once(&sha256_once, fetch_sha256);
	ENSURE(EVP_Digest(bytes, len, digest.bytes, &written, sha256, NULL));
	ENSURE(written == DIGEST_BYTES);
	return digest;
}

struct digest digest_hmac(const void *key, size_t key_len, const void *bytes, size_t len)
{
	struct digest digest;
	unsigned written = 0;

	pthread_once(&sha256_once, fetch_sha256);
	ENSURE(key_len <= INT_MAX);
	ENSURE(HMAC(sha256, key, (int)key_len, bytes, len, digest.bytes, &written));
	ENSURE(written == DIGEST_BYTES);
	return digest;
}

bool digest_equal(const struct digest *a, const struct digest *b)
{
	return digest_equal_bytes(a->bytes, b->bytes, DIGEST_BYTES);
}

bool digest_equal_bytes(const void *a, const void *b, size_t len)
{
	return CRYPTO_memcmp(a, b, len) == 0;
}

const char *digest_format(char text[DIGEST_TEXT], const struct digest *digest)
{
	static const char hex[] = "0123456789abcdef";

	for (size_t i = 0; i < DIGEST_BYTES; i++) {
		text[2 * i] = hex[digest->bytes[i] >> 4];
		text[2 * i + 1] = hex[digest->bytes[i] & 15];
	}
	text[DIGEST_TEXT - 1] = '\0';
	return text;
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

bool digest_parse(const char *text, struct digest *digest)
{
	for (size_t i = 0; i < DIGEST_BYTES; i++) {
		int high = hex_digit(text[2 * i]);
		int low = high < 0 ? -1 : hex_digit(text[2 * i + 1]);

		if (low < 0)
			return false;
		digest->bytes[i] = (uint8_t)(high << 4 | low);
	}
	return text[2 * DIGEST_BYTES] == '\0';
}
