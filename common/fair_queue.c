#include "fair_queue.h"

#include <stdlib.h>
#include <string.h>

#include "ensure.h"

#define OLDEST_EVERY 8
#define LATER_PER_COST NSEC_PER_MSEC   /* a job of 1,000 tokens counts as a second younger … */
#define MOST_LATER (60 * NSEC_PER_SEC) /* … and none as more than a minute */
#define MOST_COST ((uint64_t)10 * 1000 * 1000)

enum { EXPRESS_PAID, EXPRESS_FREE, NORMAL_PAID, NORMAL_FREE, CLASS_COUNT };

/* The jobs of one business unit in one class. Kept while empty, as long as it has had more than
 * others. */
struct fair_flow {
	struct fair_unit *unit;
	struct fair_class *class;
	struct heap jobs;	  /* turns by_order */
	struct heap_slot by_work; /* key: what it has had, on the scale of its class */
};

struct fair_unit {
	char *name; /* owned */
	size_t count;
	struct fair_flow flows[CLASS_COUNT];
	struct fair_unit *next; /* in its bucket */
};

struct fair_class {
	struct heap flows; /* those with jobs, by_work */
	uint64_t now;	   /* what the one that was last next had had: where others begin */
	uint64_t most;	   /* that any of them has had */
};

struct fair_queue {
	unsigned normal_share;
	struct fair_class classes[CLASS_COUNT];
	struct heap oldest; /* turns by_age */
	struct fair_unit **buckets;
	size_t bucket_count, unit_count, busy_units;
	uint64_t turns;
	unsigned normal_credit; /* percent of a turn that normal has a right to */
};

#define FIRST_BUCKETS 64

struct fair_queue *fair_queue_create(unsigned normal_share)
{
	struct fair_queue *queue = xcalloc(1, sizeof(*queue));

	ENSURE(normal_share <= 100);
	queue->normal_share = normal_share;
	queue->bucket_count = FIRST_BUCKETS;
	queue->buckets = xcalloc(queue->bucket_count, sizeof(struct fair_unit *));
	return queue;
}

static void unit_destroy(struct fair_unit *unit)
{
	for (size_t i = 0; i < CLASS_COUNT; i++)
		heap_finish(&unit->flows[i].jobs);
	free(unit->name);
	free(unit);
}

void fair_queue_destroy(struct fair_queue *queue)
{
	if (!queue)
		return;
	for (size_t i = 0; i < queue->bucket_count; i++) {
		struct fair_unit *unit;

		while ((unit = queue->buckets[i])) {
			queue->buckets[i] = unit->next;
			unit_destroy(unit);
		}
	}
	for (size_t i = 0; i < CLASS_COUNT; i++)
		heap_finish(&queue->classes[i].flows);
	heap_finish(&queue->oldest);
	free(queue->buckets);
	free(queue);
}

/* --- units --- */

static struct fair_unit **bucket_of(const struct fair_queue *queue, const char *name)
{
	uint64_t hash = 14695981039346656037u;

	for (const char *c = name; *c; c++)
		hash = (hash ^ (unsigned char)*c) * 1099511628211u;
	return &queue->buckets[(hash ^ hash >> 32) % queue->bucket_count];
}

static struct fair_unit *find_unit(const struct fair_queue *queue, const char *name)
{
	struct fair_unit *unit = *bucket_of(queue, name);

	while (unit && strcmp(unit->name, name) != 0)
		unit = unit->next;
	return unit;
}

/* It has nothing waiting and had no more than others: as good as a new one. */
static bool is_forgettable(const struct fair_unit *unit)
{
	for (size_t i = 0; i < CLASS_COUNT; i++)
		if (unit->flows[i].by_work.key > unit->flows[i].class->now)
			return false;
	return unit->count == 0;
}

static void forget_idle(struct fair_queue *queue)
{
	for (size_t i = 0; i < queue->bucket_count; i++) {
		struct fair_unit **link = &queue->buckets[i];

		while (*link) {
			struct fair_unit *unit = *link;

			if (!is_forgettable(unit)) {
				link = &unit->next;
				continue;
			}
			*link = unit->next;
			unit_destroy(unit);
			queue->unit_count--;
		}
	}
}

static void grow(struct fair_queue *queue)
{
	struct fair_unit **old = queue->buckets;
	size_t count = queue->bucket_count;

	queue->bucket_count = 2 * count;
	queue->buckets = xcalloc(queue->bucket_count, sizeof(struct fair_unit *));
	for (size_t i = 0; i < count; i++) {
		struct fair_unit *unit;

		while ((unit = old[i])) {
			struct fair_unit **bucket = bucket_of(queue, unit->name);

			old[i] = unit->next;
			unit->next = *bucket;
			*bucket = unit;
		}
	}
	free(old);
}

static struct fair_unit *add_unit(struct fair_queue *queue, const char *name)
{
	struct fair_unit *unit = xcalloc(1, sizeof(*unit));
	struct fair_unit **bucket;

	if (queue->unit_count == queue->bucket_count) {
		forget_idle(queue);
		if (queue->unit_count > queue->bucket_count / 2)
			grow(queue);
	}
	bucket = bucket_of(queue, name);
	unit->name = xstrdup(name);
	for (size_t i = 0; i < CLASS_COUNT; i++) {
		unit->flows[i].unit = unit;
		unit->flows[i].class = &queue->classes[i];
	}
	unit->next = *bucket;
	*bucket = unit;
	queue->unit_count++;
	return unit;
}

