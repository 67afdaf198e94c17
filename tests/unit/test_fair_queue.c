#include "fair_queue.h"

#include <stdio.h>
#include <string.h>

#include "random.h"
#include "unit.h"

#define MANY 2000

struct fair_fixture {
	struct fair_queue *queue;
	struct fair_turn turns[MANY];
	size_t count;
};

static void start(struct fair_fixture *f, unsigned normal_share)
{
	memset(f, 0, sizeof(*f));
	f->queue = fair_queue_create(normal_share);
}

static struct fair_turn *add(struct fair_fixture *f, const char *unit, uint64_t cost, nsec since)
{
	struct fair_turn *turn = &f->turns[f->count++];

	ck_assert_uint_le(f->count, MANY);
	*turn = (struct fair_turn){.unit = unit, .cost = cost, .since = since};
	fair_queue_add(f->queue, turn);
	return turn;
}

static struct fair_turn *add_to(struct fair_fixture *f, bool express, bool free_plan, nsec since)
{
	struct fair_turn *turn = &f->turns[f->count++];

	*turn = (struct fair_turn){
		.unit = "a", .express = express, .free_plan = free_plan, .cost = 1, .since = since};
	fair_queue_add(f->queue, turn);
	return turn;
}

static struct fair_turn *take(struct fair_fixture *f)
{
	struct fair_turn *turn = fair_queue_next(f->queue);

	if (turn)
		fair_queue_take(f->queue, turn);
	return turn;
}

START_TEST(nothing_is_next_where_nothing_waits)
{
	static struct fair_fixture f;

	start(&f, 20);
	ck_assert_ptr_null(fair_queue_next(f.queue));
	add(&f, "a", 1, 1);
	ck_assert_ptr_eq(take(&f), &f.turns[0]);
	ck_assert_ptr_null(fair_queue_next(f.queue));
	ck_assert_uint_eq(fair_queue_count(f.queue), 0);
	fair_queue_destroy(f.queue);
}
END_TEST

START_TEST(express_goes_first_and_normal_keeps_its_share)
{
	static struct fair_fixture f;
	size_t normal = 0;

	start(&f, 20);
	for (nsec i = 0; i < 500; i++)
		add_to(&f, false, false, 1000 + i);
	for (nsec i = 0; i < 500; i++) /* older, so that age is on their side */
		add_to(&f, true, false, i);
	ck_assert(fair_queue_next(f.queue)->express);
	for (int i = 0; i < 400; i++)
		normal += !take(&f)->express;
	ck_assert_uint_ge(normal, 60);
	ck_assert_uint_le(normal, 80);
	fair_queue_destroy(f.queue);
}
END_TEST

START_TEST(without_a_share_normal_has_only_its_age)
{
	static struct fair_fixture f;
	size_t normal = 0;

	start(&f, 0);
	for (nsec i = 0; i < 100; i++)
		add_to(&f, false, false, i);
	for (nsec i = 0; i < 100; i++)
		add_to(&f, true, false, 1000 + i);
	for (int i = 0; i < 80; i++)
		normal += !take(&f)->express;
	ck_assert_uint_eq(normal, 10); /* every eighth is the oldest */
	fair_queue_destroy(f.queue);
}
END_TEST

START_TEST(paid_goes_before_free)
{
	static struct fair_fixture f;

	start(&f, 20);
	for (nsec i = 0; i < 7; i++)
		add_to(&f, false, true, i);
	for (nsec i = 0; i < 7; i++)
		add_to(&f, false, false, 1000 + i);
	for (int i = 0; i < 7; i++)
		ck_assert(!take(&f)->free_plan);
	for (int i = 0; i < 7; i++)
		ck_assert(take(&f)->free_plan);
	fair_queue_destroy(f.queue);
}
END_TEST

START_TEST(a_unit_that_comes_late_is_next_however_many_wait)
{
	static struct fair_fixture f;
	struct fair_turn *small;
	int before = 0;

	start(&f, 20);
	for (nsec i = 0; i < 1500; i++)
		add(&f, "big", 300, i);
	for (int i = 0; i < 100; i++)
		take(&f);
	small = add(&f, "small", 300, 5000);
	while (take(&f) != small)
		before++;
	ck_assert_int_le(before, 2);
	fair_queue_destroy(f.queue);
}
END_TEST

