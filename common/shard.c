#include "shard.h"

#include <string.h>

#include "ensure.h"

/* FNV-1a, then a finisher that lets every bit of the input reach every bit of the output. */
static uint64_t hash(const void *bytes, size_t len)
{
	const unsigned char *p = bytes;
	uint64_t h = 0xcbf29ce484222325;

	for (size_t i = 0; i < len; i++)
		h = (h ^ p[i]) * 0x100000001b3;
	return h;
}

static uint64_t mix(uint64_t h)
{
	h = (h ^ (h >> 33)) * 0xff51afd7ed558ccd;
	h = (h ^ (h >> 33)) * 0xc4ceb9fe1a85ec53;
	return h ^ (h >> 33);
}

/* Rendezvous hashing: every partition bids for the unit, the highest bids win. */
int shard_partitions(const char *business_unit, int32_t count, int spread,
		     int32_t partitions[SHARD_MAX_SPREAD])
{
	uint64_t unit = hash(business_unit, strlen(business_unit));
	uint64_t bids[SHARD_MAX_SPREAD];
	int chosen = 0;

	ENSURE(count > 0 && spread > 0 && spread <= SHARD_MAX_SPREAD);
	for (int32_t p = 0; p < count; p++) {
		uint64_t bid = mix(unit ^ mix((uint64_t)p + 1));
		int at = chosen < spread ? chosen++ : spread;

		for (; at > 0 && bids[at - 1] < bid; at--) {
			if (at == spread)
				continue; /* the lowest bid falls out */
			bids[at] = bids[at - 1];
			partitions[at] = partitions[at - 1];
		}
		if (at < spread) {
			bids[at] = bid;
			partitions[at] = p;
		}
	}
	return chosen;
}

int32_t shard_partition(const char *business_unit, const void *id, size_t len, int32_t count,
			int spread)
{
	int32_t partitions[SHARD_MAX_SPREAD];
	int chosen = shard_partitions(business_unit, count, spread, partitions);

	return partitions[mix(hash(id, len)) % (uint64_t)chosen];
}
