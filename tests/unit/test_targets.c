#include "targets.h"

#include "memo.h"
#include "random.h"
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

START_TEST(the_cheapest_is_chosen_wherever_it_stands_and_the_unpriced_last)
{
	struct targets *targets = held_for(0);
	struct pick_wish wish = {0};

	targets_of(targets, &candidates[1])->price = 7;
	ck_assert_ptr_eq(targets_pick(targets, &tiers[0], &wish, NOW, 7).candidate, &candidates[1]);
	targets_of(targets, &candidates[0])->price = 6;
	ck_assert_ptr_eq(targets_pick(targets, &tiers[0], &wish, NOW, 7).candidate, &candidates[0]);
	targets_destroy(targets);
}
END_TEST

START_TEST(the_fastest_is_chosen_by_what_was_measured)
{
	struct tier fast = tiers[0];
	struct targets *targets = held_for(0);
	struct pick_wish wish = {0};

	fast.pick = "fastest";
	targets_of(targets, &candidates[0])->typical = 2 * NSEC_PER_SEC;
	targets_of(targets, &candidates[1])->typical = NSEC_PER_SEC;
	ck_assert_ptr_eq(targets_pick(targets, &fast, &wish, NOW, 7).candidate, &candidates[1]);
	targets_of(targets, &candidates[1])->typical = 3 * NSEC_PER_SEC;
	ck_assert_ptr_eq(targets_pick(targets, &fast, &wish, NOW, 7).candidate, &candidates[0]);
	targets_destroy(targets);
}
END_TEST

START_TEST(sixty_to_forty_is_sixty_to_forty)
{
	struct candidate pair[] = {candidates[0], candidates[1]};
	struct tier weighed = {
		.name = "w", .candidates = pair, .candidate_count = 2, .pick = "weighted"};
	struct targets *targets = held_for(0);
	struct pick_wish wish = {0};
	struct random random;
	int first = 0;

	pair[0].weight = 60;
	pair[1].weight = 40;
	random_seed(&random, 3);
	for (int i = 0; i < 10000; i++)
		first += targets_pick(targets, &weighed, &wish, NOW, random_next(&random))
				 .candidate == &pair[0];
	ck_assert_int_ge(first, 5800);
	ck_assert_int_le(first, 6200);
	targets_destroy(targets);
}
END_TEST

/* Whatever stands open, held, preferred or avoided: it is our own server or none. */
START_TEST(restricted_data_reaches_only_what_is_self_hosted)
{
	struct endpoint mixed_ends[] = {{.name = "cloud"}, {.name = "house", .self_hosted = true}};
	struct candidate pair[] = {
		{.endpoint = &mixed_ends[0], .model = "m", .weight = 99},
		{.endpoint = &mixed_ends[1], .model = "m", .weight = 1},
	};
	static const char *const ways[] = {"weighted", "cheapest", "fastest"};

	for (int row = 0; row < 3 * 16; row++) {
		struct tier tier = {.name = "t",
				    .candidates = pair,
				    .candidate_count = 2,
				    .pick = ways[row / 16]};
		struct config mixed = config;
		struct memo memo = {0};
		struct pick_wish wish = {
			.restricted = true, .memo = &memo, .prefer = row & 1 ? &pair[0] : NULL};

		mixed.endpoints = mixed_ends;
		mixed.tiers = &tier;
		struct targets *targets = targets_create(&mixed);

		if (row & 2)
			breaker_trip(&targets_of(targets, &pair[1])->breaker, NOW);
		if (row & 4)
			memo_avoid(&memo, "house", "m");
		if (row & 8)
			targets_of(targets, &pair[1])->held_until = NOW + NSEC_PER_SEC;
		for (uint64_t random = 0; random < 200; random++) {
			struct pick pick = targets_pick(targets, &tier, &wish, NOW, random);

			ck_assert(!pick.candidate || pick.candidate == &pair[1]);
			ck_assert_int_eq(pick.candidate != NULL, (row & 14) == 0);
		}
		ck_assert_uint_eq(targets_fitting(&tier, &wish), row & 4 ? 0 : 1);
		memo_finish(&memo);
		targets_destroy(targets);
	}
}
END_TEST

