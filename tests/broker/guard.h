/*
 * Watches the embedded broker for what it does in silence: it keeps 5 MiB or
 * 100,000 message sets of a partition and drops the oldest beyond that, while
 * producers still get their acknowledgements. A test that loses messages that
 * way proves nothing, so the guard ends the process with GUARD_EXIT.
 *
 *	struct guard *guard = guard_create(&options, "127.0.0.1:4711", err);
 *	...                                     -- a thread looks every 200 ms
 *	guard_destroy(guard);
 *
 * A message counts as consumed when a watched group had committed past it at
 * the look before the one that finds it dropped: strict by 200 ms, so that a
 * consumer that jumps over a gap between two looks is no excuse.
 */
#ifndef BROKER_GUARD_H
#define BROKER_GUARD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "error.h"

#define GUARD_EXIT 70
#define GUARD_MAX_NAMES 64

struct guard_options {
	const char *groups[GUARD_MAX_NAMES]; /* whose commits count */
	size_t group_count;
	const char *may_drop[GUARD_MAX_NAMES]; /* topics nobody has to read */
	size_t may_drop_count;
};

/* The options are borrowed for the guard's life. */
struct guard *guard_create(const struct guard_options *options, const char *brokers,
			   struct error *err) MUST_USE;

/* Waits for a whole look that starts after this call; false when the broker gave no answer to one.
 */
bool guard_look(struct guard *guard) MUST_USE;
void guard_destroy(struct guard *guard);
AUTO_DEFINE(struct guard, guard_destroy)

#endif
