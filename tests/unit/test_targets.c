#include "targets.h"

#include "memo.h"
#include "unit.h"

#define NOW (1000 * NSEC_PER_SEC)

static struct endpoint endpoints[] = {{.name = "one"}, {.name = "other"}};
static struct candidate candidates[] = {
	{.endpoint = &endpoints[0], .model = "small", .weight = 1},
	{.endpoint = &endpoints[1], .model = "small", .weight = 1},
};
static struct tier tiers[] = {
	{.name = "economy", .candidates = candidates, .candidate_count = 2, .pick = "cheapest"},
};
static struct config config = {
	.endpoints = endpoints,
	.endpoint_count = 2,
	.tiers = tiers,
	.tier_count = 1,
	.worker = {.breaker_share = 0.5,
		   .breaker_window = 30 * NSEC_PER_SEC,
		   .breaker_min_calls = 10,
		   .breaker_probe_after = 10 * NSEC_PER_SEC},
};

/* The first is held for so long; the second is free. */
static struct targets *held_for(nsec wait)
{
	struct targets *targets = targets_create(&config);

	targets_of(targets, &candidates[0])->held_until = NOW + wait;
	return targets;
}

START_TEST(a_free_one_is_chosen_where_another_is_held)
{
	struct targets *targets = held_for(NSEC_PER_SEC);
	struct pick_wish wish = {0};

	ck_assert_ptr_eq(targets_pick(targets, &tiers[0], &wish, NOW, 7).candidate, &candidates[1]);
	targets_destroy(targets);
}
END_TEST

START_TEST(the_preferred_one_is_chosen_before_the_first)
{
	struct targets *targets = held_for(0);
	struct pick_wish wish = {.prefer = &candidates[1]};

	ck_assert_ptr_eq(targets_pick(targets, &tiers[0], &wish, NOW, 7).candidate, &candidates[1]);
	targets_destroy(targets);
}
END_TEST

START_TEST(the_preferred_one_is_waited_for_while_patience_lasts)
{
	struct targets *targets = held_for(2 * NSEC_PER_SEC);
	struct pick_wish wish = {.prefer = &candidates[0], .patience = 5 * NSEC_PER_SEC};
	struct pick pick = targets_pick(targets, &tiers[0], &wish, NOW, 7);

	ck_assert_ptr_null(pick.candidate);
	ck_assert_uint_eq(pick.wait, 2 * NSEC_PER_SEC);
	ck_assert_str_eq(pick.reason, "rate_hold");
	pick = targets_pick(targets, &tiers[0], &wish, NOW + 2 * NSEC_PER_SEC, 7);
	ck_assert_ptr_eq(pick.candidate, &candidates[0]);
	targets_destroy(targets);
}
END_TEST

START_TEST(beyond_patience_another_takes_the_place_of_the_preferred)
{
	struct targets *targets = held_for(6 * NSEC_PER_SEC);
	struct pick_wish wish = {.prefer = &candidates[0], .patience = 5 * NSEC_PER_SEC};

	ck_assert_ptr_eq(targets_pick(targets, &tiers[0], &wish, NOW, 7).candidate, &candidates[1]);
	targets_destroy(targets);
}
END_TEST

START_TEST(what_a_job_avoids_is_not_waited_for)
{
	struct targets *targets = held_for(NSEC_PER_SEC);
	struct memo memo = {0};
	struct pick_wish wish = {
		.prefer = &candidates[0], .patience = 5 * NSEC_PER_SEC, .memo = &memo};

	memo_avoid(&memo, "one", "small");
	ck_assert_ptr_eq(targets_pick(targets, &tiers[0], &wish, NOW, 7).candidate, &candidates[1]);
	memo_finish(&memo);
	targets_destroy(targets);
}
END_TEST

UNIT_TESTS(targets, a_free_one_is_chosen_where_another_is_held,
	   the_preferred_one_is_chosen_before_the_first,
	   the_preferred_one_is_waited_for_while_patience_lasts,
	   beyond_patience_another_takes_the_place_of_the_preferred,
	   what_a_job_avoids_is_not_waited_for)