START_TEST(who_wants_one_candidate_waits_for_that)
{
	struct targets *targets = held_for(NSEC_PER_SEC);
	struct pick_wish wish = {.only = "one/small"};
	struct pick pick = targets_pick(targets, &tiers[0], &wish, NOW, 7);

	ck_assert_ptr_null(pick.candidate);
	ck_assert_uint_eq(pick.wait, NSEC_PER_SEC);
	ck_assert_str_eq(pick.reason, "rate_hold");
	breaker_trip(&targets_of(targets, &candidates[0])->breaker, NOW);
	ck_assert(targets_broken(targets, &tiers[0], &wish, NOW));
	wish.only = "other/small";
	ck_assert_ptr_eq(targets_pick(targets, &tiers[0], &wish, NOW, 7).candidate, &candidates[1]);
	ck_assert_uint_eq(targets_fitting(&tiers[0], &wish), 1);
	wish.only = "other/smal";
	ck_assert_uint_eq(targets_fitting(&tiers[0], &wish), 0);
	targets_destroy(targets);
}
END_TEST

START_TEST(where_nothing_is_self_hosted_restricted_data_goes_nowhere)
{
	struct targets *targets = held_for(0);
	struct pick_wish wish = {.restricted = true};
	struct pick pick = targets_pick(targets, &tiers[0], &wish, NOW, 7);

	ck_assert_ptr_null(pick.candidate);
	ck_assert_uint_eq(pick.wait, 0);
	targets_destroy(targets);
}
END_TEST

START_TEST(a_window_that_is_too_small_is_passed_over)
{
	struct candidate pair[] = {candidates[0], candidates[1]};
	struct tier tier = {
		.name = "t", .candidates = pair, .candidate_count = 2, .pick = "cheapest"};
	struct targets *targets = held_for(0);
	struct pick_wish wish = {.min_window = 8193};

	pair[0].traits.context_window = 8192;
	pair[1].traits.context_window = 128000;
	ck_assert_ptr_eq(targets_pick(targets, &tier, &wish, NOW, 7).candidate, &pair[1]);
	wish.min_window = 8192;
	ck_assert_ptr_eq(targets_pick(targets, &tier, &wish, NOW, 7).candidate, &pair[0]);
	targets_destroy(targets);
}
END_TEST

START_TEST(a_tier_is_broken_when_all_that_fit_are)
{
	struct memo memo = {0};
	struct pick_wish wish = {.memo = &memo};
	struct targets *targets = held_for(NSEC_PER_SEC);

	ck_assert(!targets_broken(targets, &tiers[0], &wish, NOW)); /* held is not broken */
	breaker_trip(&targets_of(targets, &candidates[0])->breaker, NOW);
	ck_assert(!targets_broken(targets, &tiers[0], &wish, NOW));
	breaker_trip(&targets_of(targets, &candidates[1])->account->credential, NOW);
	ck_assert(targets_broken(targets, &tiers[0], &wish, NOW));
	ck_assert(!targets_broken(targets, &tiers[0], &wish, NOW + 10 * NSEC_PER_SEC));
	memo_avoid(&memo, "one", "small");
	ck_assert(targets_broken(targets, &tiers[0], &wish, NOW));
	memo_avoid(&memo, "other", "small"); /* nothing fits: that is another matter */
	ck_assert(!targets_broken(targets, &tiers[0], &wish, NOW));
	memo_finish(&memo);
	targets_destroy(targets);
}
END_TEST

UNIT_TESTS(targets, a_free_one_is_chosen_where_another_is_held,
	   the_preferred_one_is_chosen_before_the_first,
	   the_preferred_one_is_waited_for_while_patience_lasts,
	   beyond_patience_another_takes_the_place_of_the_preferred,
	   what_a_job_avoids_is_not_waited_for,
	   the_cheapest_is_chosen_wherever_it_stands_and_the_unpriced_last,
	   the_fastest_is_chosen_by_what_was_measured, sixty_to_forty_is_sixty_to_forty,
	   restricted_data_reaches_only_what_is_self_hosted, who_wants_one_candidate_waits_for_that,
	   where_nothing_is_self_hosted_restricted_data_goes_nowhere,
	   a_window_that_is_too_small_is_passed_over, a_tier_is_broken_when_all_that_fit_are)
