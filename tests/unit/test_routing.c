#include "routing.h"

#include <math.h>
#include <string.h>

#include "ensure.h"
#include "unit.h"

#define NOW ((nsec)1700000000 * NSEC_PER_SEC)
#define HOURS(n) ((nsec)(n)*3600 * NSEC_PER_SEC)

/* Three tiers: economy is small, frontier is ours and has no batch API. */
static struct endpoint cloud = {.name = "cloud", .supports_batch = true};
static struct endpoint cellar = {.name = "cellar", .self_hosted = true};
static struct candidate small = {
	.endpoint = &cloud, .model = "s", .traits = {.context_window = 16000}};
static struct candidate medium = {
	.endpoint = &cloud, .model = "m/1", .traits = {.context_window = 128000}};
static struct candidate large = {
	.endpoint = &cellar, .model = "l", .traits = {.context_window = 1000000}};
static struct tier tiers[] = {
	{.name = "economy", .rank = 0, .candidates = &small, .candidate_count = 1},
	{.name = "standard", .rank = 1, .candidates = &medium, .candidate_count = 1},
	{.name = "frontier", .rank = 2, .candidates = &large, .candidate_count = 1},
};
static struct task tasks[] = {{.name = "", .tier = ""}, {.name = "translate", .tier = "standard"}};
static struct config config;
static struct job job;

/* Lives as long as the test's process: jobs and configurations borrow it. */
static json_t *keep(json_t *value)
{
	static json_t *all;

	if (!all)
		all = json_array();
	ck_assert_int_eq(json_array_append_new(all, value), 0);
	return value;
}

static json_t *read_json(const char *text)
{
	struct error err;
	json_t *value = json_read(text, strlen(text), JSON_OURS, &err);

	ck_assert_msg(value != NULL, "%s: %s", text, err.text);
	return keep(value);
}

/* A plain job in a configuration with the given rules. */
static void given(const char *routing)
{
	config = (struct config){.tiers = tiers,
				 .tier_count = 3,
				 .tasks = tasks,
				 .task_count = 2,
				 .routing = read_json(routing)};
	job = (struct job){.business_unit = "claims",
			   .feature = "search",
			   .environment = "prod",
			   .task = "extract-invoice",
			   .messages = read_json("[{\"role\":\"user\",\"content\":\"Sum up.\"}]"),
			   .reasoning_effort = "",
			   .tier = "auto",
			   .max_tier = "",
			   .candidate = "",
			   .lane = LANE_AUTO,
			   .data_class = DATA_INTERNAL,
			   .quality = QUALITY_NORMAL};
}

static void given_prompt_of(size_t bytes)
{
	char *text = xcalloc(1, bytes + 1);

	memset(text, 'x', bytes);
	job.messages = keep(json_pack("[{s:s, s:s}]", "role", "user", "content", text));
	free(text);
}

static struct routing_decision decided(void)
{
	struct routing_decision d;
	struct error err;

	ck_assert_msg(routing_decide(&config, &job, NULL, NOW, &d, &err), "%s", err.text);
	ck_assert(d.score >= 0 && d.score <= 1);
	ck_assert_uint_gt(d.reason_count, 0);
	for (int s = 0; s < SIGNAL_COUNT; s++)
		ck_assert(d.signals[s] >= 0 && d.signals[s] <= 1);
	return d;
}

static const char *tier_for(const char *routing)
{
	json_decref((json_t *)config.routing);
	config.routing = read_json(routing);
	return decided().tier->name;
}

/* Signals. */

START_TEST(a_plain_job_goes_to_the_cheapest_tier)
{
	given("{}");
	ck_assert_str_eq(decided().tier->name, "economy");
	ck_assert_int_eq(decided().lane, LANE_NORMAL);
}
END_TEST

START_TEST(each_signal_raises_the_score)
{
	double plain;

	given("{}");
	plain = decided().score;
	job.quality = QUALITY_HIGH;
	ck_assert_double_gt(decided().score, plain);
	job.quality = QUALITY_NORMAL;
	job.deadline = NOW + 30 * NSEC_PER_SEC;
	ck_assert_double_gt(decided().score, plain);
	job.deadline = 0;
	job.reasoning_effort = "medium";
	ck_assert_double_gt(decided().score, plain);
	job.reasoning_effort = "";
	given_prompt_of(40000);
	ck_assert_double_gt(decided().score, plain);
}
END_TEST

