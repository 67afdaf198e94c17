#include "agenda.h"

#include <stdlib.h>

#include "ensure.h"

static void put(struct agenda *agenda, size_t place, struct appointment *a)
{
	agenda->heap[place] = a;
	a->place = place;
}

static void rise(struct agenda *agenda, struct appointment *a)
{
	size_t place = a->place;

	for (; place > 1 && agenda->heap[place / 2]->at > a->at; place /= 2)
		put(agenda, place, agenda->heap[place / 2]);
	put(agenda, place, a);
}

static void sink(struct agenda *agenda, struct appointment *a)
{
	size_t place = a->place, child;

	for (; (child = place * 2) <= agenda->count; place = child) {
		if (child < agenda->count && agenda->heap[child + 1]->at < agenda->heap[child]->at)
			child++;
		if (agenda->heap[child]->at >= a->at)
			break;
		put(agenda, place, agenda->heap[child]);
	}
	put(agenda, place, a);
}

void agenda_add(struct agenda *agenda, struct appointment *a, nsec at)
{
	ENSURE(a->place == 0);
	if (agenda->count + 2 > agenda->capacity) {
		agenda->capacity = agenda->capacity ? agenda->capacity * 2 : 256;
		agenda->heap = xrealloc(agenda->heap,
					agenda->capacity * sizeof(struct appointment *));
	}
	a->at = at;
	put(agenda, ++agenda->count, a);
	rise(agenda, a);
}

void agenda_remove(struct agenda *agenda, struct appointment *a)
{
	size_t place = a->place;
	struct appointment *last;

	if (place == 0)
		return;
	last = agenda->heap[agenda->count--];
	a->place = 0;
	if (last == a)
		return;
	put(agenda, place, last);
	rise(agenda, last);
	sink(agenda, last);
}

struct appointment *agenda_next(const struct agenda *agenda)
{
	return agenda->count > 0 ? agenda->heap[1] : NULL;
}

void agenda_finish(struct agenda *agenda)
{
	free(agenda->heap);
	*agenda = (struct agenda){0};
}
