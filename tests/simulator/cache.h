/*
 * The providers' prompt caches, and from them the token classes of a prompt.
 * OpenAI caches every prefix by itself, from 1,024 tokens in steps of 128.
 * Anthropic caches up to the breakpoints the client set, for five minutes or an
 * hour. What a request writes can be read once its answer has begun.
 *
 *	struct prompt_cache cache = {0};
 *	cache_count(&cache, &ask, hash_of_key, now, now + latency, &tokens);
 */
#ifndef SIMULATOR_CACHE_H
#define SIMULATOR_CACHE_H

#include "ask.h"
#include "clock.h"
#include "map.h"

struct prompt_cache {
	struct map
		prefixes; /* hash of (key, model, prefix) → when last used, lowest bit: an hour */
	struct buffer text; /* scratch */
};

/*
 * Fills the classes of the prompt; output is left alone. ready is when what it
 * writes can be read; 0: only look, and change nothing.
 */
void cache_count(struct prompt_cache *cache, const struct ask *ask, uint64_t key, nsec now,
		 nsec ready, struct tokens *tokens);
void cache_finish(struct prompt_cache *cache);

#endif