START_TEST(structure_of_schema_tools_and_turns_is_complexity)
{
	double plain;
	double flat;

	given("{}");
	plain = decided().signals[SIGNAL_COMPLEXITY];
	ck_assert_double_eq(plain, 0);
	job.output_schema = read_json("{\"properties\":{\"a\":{},\"b\":{}}}");
	flat = decided().signals[SIGNAL_COMPLEXITY];
	ck_assert_double_gt(flat, plain);
	job.output_schema = read_json("{\"properties\":{\"a\":{\"items\":{\"properties\":{\"c\":"
				      "{\"anyOf\":[{},{}]}}}},\"b\":{}}}");
	ck_assert_double_gt(decided().signals[SIGNAL_COMPLEXITY], flat);
	job.output_schema = NULL;
	job.tools = read_json("[{}]");
	ck_assert_double_gt(decided().signals[SIGNAL_COMPLEXITY], plain);
	job.tools = NULL;
	job.messages = read_json("[{},{},{},{},{},{},{},{}]");
	ck_assert_double_gt(decided().signals[SIGNAL_COMPLEXITY], plain);
}
END_TEST

START_TEST(the_tasks_schema_counts_where_the_job_brings_none)
{
	given("{}");
	tasks[1].output_schema = read_json("{\"properties\":{\"a\":{},\"b\":{}}}");
	job.task = "translate";
	ck_assert_double_gt(decided().signals[SIGNAL_COMPLEXITY], 0);
}
END_TEST

START_TEST(a_schema_of_any_shape_or_depth_is_measured)
{
	static const char *const odd[] = {"true", "{\"properties\":[]}", "{\"properties\":7}",
					  "{\"items\":[{\"items\":{}}]}", "{\"enum\":{}}"};
	char deep[8 * 2000 + 1] = "";

	given("{}");
	for (size_t i = 0; i < COUNT_OF(odd); i++) {
		job.output_schema = read_json(odd[i]);
		decided();
	}
	for (int i = 0; i < 1500; i++)
		memcpy(deep + 9 * i, "{\"items\":", 9);
	deep[9 * 1500] = '1';
	for (int i = 0; i < 1500; i++)
		deep[9 * 1500 + 1 + i] = '}';
	job.output_schema = read_json(deep);
	ck_assert_double_le(decided().signals[SIGNAL_COMPLEXITY], 0.5);
}
END_TEST

static const struct {
	nsec left;
	double latency;
} latencies[] = {{0, 1}, {10, 1}, {11, 0.99}, {600, 0.31}, {3599, 0}, {86400, 0}};

START_TEST(a_near_deadline_is_a_high_latency_signal)
{
	given("{}");
	for (size_t i = 0; i < COUNT_OF(latencies); i++) {
		job.deadline = NOW + latencies[i].left * NSEC_PER_SEC;
		ck_assert_double_eq_tol(decided().signals[SIGNAL_LATENCY], latencies[i].latency,
					0.02);
	}
	job.deadline = NOW - HOURS(1);
	ck_assert_double_eq(decided().signals[SIGNAL_LATENCY], 1);
	job.deadline = 0;
	ck_assert_double_eq(decided().signals[SIGNAL_LATENCY], 0);
}
END_TEST

START_TEST(length_counts_in_tokens_and_pictures_as_one_thousand)
{
	given("{}");
	given_prompt_of(4000);
	ck_assert_int_eq(decided().tokens, 1004);
	ck_assert_double_le(decided().signals[SIGNAL_CONTEXT], 0.01);
	given_prompt_of(400000);
	ck_assert_double_ge(decided().signals[SIGNAL_CONTEXT], 0.99);
	job.messages = read_json("[{\"image_url\":\"data:image/png;base64,AAAA\"}]");
	ck_assert_int_eq(decided().tokens, (4000 + 9 + 3) / 4);
}
END_TEST

START_TEST(weights_decide_what_the_signals_count)
{
	given("{\"weights\":{\"complexity\":0,\"quality\":5,\"latency\":0,\"context\":0}}");
	ck_assert_double_eq(decided().score, 0.5);
	job.quality = QUALITY_HIGH;
	ck_assert_double_eq(decided().score, 1);
	ck_assert_str_eq(tier_for("{\"weights\":{\"complexity\":0,\"quality\":0,\"latency\":0,"
				  "\"context\":0}}"),
			 "economy");
}
END_TEST

/* Thresholds: the score is 0.5. */
#define HALF "\"weights\":{\"complexity\":0,\"quality\":1,\"latency\":0,\"context\":0}"

