#include "map.h"

#include <stdlib.h>
#include <string.h>

#include "ensure.h"

#define MAP_MAX_DEFAULT ((size_t)1 << 20)

/* Keys are hashes; 0 marks a free place, so it stands for 1. */
static struct map_entry *place_of(const struct map *map, uint64_t key)
{
	size_t at = (size_t)(key * 0x9e3779b97f4a7c15u >> 20) & (map->capacity - 1);

	while (map->entries[at].key != 0 && map->entries[at].key != key)
		at = (at + 1) & (map->capacity - 1);
	return &map->entries[at];
}

static void grow(struct map *map)
{
	struct map old = *map;

	map->capacity = old.capacity ? old.capacity * 2 : 64;
	map->entries = xcalloc(map->capacity, sizeof(*map->entries));
	for (size_t i = 0; i < old.capacity; i++)
		if (old.entries[i].key != 0)
			*place_of(map, old.entries[i].key) = old.entries[i];
	free(old.entries);
}

uint64_t *map_slot(struct map *map, uint64_t key)
{
	struct map_entry *entry;

	key = key ? key : 1;
	if (map->count >= (map->max ? map->max : MAP_MAX_DEFAULT))
		map_clear(map);
	if (map->count * 4 >= map->capacity * 3)
		grow(map);
	entry = place_of(map, key);
	if (entry->key == 0) {
		entry->key = key;
		map->count++;
	}
	return &entry->value;
}

uint64_t *map_find(const struct map *map, uint64_t key)
{
	struct map_entry *entry;

	if (map->capacity == 0)
		return NULL;
	entry = place_of(map, key ? key : 1);
	return entry->key ? &entry->value : NULL;
}

void map_clear(struct map *map)
{
	if (map->entries)
		memset(map->entries, 0, map->capacity * sizeof(*map->entries));
	map->count = 0;
}

void map_finish(struct map *map)
{
	free(map->entries);
	*map = (struct map){.max = map->max};
}
