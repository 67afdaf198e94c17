#include "answer_key.h"

#include <string.h>

#include "ensure.h"
#include "unit.h"

#define CONFIG                                                                                    \
	"providers:\n"                                                                            \
	"  house: {dialect: openai, base_url: http://h/v1}\n"                                     \
	"  other: {dialect: openai, base_url: http://o/v1}\n"                                     \
	"tiers:\n"                                                                                \
	"  - name: economy\n"                                                                     \
	"    candidates: [{provider: house, model: m}, {provider: other, model: n}]\n"            \
	"  - name: same\n"                                                                        \
	"    candidates: [{provider: other, model: n, weight: 9}, {provider: house, model: m}]\n" \
	"  - name: frontier\n"                                                                    \
	"    candidates: [{provider: house, model: big}]\n"                                       \
	"tasks:\n"                                                                                \
	"  plain: {min_confidence: 0}\n"                                                          \
	"  sure: {min_confidence: 0.9}\n"                                                         \
	"  named: {min_confidence: 0.9, confidence_field: /score}\n"                              \
	"  capped: {min_confidence: 0, max_output_tokens: 77}\n"

/* A job is written as what it says otherwise than this one. */
static const char plain[] =
	"{\"version\":1,\"job_id\":\"0197a1b2-7c3d-7e4f-8a5b-6c7d8e9f0a1b\","
	"\"business_unit\":\"u\",\"task\":\"plain\",\"prompt\":{\"name\":\"p\",\"version\":\"1\","
	"\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}]},"
	"\"output\":{\"type\":\"json_schema\",\"schema\":{\"type\":\"object\"}},"
	"\"parameters\":{\"temperature\":0,\"max_output_tokens\":100}}";

struct change {
	const char *from;
	const char *to;
};

static struct config *config;
static struct job_reader *reader;

/* Once for each test, which is a process. */
static void get_ready(void)
{
	struct error err;

	if (config)
		return;
	config = config_read("t", CONFIG, strlen(CONFIG), &err);
	ck_assert_msg(config != NULL, "%s", err.text);
	reader = job_reader_create(10000);
}

static char *changed(const struct change *change)
{
	const char *at = strstr(plain, change->from);

	ck_assert_msg(at != NULL, "%s is not in the job", change->from);
	return xasprintf("%.*s%s%s", (int)(at - plain), plain, change->to,
			 at + strlen(change->from));
}

static struct digest key_in(const char *text, const char *tier)
{
	struct job_source nowhere = {.cluster = "", .topic = ""};
	struct error err = {0};

	get_ready();
	AUTO(job_destroy)
	struct job *job = job_read(reader, text, strlen(text), &nowhere, &err);

	ck_assert_msg(job != NULL, "%s: %s", text, err.text);
	return answer_key_of(config, job, config_tier(config, tier), job->output_schema);
}

static bool keeps_key(const struct change *change)
{
	AUTO(xfree) char *text = changed(change);
	struct digest before = key_in(plain, "economy"), after = key_in(text, "economy");

	return digest_equal(&before, &after);
}

START_TEST(whatever_the_answer_depends_on_changes_the_key)
{
	static const struct change changes[] = {
		{"\"business_unit\":\"u\"", "\"business_unit\":\"v\""},
		{"\"task\":\"plain\"", "\"task\":\"other\""},
		{"\"task\":\"plain\"", "\"task\":\"sure\""},
		{"\"task\":\"plain\"", "\"task\":\"named\""},
		{"\"name\":\"p\"", "\"name\":\"q\""},
		{"\"version\":\"1\"", "\"version\":\"2\""},
		{"\"content\":\"hi\"", "\"content\":\"hi \""},
		{"\"role\":\"user\"", "\"role\":\"system\""},
		{"\"content\":\"hi\"}", "\"content\":\"hi\"},{\"role\":\"user\",\"content\":\"\"}"},
		{"\"schema\":{\"type\":\"object\"}", "\"schema\":{\"type\":\"array\"}"},
		{"\"schema\":{", "\"name\":\"n\",\"schema\":{"},
		{"\"temperature\":0", "\"temperature\":1"},
		{"\"temperature\":0,", ""},
		{"\"temperature\":0", "\"temperature\":0,\"top_p\":0.5"},
		{"\"temperature\":0", "\"temperature\":0,\"seed\":7"},
		{"\"temperature\":0", "\"temperature\":0,\"stop\":[\"x\"]"},
		{"\"temperature\":0", "\"temperature\":0,\"reasoning_effort\":\"low\""},
		{"\"max_output_tokens\":100", "\"max_output_tokens\":101"},
		{"\"version\":1,", "\"version\":1,\"routing\":{\"data_class\":\"restricted\"},"},
		{"\"version\":1,", "\"version\":1,\"routing\":{\"candidate\":\"house/m\"},"},
	};

	for (size_t i = 0; i < COUNT_OF(changes); i++)
		ck_assert_msg(!keeps_key(&changes[i]), "%s for %s", changes[i].to, changes[i].from);
}
END_TEST

