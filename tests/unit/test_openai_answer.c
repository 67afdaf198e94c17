#include "openai_answer.h"

#include <string.h>

#include "json.h"
#include "unit.h"

/* The line, read again. The caller's. */
static json_t *line_of(const struct openai_answer *answer)
{
	AUTO_FINISH(buffer_finish) struct buffer out = {0};
	struct error err;
	json_t *line;

	openai_answer_write(answer, &out);
	ck_assert_int_eq(out.data[out.len - 1], '\n');
	ck_assert_ptr_eq(strchr(out.data, '\n'), out.data + out.len - 1);
	line = json_read(out.data, out.len, JSON_OURS, &err);
	ck_assert_msg(line, "%s: %s", err.text, out.data);
	return line;
}

static struct openai_answer done(const char *output)
{
	return (struct openai_answer){.job_id = {{0x01, 0x9a}},
				      .custom_id = "c\"1",
				      .end = OPENAI_DONE,
				      .output = output,
				      .len = strlen(output),
				      .tool_calls = "",
				      .model = "m-1",
				      .finished_at = 5 * NSEC_PER_SEC,
				      .usage = {.known = true,
						.input = 10,
						.cache_read = 4,
						.cache_write = 1,
						.output = 7,
						.reasoning = 3},
				      .reason = "",
				      .detail = ""};
}

START_TEST(an_answer_is_a_chat_completion)
{
	struct openai_answer answer = done("say \"\xc3\xa4\"\n{\"a\":1.0}");
	json_auto_t *line = line_of(&answer);
	const char *id, *custom, *request, *completion, *object, *model, *role, *content, *finish;
	int status, created, prompt, tokens, total, cached, reasoning;
	json_t *refusal, *error;

	ck_assert_int_eq(
		json_unpack(line,
			    "{s:s, s:s, s:o, s:{s:i, s:s, s:{s:s, s:s, s:i, s:s, s:[{s:{s:s, s:s, "
			    "s:o}, s:s}], s:{s:i, s:i, s:i, s:{s:i}, s:{s:i}}}}}",
			    "id", &id, "custom_id", &custom, "error", &error, "response",
			    "status_code", &status, "request_id", &request, "body", "id",
			    &completion, "object", &object, "created", &created, "model", &model,
			    "choices", "message", "role", &role, "content", &content, "refusal",
			    &refusal, "finish_reason", &finish, "usage", "prompt_tokens", &prompt,
			    "completion_tokens", &tokens, "total_tokens", &total,
			    "prompt_tokens_details", "cached_tokens", &cached,
			    "completion_tokens_details", "reasoning_tokens", &reasoning),
		0);
	ck_assert_str_eq(id, "batch_req_019a0000000000000000000000000000");
	ck_assert_str_eq(custom, "c\"1");
	ck_assert_str_eq(request, "019a0000-0000-0000-0000-000000000000");
	ck_assert_str_eq(completion, "chatcmpl-019a0000000000000000000000000000");
	ck_assert_str_eq(object, "chat.completion");
	ck_assert_str_eq(content, "say \"\xc3\xa4\"\n{\"a\":1.0}");
	ck_assert_str_eq(finish, "stop");
	ck_assert(json_is_null(refusal) && json_is_null(error));
	ck_assert_int_eq(status, 200);
	ck_assert_int_eq(created, 5);
	ck_assert_int_eq(prompt, 15);
	ck_assert_int_eq(tokens, 7);
	ck_assert_int_eq(total, 22);
	ck_assert_int_eq(cached, 4);
	ck_assert_int_eq(reasoning, 3);
}
END_TEST

START_TEST(calls_of_tools_are_the_answer_where_there_is_no_text)
{
	struct openai_answer answer = done("");
	const char *finish, *name;
	json_t *content;

	answer.tool_calls = "[{\"id\":\"x\",\"type\":\"function\",\"function\":{\"name\":\"f\","
			    "\"arguments\":\"{}\"}}]";
	json_auto_t *line = line_of(&answer);
	ck_assert_int_eq(json_unpack(line, "{s:{s:{s:[{s:{s:o, s:[{s:{s:s}}]}, s:s}]}}}",
				     "response", "body", "choices", "message", "content", &content,
				     "tool_calls", "function", "name", &name, "finish_reason",
				     &finish),
			 0);
	ck_assert(json_is_null(content));
	ck_assert_str_eq(name, "f");
	ck_assert_str_eq(finish, "tool_calls");
}
END_TEST

START_TEST(a_job_that_died_is_an_error_of_its_status)
{
	static const struct {
		const char *reason;
		int status;
		const char *code;
	} cases[] = {
		{"invalid_request", 400, "invalid_request"},
		{"too_large", 400, "context_length_exceeded"},
		{"invalid_output", 422, "invalid_output"},
		{"unavailable", 503, "unavailable"},
		{"poison", 500, "poison"},
	};

	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		struct openai_answer answer = done("");
		const char *code, *message;
		json_t *error;
		int status;

		answer.end = OPENAI_DEAD;
		answer.reason = cases[i].reason;
		answer.detail = "in words";
		json_auto_t *line = line_of(&answer);
		ck_assert_int_eq(json_unpack(line, "{s:o, s:{s:i, s:{s:{s:s, s:s}}}}", "error",
					     &error, "response", "status_code", &status, "body",
					     "error", "code", &code, "message", &message),
				 0);
		ck_assert(json_is_null(error));
		ck_assert_int_eq(status, cases[i].status);
		ck_assert_str_eq(code, cases[i].code);
		ck_assert(strstr(message, cases[i].reason) && strstr(message, "in words"));
	}
}
END_TEST

START_TEST(what_never_ran_has_no_response)
{
	static const enum openai_end ends[] = {OPENAI_CANCELLED, OPENAI_EXPIRED};
	static const char *const codes[] = {"batch_cancelled", "batch_expired"};

	for (size_t i = 0; i < COUNT_OF(ends); i++) {
		struct openai_answer answer = done("");
		const char *code;
		json_t *response;

		answer.end = ends[i];
		json_auto_t *line = line_of(&answer);
		ck_assert_int_eq(json_unpack(line, "{s:o, s:{s:s}}", "response", &response, "error",
					     "code", &code),
				 0);
		ck_assert(json_is_null(response));
		ck_assert_str_eq(code, codes[i]);
	}
}
END_TEST

UNIT_TESTS(openai_answer, an_answer_is_a_chat_completion,
	   calls_of_tools_are_the_answer_where_there_is_no_text,
	   a_job_that_died_is_an_error_of_its_status, what_never_ran_has_no_response)
