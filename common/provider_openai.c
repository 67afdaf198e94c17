#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "openai_request.h"
#include "provider_reply.h"
#include "retry_hint.h"

static const struct error_rule rules[] = {
	{0, "context_length_exceeded", NULL, REPLY_TOO_LARGE, false},
	{0, "model_not_found", NULL, REPLY_UNKNOWN_MODEL, false},
	{0, "invalid_api_key", NULL, REPLY_CREDENTIAL, false},
	{0, "insufficient_quota", NULL, REPLY_CREDENTIAL, false},
	{0, "credit_balance_exhausted", NULL, REPLY_CREDENTIAL, false},
	{0, "organization_spend_limit_exceeded", NULL, REPLY_CREDENTIAL, false},
	{0, "project_spend_limit_exceeded", NULL, REPLY_CREDENTIAL, false},
	{0, "organization_usage_limit_exceeded", NULL, REPLY_CREDENTIAL, false},
	{0, "billing_hard_limit_reached", NULL, REPLY_CREDENTIAL, false},
	{0, "billing_not_active", NULL, REPLY_CREDENTIAL, false},
	{0, "account_deactivated", NULL, REPLY_CREDENTIAL, false},
	{0, "server_is_overloaded", NULL, REPLY_UNAVAILABLE, true},
	{429, "slow_down", NULL, REPLY_THROTTLED, true},
	{429, NULL, "Request too large", REPLY_TOO_LARGE, false},
	{429, NULL, "must be reduced", REPLY_TOO_LARGE, false},
	/* vLLM tells it in words only. */
	{400, NULL, "maximum context length", REPLY_TOO_LARGE, false},
	/* Gemini: a used-up day, a bad key, a project without billing. */
	{429, "quota_per_day", NULL, REPLY_CREDENTIAL, false},
	{400, "API_KEY_INVALID", NULL, REPLY_CREDENTIAL, false},
	{400, "FAILED_PRECONDITION", NULL, REPLY_CREDENTIAL, false},
	{400, NULL, "input token count", REPLY_TOO_LARGE, false},
};

/*
 * The error object of an envelope: {"error":{…}}, {"error":"text"}, or flat as in
 * {"object":"error","message":…} and {"detail":…}. NULL: the body holds no error.
 */
static const json_t *find_error(const json_t *body)
{
	const json_t *error = json_object_get(body, "error");

	if (json_is_object(error) || json_is_string(error))
		return error;
	if (strcmp(json_text(body, "object", ""), "error") == 0 || json_object_get(body, "detail"))
		return body;
	return NULL;
}

/* Gemini's details: why a key is bad, which quota it was, how long to wait. */
static void read_details(const json_t *error, struct reply *reply)
{
	const json_t *detail, *violation;
	size_t i, j;

	json_array_foreach (json_object_get(error, "details"), i, detail) {
		const char *reason = json_text(detail, "reason", "");

		if (reason[0])
			reply_copy(reply->code, sizeof(reply->code), reason);
		if (reply->retry_after == 0)
			retry_hint_duration(json_text(detail, "retryDelay", ""),
					    &reply->retry_after);
		json_array_foreach (json_object_get(detail, "violations"), j, violation)
			if (strstr(json_text(violation, "quotaId", ""), "PerDay"))
				reply_copy(reply->code, sizeof(reply->code), "quota_per_day");
	}
}

static const char *error_type(const json_t *error)
{
	return json_text(error, "type", json_text(error, "status", ""));
}

static void read_error_words(const json_t *error, struct reply *reply)
{
	const char *message = json_text(error, "message", json_text(error, "detail", ""));

	if (json_is_string(error))
		message = json_string_value(error);
	reply_copy(reply->message, sizeof(reply->message), message);
	reply_copy(reply->code, sizeof(reply->code), json_text(error, "code", error_type(error)));
	read_details(error, reply);
}

