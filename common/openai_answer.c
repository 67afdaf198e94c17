#include "openai_answer.h"

#include <stdio.h>
#include <string.h>

#include "json_writer.h"
#include "quote.h"
#include "utf8.h"

#define HEX_TEXT 33

static void hex(char text[HEX_TEXT], const struct uuid *id)
{
	for (size_t i = 0; i < sizeof(id->bytes); i++)
		snprintf(text + 2 * i, 3, "%02x", id->bytes[i]);
}

static void put_text(struct json_writer *w, const char *name, const char *text)
{
	json_key(w, name);
	json_put_text(w, text);
}

static void put_null(struct json_writer *w, const char *name)
{
	json_key(w, name);
	json_put_raw(w, "null", 4);
}

static void put_count(struct json_writer *w, const char *name, int64_t count)
{
	json_key(w, name);
	json_put_integer(w, count);
}

static void put_member(struct json_writer *w, const char *name, const char *inner, int64_t count)
{
	json_key(w, name);
	json_open(w, '{');
	put_count(w, inner, count);
	json_close(w, '}');
}

/* --- what was done --- */

/* Bytes that are no UTF-8 come out as U+FFFD. */
static void put_output(struct json_writer *w, const struct openai_answer *a)
{
	AUTO_FINISH(buffer_finish) struct buffer text = {0};

	json_key(w, "content");
	if (a->len == 0 && *a->tool_calls) {
		json_put_raw(w, "null", 4);
		return;
	}
	quote_json(&text, a->output, a->len);
	json_put_raw(w, text.data, text.len);
}

static void put_message(struct json_writer *w, const struct openai_answer *a)
{
	json_key(w, "message");
	json_open(w, '{');
	put_text(w, "role", "assistant");
	put_output(w, a);
	put_null(w, "refusal");
	json_key(w, "annotations");
	json_put_raw(w, "[]", 2);
	if (*a->tool_calls) {
		json_key(w, "tool_calls");
		json_put_raw(w, a->tool_calls, strlen(a->tool_calls));
	}
	json_close(w, '}');
}

static void put_usage(struct json_writer *w, const struct usage *usage)
{
	json_key(w, "usage");
	json_open(w, '{');
	put_count(w, "prompt_tokens", usage_prompt(usage));
	put_count(w, "completion_tokens", usage->output);
	put_count(w, "total_tokens", usage_prompt(usage) + usage->output);
	put_member(w, "prompt_tokens_details", "cached_tokens", usage->cache_read);
	put_member(w, "completion_tokens_details", "reasoning_tokens", usage->reasoning);
	json_close(w, '}');
}

static void put_completion(struct json_writer *w, const struct openai_answer *a, const char *id)
{
	char name[sizeof("chatcmpl-") + HEX_TEXT];

	snprintf(name, sizeof(name), "chatcmpl-%s", id);
	json_open(w, '{');
	put_text(w, "id", name);
	put_text(w, "object", "chat.completion");
	put_count(w, "created", (int64_t)(a->finished_at / NSEC_PER_SEC));
	put_text(w, "model", a->model);
	json_key(w, "choices");
	json_open(w, '[');
	json_open(w, '{');
	put_count(w, "index", 0);
	put_message(w, a);
	put_null(w, "logprobs");
	put_text(w, "finish_reason", *a->tool_calls ? "tool_calls" : "stop");
	json_close(w, '}');
	json_close(w, ']');
	put_usage(w, &a->usage);
	json_close(w, '}');
}

/* --- what was not --- */

/* What a reason is in the terms of HTTP. */
static const struct {
	const char *reason;
	int status;
	const char *code; /* NULL: the reason itself */
} reasons[] = {
	{"invalid_request", 400, NULL},
	{"too_large", 400, "context_length_exceeded"},
	{"refused", 400, "content_policy_violation"},
	{"invalid_output", 422, NULL},
	{"same_failure", 422, NULL},
	{"truncated", 422, NULL},
	{"low_confidence", 422, NULL},
	{"max_cost", 402, NULL},
	{"unknown_model", 404, "model_not_found"},
	{"throttled", 429, "rate_limit_exceeded"},
	{"unavailable", 503, NULL},
	{"lost", 504, NULL},
};

static void put_failure(struct json_writer *w, const struct openai_answer *a, int status,
			const char *code)
{
	char text[600], message[sizeof(text)];

	snprintf(text, sizeof(text), "%s%s%.500s", a->reason, *a->detail ? ": " : "", a->detail);
	utf8_copy(message, sizeof(message), text);
	json_open(w, '{');
	json_key(w, "error");
	json_open(w, '{');
	put_text(w, "message", message);
	put_text(w, "type", status >= 500 ? "server_error" : "invalid_request_error");
	put_null(w, "param");
	put_text(w, "code", code);
	json_close(w, '}');
	json_close(w, '}');
}

/* --- the line --- */

static void put_response(struct json_writer *w, const struct openai_answer *a, const char *id)
{
	char request[UUID_TEXT];
	const char *code = a->reason;
	int status = 500;

	for (size_t i = 0; a->end == OPENAI_DEAD && i < COUNT_OF(reasons); i++)
		if (strcmp(reasons[i].reason, a->reason) == 0) {
			status = reasons[i].status;
			code = reasons[i].code ? reasons[i].code : a->reason;
		}
	json_key(w, "response");
	json_open(w, '{');
	put_count(w, "status_code", a->end == OPENAI_DONE ? 200 : status);
	put_text(w, "request_id", uuid_format(request, &a->job_id));
	json_key(w, "body");
	if (a->end == OPENAI_DONE)
		put_completion(w, a, id);
	else
		put_failure(w, a, status, code);
	json_close(w, '}');
	put_null(w, "error");
}

static void put_unrun(struct json_writer *w, const struct openai_answer *a)
{
	bool expired = a->end == OPENAI_EXPIRED;

	put_null(w, "response");
	json_key(w, "error");
	json_open(w, '{');
	put_text(w, "code", expired ? "batch_expired" : "batch_cancelled");
	put_text(w, "message",
		 expired ? "This request could not be executed before the completion window "
			   "expired."
			 : "This request could not be executed before it was cancelled.");
	json_close(w, '}');
}

void openai_answer_write(const struct openai_answer *a, struct buffer *out)
{
	struct json_writer w = {.out = out};
	char id[HEX_TEXT], name[sizeof("batch_req_") + HEX_TEXT];

	hex(id, &a->job_id);
	snprintf(name, sizeof(name), "batch_req_%s", id);
	json_open(&w, '{');
	put_text(&w, "id", name);
	put_text(&w, "custom_id", a->custom_id);
	if (a->end == OPENAI_DONE || a->end == OPENAI_DEAD)
		put_response(&w, a, id);
	else
		put_unrun(&w, a);
	json_close(&w, '}');
	buffer_byte(out, '\n');
}

void openai_usage_write(const struct usage *usage, struct buffer *out)
{
	struct json_writer w = {.out = out};

	json_open(&w, '{');
	put_count(&w, "input_tokens", usage_prompt(usage));
	put_member(&w, "input_tokens_details", "cached_tokens", usage->cache_read);
	put_count(&w, "output_tokens", usage->output);
	put_member(&w, "output_tokens_details", "reasoning_tokens", usage->reasoning);
	put_count(&w, "total_tokens", usage_prompt(usage) + usage->output);
	json_close(&w, '}');
}
