#include "offset_window.h"

#include "unit.h"

static struct offset_window window;

static size_t open_offset(int64_t offset)
{
	return offset_window_open(&window, &(struct offset_place){.offset = offset});
}

/* The last offset that may be stored now; -1: none. */
static int64_t popped(void)
{
	struct offset_place place = {.offset = -1};

	while (offset_window_pop(&window, &place))
		;
	return place.offset;
}

START_TEST(an_offset_waits_for_all_that_was_read_before_it)
{
	size_t slots[4];

	offset_window_init(&window, 4);
	for (int i = 0; i < 4; i++)
		slots[i] = open_offset(i);
	offset_window_close(&window, slots[2]);
	offset_window_close(&window, slots[1]);
	ck_assert_int_eq(popped(), -1);
	offset_window_close(&window, slots[0]);
	ck_assert_int_eq(popped(), 2);
	offset_window_close(&window, slots[3]);
	ck_assert_int_eq(popped(), 3);
	ck_assert_int_eq(popped(), -1);
	offset_window_finish(&window);
}
END_TEST

START_TEST(a_full_window_has_room_again_when_its_oldest_is_popped)
{
	size_t oldest;

	offset_window_init(&window, 2);
	oldest = open_offset(1);
	open_offset(2);
	ck_assert(offset_window_is_full(&window));
	offset_window_close(&window, oldest);
	ck_assert(offset_window_is_full(&window));
	ck_assert_int_eq(popped(), 1);
	ck_assert(!offset_window_is_full(&window));
	ck_assert_uint_eq(open_offset(3), oldest);
	offset_window_finish(&window);
}
END_TEST

START_TEST(a_place_comes_out_as_it_went_in)
{
	const struct offset_place place = {
		.topic = 1, .partition = 7, .assignment = UINT64_MAX, .offset = INT64_MAX - 1};
	struct offset_place out;

	offset_window_init(&window, 1);
	offset_window_close(&window, offset_window_open(&window, &place));
	ck_assert(offset_window_pop(&window, &out));
	ck_assert_uint_eq(out.topic, 1);
	ck_assert_int_eq(out.partition, 7);
	ck_assert_uint_eq(out.assignment, UINT64_MAX);
	ck_assert_int_eq(out.offset, INT64_MAX - 1);
	offset_window_finish(&window);
}
END_TEST

START_TEST(in_whatever_order_they_close_all_come_out_in_the_order_they_were_read)
{
	enum { SIZE = 16, MESSAGES = 10000 };
	int64_t read = 0;
	int64_t last = -1;
	unsigned seed = 1;
	size_t open[SIZE];
	size_t count = 0;

	offset_window_init(&window, SIZE);
	while (last < MESSAGES - 1) {
		struct offset_place place;

		while (read < MESSAGES && !offset_window_is_full(&window))
			open[count++] = open_offset(read++);
		if (count > 0) {
			size_t i = (seed = seed * 1103515245 + 12345) / 65536 % count;

			offset_window_close(&window, open[i]);
			open[i] = open[--count];
		}
		while (offset_window_pop(&window, &place)) {
			ck_assert_int_eq(place.offset, last + 1);
			last = place.offset;
		}
	}
	ck_assert_uint_eq(window.count, 0);
	offset_window_finish(&window);
}
END_TEST

UNIT_TESTS(offset_window, an_offset_waits_for_all_that_was_read_before_it,
	   a_full_window_has_room_again_when_its_oldest_is_popped, a_place_comes_out_as_it_went_in,
	   in_whatever_order_they_close_all_come_out_in_the_order_they_were_read)
