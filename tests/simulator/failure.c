#include "failure.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "text.h"

static const char html[] = "<html>\r\n<head><title>%d %s</title></head>\r\n<body>\r\n"
			   "<center><h1>%d %s</h1></center>\r\n<hr><center>cloudflare</center>\r\n"
			   "</body>\r\n</html>\r\n";

/* One row of each provider's errors; message may hold one %s, the model. */
struct wording {
	enum fault fault;
	int status;
	const char *type, *code, *param, *message;
};

static const struct wording openai[] = {
	{FAULT_429, 429, "requests", "rate_limit_exceeded", NULL,
	 "Rate limit reached for %s in organization org-sim on requests per min (RPM)."},
	{FAULT_SLOW_DOWN, 429, "rate_limit_error", "slow_down", NULL,
	 "Your request rate rose too quickly. Slow down."},
	{FAULT_TOO_LARGE, 429, "tokens", "rate_limit_exceeded", NULL,
	 "Request too large for %s in organization org-sim on tokens per min (TPM). The input or "
	 "output tokens must be reduced in order to run successfully."},
	{FAULT_QUOTA, 429, "insufficient_quota", "insufficient_quota", NULL,
	 "You exceeded your current quota, please check your plan and billing details."},
	{FAULT_402, 429, "insufficient_quota", "insufficient_quota", NULL,
	 "You exceeded your current quota, please check your plan and billing details."},
	{FAULT_CREDIT, 429, "insufficient_quota", "credit_balance_exhausted", NULL,
	 "The credit balance is exhausted."},
	{FAULT_USAGE_LIMIT, 429, "insufficient_quota", "project_spend_limit_exceeded", NULL,
	 "The project has reached its spend limit."},
	{FAULT_FLEX, 429, "rate_limit_error", "resource_unavailable", NULL,
	 "Resource unavailable. Try again later."},
	{FAULT_400, 400, "invalid_request_error", NULL, NULL, "The request is not valid."},
	{FAULT_BAD_SCHEMA, 400, "invalid_request_error", NULL, "response_format",
	 "Invalid schema for response_format: In context=(), 'additionalProperties' is required to "
	 "be supplied and to be false."},
	{FAULT_CONTEXT, 400, "invalid_request_error", "context_length_exceeded", "messages",
	 "The maximum context length of %s is exceeded by your messages. Please reduce their "
	 "length."},
	{FAULT_401, 401, "invalid_request_error", "invalid_api_key", NULL,
	 "Incorrect API key provided."},
	{FAULT_403, 403, "request_forbidden", "unsupported_country_region_territory", NULL,
	 "Country, region, or territory not supported"},
	{FAULT_404, 404, "invalid_request_error", "model_not_found", NULL,
	 "The model `%s` does not exist or you do not have access to it."},
	{FAULT_409, 409, "invalid_request_error", "conflict", NULL, "Try again."},
	{FAULT_413, 413, "invalid_request_error", "request_too_large", NULL,
	 "The request is too large."},
	{FAULT_500, 500, "server_error", NULL, NULL,
	 "The server had an error while processing your request."},
	{FAULT_503, 503, "service_unavailable_error", "server_is_overloaded", NULL,
	 "The server is overloaded. Try again later."},
	{FAULT_529, 503, "service_unavailable_error", "server_is_overloaded", NULL,
	 "The server is overloaded. Try again later."},
	{FAULT_504, 504, "server_error", NULL, NULL, "The request timed out."},
};

static const struct wording anthropic[] = {
	{FAULT_429, 429, "rate_limit_error", NULL, NULL,
	 "This request would exceed your organization's rate limit for %s."},
	{FAULT_TOO_LARGE, 413, "request_too_large", NULL, NULL, "Request exceeds the maximum size"},
	{FAULT_413, 413, "request_too_large", NULL, NULL, "Request exceeds the maximum size"},
	{FAULT_CREDIT, 400, "invalid_request_error", NULL, NULL,
	 "Your credit balance is too low to access the Anthropic API."},
	{FAULT_USAGE_LIMIT, 400, "invalid_request_error", NULL, NULL,
	 "You have reached your specified API usage limits."},
	{FAULT_FLEX, 529, "overloaded_error", NULL, NULL, "Overloaded"},
	{FAULT_400, 400, "invalid_request_error", NULL, NULL, "The request is not valid."},
	{FAULT_BAD_SCHEMA, 400, "invalid_request_error", NULL, NULL,
	 "Schema is too complex for compilation."},
	{FAULT_CONTEXT, 400, "invalid_request_error", NULL, NULL,
	 "prompt is too long: 210000 tokens > 200000 maximum"},
	{FAULT_401, 401, "authentication_error", NULL, NULL, "invalid x-api-key"},
	{FAULT_402, 402, "billing_error", NULL, NULL, "There is an issue with your billing."},
	{FAULT_403, 403, "permission_error", NULL, NULL,
	 "Your API key lacks the permission to use this resource."},
	{FAULT_404, 404, "not_found_error", NULL, NULL, "model: %s"},
	{FAULT_409, 409, "conflict_error", NULL, NULL, "Conflict"},
	{FAULT_500, 500, "api_error", NULL, NULL, "Internal server error"},
	{FAULT_503, 503, "api_error", NULL, NULL, "Service unavailable"},
	{FAULT_504, 504, "timeout_error", NULL, NULL, "Request timed out"},
	{FAULT_529, 529, "overloaded_error", NULL, NULL, "Overloaded"},
};

