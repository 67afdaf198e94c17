#include "quota.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "ensure.h"
#include "text.h"

static const char *const settings[BUCKETS] = {"rpm", "tpm", "itpm", "otpm"};

static bool read_setting(struct limit_rule *rule, const char *name, const char *value,
			 struct error *err)
{
	char *end;

	for (int i = 0; i < BUCKETS; i++) {
		if (strcmp(name, settings[i]) != 0)
			continue;
		rule->limits[i] = strtod(value, &end);
		if (end == value || *end || !(rule->limits[i] >= 0))
			return error_set(err, ERROR_REJECT, "limit %s=%s is no count", name, value);
		return true;
	}
	if (strcmp(name, "fill") == 0) {
		rule->fill = strtod(value, &end);
		if (end == value || *end || !(rule->fill >= 0 && rule->fill <= 1))
			return error_set(err, ERROR_REJECT, "fill=%s is no share", value);
		return true;
	}
	if (strcmp(name, "model") == 0)
		snprintf(rule->model, sizeof(rule->model), "%s", value);
	else if (strcmp(name, "key") == 0)
		snprintf(rule->key, sizeof(rule->key), "%s", value);
	else if (strcmp(name, "provider") == 0)
		snprintf(rule->provider, sizeof(rule->provider), "%s", value);
	else
		return error_set(err, ERROR_REJECT, "a limit has no \"%s\"", name);
	return true;
}

static bool rule_matches(const struct limit_rule *rule, const struct quota *quota)
{
	return (!rule->model[0] || strcmp(rule->model, quota->model) == 0) &&
	       (!rule->key[0] || strcmp(rule->key, quota->key) == 0) &&
	       (!rule->provider[0] || strcmp(rule->provider, maker_name(quota->maker)) == 0);
}

static void refill(struct bucket *bucket, nsec now)
{
	double gained = bucket->limit * (double)(now - bucket->updated) / (60.0 * 1e9);

	bucket->left = fmin(bucket->limit, bucket->left + gained);
	bucket->updated = now;
}

/* Under a new limit the bucket is as full as before. */
static void set_limit(struct bucket *bucket, double limit, double fill)
{
	bucket->left = limit * (bucket->limit > 0 ? bucket->left / bucket->limit : fill);
	bucket->limit = limit;
}

static void apply_rule(const struct limit_rule *rule, struct quota *quota)
{
	if (!rule_matches(rule, quota))
		return;
	for (int i = 0; i < BUCKETS; i++)
		if (rule->limits[i] >= 0 && rule->limits[i] != quota->buckets[i].limit)
			set_limit(&quota->buckets[i], rule->limits[i], rule->fill);
}

bool limits_add(struct limits *limits, const char *text, struct error *err)
{
	struct limit_rule rule = {.limits = {-1, -1, -1, -1}, .fill = 1};
	AUTO(xfree) char *copy = xstrdup(text);
	char *rest, *word;

	for (word = strtok_r(copy, ",", &rest); word; word = strtok_r(NULL, ",", &rest)) {
		char *equals = strchr(word, '=');

		if (!equals)
			return error_set(err, ERROR_REJECT, "limit \"%s\" is not NAME=VALUE", word);
		*equals = '\0';
		if (!read_setting(&rule, word, equals + 1, err))
			return false;
	}
	if (limits->rule_count == LIMITS_MAX_RULES) {
		memmove(limits->rules, limits->rules + 1,
			(LIMITS_MAX_RULES - 1) * sizeof(limits->rules[0]));
		limits->rule_count--;
	}
	limits->rules[limits->rule_count++] = rule;
	for (size_t i = 0; i < limits->quota_count; i++)
		apply_rule(&rule, limits->quotas[i]);
	return true;
}

void limits_finish(struct limits *limits)
{
	for (size_t i = 0; i < limits->quota_count; i++)
		free(limits->quotas[i]);
	limits->quota_count = 0;
}

struct quota *limits_quota(struct limits *limits, enum maker maker, const char *model,
			   const char *key, nsec now)
{
	struct quota *quota;

	for (size_t i = 0; i < limits->quota_count; i++) {
		quota = limits->quotas[i];
		if (quota->maker == maker && strcmp(quota->model, model) == 0 &&
		    strcmp(quota->key, key) == 0)
			return quota;
	}
	if (limits->quota_count == LIMITS_MAX_QUOTAS)
		return limits->quotas[LIMITS_MAX_QUOTAS - 1];
	quota = xcalloc(1, sizeof(*quota));
	quota->maker = maker;
	snprintf(quota->model, sizeof(quota->model), "%s", model);
	snprintf(quota->key, sizeof(quota->key), "%s", key);
	for (int i = 0; i < BUCKETS; i++)
		quota->buckets[i].updated = now;
	for (size_t i = 0; i < limits->rule_count; i++)
		apply_rule(&limits->rules[i], quota);
	limits->quotas[limits->quota_count++] = quota;
	return quota;
}