/* --- in and out --- */

static uint64_t cost_of(const struct fair_turn *turn)
{
	if (turn->cost > MOST_COST)
		return MOST_COST;
	return turn->cost > 0 ? turn->cost : 1;
}

static size_t class_of(const struct fair_turn *turn)
{
	if (turn->express)
		return turn->free_plan ? EXPRESS_FREE : EXPRESS_PAID;
	return turn->free_plan ? NORMAL_FREE : NORMAL_PAID;
}

void fair_queue_add(struct fair_queue *queue, struct fair_turn *turn)
{
	struct fair_unit *unit = find_unit(queue, turn->unit);
	nsec later = cost_of(turn) * LATER_PER_COST;
	struct fair_flow *flow;

	ENSURE(!turn->flow);
	if (!unit)
		unit = add_unit(queue, turn->unit);
	flow = &unit->flows[class_of(turn)];
	if (flow->jobs.count == 0) {
		if (flow->by_work.key < flow->class->now)
			flow->by_work.key = flow->class->now;
		heap_add(&flow->class->flows, &flow->by_work);
	}
	turn->flow = flow;
	turn->by_order.key = turn->since + (later < MOST_LATER ? later : MOST_LATER);
	turn->by_age.key = turn->since;
	heap_add(&flow->jobs, &turn->by_order);
	heap_add(&queue->oldest, &turn->by_age);
	queue->busy_units += unit->count++ == 0;
}

void fair_queue_remove(struct fair_queue *queue, struct fair_turn *turn)
{
	struct fair_flow *flow = TAKE(turn->flow);
	struct fair_class *class;

	ENSURE(flow);
	class = flow->class;
	heap_remove(&flow->jobs, &turn->by_order);
	heap_remove(&queue->oldest, &turn->by_age);
	queue->busy_units -= --flow->unit->count == 0;
	if (flow->jobs.count > 0)
		return;
	heap_remove(&class->flows, &flow->by_work);
	if (class->flows.count == 0) /* nobody was kept waiting: all begin anew as equals */
		class->now = class->most;
}

/* --- whose turn it is --- */

static bool waits(const struct fair_queue *queue, size_t paid, size_t free_plan)
{
	return queue->classes[paid].flows.count + queue->classes[free_plan].flows.count > 0;
}

static bool both_wait(const struct fair_queue *queue)
{
	return waits(queue, EXPRESS_PAID, EXPRESS_FREE) && waits(queue, NORMAL_PAID, NORMAL_FREE);
}

static const struct fair_class *next_class(const struct fair_queue *queue)
{
	bool normal = !waits(queue, EXPRESS_PAID, EXPRESS_FREE) ||
		      (waits(queue, NORMAL_PAID, NORMAL_FREE) &&
		       queue->normal_credit + queue->normal_share >= 100);
	size_t paid = normal ? NORMAL_PAID : EXPRESS_PAID;

	return &queue->classes[queue->classes[paid].flows.count > 0 ? paid : paid + 1];
}

static bool is_for_the_oldest(const struct fair_queue *queue)
{
	return queue->turns % OLDEST_EVERY == OLDEST_EVERY - 1;
}

struct fair_turn *fair_queue_next(const struct fair_queue *queue)
{
	struct heap_slot *slot = heap_first(&queue->oldest);

	if (!slot)
		return NULL;
	if (is_for_the_oldest(queue))
		return HEAP_OWNER(slot, struct fair_turn, by_age);
	slot = heap_first(&next_class(queue)->flows);
	slot = heap_first(&HEAP_OWNER(slot, struct fair_flow, by_work)->jobs);
	return HEAP_OWNER(slot, struct fair_turn, by_order);
}

static void count_lane(struct fair_queue *queue, const struct fair_turn *turn)
{
	if (!both_wait(queue))
		return;
	queue->normal_credit += queue->normal_share;
	if (!turn->express)
		queue->normal_credit -= queue->normal_credit < 100 ? queue->normal_credit : 100;
	if (queue->normal_credit > 100)
		queue->normal_credit = 100;
}

/* In its place by what it has had now. */
static void charge(struct fair_flow *flow, uint64_t cost)
{
	struct fair_class *class = flow->class;
	bool was_next = heap_first(&class->flows) == &flow->by_work;

	if (was_next)
		class->now = flow->by_work.key;
	heap_remove(&class->flows, &flow->by_work);
	flow->by_work.key += cost;
	if (flow->by_work.key > class->most)
		class->most = flow->by_work.key;
	heap_add(&class->flows, &flow->by_work);
}

void fair_queue_take(struct fair_queue *queue, struct fair_turn *turn)
{
	ENSURE(turn->flow);
	queue->turns++;
	count_lane(queue, turn);
	charge(turn->flow, cost_of(turn));
	fair_queue_remove(queue, turn);
}

/* --- how many --- */

size_t fair_queue_count(const struct fair_queue *queue)
{
	return queue->oldest.count;
}

size_t fair_queue_of(const struct fair_queue *queue, const char *name)
{
	const struct fair_unit *unit = find_unit(queue, name);

	return unit ? unit->count : 0;
}

size_t fair_queue_units(const struct fair_queue *queue)
{
	return queue->busy_units;
}
