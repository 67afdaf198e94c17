/*
 * A binary heap of things that carry their own place in it, so that any of them
 * can be taken out again, in logarithmic time.
 *
 *	struct flight { struct heap_slot by_time; … };
 *
 *	flight->by_time.key = flight->leaves_at;
 *	heap_add(&heap, &flight->by_time);
 *	struct heap_slot *slot = heap_first(&heap);     -- NULL: it is empty
 *	struct flight *next = HEAP_OWNER(slot, struct flight, by_time);
 *	heap_remove(&heap, &flight->by_time);
 *
 * The least key comes first; among equals the one that was added first. The heap
 * borrows what is in it. A zeroed heap and a zeroed slot are ready for use.
 */
#ifndef SLUICE_HEAP_H
#define SLUICE_HEAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct heap_slot {
	uint64_t key;	/* set before it is added, left alone while it is in */
	uint64_t order; /* the heap's: when it was added */
	size_t place;	/* the heap's: 0: in none */
};

struct heap {
	struct heap_slot **slots;
	size_t count;
	size_t room;
	uint64_t added;
};

void heap_finish(struct heap *heap); /* frees nothing of what is in it */

void heap_add(struct heap *heap, struct heap_slot *slot);
void heap_remove(struct heap *heap, struct heap_slot *slot);
struct heap_slot *heap_first(const struct heap *heap);

/* The struct whose member the slot is. */
#define HEAP_OWNER(slot, type, member) ((type *)(void *)((char *)(slot)-offsetof(type, member)))

#endif
