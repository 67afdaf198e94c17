/*
 * Tokens of one call in classes that never overlap, whatever the provider's own
 * convention: OpenAI counts cached tokens inside the input, Anthropic outside.
 *
 *	int64_t prompt = usage_prompt(&usage);  -- everything that went in
 */
#ifndef SLUICE_USAGE_H
#define SLUICE_USAGE_H

#include <stdbool.h>
#include <stdint.h>

struct usage {
	bool known;    /* the provider told; otherwise all are 0 */
	int64_t input; /* uncached, not written to a cache */
	int64_t cache_read;
	int64_t cache_write;	/* short-lived (5 minutes), or the only kind there is */
	int64_t cache_write_1h; /* long-lived */
	int64_t output;		/* reasoning included */
	int64_t reasoning;	/* the part of output that was not answer */
};

static inline int64_t usage_prompt(const struct usage *u)
{
	return u->input + u->cache_read + u->cache_write + u->cache_write_1h;
}

#endif
