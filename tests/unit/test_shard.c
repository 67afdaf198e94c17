#include "shard.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "unit.h"

static bool contains(const int32_t *partitions, int count, int32_t wanted)
{
	for (int i = 0; i < count; i++)
		if (partitions[i] == wanted)
			return true;
	return false;
}

START_TEST(a_unit_stays_within_its_partitions_and_uses_them_all)
{
	int32_t mine[SHARD_MAX_SPREAD];
	int used[16] = {0};

	ck_assert_int_eq(shard_partitions("growth", 16, 4, mine), 4);
	for (int i = 0; i < 4; i++)
		for (int j = 0; j < i; j++)
			ck_assert_int_ne(mine[i], mine[j]);
	for (int id = 0; id < 4000; id++) {
		int32_t p = shard_partition("growth", &id, sizeof(id), 16, 4);

		ck_assert(contains(mine, 4, p));
		used[p]++;
	}
	for (int i = 0; i < 4; i++)
		ck_assert_msg(used[mine[i]] > 850, "partition %d got %d of 4000", mine[i],
			      used[mine[i]]);
}
END_TEST

/* Producers written against today's values must go on to agree with tomorrow's. */
START_TEST(the_choice_is_the_same_for_ever)
{
	static const struct {
		const char *unit, *id;
		int32_t count, partition;
	} known[] = {
		{"growth", "a", 16, 3},	      {"growth", "b", 16, 4}, {"support", "42", 16, 7},
		{"finance", "job-1", 64, 33}, {"", "x", 8, 2},
	};

	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
		int32_t p = shard_partition(known[i].unit, known[i].id, strlen(known[i].id),
					    known[i].count, SHARD_SPREAD);

		ck_assert_msg(p == known[i].partition, "%s %s of %d: %d", known[i].unit,
			      known[i].id, known[i].count, p);
	}
}
END_TEST

START_TEST(units_share_few_partitions)
{
	int32_t mine[SHARD_MAX_SPREAD], theirs[SHARD_MAX_SPREAD];
	int load[32] = {0}, all_shared = 0;
	char unit[32];

	shard_partitions("growth", 32, 4, mine);
	for (int u = 0; u < 1000; u++) {
		int shared = 0;

		snprintf(unit, sizeof(unit), "unit-%d", u);
		shard_partitions(unit, 32, 4, theirs);
		for (int i = 0; i < 4; i++) {
			load[theirs[i]]++;
			shared += contains(mine, 4, theirs[i]);
		}
		all_shared += shared >= 3;
	}
	ck_assert_msg(all_shared < 20, "%d of 1000 units share three partitions", all_shared);
	for (int p = 0; p < 32; p++)
		ck_assert_msg(load[p] > 80 && load[p] < 180, "partition %d has %d units", p,
			      load[p]);
}
END_TEST

START_TEST(a_grown_topic_moves_a_unit_only_to_new_partitions)
{
	int32_t before[SHARD_MAX_SPREAD], after[SHARD_MAX_SPREAD];
	char unit[32];

	for (int u = 0; u < 500; u++) {
		snprintf(unit, sizeof(unit), "unit-%d", u);
		shard_partitions(unit, 16, 4, before);
		shard_partitions(unit, 18, 4, after);
		for (int i = 0; i < 4; i++)
			ck_assert(after[i] >= 16 || contains(before, 4, after[i]));
	}
}
END_TEST

START_TEST(a_topic_smaller_than_the_spread_is_used_whole)
{
	int32_t mine[SHARD_MAX_SPREAD];

	ck_assert_int_eq(shard_partitions("growth", 3, 4, mine), 3);
	for (int32_t p = 0; p < 3; p++)
		ck_assert(contains(mine, 3, p));
	ck_assert_int_eq(shard_partition("growth", "x", 1, 1, 4), 0);
}
END_TEST

/* The highest bids win, whatever the order they come in. */
START_TEST(a_smaller_spread_is_the_head_of_a_larger)
{
	int32_t few[SHARD_MAX_SPREAD], many[SHARD_MAX_SPREAD];
	char unit[32];

	for (int u = 0; u < 200; u++) {
		snprintf(unit, sizeof(unit), "unit-%d", u);
		for (int spread = 1; spread < SHARD_MAX_SPREAD; spread++) {
			shard_partitions(unit, 64, spread, few);
			shard_partitions(unit, 64, spread + 1, many);
			ck_assert_mem_eq(few, many, (size_t)spread * sizeof(*few));
		}
	}
}
END_TEST

UNIT_TESTS(shard, a_unit_stays_within_its_partitions_and_uses_them_all,
	   the_choice_is_the_same_for_ever, units_share_few_partitions,
	   a_grown_topic_moves_a_unit_only_to_new_partitions,
	   a_topic_smaller_than_the_spread_is_used_whole, a_smaller_spread_is_the_head_of_a_larger)