START_TEST(who_asks_and_by_when_does_not)
{
	static const struct change changes[] = {
		{"0197a1b2", "1197a1b2"},
		{"\"version\":1,", "\"version\":1,\"metadata\":{\"a\":1},"},
		{"\"version\":1,", "\"version\":1,\"metadata\":{\"b\":1,\"a\":2},"},
		{"\"version\":1,", "\"version\":1,\"callback\":{\"url\":\"https://x/y\"},"},
		{"\"version\":1,",
		 "\"version\":1,\"routing\":{\"deadline\":\"2036-11-22T06:00:00Z\"},"},
		{"\"version\":1,", "\"version\":1,\"feature\":\"f\",\"environment\":\"e\","},
		{"\"version\":1,", "\"version\":1,\"usage_tier\":\"t\",\"user\":\"w\","},
		{"\"version\":1,\"job_id\":\"0197a1b2-7c3d-7e4f-8a5b-6c7d8e9f0a1b\",",
		 "\"job_id\":\"0197a1b2-7c3d-7e4f-8a5b-6c7d8e9f0a1b\",\"version\":1,"},
		{"\"role\":\"user\",\"content\":\"hi\"", "\"content\":\"hi\",\"role\":\"user\""},
		{"{\"type\":\"object\"}", "{ \"type\" : \"object\" }"},
	};

	for (size_t i = 0; i < COUNT_OF(changes); i++)
		ck_assert_msg(keeps_key(&changes[i]), "%s for %s", changes[i].to, changes[i].from);
}
END_TEST

START_TEST(the_models_count_and_not_what_their_tier_is_called)
{
	struct digest economy = key_in(plain, "economy"), same = key_in(plain, "same"),
		      frontier = key_in(plain, "frontier");

	ck_assert(digest_equal(&economy, &same));
	ck_assert(!digest_equal(&economy, &frontier));
}
END_TEST

START_TEST(the_cap_that_holds_counts_whoever_says_it)
{
	static const struct change of_task = {"\"task\":\"plain\"", "\"task\":\"capped\""};
	AUTO(xfree) char *own = changed(&of_task);
	const char *at = strstr(own, ",\"max_output_tokens\":100");
	AUTO(xfree)
	char *left = xasprintf("%.*s%s", (int)(at - own), own,
			       at + strlen(",\"max_output_tokens\":100"));
	AUTO(xfree)
	char *equal = xasprintf("%.*s,\"max_output_tokens\":77%s", (int)(at - own), own,
				at + strlen(",\"max_output_tokens\":100"));
	struct digest a = key_in(own, "economy"), b = key_in(left, "economy"),
		      c = key_in(equal, "economy");

	ck_assert(!digest_equal(&a, &b));
	ck_assert(digest_equal(&b, &c));
}
END_TEST

START_TEST(plain_text_is_another_question_than_json)
{
	static const struct change text = {
		"\"output\":{\"type\":\"json_schema\",\"schema\":{\"type\":\"object\"}}",
		"\"output\":{\"type\":\"text\"}"};

	ck_assert(!keeps_key(&text));
}
END_TEST

START_TEST(tools_are_part_of_the_question)
{
	static const struct change tools = {
		"\"messages\":[",
		"\"tools\":[{\"type\":\"function\",\"function\":{\"name\":\"f\"}}],\"messages\":["};

	ck_assert(!keeps_key(&tools));
}
END_TEST

UNIT_TESTS(answer_key, whatever_the_answer_depends_on_changes_the_key,
	   who_asks_and_by_when_does_not, the_models_count_and_not_what_their_tier_is_called,
	   the_cap_that_holds_counts_whoever_says_it, plain_text_is_another_question_than_json,
	   tools_are_part_of_the_question)
