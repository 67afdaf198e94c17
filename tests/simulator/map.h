/*
 * A table from one 64-bit number to another, for what is remembered by hash:
 * prompts seen, cached prefixes, client ids. It grows up to a cap; at the cap
 * it forgets everything and starts again, which a simulator may.
 *
 *	struct map seen = {.max = 1 << 22};
 *	uint64_t *count = map_slot(&seen, hash);        -- 0 when new
 *	++*count;
 */
#ifndef SIMULATOR_MAP_H
#define SIMULATOR_MAP_H

#include <stddef.h>
#include <stdint.h>

struct map_entry {
	uint64_t key; /* 0: free */
	uint64_t value;
};

struct map {
	struct map_entry *entries;
	size_t capacity; /* a power of two */
	size_t count;
	size_t max; /* most entries; 0: a million */
};

/* The value's place, made (as 0) where there was none. Good until the next map_slot(). */
uint64_t *map_slot(struct map *map, uint64_t key);
/* The value's place, or NULL. */
uint64_t *map_find(const struct map *map, uint64_t key);
void map_clear(struct map *map);
void map_finish(struct map *map);

#endif
