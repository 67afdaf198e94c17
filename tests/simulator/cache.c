#include "cache.h"

#include <string.h>

#include "dice.h"

#define STEP_TOKENS 128
#define STEP_BYTES (STEP_TOKENS * 4)
#define LOOKBACK 20
#define SHORT_LIFE (300 * NSEC_PER_SEC)
#define LONG_LIFE (3600 * NSEC_PER_SEC)

/* Is the prefix there? If so its life starts again; even a look keeps it warm. */
static bool read_prefix(struct prompt_cache *cache, uint64_t hash, nsec now)
{
	uint64_t *used = map_find(&cache->prefixes, hash);
	nsec life;

	if (!used)
		return false;
	life = *used & 1 ? LONG_LIFE : SHORT_LIFE;
	if (*used > now + 1 || now - (*used & ~(uint64_t)1) > life)
		return false;
	*used = (now & ~(uint64_t)1) | (*used & 1);
	return true;
}

/* A prefix that is being written already keeps its earlier moment. */
static void write_prefix(struct prompt_cache *cache, uint64_t hash, nsec now, nsec ready,
			 bool long_lived)
{
	uint64_t *used;
	nsec life;
	bool alive;

	if (ready == 0)
		return;
	used = map_slot(&cache->prefixes, hash);
	life = *used & 1 ? LONG_LIFE : SHORT_LIFE;
	alive = *used != 0 && *used + life > now;
	if (!alive || *used > ready)
		*used = (ready & ~(uint64_t)1) | long_lived;
}

static void count_openai(struct prompt_cache *cache, const struct ask *ask, uint64_t key, nsec now,
			 nsec ready, struct tokens *tokens)
{
	size_t first = (size_t)ask->model->cache_min * 4, len, best = 0, last = 0;
	uint64_t hash;

	buffer_clear(&cache->text);
	for (size_t i = 0; i < ask->piece_count; i++) {
		const char *raw = document_raw(ask->doc, ask->pieces[i].node, &len);

		buffer_append(&cache->text, raw, len);
	}
	hash = hash_bytes(cache->text.data, first, key);
	for (size_t at = first; at <= cache->text.len; at += STEP_BYTES) {
		if (at > first)
			hash = hash_bytes(cache->text.data + at - STEP_BYTES, STEP_BYTES, hash);
		if (read_prefix(cache, hash, now))
			best = at;
		else
			write_prefix(cache, hash, now, ready, false);
		last = at;
	}
	tokens->of[TOKEN_CACHE_READ] = (int64_t)best / 4;
	if (ask->model->writes_cost)
		tokens->of[TOKEN_CACHE_WRITE] = (int64_t)(last - best) / 4;
}

/* The prefix that ends with piece i: its hash and its tokens. */
struct prefix {
	uint64_t hash;
	int64_t tokens;
};

#define MAX_PREFIXES 4096

static int64_t find_read(struct prompt_cache *cache, const struct ask *ask,
			 const struct prefix *prefixes, size_t count, nsec now)
{
	for (size_t i = count; i-- > 0;) {
		if (ask->pieces[i].cache_ttl == 0)
			continue;
		for (size_t back = 0; back <= i && back < LOOKBACK; back++)
			if (prefixes[i - back].tokens >= ask->model->cache_min &&
			    read_prefix(cache, prefixes[i - back].hash, now))
				return prefixes[i - back].tokens;
	}
	return 0;
}

static void write_breakpoints(struct prompt_cache *cache, const struct ask *ask,
			      const struct prefix *prefixes, size_t count, nsec now, nsec ready,
			      struct tokens *tokens)
{
	int64_t done = tokens->of[TOKEN_CACHE_READ];

	for (size_t i = 0; i < count; i++) {
		uint8_t ttl = ask->pieces[i].cache_ttl;

		if (ttl == 0 || prefixes[i].tokens < ask->model->cache_min)
			continue;
		write_prefix(cache, prefixes[i].hash, now, ready, ttl == 60);
		if (prefixes[i].tokens <= done)
			continue;
		tokens->of[ttl == 60 ? TOKEN_CACHE_WRITE_1H : TOKEN_CACHE_WRITE] +=
			prefixes[i].tokens - done;
		done = prefixes[i].tokens;
	}
}

static void count_anthropic(struct prompt_cache *cache, const struct ask *ask, uint64_t key,
			    nsec now, nsec ready, struct tokens *tokens)
{
	static struct prefix prefixes[MAX_PREFIXES];
	size_t count = ask->piece_count < MAX_PREFIXES ? ask->piece_count : MAX_PREFIXES;
	size_t bytes = 0, len;
	uint64_t hash = key;

	for (size_t i = 0; i < count; i++) {
		const char *raw = document_raw(ask->doc, ask->pieces[i].node, &len);

		hash = hash_bytes(raw, len, hash);
		bytes += len;
		prefixes[i] = (struct prefix){hash, (int64_t)bytes / 4 + 4 * (int64_t)(i + 1)};
	}
	tokens->of[TOKEN_CACHE_READ] = find_read(cache, ask, prefixes, count, now);
	write_breakpoints(cache, ask, prefixes, count, now, ready, tokens);
}

void cache_count(struct prompt_cache *cache, const struct ask *ask, uint64_t key, nsec now,
		 nsec ready, struct tokens *tokens)
{
	int64_t all = ask_prompt_tokens(ask);

	for (int class = 0; class < TOKEN_OUTPUT; class ++)
		tokens->of[class] = 0;
	key = hash_mix(key, hash_bytes(ask->model->name, strlen(ask->model->name), 0));
	if ((int64_t)ask->prompt_bytes / 4 >= ask->model->cache_min) {
		if (ask->maker == OPENAI)
			count_openai(cache, ask, key, now, ready, tokens);
		else
			count_anthropic(cache, ask, key, now, ready, tokens);
	}
	tokens->of[TOKEN_INPUT] = all - tokens_prompt(tokens);
}

void cache_finish(struct prompt_cache *cache)
{
	map_finish(&cache->prefixes);
	buffer_finish(&cache->text);
}