static const struct wording *find(enum maker maker, enum fault fault)
{
	const struct wording *table = maker == OPENAI ? openai : anthropic;
	size_t count = maker == OPENAI ? COUNT_OF(openai) : COUNT_OF(anthropic);

	for (size_t i = 0; i < count; i++)
		if (table[i].fault == fault)
			return &table[i];
	return &table[0]; /* every form of the plain 429 */
}

static void say(char *out, size_t size, const char *message, const char *model)
{
	const char *gap = strstr(message, "%s");

	if (gap)
		snprintf(out, size, "%.*s%s%s", (int)(gap - message), message, model, gap + 2);
	else
		snprintf(out, size, "%s", message);
}

static void say_when(struct failure *failure, enum fault fault)
{
	failure->wait = -1;
	if (fault == FAULT_429 || fault == FAULT_429_SECONDS || fault == FAULT_SLOW_DOWN ||
	    fault == FAULT_429_DATE || fault == FAULT_429_MS)
		failure->wait = fault == FAULT_429_MS ? 0.25 : 1;
	failure->wait_date = fault == FAULT_429_DATE;
	failure->wait_only_ms = fault == FAULT_429_MS;
}

struct failure failure_of(enum fault fault, enum maker maker, const char *model)
{
	const struct wording *w = find(maker, fault);
	struct failure failure = {
		.status = w->status,
		.type = w->type,
		.code = w->code,
		.param = w->param,
	};

	say(failure.message, sizeof(failure.message), w->message, model);
	say_when(&failure, fault);
	if (maker == ANTHROPIC && fault == FAULT_QUOTA) {
		failure.detail = "enforced_spend_limit_reached";
		say(failure.message, sizeof(failure.message), "The monthly spend limit is reached.",
		    "");
	}
	if (fault == FAULT_502) {
		failure.status = 502;
		failure.html = true;
	}
	return failure;
}

struct failure failure_invalid(enum maker maker, const char *param, const char *code,
			       const char *fmt, ...)
{
	struct failure failure = failure_of(FAULT_400, maker, "");
	va_list args;

	va_start(args, fmt);
	vsnprintf(failure.message, sizeof(failure.message), fmt, args);
	va_end(args);
	failure.param = param;
	failure.code = code;
	return failure;
}

struct failure failure_missing(enum maker maker, const char *field)
{
	if (maker == ANTHROPIC)
		return failure_invalid(maker, NULL, NULL, "%s: Field required", field);
	return failure_invalid(maker, field, "missing_required_parameter",
			       "Missing required parameter: '%s'.", field);
}

static void write_nullable(struct buffer *out, const char *name, const char *value)
{
	buffer_printf(out, ",\"%s\":", name);
	text_nullable(out, value);
}

void failure_write_body(const struct failure *failure, enum maker maker, const char *request_id,
			struct buffer *body)
{
	if (failure->html) {
		buffer_printf(body, html, failure->status, "Bad Gateway", failure->status,
			      "Bad Gateway");
		return;
	}
	buffer_text(body, maker == OPENAI ? "{\"error\":{\"message\":"
					  : "{\"type\":\"error\",\"error\":{\"message\":");
	text_quote(body, failure->message);
	write_nullable(body, "type", failure->type);
	if (maker == OPENAI) {
		write_nullable(body, "param", failure->param);
		write_nullable(body, "code", failure->code);
		buffer_text(body, "}}");
		return;
	}
	if (failure->detail)
		buffer_printf(body, ",\"details\":{\"error_code\":\"%s\"}", failure->detail);
	buffer_printf(body, "},\"request_id\":\"%s\"}", request_id);
}

static void write_wait(const struct failure *failure, nsec wall, struct buffer *head)
{
	char date[64];
	struct tm tm;
	time_t when;

	if (failure->wait < 0)
		return;
	if (failure->wait_date) {
		when = (time_t)(wall / NSEC_PER_SEC) + (time_t)ceil(failure->wait) + 1;
		gmtime_r(&when, &tm);
		strftime(date, sizeof(date), "%a, %d %b %Y %H:%M:%S GMT", &tm);
		buffer_printf(head, "Retry-After: %s\r\n", date);
	} else if (!failure->wait_only_ms) {
		buffer_printf(head, "Retry-After: %.0f\r\n", ceil(failure->wait));
	}
	if (failure->wait_ms || failure->wait_only_ms)
		buffer_printf(head, "retry-after-ms: %.0f\r\n", ceil(failure->wait * 1000));
}

void failure_write(const struct failure *failure, enum maker maker, const char *request_id,
		   nsec wall, struct buffer *head, struct buffer *body)
{
	write_wait(failure, wall, head);
	if (failure->html)
		buffer_text(head, "Server: cloudflare\r\nCF-RAY: 8f0000000000-FRA\r\n");
	failure_write_body(failure, maker, request_id, body);
}

const char *failure_type(const struct failure *failure)
{
	return failure->html ? "text/html; charset=UTF-8" : "application/json";
}
