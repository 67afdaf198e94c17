/*
 * Compiled schemas, by the SHA-256 of their bytes: jobs of one kind bring the
 * same schema a million times, and it is compiled once. Holds so many; the one
 * that was used longest ago makes room.
 *
 *	const struct schema *schema = schema_cache_get(cache, job->output_schema, err);
 *	if (!schema)                            -- not a schema; err says why
 *	if (!schema_check(schema, answer, &errors)) ...
 *
 * Belongs to one loop.
 */
#ifndef SLUICE_SCHEMA_CACHE_H
#define SLUICE_SCHEMA_CACHE_H

#include <stdint.h>

#include "schema.h"

struct schema_cache;

struct schema_cache *schema_cache_create(size_t max_schemas);
void schema_cache_destroy(struct schema_cache *cache);
AUTO_DEFINE(struct schema_cache, schema_cache_destroy)

/*
 * The compiled schema, formats asserted; borrowed until the next get. NULL with
 * a REJECT error for what is no schema: that is not remembered.
 */
const struct schema *schema_cache_get(struct schema_cache *cache, const json_t *document,
				      struct error *err) MUST_USE;

/* The same where the document's bytes are at hand, which saves writing them again. */
const struct schema *schema_cache_get_text(struct schema_cache *cache, const char *text, size_t len,
					   const json_t *document, struct error *err) MUST_USE;

/* For metrics: how often a get had to compile, and all gets. */
uint64_t schema_cache_misses(const struct schema_cache *cache);
uint64_t schema_cache_gets(const struct schema_cache *cache);

#endif
