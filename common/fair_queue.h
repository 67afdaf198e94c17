/*
 * Which of the jobs that wait for the same thing is next:
 *
 *	express before normal, which keeps a share
 *	paid before free
 *	the business unit that has had least, in cost (deficit round-robin, without rounds)
 *	of one unit the older one, a long one as if it had come later
 *	every eighth time the one that waits longest of all, so that nothing starves
 *
 * A unit that is new, or was idle, begins where the others are: it is next or
 * nearly so, however many jobs another has waiting, and saves nothing up.
 *
 *	fair_queue_add(queue, &work->turn);
 *	struct fair_turn *turn = fair_queue_next(queue);        -- NULL: none waits
 *	if (can_start(turn))
 *		fair_queue_take(queue, turn);                   -- counts for its unit
 *	else if (nobody_can_start())
 *		...                                             -- it stays, and stays next
 *	else
 *		fair_queue_remove(queue, turn);                 -- without having had anything
 *
 * All of it in logarithmic time. Pure: never reads a clock.
 */
#ifndef SLUICE_FAIR_QUEUE_H
#define SLUICE_FAIR_QUEUE_H

#include <stdbool.h>
#include <stddef.h>

#include "clock.h"
#include "heap.h"

/* Of a job that waits; embedded in it. The first part is the caller's, set before it is added. */
struct fair_turn {
	const char *unit; /* borrowed while it waits */
	bool express;
	bool free_plan;
	uint64_t cost; /* its likely tokens, say; 0 counts as 1 */
	nsec since;    /* when it began to wait, by any clock that all share */

	struct fair_flow *flow; /* the queue's; NULL: in none */
	struct heap_slot by_order;
	struct heap_slot by_age;
};

struct fair_queue;

/* `normal_share`: percent of the turns that normal has while express waits. */
struct fair_queue *fair_queue_create(unsigned normal_share);
void fair_queue_destroy(struct fair_queue *queue); /* borrowed turns are left as they are */

void fair_queue_add(struct fair_queue *queue, struct fair_turn *turn);

/* The next one. Asked again it is the same, until something is added, taken or removed. */
struct fair_turn *fair_queue_next(const struct fair_queue *queue);

void fair_queue_take(struct fair_queue *queue, struct fair_turn *turn);
void fair_queue_remove(struct fair_queue *queue, struct fair_turn *turn);

size_t fair_queue_count(const struct fair_queue *queue);

/* How many of a unit wait, of all lanes and plans; and how many units there are that wait. */
size_t fair_queue_of(const struct fair_queue *queue, const char *unit);
size_t fair_queue_units(const struct fair_queue *queue);

#endif
