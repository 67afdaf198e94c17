#include "drill.h"

#include <string.h>

#include "embedded.h"
#include "unit.h"

#define CONFIG                                                                      \
	"providers:\n"                                                              \
	"  one: {dialect: openai, base_url: http://h/v1}\n"                         \
	"  two: {dialect: openai, base_url: http://h/v1, first_byte_timeout: 2s}\n" \
	"tasks:\n"                                                                  \
	"  cheap: {cheaper_allowed: true, static_answer: '\"later\"'}\n"            \
	"  fixed: {static_answer: '\"later\"'}\n"                                   \
	"  plain: {}\n"                                                             \
	"tiers:\n"                                                                  \
	"  - name: low\n"                                                           \
	"    candidates: [{provider: one, model: a}, {provider: two, model: b}]\n"  \
	"  - name: high\n"                                                          \
	"    candidates: [{provider: one, model: c}]\n"

static struct config *config;

static struct drill *read_text(const char *text, struct error *err)
{
	return drill_read("d.yaml", text, strlen(text), config, err);
}

static struct drill *must_read(const char *text)
{
	struct error err;
	struct drill *drill;

	if (!config)
		config = config_read("c.yaml", CONFIG, strlen(CONFIG), &err);
	ck_assert_msg(config != NULL, "%s", err.text);
	drill = read_text(text, &err);
	ck_assert_msg(drill != NULL, "%s", err.text);
	return drill;
}

/* What is promised to a task while the one scene lasts; the tier's first candidate is primary. */
static const char *promised(const char *scene, const char *task)
{
	char text[200];
	struct drill_outage outage;
	enum drill_promise promise;

	snprintf(text, sizeof(text), "scenes: [{%s}]", scene);
	AUTO(drill_destroy) struct drill *drill = must_read(text);
	drill_outage(config, &drill->scenes[0], &drill->scenes[0].tier->candidates[0], &outage);
	promise = drill_promise(config, &drill->scenes[0], config_task(config, task), &outage);
	return drill_promise_name(promise);
}

START_TEST(the_default_script_fits_any_configuration)
{
	AUTO(drill_destroy)
	struct drill *drill = must_read(embedded_text("schemas/default-drill.yaml"));

	ck_assert_uint_eq(drill->scene_count, 6);
	ck_assert_str_eq(drill->scenes[0].fault, "500");
	ck_assert_str_eq(drill->scenes[5].tier->name, "high");
	ck_assert_uint_eq(drill->scenes[5].task_count, 3); /* of none, cheap, fixed */
}
END_TEST

START_TEST(another_candidate_is_promised_where_there_is_one)
{
	ck_assert_str_eq(promised("fault: 500", "fixed"), "spill");
	ck_assert_str_eq(promised("fault: 429", ""), "spill");
	ck_assert_str_eq(promised("fault: garbage, at: b", ""), "spill");
	ck_assert_str_eq(promised("fault: 401", ""), "spill"); /* b has another key */
}
END_TEST

START_TEST(without_one_the_task_says_what_happens)
{
	ck_assert_str_eq(promised("fault: 500, tier: high", "cheap"), "cheaper");
	ck_assert_str_eq(promised("fault: 500, tier: high", "fixed"), "static");
	ck_assert_str_eq(promised("fault: 500, tier: high", "plain"), "park");
	ck_assert_str_eq(promised("fault: 500, at: tier", "cheap"), "static"); /* none is cheaper */
	ck_assert_str_eq(promised("fault: 401, tier: last", "cheap"), "cheaper"); /* by b */
}
END_TEST

START_TEST(a_rate_limit_is_waited_for)
{
	ck_assert_str_eq(promised("fault: 429, tier: high", "cheap"), "park");
}
END_TEST

START_TEST(slowness_within_the_timeouts_stops_nothing)
{
	ck_assert_str_eq(promised("fault: slow, at: a", ""), "answer");
	ck_assert_str_eq(promised("fault: slow, at: b", ""), "spill"); /* its time-out is 2 s */
}
END_TEST

START_TEST(the_script_may_expect_something_else)
{
	ck_assert_str_eq(promised("fault: 500, tier: high, expect: spill", ""), "spill");
}
END_TEST

START_TEST(faults_are_ordered_by_model)
{
	AUTO(drill_destroy)
	struct drill *drill = must_read("scenes: [{fault: 401}, {fault: hang, at: tier}]");
	AUTO_FINISH(buffer_finish) struct buffer order = {0};
	struct drill_outage outage;

	drill_outage(config, &drill->scenes[0], &config->tiers[0].candidates[0], &outage);
	drill_order(&drill->scenes[0], &outage, &order);
	ck_assert_str_eq(order.data, "401@a=1,401@c=1");
	buffer_clear(&order);
	drill_outage(config, &drill->scenes[1], &config->tiers[0].candidates[0], &outage);
	drill_order(&drill->scenes[1], &outage, &order);
	ck_assert_str_eq(order.data, "hang@a=1,hang@b=1");
}
END_TEST

START_TEST(mistakes_in_a_script_are_told_with_their_place)
{
	static const struct {
		const char *script, *why;
	} cases[] = {
		{"scenes: []", "1 to 64"},
		{"scenes: [{fault: fire}]", "d.yaml:1:11: fault: \"fire\""},
		{"scenes: [{fault: 500, tier: mid}]", "tier: \"mid\""},
		{"scenes: [{fault: 500, at: z}]", "at: write"},
		{"scenes: [{fault: 500, tasks: [x]}]", "tasks: \"x\""},
		{"scenes: [{fault: 500, tasks: some}]", "or each"},
		{"scenes: [{fault: 500, expect: luck}]", "expect: write"},
		{"scenes: [{fault: 500, lasts: 3}]", "a duration"},
		{"scenes: [{fault: 500, length: 3s}]", "no setting \"length\""},
		{"scenes: [500]", "mapping"},
		{"version: 2\nscenes: [{fault: 500}]", "d.yaml:1:10: version"},
		{"jobs_per_minute: 0\nscenes: [{fault: 500}]", "jobs_per_minute"},
		{"scene: 1", "no setting \"scene\""},
		{"- 1", "mapping"},
	};

	drill_destroy(must_read("scenes: [{fault: 500}]"));
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct error err;

		ck_assert_msg(!read_text(cases[i].script, &err), "%s", cases[i].script);
		ck_assert_msg(strstr(err.text, cases[i].why) != NULL, "%s: %s", cases[i].script,
			      err.text);
	}
}
END_TEST

UNIT_TESTS(drill, the_default_script_fits_any_configuration,
	   another_candidate_is_promised_where_there_is_one, without_one_the_task_says_what_happens,
	   a_rate_limit_is_waited_for, slowness_within_the_timeouts_stops_nothing,
	   the_script_may_expect_something_else, faults_are_ordered_by_model,
	   mistakes_in_a_script_are_told_with_their_place)
