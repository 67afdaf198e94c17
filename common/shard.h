/*
 * Shuffle sharding: each business unit's messages go to a few partitions of a
 * topic, always the same ones and different from most other units', so that a
 * unit's million jobs fill its own partitions and not everyone's.
 *
 *	int32_t partition = shard_partition("growth", id.bytes, sizeof(id.bytes), 16, 4);
 *
 * Pure: the same everywhere and for ever, for producers of one unit must agree.
 * When a topic grows, a unit trades at most as many of its partitions as were
 * added, and only for new ones.
 */
#ifndef SLUICE_SHARD_H
#define SLUICE_SHARD_H

#include <stddef.h>
#include <stdint.h>

#define SHARD_SPREAD 4
#define SHARD_MAX_SPREAD 16

/*
 * The unit's partitions of a topic of `count` (at least 1), highest claim first.
 * Returns how many: `spread`, or fewer where the topic is smaller.
 */
int shard_partitions(const char *business_unit, int32_t count, int spread,
		     int32_t partitions[SHARD_MAX_SPREAD]);

/* The one of them that a message with this id belongs to. */
int32_t shard_partition(const char *business_unit, const void *id, size_t len, int32_t count,
			int spread);

#endif