START_TEST(units_share_by_cost_not_by_number)
{
	static struct fair_fixture f;
	size_t dear = 0, cheap = 0;

	start(&f, 20);
	for (nsec i = 0; i < 900; i++) {
		add(&f, "dear", 1000, i);
		add(&f, "cheap", 100, i + 1);
	}
	for (int i = 0; i < 550; i++)
		*(strcmp(take(&f)->unit, "dear") == 0 ? &dear : &cheap) += 1;
	/* 10 to 1, less what goes to the oldest whoever has them: dear ones, for they wait longest.
	 */
	ck_assert_uint_ge(dear, 50);
	ck_assert_uint_le(dear, 50 + 550 / 8 + 1);
	fair_queue_destroy(f.queue);
}
END_TEST

START_TEST(what_is_idle_saves_nothing_up)
{
	static struct fair_fixture f;
	size_t idle = 0;

	start(&f, 20);
	add(&f, "idle", 100, 0);
	take(&f);
	for (nsec i = 0; i < 1000; i++)
		add(&f, "busy", 100, i);
	for (int i = 0; i < 500; i++)
		take(&f);
	for (nsec i = 0; i < 500; i++)
		add(&f, "idle", 100, 2000 + i);
	for (int i = 0; i < 200; i++)
		idle += strcmp(take(&f)->unit, "idle") == 0;
	ck_assert_uint_ge(idle, 85);
	ck_assert_uint_le(idle, 101);
	fair_queue_destroy(f.queue);
}
END_TEST

/* Else who sends one large job after another would always come back as a new one. */
START_TEST(what_a_unit_has_had_is_remembered_while_it_has_nothing_waiting)
{
	static struct fair_fixture f;
	size_t drip = 0;

	start(&f, 20);
	for (nsec i = 0; i < 800; i++)
		add(&f, "busy", 100, i);
	for (nsec i = 0; i < 400; i++) {
		struct fair_turn *turn;

		if (fair_queue_of(f.queue, "drip") == 0)
			add(&f, "drip", 1000, 5000 + i);
		turn = take(&f);
		drip += strcmp(turn->unit, "drip") == 0;
	}
	ck_assert_uint_ge(drip, 30); /* 1 to 10 by cost: 36 of 400 */
	ck_assert_uint_le(drip, 40);
	fair_queue_destroy(f.queue);
}
END_TEST

START_TEST(short_goes_before_long_among_equals)
{
	static struct fair_fixture f;
	struct fair_turn *large, *small;

	start(&f, 20);
	large = add(&f, "a", 8000, NSEC_PER_SEC);
	small = add(&f, "a", 100, 2 * NSEC_PER_SEC);
	ck_assert_ptr_eq(take(&f), small);
	ck_assert_ptr_eq(take(&f), large);
	fair_queue_destroy(f.queue);
}
END_TEST

START_TEST(old_and_long_goes_before_new_and_short)
{
	static struct fair_fixture f;
	struct fair_turn *large, *small;

	start(&f, 20);
	large = add(&f, "a", 8000, 0);
	small = add(&f, "a", 100, 9 * NSEC_PER_SEC);
	ck_assert_ptr_eq(take(&f), large);
	ck_assert_ptr_eq(take(&f), small);
	large = add(&f, "a", UINT64_MAX, 0);
	small = add(&f, "a", 100, 61 * NSEC_PER_SEC);
	ck_assert_ptr_eq(take(&f), large);
	ck_assert_ptr_eq(take(&f), small);
	fair_queue_destroy(f.queue);
}
END_TEST

/* The lowest of all: normal, free, long, of the unit that has most; others keep coming. */
START_TEST(nothing_starves)
{
	static struct fair_fixture f;
	struct fair_turn *last;
	nsec now = 100;
	int turns = 0;

	start(&f, 0);
	last = &f.turns[f.count++];
	*last = (struct fair_turn){
		.unit = "b", .free_plan = true, .cost = 1000 * 1000, .since = now++};
	for (int i = 0; i < 50; i++) /* who came before it */
		add_to(&f, true, false, (nsec)i);
	fair_queue_add(f.queue, last);
	for (;;) {
		add_to(&f, true, false, now++);
		turns++;
		if (take(&f) == last)
			break;
		ck_assert_int_le(turns, 51 * 8);
	}
	fair_queue_destroy(f.queue);
}
END_TEST