static const struct {
	const char *routing;
	const char *tier;
} thresholds[] = {
	{"{" HALF "}", "standard"},
	{"{" HALF ",\"thresholds\":{\"standard\":0.5,\"frontier\":0.51}}", "standard"},
	{"{" HALF ",\"thresholds\":{\"standard\":0.51}}", "economy"},
	{"{" HALF ",\"thresholds\":{\"frontier\":0.5}}", "frontier"},
	{"{" HALF ",\"thresholds\":{\"economy\":0.9,\"standard\":0.8}}", "economy"},
};

START_TEST(the_highest_tier_whose_threshold_is_reached_is_taken)
{
	given("{}");
	for (size_t i = 0; i < COUNT_OF(thresholds); i++)
		ck_assert_str_eq(tier_for(thresholds[i].routing), thresholds[i].tier);
}
END_TEST

/* Rules: without one the job goes to economy. */
#define RULE(match, effect) "{\"rules\":[{\"match\":{" match "}," effect "}]}"
#define UP "\"tier\":\"frontier\""

static const struct {
	const char *routing;
	const char *tier;
} rules[] = {
	{RULE("\"task\":\"extract-invoice\"", UP), "frontier"},
	{RULE("\"task\":\"extract-*\"", UP), "frontier"},
	{RULE("\"task\":\"extract\"", UP), "economy"},
	{RULE("\"feature\":\"s?arch\"", UP), "frontier"},
	{RULE("\"business_unit\":\"[a-d]laims\"", UP), "frontier"},
	{RULE("\"environment\":\"test\"", UP), "economy"},
	{RULE("\"plan\":\"paid\"", UP), "frontier"},
	{RULE("\"plan\":\"free\"", UP), "economy"},
	{RULE("\"task\":\"extract-*\",\"environment\":\"prod\"", UP), "frontier"},
	{RULE("\"task\":\"extract-*\",\"environment\":\"test\"", UP), "economy"},
	{RULE("\"colour\":\"*\"", UP), "economy"},
	{RULE("", UP), "frontier"},
	{RULE("", "\"min_tier\":\"standard\""), "standard"},
	{RULE("", "\"tier\":\"frontier\",\"max_tier\":\"standard\""), "standard"},
	{RULE("", "\"add\":0.9"), "frontier"},
	{RULE("", "\"complexity\":1"), "standard"},
	{"{\"rules\":[{\"match\":{},\"tier\":\"frontier\"},{\"match\":{},\"tier\":\"standard\"}]}",
	 "standard"},
	{"{\"rules\":[{\"match\":{},\"min_tier\":\"frontier\"},{\"match\":{},\"min_tier\":"
	 "\"standard\"}]}",
	 "frontier"},
	{"{\"rules\":[{\"match\":{},\"max_tier\":\"economy\"},{\"match\":{},\"max_tier\":"
	 "\"standard\",\"tier\":\"frontier\"}]}",
	 "economy"},
	{"{\"rules\":[{\"match\":{},\"add\":0.6},{\"match\":{},\"add\":-0.6}]}", "economy"},
};

START_TEST(every_rule_that_matches_has_its_effect)
{
	given("{}");
	for (size_t i = 0; i < COUNT_OF(rules); i++)
		ck_assert_msg(strcmp(tier_for(rules[i].routing), rules[i].tier) == 0, "%s gave %s",
			      rules[i].routing, decided().tier->name);
}
END_TEST

START_TEST(a_free_plan_is_told_from_a_paid_one)
{
	given(RULE("\"plan\":\"free\"", UP));
	job.free_plan = true;
	ck_assert_str_eq(decided().tier->name, "frontier");
}
END_TEST

START_TEST(the_tasks_own_tier_beats_the_score_and_yields_to_a_rule)
{
	given("{}");
	job.task = "translate";
	ck_assert_str_eq(decided().tier->name, "standard");
	ck_assert_str_eq(tier_for(RULE("", UP)), "frontier");
}
END_TEST

/* What the job asks for. */

START_TEST(the_jobs_own_tier_beats_rules_and_score)
{
	given(RULE("", "\"min_tier\":\"frontier\""));
	job.tier = "standard";
	ck_assert_str_eq(decided().tier->name, "standard");
	job.tier = "economy";
	given_prompt_of(400000);
	ck_assert_str_eq(decided().tier->name, "economy");
}
END_TEST

START_TEST(max_tier_caps_whatever_was_chosen)
{
	given(RULE("", UP));
	job.max_tier = "standard";
	ck_assert_str_eq(decided().tier->name, "standard");
	job.tier = "frontier";
	ck_assert_str_eq(decided().tier->name, "standard");
	job.max_tier = "frontier";
	ck_assert_str_eq(tier_for(RULE("", "\"max_tier\":\"economy\"")), "economy");
}
END_TEST

