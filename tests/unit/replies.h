/*
 * A raw reply out of a JSON description, and the comparison of what an adapter
 * made of it with what is expected; for tests whose cases are files.
 *
 *	{"status": 429, "headers": {"retry-after": "5"}, "body": {…}}    -- or "text": "<html>"
 *	{"kind": "throttled", "retry_after_ms": 5000}
 *
 * A member that the expectation leaves out is expected to be "nothing": not
 * billed for errors, no wait, no tool calls, not measured.
 */
#ifndef TEST_REPLIES_H
#define TEST_REPLIES_H

#include <check.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ensure.h"
#include "json.h"
#include "provider.h"

#define TEST_WALL (1793491200 * NSEC_PER_SEC) /* 2026-11-01T00:00:00Z */
#define TEST_HEADERS 32

struct test_reply {
	struct raw_reply raw;
	struct header headers[TEST_HEADERS];
};

static inline UNUSED json_t *load_json(const char *path)
{
	json_error_t why;
	json_t *value = json_load_file(path, JSON_DECODE_ANY | JSON_ALLOW_NUL, &why);

	ck_assert_msg(value != NULL, "%s:%d: %s", path, why.line, why.text);
	return value;
}

/* The whole file, with a zero byte behind it. */
static inline UNUSED char *load_bytes(const char *path, size_t *len)
{
	FILE *file = fopen(path, "rb");
	char *bytes = xcalloc(1, 1 << 20);

	ck_assert_msg(file != NULL, "%s cannot be read", path);
	*len = fread(bytes, 1, (1 << 20) - 1, file);
	fclose(file);
	return bytes;
}

static inline UNUSED void test_reply_init(struct test_reply *reply, const json_t *described,
					  const char *body, size_t len)
{
	const char *name;
	json_t *value;

	*reply = (struct test_reply){0};
	reply->raw = (struct raw_reply){.status = (long)json_integer_or(described, "status", 0),
					.body = body,
					.len = len,
					.headers = reply->headers,
					.wall = TEST_WALL};
	json_object_foreach (json_object_get(described, "headers"), name, value) {
		ck_assert_uint_lt(reply->raw.header_count, TEST_HEADERS);
		reply->headers[reply->raw.header_count++] = (struct header){
			name, json_string_value(value)};
	}
}

static inline void expect_text(const char *where, const json_t *expect, const char *name,
			       const char *got)
{
	const json_t *value = json_object_get(expect, name);

	if (value)
		ck_assert_msg(strcmp(json_string_value(value), got) == 0,
			      "%s: %s is \"%s\", not \"%s\"", where, name, got,
			      json_string_value(value));
}

static inline void expect_usage(const char *where, const json_t *expect, const struct usage *u)
{
	const json_t *usage = json_object_get(expect, "usage");
	int64_t got[] = {u->input,	    u->cache_read, u->cache_write,
			 u->cache_write_1h, u->output,	   u->reasoning};

	ck_assert_msg(u->known == json_is_array(usage), "%s: usage is %sknown", where,
		      u->known ? "" : "not ");
	for (size_t i = 0; i < 6; i++)
		ck_assert_msg(got[i] == json_integer_value(json_array_get(usage, i)),
			      "%s: usage[%zu] is %lld", where, i, (long long)got[i]);
}

static inline void expect_limits(const char *where, const json_t *limits, const struct reply *reply)
{
	ck_assert_msg(reply->reading_count == json_object_size(limits), "%s: %zu readings", where,
		      reply->reading_count);
	for (size_t i = 0; i < reply->reading_count; i++) {
		const struct limit_reading *r = &reply->readings[i];
		const json_t *want = json_object_get(limits, r->name);

		ck_assert_msg(
			r->limit == json_integer_value(json_array_get(want, 0)) &&
				r->remaining == json_integer_value(json_array_get(want, 1)) &&
				r->reset == (nsec)json_integer_value(json_array_get(want, 2)) *
						    NSEC_PER_MSEC,
			"%s: limit %s is %lld, %lld, %llu ns", where, r->name, (long long)r->limit,
			(long long)r->remaining, (unsigned long long)r->reset);
	}
}

static inline void expect_confidence(const char *where, const json_t *expect, double got)
{
	const json_t *want = json_object_get(expect, "confidence");

	if (json_is_number(want))
		ck_assert_msg(fabs(got - json_number_value(want)) < 1e-6, "%s: confidence is %.9g",
			      where, got);
	else
		ck_assert_msg(isnan(got), "%s: confidence is %.9g, not unmeasured", where, got);
}

static inline UNUSED void expect_reply(const char *where, const json_t *expect,
				       const struct reply *reply, const json_t *limits)
{
	const char *kind = reply_kind_name(reply->kind);
	bool success = reply->status >= 200 && reply->status < 300;
	json_t *calls = json_object_get(expect, "tool_calls");

	ck_assert_msg(strcmp(kind, json_text(expect, "kind", "")) == 0, "%s: kind is %s (%s: %s)",
		      where, kind, reply->code, reply->message);
	ck_assert_msg(reply->billed == json_bool_or(expect, "billed", success),
		      "%s: billed is wrong", where);
	ck_assert_msg(reply->len == strlen(reply->text) ||
			      strcmp(reply->code, "nul_character") == 0,
		      "%s: len is %zu", where, reply->len);
	ck_assert_msg(!success || json_object_get(expect, "text") != NULL,
		      "%s: no text is expected of a success", where);
	expect_text(where, expect, "text", reply->text);
	expect_text(where, expect, "code", reply->code);
	expect_text(where, expect, "message", reply->message);
	expect_text(where, expect, "model", reply->model);
	expect_text(where, expect, "service_tier", reply->service_tier);
	expect_text(where, expect, "request_id", reply->request_id);
	expect_usage(where, expect, &reply->usage);
	expect_confidence(where, expect, reply->confidence);
	ck_assert_msg(calls ? json_equal(calls, reply->tool_calls) : !reply->tool_calls,
		      "%s: tool calls differ", where);
	ck_assert_msg(reply->retry_after ==
			      (nsec)json_integer_or(expect, "retry_after_ms", 0) * NSEC_PER_MSEC,
		      "%s: retry_after is %llu ns", where, (unsigned long long)reply->retry_after);
	ck_assert_msg(reply->never_retry == json_bool_or(expect, "never_retry", false),
		      "%s: never_retry is wrong", where);
	ck_assert_msg(reply->whole_provider == json_bool_or(expect, "whole_provider", false),
		      "%s: whole_provider is wrong", where);
	expect_limits(where, limits, reply);
}

#endif