static void read_error(const json_t *body, struct reply *reply)
{
	const json_t *error = find_error(body);

	if (error)
		read_error_words(error, reply);
	reply_classify(reply, rules, COUNT_OF(rules), error_type(error));
	/* A day's quota is not back after the minute its RetryInfo names. */
	if (reply->kind == REPLY_CREDENTIAL)
		reply->retry_after = 0;
	reply_wait_for_readings(reply, error_type(error));
}

static void read_limit(const struct raw_reply *raw, const char *name, const char *limit_header,
		       const char *remaining_header, const char *reset_header, struct reply *reply)
{
	const char *limit = raw_reply_header(raw, limit_header);
	const char *reset = raw_reply_header(raw, reset_header);
	nsec wait = 0;

	if (reset)
		retry_hint_duration(reset, &wait);
	reply_add_reading(reply, name, limit, raw_reply_header(raw, remaining_header), wait);
}

/*
 * Accounts of the lowest tiers count requests by the day and say so nowhere: but
 * one used request that takes seconds to come back tells.
 */
static void tell_days_from_minutes(struct limit_reading *reading)
{
	int64_t used = reading->limit - reading->remaining;

	if (strcmp(reading->name, "requests") != 0 || reading->remaining < 0 || used <= 0)
		return;
	if ((double)reading->reset * (double)reading->limit / (double)used >
	    (double)(3600 * NSEC_PER_SEC))
		memcpy(reading->name, "requests_per_day", sizeof("requests_per_day"));
}

static void read_limits(const struct raw_reply *raw, struct reply *reply)
{
	read_limit(raw, "requests", "x-ratelimit-limit-requests", "x-ratelimit-remaining-requests",
		   "x-ratelimit-reset-requests", reply);
	read_limit(raw, "tokens", "x-ratelimit-limit-tokens", "x-ratelimit-remaining-tokens",
		   "x-ratelimit-reset-tokens", reply);
	read_limit(raw, "project_tokens", "x-ratelimit-limit-project-tokens",
		   "x-ratelimit-remaining-project-tokens", "x-ratelimit-reset-project-tokens",
		   reply);
	for (size_t i = 0; i < reply->reading_count; i++)
		tell_days_from_minutes(&reply->readings[i]);
}

/*
 * Cached tokens are inside the prompt, reasoning inside the completion. What the
 * total has above both is thinking that a compatible server (Gemini) bills and
 * counts nowhere else.
 */
static struct usage read_usage(const json_t *body)
{
	const json_t *usage = json_object_get(body, "usage");
	const json_t *in = json_object_get(usage, "prompt_tokens_details");
	const json_t *out = json_object_get(usage, "completion_tokens_details");
	struct usage u = {.known = true};
	int64_t prompt, total, hidden;

	if (!reply_tokens(usage, "prompt_tokens", true, &prompt) ||
	    !reply_tokens(usage, "completion_tokens", true, &u.output) ||
	    !reply_tokens(usage, "total_tokens", false, &total) ||
	    !reply_tokens(in, "cached_tokens", false, &u.cache_read) ||
	    !reply_tokens(in, "cache_write_tokens", false, &u.cache_write) ||
	    !reply_tokens(out, "reasoning_tokens", false, &u.reasoning))
		return (struct usage){0};
	u.input = prompt - u.cache_read - u.cache_write;
	if (u.input < 0)
		u.input = 0;
	hidden = total - prompt - u.output;
	if (hidden > 0) {
		u.output += hidden;
		u.reasoning += hidden;
	}
	if (u.reasoning > u.output)
		u.reasoning = u.output;
	return u;
}

/*
 * exp of the mean token log-probability. -9999 stands for "too small to say" and
 * would drown all others; rounding may leave a hair above 0.
 */