START_TEST(what_could_not_start_stays_next)
{
	static struct fair_fixture f;
	struct fair_turn *next;

	start(&f, 20);
	for (nsec i = 0; i < 20; i++)
		add(&f, i % 2 ? "a" : "b", 100, i);
	for (int i = 0; i < 20; i++) {
		next = fair_queue_next(f.queue);
		ck_assert_ptr_eq(fair_queue_next(f.queue), next);
		fair_queue_take(f.queue, next);
	}
	fair_queue_destroy(f.queue);
}
END_TEST

START_TEST(what_is_removed_costs_its_unit_nothing)
{
	static struct fair_fixture f;

	start(&f, 20);
	for (nsec i = 0; i < 100; i++)
		fair_queue_remove(f.queue, add(&f, "a", 1000, i));
	ck_assert_uint_eq(fair_queue_of(f.queue, "a"), 0);
	add(&f, "b", 1, 200);
	add(&f, "a", 1, 201);
	ck_assert_str_eq(take(&f)->unit, "b");
	ck_assert_str_eq(take(&f)->unit, "a");
	fair_queue_destroy(f.queue);
}
END_TEST

START_TEST(units_that_are_gone_take_no_room)
{
	static struct fair_fixture f;
	char name[32];

	start(&f, 20);
	for (int i = 0; i < 100000; i++) {
		struct fair_turn turn = {.unit = name, .cost = 1, .since = (nsec)i};

		snprintf(name, sizeof(name), "unit-%d", i);
		fair_queue_add(f.queue, &turn);
		ck_assert_uint_eq(fair_queue_units(f.queue), 1);
		fair_queue_take(f.queue, &turn);
	}
	ck_assert_uint_eq(fair_queue_units(f.queue), 0);
	fair_queue_destroy(f.queue);
}
END_TEST

/* Against a plain list: each comes out once, none that was not in, whatever is done in between. */
START_TEST(every_turn_comes_once)
{
	static const char *const units[] = {"a", "b", "c", "d", "e"};
	static struct fair_turn turns[MANY];
	static bool waits[MANY];
	struct fair_queue *queue = fair_queue_create(20);
	struct random random;
	size_t count = 0;

	random_seed(&random, 7);
	for (int step = 0; step < 200000; step++) {
		size_t i = (size_t)random_below(&random, MANY);

		if (!waits[i]) {
			turns[i] = (struct fair_turn){
				.unit = units[random_below(&random, 5)],
				.express = random_below(&random, 2) == 0,
				.free_plan = random_below(&random, 2) == 0,
				.cost = random_below(&random, 5000),
				.since = random_below(&random, 1000) * NSEC_PER_SEC,
			};
			fair_queue_add(queue, &turns[i]);
		} else if (random_below(&random, 2) == 0) {
			fair_queue_remove(queue, &turns[i]);
		} else {
			struct fair_turn *next = fair_queue_next(queue);

			i = (size_t)(next - turns);
			ck_assert(i < MANY && waits[i]);
			fair_queue_take(queue, next);
		}
		waits[i] = !waits[i];
		count += waits[i] ? 1 : (size_t)-1;
		ck_assert_uint_eq(fair_queue_count(queue), count);
	}
	for (; count > 0; count--)
		fair_queue_take(queue, fair_queue_next(queue));
	ck_assert_ptr_null(fair_queue_next(queue));
	ck_assert_uint_eq(fair_queue_units(queue), 0);
	fair_queue_destroy(queue);
}
END_TEST

UNIT_TESTS(fair_queue, nothing_is_next_where_nothing_waits,
	   express_goes_first_and_normal_keeps_its_share, without_a_share_normal_has_only_its_age,
	   paid_goes_before_free, a_unit_that_comes_late_is_next_however_many_wait,
	   units_share_by_cost_not_by_number, what_is_idle_saves_nothing_up,
	   what_a_unit_has_had_is_remembered_while_it_has_nothing_waiting,
	   short_goes_before_long_among_equals, old_and_long_goes_before_new_and_short,
	   nothing_starves, what_could_not_start_stays_next, what_is_removed_costs_its_unit_nothing,
	   units_that_are_gone_take_no_room, every_turn_comes_once)
