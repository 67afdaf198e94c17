#include "schema_cache.h"

#include <string.h>

#include "digest.h"
#include "ensure.h"

/*
 * A chain per bucket, by the first bytes of the digest, which are as good as
 * random. To evict, all entries are looked at: that happens only where a schema
 * is compiled, which costs more.
 */
struct entry {
	struct digest digest;
	struct schema *schema;
	uint64_t used; /* number of the get that used it last */
	struct entry *next;
};

struct schema_cache {
	struct entry **buckets;
	size_t bucket_count; /* a power of two */
	size_t count, max;
	uint64_t gets, misses;
};

struct schema_cache *schema_cache_create(size_t max_schemas)
{
	struct schema_cache *cache = xcalloc(1, sizeof(*cache));

	ENSURE(max_schemas > 0);
	cache->max = max_schemas;
	cache->bucket_count = 16;
	while (cache->bucket_count < max_schemas)
		cache->bucket_count *= 2;
	cache->buckets = xcalloc(cache->bucket_count, sizeof(struct entry *));
	return cache;
}

static void entry_destroy(struct entry *entry)
{
	schema_destroy(entry->schema);
	xfree(entry);
}

void schema_cache_destroy(struct schema_cache *cache)
{
	if (!cache)
		return;
	for (size_t i = 0; i < cache->bucket_count; i++)
		while (cache->buckets[i]) {
			struct entry *entry = cache->buckets[i];

			cache->buckets[i] = entry->next;
			entry_destroy(entry);
		}
	xfree(cache->buckets);
	xfree(cache);
}

static struct entry **bucket_of(struct schema_cache *cache, const struct digest *digest)
{
	uint64_t hash;

	memcpy(&hash, digest->bytes, sizeof(hash));
	return &cache->buckets[hash & (cache->bucket_count - 1)];
}

static struct entry *find(struct schema_cache *cache, const struct digest *digest)
{
	struct entry *entry = *bucket_of(cache, digest);

	while (entry && memcmp(entry->digest.bytes, digest->bytes, DIGEST_BYTES) != 0)
		entry = entry->next;
	return entry;
}

static void evict_oldest(struct schema_cache *cache)
{
	struct entry **oldest = NULL;
	struct entry *entry;

	for (size_t i = 0; i < cache->bucket_count; i++)
		for (struct entry **at = &cache->buckets[i]; *at; at = &(*at)->next)
			if (!oldest || (*at)->used < (*oldest)->used)
				oldest = at;
	entry = *oldest;
	*oldest = entry->next;
	entry_destroy(entry);
	cache->count--;
}

static struct entry *add(struct schema_cache *cache, const struct digest *digest,
			 struct schema *schema)
{
	struct entry *entry = xcalloc(1, sizeof(*entry));
	struct entry **bucket = bucket_of(cache, digest);

	if (cache->count == cache->max)
		evict_oldest(cache);
	entry->digest = *digest;
	entry->schema = schema;
	entry->next = *bucket;
	*bucket = entry;
	cache->count++;
	return entry;
}

const struct schema *schema_cache_get_text(struct schema_cache *cache, const char *text, size_t len,
					   const json_t *document, struct error *err)
{
	struct digest digest = digest_of(text, len);
	struct entry *entry = find(cache, &digest);

	cache->gets++;
	if (!entry) {
		struct schema *schema = schema_compile(document, err);

		cache->misses++;
		if (!schema)
			return NULL;
		entry = add(cache, &digest, schema);
	}
	entry->used = cache->gets;
	return entry->schema;
}

const struct schema *schema_cache_get(struct schema_cache *cache, const json_t *document,
				      struct error *err)
{
	AUTO(xfree) char *text = json_write(document);

	return schema_cache_get_text(cache, text, strlen(text), document, err);
}

uint64_t schema_cache_misses(const struct schema_cache *cache)
{
	return cache->misses;
}

uint64_t schema_cache_gets(const struct schema_cache *cache)
{
	return cache->gets;
}
