#include "agenda.h"

#include <stdlib.h>

#include "ensure.h"

static bool is_before(const struct event *a, const struct event *b)
{
	return a->at != b->at ? a->at < b->at : a->order < b->order;
}

void agenda_add(struct agenda *agenda, struct event event)
{
	size_t i = agenda->count++;

	if (agenda->count > agenda->room) {
		agenda->room = agenda->room ? 2 * agenda->room : 1024;
		agenda->heap = xrealloc(agenda->heap, agenda->room * sizeof(*agenda->heap));
	}
	event.order = agenda->planned++;
	for (; i > 0 && is_before(&event, &agenda->heap[(i - 1) / 2]); i = (i - 1) / 2)
		agenda->heap[i] = agenda->heap[(i - 1) / 2];
	agenda->heap[i] = event;
}

bool agenda_take(struct agenda *agenda, struct event *event)
{
	struct event last;
	size_t i = 0, child;

	if (agenda->count == 0)
		return false;
	*event = agenda->heap[0];
	last = agenda->heap[--agenda->count];
	while ((child = 2 * i + 1) < agenda->count) {
		if (child + 1 < agenda->count &&
		    is_before(&agenda->heap[child + 1], &agenda->heap[child]))
			child++;
		if (!is_before(&agenda->heap[child], &last))
			break;
		agenda->heap[i] = agenda->heap[child];
		i = child;
	}
	agenda->heap[i] = last;
	return true;
}

void agenda_clear(struct agenda *agenda)
{
	agenda->count = 0;
	agenda->planned = 0;
}

void agenda_finish(struct agenda *agenda)
{
	free(agenda->heap);
	*agenda = (struct agenda){0};
}
