#include "breaker.h"

#include "unit.h"

#define SECONDS(n) ((nsec)(n)*NSEC_PER_SEC)

static const struct breaker_rules rules = {
	.share = 0.5, .window = SECONDS(10), .min_calls = 4, .probe_after = SECONDS(5)};

static struct breaker closed_breaker(void)
{
	struct breaker b;

	breaker_init(&b, &rules);
	return b;
}

static void calls_end(struct breaker *b, int successes, int failures, nsec now)
{
	for (int i = 0; i < successes; i++)
		breaker_record(b, false, false, now);
	for (int i = 0; i < failures; i++)
		breaker_record(b, false, true, now);
}

static struct breaker open_breaker(nsec now)
{
	struct breaker b = closed_breaker();

	calls_end(&b, 0, 4, now);
	ck_assert_int_eq(b.state, BREAKER_OPEN);
	return b;
}

START_TEST(too_large_a_share_of_failures_opens)
{
	struct breaker b = closed_breaker();

	calls_end(&b, 3, 2, SECONDS(100));
	ck_assert(breaker_allows(&b, SECONDS(100)));
	calls_end(&b, 0, 1, SECONDS(100));
	ck_assert(!breaker_allows(&b, SECONDS(100)));
	ck_assert_uint_eq(breaker_wait(&b, SECONDS(101)), SECONDS(4));
	ck_assert_uint_eq(b.opened, 1);
}
END_TEST

START_TEST(few_failures_say_nothing)
{
	struct breaker b = closed_breaker();

	calls_end(&b, 0, 3, SECONDS(100));
	ck_assert(breaker_allows(&b, SECONDS(100)));
	ck_assert_uint_eq(breaker_wait(&b, SECONDS(100)), 0);
}
END_TEST

START_TEST(failures_slide_out_of_the_window)
{
	struct breaker b = closed_breaker();

	calls_end(&b, 0, 3, SECONDS(100));
	calls_end(&b, 0, 3, SECONDS(110));
	ck_assert(breaker_allows(&b, SECONDS(110)));
	calls_end(&b, 0, 1, SECONDS(119));
	ck_assert(!breaker_allows(&b, SECONDS(119)));
}
END_TEST

START_TEST(failures_spread_over_the_window_add_up)
{
	struct breaker b = closed_breaker();

	for (int second = 0; second < 4; second++)
		calls_end(&b, 1, 1, SECONDS(100 + 2 * second));
	ck_assert_int_eq(b.state, BREAKER_OPEN);
}
END_TEST

START_TEST(successes_alone_never_open_however_many)
{
	struct breaker b = closed_breaker();

	calls_end(&b, 100000, 0, SECONDS(100));
	ck_assert_int_eq(b.state, BREAKER_CLOSED);
}
END_TEST

START_TEST(one_probe_goes_and_no_second_beside_it)
{
	struct breaker b = open_breaker(SECONDS(100));

	ck_assert(!breaker_allows(&b, SECONDS(105) - 1));
	ck_assert(breaker_allows(&b, SECONDS(105)));
	ck_assert(breaker_start(&b, SECONDS(105)));
	ck_assert(!breaker_allows(&b, SECONDS(1000)));
	ck_assert_uint_eq(breaker_wait(&b, SECONDS(1000)), SECONDS(5));
}
END_TEST

START_TEST(a_probe_that_succeeds_closes_and_forgets)
{
	struct breaker b = open_breaker(SECONDS(100));

	breaker_record(&b, breaker_start(&b, SECONDS(105)), false, SECONDS(106));
	ck_assert_int_eq(b.state, BREAKER_CLOSED);
	ck_assert(!breaker_start(&b, SECONDS(106)));
	calls_end(&b, 0, 3, SECONDS(106));
	ck_assert_int_eq(b.state, BREAKER_CLOSED);
}
END_TEST

START_TEST(probes_that_fail_wait_twice_as_long_up_to_a_cap)
{
	struct breaker b = open_breaker(SECONDS(100));
	nsec now = SECONDS(100);

	for (uint64_t factor = 2; factor <= 256; factor *= 2) {
		uint64_t expected = factor < BREAKER_LONGEST_WAIT ? factor : BREAKER_LONGEST_WAIT;

		now = b.until;
		breaker_record(&b, breaker_start(&b, now), true, now);
		ck_assert_uint_eq(breaker_wait(&b, now), SECONDS(5 * expected));
	}
}
END_TEST

START_TEST(a_probe_without_a_verdict_lets_the_next_one_go_at_once)
{
	struct breaker b = open_breaker(SECONDS(100));

	breaker_release(&b, breaker_start(&b, SECONDS(105)), SECONDS(106));
	ck_assert(breaker_allows(&b, SECONDS(106)));
	ck_assert(breaker_start(&b, SECONDS(106)));
}
END_TEST

START_TEST(calls_from_before_the_opening_change_nothing)
{
	struct breaker b = open_breaker(SECONDS(100));

	calls_end(&b, 50, 50, SECONDS(101));
	ck_assert_uint_eq(b.until, SECONDS(105));
	breaker_release(&b, false, SECONDS(101));
	ck_assert(!breaker_allows(&b, SECONDS(101)));
	ck_assert(breaker_start(&b, SECONDS(105)));
	calls_end(&b, 50, 50, SECONDS(105));
	ck_assert_int_eq(b.state, BREAKER_HALF_OPEN);
}
END_TEST

START_TEST(a_trip_opens_at_once_and_outdates_the_probe_that_is_out)
{
	struct breaker b = closed_breaker();

	breaker_trip(&b, SECONDS(100));
	ck_assert(!breaker_allows(&b, SECONDS(100)));
	ck_assert(breaker_start(&b, SECONDS(105)));
	breaker_trip(&b, SECONDS(106));
	breaker_record(&b, true, false, SECONDS(107));
	ck_assert(!breaker_allows(&b, SECONDS(107)));
	ck_assert(breaker_allows(&b, SECONDS(116)));
}
END_TEST

START_TEST(a_trip_of_an_open_breaker_does_not_put_off_its_probe)
{
	struct breaker b = open_breaker(SECONDS(100));

	for (int i = 1; i < 100; i++)
		breaker_trip(&b, SECONDS(100) + (nsec)i * 1000);
	ck_assert(breaker_allows(&b, SECONDS(105)));
}
END_TEST

UNIT_TESTS(breaker, too_large_a_share_of_failures_opens, few_failures_say_nothing,
	   failures_slide_out_of_the_window, failures_spread_over_the_window_add_up,
	   successes_alone_never_open_however_many, one_probe_goes_and_no_second_beside_it,
	   a_probe_that_succeeds_closes_and_forgets,
	   probes_that_fail_wait_twice_as_long_up_to_a_cap,
	   a_probe_without_a_verdict_lets_the_next_one_go_at_once,
	   calls_from_before_the_opening_change_nothing,
	   a_trip_opens_at_once_and_outdates_the_probe_that_is_out,
	   a_trip_of_an_open_breaker_does_not_put_off_its_probe)
