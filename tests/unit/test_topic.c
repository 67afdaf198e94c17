#include "topic.h"

#include "unit.h"

START_TEST(topics_are_named_by_tier_and_lane)
{
	char topic[TOPIC_TEXT];

	ck_assert_str_eq(topic_lane(topic, "sluice", "economy", LANE_BATCH),
			 "sluice.economy.batch");
	ck_assert_str_eq(topic_intake(topic, "llm"), "llm.intake");
	ck_assert_str_eq(topic_results(topic, "llm"), "llm.results");
	ck_assert_str_eq(topic_dead(topic, "llm"), "llm.dead");
}
END_TEST

UNIT_TESTS(topic, topics_are_named_by_tier_and_lane)
