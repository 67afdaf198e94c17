/*
 * Keeps track of what was read from Kafka and is not yet safe elsewhere, for
 * those who pass messages on: whatever the order in which they become safe, an
 * offset is stored only when all that was read before it is safe too.
 *
 *	size_t slot = offset_window_open(&window, &(struct offset_place){0, partition, assignment,
 *offset});
 *	...                                     -- later, when its delivery came
 *	offset_window_close(&window, slot);
 *	while (offset_window_pop(&window, &place))
 *		kafka_consumer_store(consumer, place.topic, place.partition, place.assignment,
 *				     place.offset + 1);
 *
 * One queue for all partitions: the slowest holds the others' offsets back,
 * which costs a few messages read again after a crash, and no message ever.
 * Slots are numbers below `size`, so callers may keep an array beside it.
 */
#ifndef SLUICE_OFFSET_WINDOW_H
#define SLUICE_OFFSET_WINDOW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct offset_place {
	size_t topic;
	int32_t partition;
	uint64_t assignment;
	int64_t offset;
};

struct offset_window {
	struct offset_entry {
		struct offset_place place;
		bool closed;
	} * entries; /* a ring */
	size_t size;
	size_t first; /* the oldest one that is not popped */
	size_t count;
};

void offset_window_init(struct offset_window *window, size_t size);
void offset_window_finish(struct offset_window *window);

bool offset_window_is_full(const struct offset_window *window);

/* There must be room. Returns the slot, which is taken until it is popped. */
size_t offset_window_open(struct offset_window *window, const struct offset_place *place);

void offset_window_close(struct offset_window *window, size_t slot);

/* The oldest, if it is closed: all before it were popped. False: none now. */
bool offset_window_pop(struct offset_window *window, struct offset_place *place);

#endif
