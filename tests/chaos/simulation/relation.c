#include "relation.h"

#include <stdlib.h>
#include <string.h>

#include "ensure.h"

void relation_init(struct relation *relation, size_t stride, size_t most)
{
	*relation = (struct relation){.stride = stride, .most = most, .slot_count = 1};
	while (relation->slot_count < 2 * most)
		relation->slot_count *= 2;
	relation->rows = xcalloc(most, stride);
	relation->slots = xcalloc(relation->slot_count, sizeof(*relation->slots));
}

void relation_finish(struct relation *relation)
{
	free(relation->rows);
	free(relation->slots);
	*relation = (struct relation){0};
}

void relation_clear(struct relation *relation)
{
	relation->count = 0;
	memset(relation->slots, 0, relation->slot_count * sizeof(*relation->slots));
}

void *relation_at(const struct relation *relation, size_t i)
{
	return relation->rows + i * relation->stride;
}

static size_t first_slot(const struct relation *relation, const struct uuid *id)
{
	uint64_t high, low;

	memcpy(&high, id->bytes, sizeof(high));
	memcpy(&low, id->bytes + sizeof(high), sizeof(low));
	return (size_t)((high ^ low * 0x9e3779b97f4a7c15u) * 0xff51afd7ed558ccdu >> 32) &
	       (relation->slot_count - 1);
}

/* The slot of the key, or the free one where it would be. */
static size_t slot_of(const struct relation *relation, const struct uuid *id)
{
	size_t slot = first_slot(relation, id);

	while (relation->slots[slot] &&
	       !uuid_equal(relation_at(relation, (size_t)relation->slots[slot] - 1), id))
		slot = (slot + 1) & (relation->slot_count - 1);
	return slot;
}

void *relation_find(const struct relation *relation, const struct uuid *id)
{
	int32_t number = relation->slots[slot_of(relation, id)];

	return number ? relation_at(relation, (size_t)number - 1) : NULL;
}

void *relation_add(struct relation *relation, const struct uuid *id)
{
	size_t slot = slot_of(relation, id);
	void *row;

	ENSURE(!relation->slots[slot] && relation->count < relation->most);
	row = relation_at(relation, relation->count++);
	relation->slots[slot] = (int32_t)relation->count;
	memset(row, 0, relation->stride);
	memcpy(row, id, sizeof(*id));
	return row;
}
