#include "web_patience.h"

#include "unit.h"

#define S NSEC_PER_SEC

static struct patience p;
static struct patience_wait a, b, c;

static void begin(void)
{
	p = (struct patience){.idle = 10 * S};
	a = b = c = (struct patience_wait){0};
}

START_TEST(a_request_has_so_long_to_come_whatever_drips)
{
	begin();
	patience_await(&p, &a, 100 * S);
	patience_moved(&a, 100);
	ck_assert_ptr_null(patience_overdue(&p, 110 * S));
	ck_assert_ptr_eq(patience_overdue(&p, 110 * S + 1), &a);
}
END_TEST

START_TEST(a_body_that_flows_has_as_long_as_it_takes)
{
	begin();
	patience_await(&p, &a, 0);
	patience_await(&p, &b, S);
	patience_moved(&a, 100 * PATIENCE_BYTES_PER_SECOND);
	ck_assert_ptr_null(patience_overdue(&p, 11 * S));
	ck_assert_ptr_eq(patience_overdue(&p, 12 * S), &b);
	patience_rest(&p, &b);
	ck_assert_ptr_null(patience_overdue(&p, 110 * S));
	ck_assert_ptr_eq(patience_overdue(&p, 110 * S + 1), &a);
}
END_TEST

START_TEST(nobody_is_hurried_while_we_are_the_slow_ones)
{
	begin();
	patience_await(&p, &a, 0);
	patience_rest(&p, &a);
	patience_rest(&p, &a);
	ck_assert_ptr_null(patience_overdue(&p, 1000 * S));
	ck_assert_ptr_null(patience_longest(&p, 9 * S));
}
END_TEST

START_TEST(an_answer_has_to_be_taken_in_time)
{
	begin();
	patience_await(&p, &a, 0);
	patience_send(&p, &a, 20 * PATIENCE_BYTES_PER_SECOND, 5 * S);
	ck_assert_ptr_null(patience_overdue(&p, 35 * S));
	ck_assert_ptr_eq(patience_overdue(&p, 35 * S + 1), &a);
	patience_await(&p, &a, 36 * S); /* taken: its next request */
	ck_assert_ptr_null(patience_overdue(&p, 46 * S));
}
END_TEST

START_TEST(the_longest_waited_for_make_room_bodies_last_answers_never)
{
	begin();
	patience_await(&p, &a, 0);
	patience_await(&p, &b, S);
	patience_await(&p, &c, 2 * S);
	patience_moved(&a, 1);
	patience_send(&p, &b, 1, 3 * S);
	ck_assert_ptr_eq(patience_longest(&p, 9 * S), &c);
	ck_assert_ptr_eq(patience_longest(&p, 2 * S + PATIENCE_LEAST), &a); /* c has just come */
	patience_rest(&p, &c);
	ck_assert_ptr_eq(patience_longest(&p, 9 * S), &a);
	patience_rest(&p, &a);
	ck_assert_ptr_null(patience_longest(&p, 9 * S));
	patience_rest(&p, &b);
	ck_assert_ptr_null(p.first);
	ck_assert_ptr_null(p.last);
}
END_TEST

UNIT_TESTS(web_patience, a_request_has_so_long_to_come_whatever_drips,
	   a_body_that_flows_has_as_long_as_it_takes, nobody_is_hurried_while_we_are_the_slow_ones,
	   an_answer_has_to_be_taken_in_time,
	   the_longest_waited_for_make_room_bodies_last_answers_never)
