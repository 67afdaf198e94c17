#include "offset_window.h"

#include <stdlib.h>

#include "ensure.h"

void offset_window_init(struct offset_window *window, size_t size)
{
	ENSURE(size > 0);
	*window = (struct offset_window){.entries = xcalloc(size, sizeof(*window->entries)),
					 .size = size};
}

void offset_window_finish(struct offset_window *window)
{
	free(window->entries);
	*window = (struct offset_window){0};
}

bool offset_window_is_full(const struct offset_window *window)
{
	return window->count == window->size;
}

size_t offset_window_open(struct offset_window *window, const struct offset_place *place)
{
	size_t slot = (window->first + window->count) % window->size;

	ENSURE(!offset_window_is_full(window));
	window->entries[slot] = (struct offset_entry){.place = *place};
	window->count++;
	return slot;
}

void offset_window_close(struct offset_window *window, size_t slot)
{
	size_t age = (slot + window->size - window->first) % window->size;

	ENSURE(slot < window->size && age < window->count && !window->entries[slot].closed);
	window->entries[slot].closed = true;
}

bool offset_window_pop(struct offset_window *window, struct offset_place *place)
{
	if (window->count == 0 || !window->entries[window->first].closed)
		return false;
	*place = window->entries[window->first].place;
	window->first = (window->first + 1) % window->size;
	window->count--;
	return true;
}
