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

/* --- a fleet and a row --- */

static struct breaker told_breaker(nsec now)
{
	struct breaker b = open_breaker(now);

	ck_assert_int_eq(breaker_tell(&b, now), BREAKER_SAYS_OPEN);
	breaker_hear(&b, &(struct breaker_row){.open = true, .left = SECONDS(5)}, now, now);
	return b;
}

START_TEST(a_closed_breaker_has_nothing_to_say_and_hears_nothing)
{
	struct breaker b = closed_breaker();

	ck_assert_int_eq(breaker_tell(&b, SECONDS(1)), BREAKER_SAYS_NOTHING);
	breaker_hear(&b, &(struct breaker_row){0}, SECONDS(1), SECONDS(1));
	ck_assert(breaker_allows(&b, SECONDS(1)));
}
END_TEST

START_TEST(one_that_others_opened_is_followed_and_closed_with_them)
{
	struct breaker b = closed_breaker();

	breaker_tell(&b, SECONDS(1));
	breaker_hear(&b, &(struct breaker_row){.open = true, .left = SECONDS(3)}, SECONDS(1),
		     SECONDS(1));
	ck_assert(!breaker_allows(&b, SECONDS(2)));
	ck_assert_uint_eq(breaker_wait(&b, SECONDS(2)), SECONDS(2));
	ck_assert_int_eq(breaker_tell(&b, SECONDS(2)), BREAKER_SAYS_NOTHING);
	breaker_hear(&b, &(struct breaker_row){0}, SECONDS(2), SECONDS(2));
	ck_assert(breaker_allows(&b, SECONDS(2)));
}
END_TEST

START_TEST(a_shared_one_is_probed_only_with_a_grant)
{
	struct breaker b = told_breaker(SECONDS(100));

	ck_assert(!breaker_allows(&b, SECONDS(106)));
	ck_assert_int_eq(breaker_tell(&b, SECONDS(106)), BREAKER_ASKS);
	breaker_hear(&b, &(struct breaker_row){.open = true, .mine = true}, SECONDS(106),
		     SECONDS(106));
	ck_assert(breaker_allows(&b, SECONDS(107)));
	ck_assert(!breaker_allows(&b, SECONDS(106) + BREAKER_GRANT));
}
END_TEST

START_TEST(a_probe_that_is_out_keeps_its_grant)
{
	struct breaker b = told_breaker(SECONDS(100));

	breaker_tell(&b, SECONDS(106));
	breaker_hear(&b, &(struct breaker_row){.open = true, .mine = true}, SECONDS(106),
		     SECONDS(106));
	ck_assert(breaker_start(&b, SECONDS(106)));
	ck_assert_int_eq(breaker_tell(&b, SECONDS(107)), BREAKER_ASKS);
	breaker_hear(&b, &(struct breaker_row){.open = true, .mine = true}, SECONDS(107),
		     SECONDS(107));
	ck_assert_int_eq(b.state, BREAKER_HALF_OPEN);
	breaker_record(&b, true, false, SECONDS(108));
	ck_assert_int_eq(breaker_tell(&b, SECONDS(108)), BREAKER_SAYS_CLOSED);
	breaker_hear(&b, &(struct breaker_row){0}, SECONDS(108), SECONDS(108));
	ck_assert_int_eq(breaker_tell(&b, SECONDS(109)), BREAKER_SAYS_NOTHING);
}
END_TEST

START_TEST(a_probe_that_failed_is_told_to_the_fleet)
{
	struct breaker b = told_breaker(SECONDS(100));

	breaker_tell(&b, SECONDS(106));
	breaker_hear(&b, &(struct breaker_row){.open = true, .mine = true}, SECONDS(106),
		     SECONDS(106));
	breaker_start(&b, SECONDS(106));
	breaker_record(&b, true, true, SECONDS(107));
	ck_assert_int_eq(breaker_tell(&b, SECONDS(107)), BREAKER_SAYS_OPEN);
	ck_assert_uint_eq(breaker_wait(&b, SECONDS(107)), SECONDS(10));
}
END_TEST

START_TEST(what_was_not_heard_is_told_again)
{
	struct breaker b = open_breaker(SECONDS(100));

	ck_assert_int_eq(breaker_tell(&b, SECONDS(100)), BREAKER_SAYS_OPEN);
	ck_assert_int_eq(breaker_tell(&b, SECONDS(101)), BREAKER_SAYS_OPEN);
}
END_TEST

START_TEST(an_answer_to_what_was_before_an_opening_does_not_close_it)
{
	struct breaker b = closed_breaker();

	breaker_tell(&b, SECONDS(100));
	breaker_trip(&b, SECONDS(100));
	breaker_hear(&b, &(struct breaker_row){0}, SECONDS(100), SECONDS(100));
	ck_assert(!breaker_allows(&b, SECONDS(101)));
	ck_assert_int_eq(breaker_tell(&b, SECONDS(101)), BREAKER_SAYS_OPEN);
}
END_TEST

START_TEST(one_closed_without_the_grant_opens_again_with_the_fleet)
{
	struct breaker b = told_breaker(SECONDS(100));

	breaker_tell(&b, SECONDS(106));
	breaker_hear(&b, &(struct breaker_row){.open = true, .mine = true}, SECONDS(106),
		     SECONDS(106));
	breaker_start(&b, SECONDS(106));
	breaker_record(&b, true, false, SECONDS(120));
	ck_assert_int_eq(breaker_tell(&b, SECONDS(120)), BREAKER_SAYS_CLOSED);
	breaker_hear(&b, &(struct breaker_row){.open = true, .left = SECONDS(1)}, SECONDS(120),
		     SECONDS(120));
	ck_assert(!breaker_allows(&b, SECONDS(122)));
}
END_TEST

START_TEST(five_percent_can_be_enough)
{
	struct breaker b;

	breaker_init(&b, &(struct breaker_rules){.share = 0.05,
						 .window = SECONDS(30),
						 .min_calls = 100,
						 .probe_after = SECONDS(5)});
	calls_end(&b, 96, 4, SECONDS(100));
	ck_assert_int_eq(b.state, BREAKER_CLOSED);
	calls_end(&b, 0, 2, SECONDS(101));
	ck_assert_int_eq(b.state, BREAKER_OPEN);
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
	   a_trip_of_an_open_breaker_does_not_put_off_its_probe,
	   a_closed_breaker_has_nothing_to_say_and_hears_nothing,
	   one_that_others_opened_is_followed_and_closed_with_them,
	   a_shared_one_is_probed_only_with_a_grant, a_probe_that_is_out_keeps_its_grant,
	   a_probe_that_failed_is_told_to_the_fleet, what_was_not_heard_is_told_again,
	   an_answer_to_what_was_before_an_opening_does_not_close_it,
	   one_closed_without_the_grant_opens_again_with_the_fleet, five_percent_can_be_enough)