START_TEST(a_tier_that_is_not_configured_is_rejected)
{
	struct routing_decision d;
	struct error err;

	given("{}");
	job.tier = "premium";
	ck_assert(!routing_decide(&config, &job, NULL, NOW, &d, &err));
	ck_assert_int_eq(err.kind, ERROR_REJECT);
	ck_assert_ptr_nonnull(strstr(err.text, "premium"));
	job.tier = "auto";
	job.max_tier = "gold";
	ck_assert(!routing_decide(&config, &job, NULL, NOW, &d, &err));
	ck_assert_ptr_nonnull(strstr(err.text, "/max_tier"));
}
END_TEST

START_TEST(restricted_data_goes_only_where_a_model_is_our_own)
{
	struct routing_decision d;
	struct error err;

	given("{}");
	job.data_class = DATA_RESTRICTED;
	ck_assert_str_eq(decided().tier->name, "frontier");
	job.tier = "economy";
	ck_assert_str_eq(decided().tier->name, "frontier");
	job.max_tier = "standard";
	ck_assert(!routing_decide(&config, &job, NULL, NOW, &d, &err));
	ck_assert_int_eq(err.kind, ERROR_REJECT);
	ck_assert_ptr_nonnull(strstr(err.text, "/data_class"));
}
END_TEST

START_TEST(restricted_data_may_go_down_where_only_a_cheaper_tier_is_our_own)
{
	given(RULE("", UP));
	job.data_class = DATA_RESTRICTED;
	small.endpoint = &cellar;
	large.endpoint = &cloud;
	ck_assert_str_eq(decided().tier->name, "economy");
}
END_TEST

START_TEST(a_job_that_wants_one_candidate_goes_where_that_is)
{
	struct routing_decision d;
	struct error err;

	given("{}");
	job.candidate = "cloud/m/1";
	ck_assert_str_eq(decided().tier->name, "standard");
	given_prompt_of(4000000);
	ck_assert_str_eq(decided().tier->name, "standard");
	job.candidate = "cloud/s";
	job.quality = QUALITY_HIGH;
	ck_assert_str_eq(tier_for(RULE("", UP)), "economy");
	job.max_tier = "economy";
	job.candidate = "cellar/l";
	ck_assert(!routing_decide(&config, &job, NULL, NOW, &d, &err));
	ck_assert_int_eq(err.kind, ERROR_REJECT);
	ck_assert_ptr_nonnull(strstr(err.text, "cellar/l"));
	job.max_tier = "";
	job.candidate = "cloud/s";
	job.data_class = DATA_RESTRICTED;
	ck_assert(!routing_decide(&config, &job, NULL, NOW, &d, &err));
}
END_TEST

START_TEST(a_prompt_goes_up_to_the_first_window_that_holds_it)
{
	given("{\"weights\":{\"complexity\":1,\"quality\":0,\"latency\":0,\"context\":0}}");
	given_prompt_of(4 * 15000);
	ck_assert_str_eq(decided().tier->name, "economy");
	job.max_output_tokens = 2000;
	ck_assert_str_eq(decided().tier->name, "standard");
	given_prompt_of(4 * 200000);
	ck_assert_str_eq(decided().tier->name, "frontier");
	job.max_tier = "standard";
	ck_assert_str_eq(decided().tier->name, "economy");
}
END_TEST

/* Lanes. */

static const struct {
	nsec left; /* seconds; 0: no deadline */
	enum lane lane;
} lanes[] = {{0, LANE_NORMAL},	{30, LANE_EXPRESS},   {60, LANE_EXPRESS},
	     {61, LANE_NORMAL}, {86399, LANE_NORMAL}, {86400, LANE_BATCH}};

START_TEST(the_deadline_decides_an_open_lane)
{
	given("{}");
	for (size_t i = 0; i < COUNT_OF(lanes); i++) {
		job.deadline = lanes[i].left ? NOW + lanes[i].left * NSEC_PER_SEC : 0;
		ck_assert_str_eq(lane_name(decided().lane), lane_name(lanes[i].lane));
	}
	job.deadline = NOW - 1;
	ck_assert_int_eq(decided().lane, LANE_EXPRESS);
}
END_TEST

START_TEST(the_time_that_is_left_begins_when_the_job_may)
{
	given("{}");
	job.deadline = NOW + HOURS(30);
	job.not_before = NOW + HOURS(10);
	ck_assert_int_eq(decided().lane, LANE_NORMAL);
	job.deadline = NOW + HOURS(34);
	ck_assert_int_eq(decided().lane, LANE_BATCH);
}
END_TEST