/* --- taking --- */

static double needed(const struct demand *demand, enum bucket_kind kind)
{
	switch (kind) {
	case BUCKET_REQUESTS:
		return 1;
	case BUCKET_TOKENS:
		return demand->tokens;
	case BUCKET_INPUT:
		return demand->input;
	case BUCKET_OUTPUT:
		break;
	}
	return 0;
}

static struct failure refuse_openai(const struct quota *quota, enum bucket_kind kind, double need,
				    double wait)
{
	const struct bucket *bucket = &quota->buckets[kind];
	bool tokens = kind == BUCKET_TOKENS;
	bool never = need > bucket->limit;
	struct failure failure = failure_of(never ? FAULT_TOO_LARGE : FAULT_429, OPENAI,
					    quota->model);

	failure.type = tokens ? "tokens" : "requests";
	if (never) {
		snprintf(
			failure.message, sizeof(failure.message),
			"Request too large for %s in organization org-sim on tokens per min (TPM): "
			"Limit %.0f, Requested %.0f. The input or output tokens must be reduced in "
			"order to run successfully.",
			quota->model, bucket->limit, need);
		return failure;
	}
	snprintf(failure.message, sizeof(failure.message),
		 "Rate limit reached for %s in organization org-sim on %s: Limit %.0f, Used %.0f, "
		 "Requested %.0f. Please try again in %.3fs.",
		 quota->model, tokens ? "tokens per min (TPM)" : "requests per min (RPM)",
		 bucket->limit, bucket->limit - bucket->left, need, wait);
	failure.wait = wait;
	failure.wait_ms = true;
	return failure;
}

static struct failure refuse_anthropic(const struct quota *quota, enum bucket_kind kind,
				       double wait)
{
	static const char *const what[BUCKETS] = {"requests", "tokens", "input tokens",
						  "output tokens"};
	struct failure failure = failure_of(FAULT_429, ANTHROPIC, quota->model);

	snprintf(failure.message, sizeof(failure.message),
		 "This request would exceed your organization's rate limit of %.0f %s per minute "
		 "(org: 00000000-0000-0000-0000-000000000001, model: %s).",
		 quota->buckets[kind].limit, what[kind], quota->model);
	failure.wait = wait;
	return failure;
}

/* Output is known only when it is produced: anything left will do. */
static bool has_room(const struct bucket *bucket, enum bucket_kind kind, double need)
{
	return kind == BUCKET_OUTPUT ? bucket->left > 0 : bucket->left >= need;
}

bool quota_refuses(struct quota *quota, const struct demand *demand, nsec now,
		   struct failure *failure)
{
	for (int i = 0; i < BUCKETS; i++) {
		struct bucket *bucket = &quota->buckets[i];
		double need = needed(demand, (enum bucket_kind)i), wait;

		if (bucket->limit <= 0)
			continue;
		refill(bucket, now);
		if (has_room(bucket, (enum bucket_kind)i, need))
			continue;
		wait = (need - bucket->left) * 60 / bucket->limit + 0.001;
		*failure = quota->maker == OPENAI
				   ? refuse_openai(quota, (enum bucket_kind)i, need, wait)
				   : refuse_anthropic(quota, (enum bucket_kind)i, wait);
		return true;
	}
	for (int i = 0; i < BUCKETS; i++)
		if (quota->buckets[i].limit > 0)
			quota->buckets[i].left -= needed(demand, (enum bucket_kind)i);
	return false;
}

void quota_produced(struct quota *quota, double output)
{
	if (quota->buckets[BUCKET_OUTPUT].limit > 0)
		quota->buckets[BUCKET_OUTPUT].left -= output;
}

/* --- telling --- */

static double seconds_to_full(const struct bucket *bucket)
{
	return (bucket->limit - bucket->left) * 60 / bucket->limit;
}

