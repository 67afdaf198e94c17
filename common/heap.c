#include "heap.h"

#include <stdlib.h>

#include "ensure.h"

static bool before(const struct heap_slot *a, const struct heap_slot *b)
{
	return a->key != b->key ? a->key < b->key : a->order < b->order;
}

/* Places begin with 1: the children of n are 2n and 2n + 1. */
static struct heap_slot *at(const struct heap *heap, size_t place)
{
	return heap->slots[place - 1];
}

static void put(struct heap *heap, size_t place, struct heap_slot *slot)
{
	heap->slots[place - 1] = slot;
	slot->place = place;
}

static void rise(struct heap *heap, struct heap_slot *slot, size_t place)
{
	while (place > 1 && before(slot, at(heap, place / 2))) {
		put(heap, place, at(heap, place / 2));
		place /= 2;
	}
	put(heap, place, slot);
}

static void sink(struct heap *heap, struct heap_slot *slot, size_t place)
{
	for (size_t child; (child = 2 * place) <= heap->count; place = child) {
		if (child < heap->count && before(at(heap, child + 1), at(heap, child)))
			child++;
		if (!before(at(heap, child), slot))
			break;
		put(heap, place, at(heap, child));
	}
	put(heap, place, slot);
}

void heap_finish(struct heap *heap)
{
	free(heap->slots);
	*heap = (struct heap){0};
}

void heap_add(struct heap *heap, struct heap_slot *slot)
{
	ENSURE(slot->place == 0);
	if (heap->count == heap->room) {
		heap->room = heap->room ? 2 * heap->room : 16;
		heap->slots = xrealloc(heap->slots, heap->room * sizeof(struct heap_slot *));
	}
	slot->order = heap->added++;
	rise(heap, slot, ++heap->count);
}

void heap_remove(struct heap *heap, struct heap_slot *slot)
{
	size_t place = slot->place;
	struct heap_slot *last;

	ENSURE(place > 0 && place <= heap->count && at(heap, place) == slot);
	last = at(heap, heap->count--);
	slot->place = 0;
	if (last == slot)
		return;
	if (place > 1 && before(last, at(heap, place / 2)))
		rise(heap, last, place);
	else
		sink(heap, last, place);
}

struct heap_slot *heap_first(const struct heap *heap)
{
	return heap->count > 0 ? heap->slots[0] : NULL;
}