static double read_confidence(const json_t *choice)
{
	const json_t *tokens = json_object_get(json_object_get(choice, "logprobs"), "content");
	const json_t *token;
	double sum = 0;
	size_t i, count = 0;

	json_array_foreach (tokens, i, token) {
		double value = json_number_or(token, "logprob", -9999.0);

		if (value <= -9000.0)
			continue;
		sum += value < 0 ? value : 0;
		count++;
	}
	return count > 0 ? exp(sum / (double)count) : NAN;
}

static void read_text(const json_t *message, struct reply *reply)
{
	const json_t *content = json_object_get(message, "content");
	AUTO_FINISH(buffer_finish) struct buffer text = {0};
	const json_t *part;
	size_t i;

	if (json_is_string(content)) {
		reply_set_text(reply, json_string_value(content), json_string_length(content));
		return;
	}
	json_array_foreach (content, i, part) {
		const json_t *piece = json_object_get(part, "text");

		if (json_is_string(piece))
			buffer_append(&text, json_string_value(piece), json_string_length(piece));
	}
	if (text.len > 0)
		reply_set_text(reply, text.data, text.len);
}

static void read_tool_calls(const json_t *message, struct reply *reply)
{
	const json_t *call;
	size_t i;

	json_array_foreach (json_object_get(message, "tool_calls"), i, call) {
		const json_t *function = json_object_get(call, "function");
		json_t *arguments = json_object_get(function, "arguments");

		reply_add_tool_call(reply, json_text(call, "id", ""),
				    json_text(function, "name", ""),
				    json_is_string(arguments) ? json_incref(arguments) : NULL);
	}
}

static void read_finish(const json_t *choice, const json_t *message, struct reply *reply)
{
	const char *finish = json_text(choice, "finish_reason", "");
	const char *refusal = json_text(message, "refusal", "");

	reply->kind = REPLY_ANSWER;
	if (refusal[0] || strcmp(finish, "content_filter") == 0) {
		reply->kind = REPLY_REFUSED;
		reply_copy(reply->code, sizeof(reply->code), refusal[0] ? "refusal" : finish);
		reply_copy(reply->message, sizeof(reply->message), refusal);
	} else if (strcmp(finish, "length") == 0) {
		reply->kind = REPLY_TRUNCATED;
	} else if (strcmp(finish, "abort") == 0 || strcmp(finish, "error") == 0) {
		reply_garbled(reply, finish, "the server gave up in mid-answer");
	} else if (memchr(reply->text, '\0', reply->len)) {
		reply_garbled(reply, "nul_character", "the answer holds a NUL character");
	}
}

static void read_answer(const json_t *body, struct reply *reply)
{
	const json_t *choice = json_array_get(json_object_get(body, "choices"), 0);
	const json_t *message = json_object_get(choice, "message");
	const json_t *error = find_error(body);

	reply->billed = true;
	reply->usage = read_usage(body);
	reply_copy(reply->model, sizeof(reply->model), json_text(body, "model", ""));
	reply_copy(reply->service_tier, sizeof(reply->service_tier),
		   json_text(body, "service_tier", ""));
	if (error) {
		read_error_words(error, reply);
		reply_garbled(reply, "error_in_success", "an error came with a success status");
		return;
	}
	if (!json_is_object(message)) {
		reply_garbled(reply, "no_message", "the reply holds no choices/0/message");
		return;
	}
	read_text(message, reply);
	read_tool_calls(message, reply);
	reply->confidence = read_confidence(choice);
	read_finish(choice, message, reply);
}

static void read_reply(const struct raw_reply *raw, struct reply *reply)
{
	json_auto_t *body = reply_begin(raw, "x-request-id", reply);

	if (raw->status == 0)
		return;
	read_limits(raw, reply);
	if (!reply_is_success(raw))
		read_error(body, reply);
	else if (json_is_object(body))
		read_answer(body, reply);
	else
		reply_garbled(reply, "not_json", "the reply is no JSON object");
}

const struct provider provider_openai = {
	.dialect = "openai",
	.chat_path = "/chat/completions",
	.key_header = "Authorization: Bearer %s",
	.build = openai_build,
	.read = read_reply,
};
