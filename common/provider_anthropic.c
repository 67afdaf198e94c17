#include <stdlib.h>
#include <string.h>

#include "anthropic_request.h"
#include "ensure.h"
#include "json_span.h"
#include "provider_reply.h"
#include "retry_hint.h"

static const struct error_rule rules[] = {
	{0, "overloaded_error", NULL, REPLY_UNAVAILABLE, true},
	{0, "billing_error", NULL, REPLY_CREDENTIAL, false},
	{0, "authentication_error", NULL, REPLY_CREDENTIAL, false},
	{0, "enforced_spend_limit_reached", NULL, REPLY_CREDENTIAL, false},
	{0, "request_too_large", NULL, REPLY_TOO_LARGE, false},
	/* One type for all of these: only the words tell. */
	{400, NULL, "credit balance is too low", REPLY_CREDENTIAL, false},
	{400, NULL, "API usage limits", REPLY_CREDENTIAL, false},
	{400, NULL, "prompt is too long", REPLY_TOO_LARGE, false},
	{400, NULL, "exceed context limit", REPLY_TOO_LARGE, false},
};

static void read_error_words(const json_t *error, struct reply *reply)
{
	const char *type = json_text(error, "type", "");
	const char *code = json_text(json_object_get(error, "details"), "error_code", type);

	reply_copy(reply->code, sizeof(reply->code), code);
	reply_copy(reply->message, sizeof(reply->message), json_text(error, "message", ""));
}

static void read_error(const json_t *body, struct reply *reply)
{
	const json_t *error = json_object_get(body, "error");

	if (!reply->request_id[0])
		reply_copy(reply->request_id, sizeof(reply->request_id),
			   json_text(body, "request_id", ""));
	if (error)
		read_error_words(error, reply);
	reply_classify(reply, rules, COUNT_OF(rules), json_text(error, "type", ""));
	reply_wait_for_readings(reply, "");
}

static void read_limit(const struct raw_reply *raw, const char *name, const char *limit_header,
		       const char *remaining_header, const char *reset_header, struct reply *reply)
{
	const char *limit = raw_reply_header(raw, limit_header);
	const char *reset = raw_reply_header(raw, reset_header);
	nsec wait = 0;

	if (reset)
		retry_hint_date(reset, raw->wall, &wait);
	reply_add_reading(reply, name, limit, raw_reply_header(raw, remaining_header), wait);
}

static void read_limits(const struct raw_reply *raw, struct reply *reply)
{
	read_limit(raw, "requests", "anthropic-ratelimit-requests-limit",
		   "anthropic-ratelimit-requests-remaining", "anthropic-ratelimit-requests-reset",
		   reply);
	read_limit(raw, "input_tokens", "anthropic-ratelimit-input-tokens-limit",
		   "anthropic-ratelimit-input-tokens-remaining",
		   "anthropic-ratelimit-input-tokens-reset", reply);
	read_limit(raw, "output_tokens", "anthropic-ratelimit-output-tokens-limit",
		   "anthropic-ratelimit-output-tokens-remaining",
		   "anthropic-ratelimit-output-tokens-reset", reply);
	read_limit(raw, "tokens", "anthropic-ratelimit-tokens-limit",
		   "anthropic-ratelimit-tokens-remaining", "anthropic-ratelimit-tokens-reset",
		   reply);
}

/* Writes are split by how long they last; what the split leaves out is short-lived. */
static bool read_cache_writes(const json_t *usage, struct usage *u)
{
	const json_t *split = json_object_get(usage, "cache_creation");
	int64_t all;

	if (!reply_tokens(usage, "cache_creation_input_tokens", false, &all) ||
	    !reply_tokens(split, "ephemeral_5m_input_tokens", false, &u->cache_write) ||
	    !reply_tokens(split, "ephemeral_1h_input_tokens", false, &u->cache_write_1h))
		return false;
	if (all > u->cache_write + u->cache_write_1h)
		u->cache_write = all - u->cache_write_1h;
	return true;
}

static struct usage read_usage(const json_t *usage)
{
	const json_t *out = json_object_get(usage, "output_tokens_details");
	struct usage u = {.known = true};

	if (!reply_tokens(usage, "input_tokens", true, &u.input) ||
	    !reply_tokens(usage, "output_tokens", true, &u.output) ||
	    !reply_tokens(usage, "cache_read_input_tokens", false, &u.cache_read) ||
	    !reply_tokens(out, "thinking_tokens", false, &u.reasoning) ||
	    !read_cache_writes(usage, &u))
		return (struct usage){0};
	if (u.reasoning > u.output)
		u.reasoning = u.output;
	return u;
}

