#include "backoff.h"

#include "unit.h"

static const struct backoff_profile profile = {
	.first = NSEC_PER_SEC, .longest = 60 * NSEC_PER_SEC, .max_tries = 5};

/* The longest wait there is: the draw that hits the ceiling. */
static nsec longest_wait(const struct backoff_profile *p, int tries)
{
	nsec longest = 0;

	for (uint64_t second = 0; second <= 128; second++) {
		nsec wait = backoff_wait(p, tries, 0, second * NSEC_PER_SEC);

		longest = wait > longest ? wait : longest;
	}
	return longest;
}

START_TEST(the_ceiling_doubles_with_every_failure_up_to_the_longest)
{
	static const uint64_t ceilings[] = {1, 2, 4, 8, 16, 32, 60, 60};

	for (int tries = 0; tries < 8; tries++)
		ck_assert_uint_eq(longest_wait(&profile, tries), ceilings[tries] * NSEC_PER_SEC);
}
END_TEST

START_TEST(the_jitter_is_full_from_nothing_to_the_ceiling)
{
	ck_assert_uint_eq(backoff_wait(&profile, 2, 0, 0), 0);
	ck_assert_uint_eq(backoff_wait(&profile, 2, 0, 4 * NSEC_PER_SEC), 4 * NSEC_PER_SEC);
	ck_assert_uint_eq(backoff_wait(&profile, 2, 0, 4 * NSEC_PER_SEC + 1), 0);
}
END_TEST

START_TEST(a_longer_hint_wins_and_a_shorter_one_does_not)
{
	ck_assert_uint_eq(backoff_wait(&profile, 2, 9 * NSEC_PER_SEC, 1), 9 * NSEC_PER_SEC);
	ck_assert_uint_eq(backoff_wait(&profile, 2, NSEC_PER_SEC, 3 * NSEC_PER_SEC),
			  3 * NSEC_PER_SEC);
}
END_TEST

START_TEST(an_absurd_hint_is_capped)
{
	ck_assert_uint_eq(backoff_wait(&profile, 0, UINT64_MAX, 1), BACKOFF_LONGEST_HINT);
}
END_TEST

START_TEST(no_number_of_tries_and_no_profile_overflows)
{
	static const struct backoff_profile forever = {.first = 3, .longest = UINT64_MAX};
	static const struct backoff_profile none = {0};

	ck_assert_uint_eq(backoff_wait(&forever, INT32_MAX, 0, UINT64_MAX), UINT64_MAX);
	ck_assert_uint_eq(backoff_wait(&none, INT32_MAX, 0, UINT64_MAX), 0);
	ck_assert_uint_le(backoff_wait(&profile, -1, 0, UINT64_MAX), NSEC_PER_SEC);
}
END_TEST

UNIT_TESTS(backoff, the_ceiling_doubles_with_every_failure_up_to_the_longest,
	   the_jitter_is_full_from_nothing_to_the_ceiling,
	   a_longer_hint_wins_and_a_shorter_one_does_not, an_absurd_hint_is_capped,
	   no_number_of_tries_and_no_profile_overflows)