/* As Go prints a time.Duration: 12ms, 17.26s, 6m0s, 1h2m3s. */
static void write_duration(struct buffer *out, double seconds)
{
	uint64_t ms = (uint64_t)ceil(seconds * 1000);
	uint64_t s = ms / 1000;
	char fraction[8] = "";

	if (ms < 1000) {
		buffer_printf(out, "%" PRIu64 "ms", ms);
		return;
	}
	if (ms % 1000) {
		snprintf(fraction, sizeof(fraction), ".%03u", (unsigned)(ms % 1000));
		for (size_t len = strlen(fraction); fraction[len - 1] == '0';)
			fraction[--len] = '\0';
	}
	if (s >= 3600)
		buffer_printf(out, "%" PRIu64 "h", s / 3600);
	if (s >= 60)
		buffer_printf(out, "%" PRIu64 "m", s / 60 % 60);
	buffer_printf(out, "%" PRIu64 "%ss", s % 60, fraction);
}

static double left_of(const struct bucket *bucket)
{
	return bucket->left > 0 ? floor(bucket->left) : 0;
}

static void tell_openai(const struct bucket *bucket, const char *name, struct buffer *head)
{
	if (bucket->limit <= 0)
		return;
	buffer_printf(head,
		      "x-ratelimit-limit-%s: %.0f\r\nx-ratelimit-remaining-%s: %.0f\r\n"
		      "x-ratelimit-reset-%s: ",
		      name, bucket->limit, name, left_of(bucket), name);
	write_duration(head, seconds_to_full(bucket));
	buffer_text(head, "\r\n");
}

static void tell_anthropic(const char *name, double limit, double left, double full, nsec wall,
			   struct buffer *head)
{
	char date[32];
	struct tm tm;
	time_t when = (time_t)(wall / NSEC_PER_SEC) + (time_t)ceil(full);

	gmtime_r(&when, &tm);
	strftime(date, sizeof(date), "%Y-%m-%dT%H:%M:%SZ", &tm);
	if (strcmp(name, "requests") != 0)
		left = floor((left + 500) / 1000) * 1000;
	buffer_printf(
		head,
		"anthropic-ratelimit-%s-limit: %.0f\r\nanthropic-ratelimit-%s-remaining: %.0f\r\n"
		"anthropic-ratelimit-%s-reset: %s\r\n",
		name, limit, name, left, name, date);
}

/* tokens-* is the more pressing of the two token limits. */
static void tell_all_anthropic(const struct quota *quota, nsec wall, struct buffer *head)
{
	static const char *const names[BUCKETS] = {"requests", NULL, "input-tokens",
						   "output-tokens"};
	const struct bucket *pressing = NULL;

	for (int i = 0; i < BUCKETS; i++) {
		const struct bucket *bucket = &quota->buckets[i];

		if (bucket->limit <= 0 || !names[i])
			continue;
		tell_anthropic(names[i], bucket->limit, left_of(bucket), seconds_to_full(bucket),
			       wall, head);
		if (i > BUCKET_TOKENS && (!pressing || bucket->left < pressing->left))
			pressing = bucket;
	}
	if (pressing)
		tell_anthropic("tokens", pressing->limit, left_of(pressing),
			       seconds_to_full(pressing), wall, head);
}

void quota_headers(const struct quota *quota, nsec now, nsec wall, struct buffer *head)
{
	struct quota current = *quota;

	for (int i = 0; i < BUCKETS; i++)
		refill(&current.buckets[i], now);
	if (quota->maker == ANTHROPIC) {
		tell_all_anthropic(&current, wall, head);
		return;
	}
	tell_openai(&current.buckets[BUCKET_REQUESTS], "requests", head);
	tell_openai(&current.buckets[BUCKET_TOKENS], "tokens", head);
}

static void write_quota(const struct quota *quota, struct buffer *out, nsec now)
{
	struct quota current = *quota;

	buffer_text(out, "{\"model\":");
	text_quote(out, quota->model);
	buffer_text(out, ",\"key\":");
	text_quote(out, quota->key);
	for (int i = 0; i < BUCKETS; i++) {
		struct bucket *bucket = &current.buckets[i];

		if (bucket->limit <= 0)
			continue;
		refill(bucket, now);
		buffer_printf(out, ",\"%s\":{\"limit\":%.0f,\"left\":%.3f}", settings[i],
			      bucket->limit, bucket->left);
	}
	buffer_byte(out, '}');
}

void limits_write(const struct limits *limits, struct buffer *out, nsec now)
{
	buffer_text(out, ",\"quotas\":[");
	for (size_t i = 0; i < limits->quota_count; i++) {
		if (i > 0)
			buffer_byte(out, ',');
		write_quota(limits->quotas[i], out, now);
	}
	buffer_byte(out, ']');
}
