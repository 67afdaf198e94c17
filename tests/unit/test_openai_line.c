#include "openai_line.h"

#include <stdio.h>
#include <string.h>

#include "ensure.h"
#include "unit.h"

#define LINE(body)                                                                                 \
	"{\"custom_id\":\"c\",\"method\":\"POST\",\"url\":\"/v1/chat/completions\",\"body\":" body \
	"}"
#define SAY "\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}]"
#define BODY(more) LINE("{\"model\":\"m\"," SAY more "}")

static struct openai_problem problem;

/* The job as JSON; NULL: a problem. The caller's. */
static char *job_of(const char *text)
{
	struct openai_line line;
	char *job = NULL;

	problem = (struct openai_problem){0};
	if (openai_line_read(text, strlen(text), &line, &problem))
		job = json_write(line.job);
	openai_line_finish(&line);
	return job;
}

START_TEST(what_a_request_asks_for_is_asked_of_the_job)
{
	static const struct {
		const char *more;
		const char *job; /* behind the prompt */
	} cases[] = {
		{"", ""},
		{",\"max_tokens\":5", ",\"parameters\":{\"max_output_tokens\":5}"},
		{",\"max_completion_tokens\":5,\"max_tokens\":5",
		 ",\"parameters\":{\"max_output_tokens\":5}"},
		{",\"temperature\":0.5,\"top_p\":1,\"seed\":7,\"reasoning_effort\":\"low\"",
		 ",\"parameters\":{\"temperature\":0.5,\"top_p\":1,\"seed\":7,\"reasoning_effort\":"
		 "\"low\"}"},
		{",\"stop\":\"x\"", ",\"parameters\":{\"stop\":[\"x\"]}"},
		{",\"stop\":[\"x\",\"y\"]", ",\"parameters\":{\"stop\":[\"x\",\"y\"]}"},
		{",\"user\":\"u\"", ",\"user\":\"u\""},
		{",\"safety_identifier\":\"u\",\"user\":\"u\"", ",\"user\":\"u\""},
		{",\"metadata\":{\"a\":\"b\"}", ",\"metadata\":{\"request\":{\"a\":\"b\"}}"},
		{",\"response_format\":{\"type\":\"text\"}", ",\"output\":{\"type\":\"text\"}"},
		{",\"response_format\":{\"type\":\"json_object\"}",
		 ",\"output\":{\"type\":\"json_schema\",\"schema\":{\"type\":\"object\"}}"},
		{",\"response_format\":{\"type\":\"json_schema\",\"json_schema\":{\"name\":\"n\","
		 "\"strict\":true,\"description\":\"d\",\"schema\":{\"type\":\"object\"}}}",
		 ",\"output\":{\"type\":\"json_schema\",\"schema\":{\"type\":\"object\","
		 "\"description\":\"d\"},\"name\":\"n\"}"},
		{",\"tool_choice\":\"auto\",\"tools\":[]", ""},
		/* What says nothing is left out. */
		{",\"n\":1,\"stream\":false,\"store\":false,\"logprobs\":false,\"logit_bias\":{},"
		 "\"presence_penalty\":0,\"frequency_penalty\":0.0,\"modalities\":[\"text\"],"
		 "\"service_tier\":\"auto\",\"parallel_tool_calls\":true,\"tools\":[],\"stop\":"
		 "null,"
		 "\"verbosity\":null,\"prompt_cache_key\":null",
		 ""},
	};

	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		char text[1200], wanted[1200];

		snprintf(text, sizeof(text), BODY("%s"), cases[i].more);
		char *job = job_of(text);

		snprintf(wanted, sizeof(wanted), "{\"prompt\":{" SAY "}%s}", cases[i].job);
		ck_assert_msg(job, "%s: %s", cases[i].more, problem.message);
		ck_assert_str_eq(job, wanted);
		free(job);
	}
}
END_TEST

START_TEST(tools_are_the_prompts)
{
	static const char tools[] =
		"\"tools\":[{\"type\":\"function\",\"function\":{\"name\":\"f\"}}],"
		"\"tool_choice\":\"required\"";
	char text[600], wanted[600];

	snprintf(text, sizeof(text), BODY(",%s"), tools);
	AUTO(xfree) char *job = job_of(text);

	snprintf(wanted, sizeof(wanted), "{\"prompt\":{" SAY ",%s}}", tools);
	ck_assert_msg(job, "%s", problem.message);
	ck_assert_str_eq(job, wanted);
}
END_TEST