/* The input of a tool as the model spelled it. */
static struct json_span find_input(struct json_span content, size_t i)
{
	struct json_span block, input;

	if (json_span_item(content, i, &block) && json_span_member(block, "input", &input))
		return input;
	return (struct json_span){"{}", 2};
}

static void add_tool_call(const json_t *block, struct json_span input, struct reply *reply)
{
	reply_add_tool_call(reply, json_text(block, "id", ""), json_text(block, "name", ""),
			    json_lenient_string(input.bytes, input.len));
}

/* Text may follow thinking, and an answer by tool replaces what was said beside it. */
static void read_content(const json_t *content, struct json_span span, struct reply *reply)
{
	AUTO_FINISH(buffer_finish) struct buffer text = {0};
	struct json_span answer = {0};
	const json_t *block;
	size_t i;

	json_array_foreach (content, i, block) {
		const char *type = json_text(block, "type", "");
		const json_t *piece = json_object_get(block, "text");

		if (strcmp(type, "text") == 0 && json_is_string(piece))
			buffer_append(&text, json_string_value(piece), json_string_length(piece));
		else if (strcmp(type, "tool_use") != 0)
			continue;
		else if (strcmp(json_text(block, "name", ""), ANTHROPIC_ANSWER_TOOL) == 0)
			answer = find_input(span, i);
		else
			add_tool_call(block, find_input(span, i), reply);
	}
	if (answer.bytes)
		reply_set_text(reply, answer.bytes, answer.len);
	else if (text.len > 0)
		reply_set_text(reply, text.data, text.len);
}

/* A refusal before the first token is free. */
static void read_refusal(const json_t *body, const json_t *content, struct reply *reply)
{
	const json_t *details = json_object_get(body, "stop_details");

	reply->kind = REPLY_REFUSED;
	reply->billed = json_array_size(content) > 0;
	reply_copy(reply->code, sizeof(reply->code), json_text(details, "category", "refusal"));
	reply_copy(reply->message, sizeof(reply->message), json_text(details, "explanation", ""));
}

/* To ask again with the error quoted would not fit either, so a full window is "too large". */
static void read_stop(const json_t *body, const json_t *content, struct reply *reply)
{
	const char *stop = json_text(body, "stop_reason", "");

	reply->kind = REPLY_ANSWER;
	if (strcmp(stop, "refusal") == 0) {
		read_refusal(body, content, reply);
	} else if (strcmp(stop, "max_tokens") == 0 || strcmp(stop, "pause_turn") == 0) {
		reply->kind = REPLY_TRUNCATED;
	} else if (strcmp(stop, "model_context_window_exceeded") == 0) {
		reply->kind = REPLY_TOO_LARGE;
		reply_copy(reply->code, sizeof(reply->code), stop);
	} else if (memchr(reply->text, '\0', reply->len)) {
		reply_garbled(reply, "nul_character", "the answer holds a NUL character");
	}
}

static void read_answer(const struct raw_reply *raw, const json_t *body, struct reply *reply)
{
	const json_t *content = json_object_get(body, "content");
	const json_t *usage = json_object_get(body, "usage");
	const json_t *error = json_object_get(body, "error");
	struct json_span span = {raw->body, raw->len};

	reply->billed = true;
	reply->usage = read_usage(usage);
	reply_copy(reply->model, sizeof(reply->model), json_text(body, "model", ""));
	reply_copy(reply->service_tier, sizeof(reply->service_tier),
		   json_text(usage, "service_tier", ""));
	if (json_is_object(error)) {
		read_error_words(error, reply);
		reply_garbled(reply, "error_in_success", "an error came with a success status");
		return;
	}
	if (!json_is_array(content) || !json_span_member(span, "content", &span)) {
		reply_garbled(reply, "no_content", "the reply holds no content");
		return;
	}
	read_content(content, span, reply);
	read_stop(body, content, reply);
}

static void read_reply(const struct raw_reply *raw, struct reply *reply)
{
	json_auto_t *body = reply_begin(raw, "request-id", reply);

	if (raw->status == 0)
		return;
	read_limits(raw, reply);
	if (!reply_is_success(raw))
		read_error(body, reply);
	else if (json_is_object(body))
		read_answer(raw, body, reply);
	else
		reply_garbled(reply, "not_json", "the reply is no JSON object");
}

const struct provider provider_anthropic = {
	.dialect = "anthropic",
	.chat_path = "/messages",
	.key_header = "x-api-key: %s",
	.version_header = "anthropic-version: 2023-06-01",
	.build = anthropic_build,
	.read = read_reply,
};