START_TEST(a_tier_without_a_batch_api_gets_no_batch)
{
	given("{}");
	job.deadline = NOW + HOURS(48);
	job.tier = "frontier";
	ck_assert_int_eq(decided().lane, LANE_NORMAL);
	job.lane = LANE_BATCH;
	ck_assert_int_eq(decided().lane, LANE_NORMAL);
}
END_TEST

START_TEST(the_jobs_own_lane_beats_rules_and_deadline)
{
	given(RULE("", "\"lane\":\"batch\""));
	ck_assert_int_eq(decided().lane, LANE_BATCH);
	job.deadline = NOW + HOURS(48);
	job.lane = LANE_EXPRESS;
	ck_assert_int_eq(decided().lane, LANE_EXPRESS);
}
END_TEST

/* The rest. */

START_TEST(the_decision_can_be_read_back_from_the_job)
{
	struct routing_decision d;
	json_t *routed;

	given(RULE("", UP));
	d = decided();
	routed = routing_to_json(&d);
	ck_assert_str_eq(json_text(routed, "tier", ""), "frontier");
	ck_assert_str_eq(json_text(routed, "lane", ""), "normal");
	ck_assert_double_eq_tol(json_number_or(routed, "score", -1), d.score, 0.001);
	ck_assert_int_eq(json_integer_or(routed, "tokens", -1), d.tokens);
	ck_assert_uint_eq(json_object_size(json_object_get(routed, "signals")), SIGNAL_COUNT);
	ck_assert_uint_eq(json_array_size(json_object_get(routed, "reasons")), d.reason_count);
	json_decref(routed);
}
END_TEST

START_TEST(more_reasons_than_there_is_room_for_do_no_harm)
{
	json_t *many = json_array();

	given("{}");
	for (int i = 0; i < 1000; i++)
		json_array_append_new(many, read_json("{\"match\":{},\"add\":0.001}"));
	config.routing = json_pack("{s:o}", "rules", many);
	ck_assert_uint_eq(decided().reason_count, ROUTING_REASONS);
	ck_assert_str_eq(decided().tier->name, "frontier");
}
END_TEST

START_TEST(without_a_section_the_usual_weights_hold)
{
	struct routing_decision d;

	given("{}");
	config.routing = NULL;
	d = decided();
	ck_assert_str_eq(d.tier->name, "economy");
	ck_assert_double_eq_tol(d.parts[SIGNAL_QUALITY], 0.15, 0.0001);
}
END_TEST

START_TEST(the_parts_and_what_rules_add_make_the_score)
{
	struct routing_decision d;
	double sum;

	given(RULE("", "\"add\":0.05"));
	job.deadline = NOW + HOURS(1) / 6;
	given_prompt_of(20000);
	d = decided();
	sum = d.add;
	for (int s = 0; s < SIGNAL_COUNT; s++)
		sum += d.parts[s];
	ck_assert_double_eq_tol(sum, d.score, 0.0001);
	ck_assert_double_eq(d.add, 0.05);
}
END_TEST

UNIT_TESTS(routing, a_plain_job_goes_to_the_cheapest_tier, each_signal_raises_the_score,
	   structure_of_schema_tools_and_turns_is_complexity,
	   the_tasks_schema_counts_where_the_job_brings_none,
	   a_schema_of_any_shape_or_depth_is_measured, a_near_deadline_is_a_high_latency_signal,
	   length_counts_in_tokens_and_pictures_as_one_thousand,
	   weights_decide_what_the_signals_count,
	   the_highest_tier_whose_threshold_is_reached_is_taken,
	   every_rule_that_matches_has_its_effect, a_free_plan_is_told_from_a_paid_one,
	   the_tasks_own_tier_beats_the_score_and_yields_to_a_rule,
	   the_jobs_own_tier_beats_rules_and_score, max_tier_caps_whatever_was_chosen,
	   a_tier_that_is_not_configured_is_rejected,
	   restricted_data_goes_only_where_a_model_is_our_own,
	   restricted_data_may_go_down_where_only_a_cheaper_tier_is_our_own,
	   a_job_that_wants_one_candidate_goes_where_that_is,
	   a_prompt_goes_up_to_the_first_window_that_holds_it, the_deadline_decides_an_open_lane,
	   the_time_that_is_left_begins_when_the_job_may, a_tier_without_a_batch_api_gets_no_batch,
	   the_jobs_own_lane_beats_rules_and_deadline, the_decision_can_be_read_back_from_the_job,
	   more_reasons_than_there_is_room_for_do_no_harm, without_a_section_the_usual_weights_hold,
	   the_parts_and_what_rules_add_make_the_score)