START_TEST(what_sluice_cant_do_is_a_problem_that_names_the_parameter)
{
	static const struct {
		const char *more;
		const char *code;
		const char *param;
	} cases[] = {
		{",\"n\":2", "unsupported_value", "n"},
		{",\"stream\":true", "unsupported_value", "stream"},
		{",\"store\":true", "unsupported_value", "store"},
		{",\"logprobs\":true", "unsupported_value", "logprobs"},
		{",\"top_logprobs\":2", "unsupported_parameter", "top_logprobs"},
		{",\"logit_bias\":{\"1\":2}", "unsupported_value", "logit_bias"},
		{",\"presence_penalty\":0.5", "unsupported_value", "presence_penalty"},
		{",\"frequency_penalty\":\"0\"", "unsupported_value", "frequency_penalty"},
		{",\"modalities\":[\"text\",\"audio\"]", "unsupported_value", "modalities"},
		{",\"service_tier\":\"flex\"", "unsupported_value", "service_tier"},
		{",\"parallel_tool_calls\":false", "unsupported_value", "parallel_tool_calls"},
		{",\"functions\":[]", "unsupported_parameter", "functions"},
		{",\"tool_choice\":\"required\"", "invalid_value", "tool_choice"},
		{",\"tools\":[],\"tool_choice\":{}", "invalid_value", "tool_choice"},
		{",\"verbosity\":\"low\"", "unsupported_parameter", "verbosity"},
		{",\"typo\":1", "unsupported_parameter", "typo"},
		{",\"max_tokens\":1,\"max_completion_tokens\":2", "invalid_value",
		 "max_completion_tokens"},
		{",\"user\":\"a\",\"safety_identifier\":\"b\"", "invalid_value",
		 "safety_identifier"},
		{",\"response_format\":{\"type\":\"grammar\"}", "unsupported_value",
		 "response_format"},
		{",\"response_format\":{\"type\":\"json_schema\"}", "missing_required_parameter",
		 "response_format.json_schema.schema"},
		{",\"response_format\":{\"type\":\"json_schema\",\"json_schema\":{\"schema\":{},"
		 "\"x\":1}}",
		 "unsupported_parameter", "response_format"},
	};

	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		char text[600];

		snprintf(text, sizeof(text), BODY("%s"), cases[i].more);
		ck_assert_msg(!job_of(text), "%s", cases[i].more);
		ck_assert_str_eq(problem.code, cases[i].code);
		ck_assert_str_eq(problem.param, cases[i].param);
		ck_assert_msg(problem.message[0], "%s", cases[i].more);
	}
}
END_TEST

START_TEST(a_line_that_is_no_request_is_a_problem)
{
	static const struct {
		const char *text;
		const char *code;
		const char *param;
	} cases[] = {
		{"{", "invalid_json_line", ""},
		{"[]", "invalid_json_line", ""},
		{"{\"a\":1,\"a\":2}", "invalid_json_line", ""},
		{"{}", "missing_required_parameter", "custom_id"},
		{"{\"custom_id\":7}", "missing_required_parameter", "custom_id"},
		{"{\"custom_id\":\"c\"}", "invalid_method", "method"},
		{"{\"custom_id\":\"c\",\"method\":\"GET\"}", "invalid_method", "method"},
		{"{\"custom_id\":\"c\",\"method\":\"POST\"}", "missing_required_parameter", "url"},
		{"{\"custom_id\":\"c\",\"method\":\"POST\",\"url\":\"/v1/embeddings\"}",
		 "invalid_url", "url"},
		{LINE("7"), "missing_required_parameter", "body"},
		{LINE("{}"), "missing_required_parameter", "model"},
		{LINE("{\"model\":\"m\"}"), "missing_required_parameter", "messages"},
		{"{\"custom_id\":\"c\",\"method\":\"POST\",\"url\":\"/v1/chat/"
		 "completions\",\"body\":"
		 "{},\"x\":1}",
		 "unsupported_parameter", "x"},
	};

	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		ck_assert_msg(!job_of(cases[i].text), "%s", cases[i].text);
		ck_assert_str_eq(problem.code, cases[i].code);
		ck_assert_str_eq(problem.param, cases[i].param);
	}
}
END_TEST

START_TEST(messages_as_answers_bring_them_may_be_sent_back)
{
	char *job = job_of(
		LINE("{\"model\":\"m\",\"messages\":[{\"role\":\"assistant\",\"content\":"
		     "null,\"refusal\":null,\"annotations\":[],\"audio\":null,\"tool_"
		     "calls\":[]},{\"role\":\"user\",\"content\":\"hi\"}]}"));

	ck_assert_msg(job, "%s", problem.message);
	ck_assert_str_eq(job,
			 "{\"prompt\":{\"messages\":[{\"role\":\"assistant\",\"content\":null},"
			 "{\"role\":\"user\",\"content\":\"hi\"}]}}");
	free(job);
}
END_TEST

START_TEST(problems_of_the_job_are_told_in_the_words_of_the_request)
{
	static const struct {
		const char *ours;
		const char *param;
		const char *words;
	} cases[] = {
		{"/prompt/messages/0/role must be one of x", "messages.0.role",
		 "'messages/0/role' must be one of x"},
		{"/parameters/max_output_tokens must be at least 1", "max_completion_tokens",
		 "'max_completion_tokens' must be at least 1"},
		{"/parameters/temperature must be at most 2", "temperature",
		 "'temperature' must be at most 2"},
		{"/output/schema: no such type", "response_format.json_schema.schema",
		 "'response_format.json_schema.schema': no such type"},
		{"the message is 9 bytes", "", "the message is 9 bytes"},
	};

	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		openai_problem_of_job(&problem, cases[i].ours);
		ck_assert_str_eq(problem.param, cases[i].param);
		ck_assert_str_eq(problem.message, cases[i].words);
	}
}
END_TEST

UNIT_TESTS(openai_line, what_a_request_asks_for_is_asked_of_the_job, tools_are_the_prompts,
	   what_sluice_cant_do_is_a_problem_that_names_the_parameter,
	   a_line_that_is_no_request_is_a_problem, messages_as_answers_bring_them_may_be_sent_back,
	   problems_of_the_job_are_told_in_the_words_of_the_request)
