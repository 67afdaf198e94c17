/*
 * Walks tests/data/{openai,anthropic}: a case is a directory with reply.json and
 * expect.json, or with call.json and request.json (the body that must come out)
 * or reject.json (words of the error).
 */
#include <dirent.h>
#include <strings.h>
#include <unistd.h>

#include "calls.h"
#include "replies.h"

#include "unit.h"

static json_t *load_of(const char *directory, const char *name)
{
	AUTO(xfree) char *path = xasprintf("%s/%s.json", directory, name);

	return access(path, R_OK) == 0 ? load_json(path) : NULL;
}

static void check_reply(const struct provider *provider, const char *directory,
			const json_t *described)
{
	json_auto_t *expect = load_of(directory, "expect");
	const json_t *body = json_object_get(described, "body");
	AUTO(xfree)
	char *text = body ? json_write(body) : xstrdup(json_text(described, "text", ""));
	struct test_reply raw;
	struct reply reply;

	ck_assert_msg(expect != NULL, "%s has no expect.json", directory);
	test_reply_init(&raw, described, text, strlen(text));
	provider->read(&raw.raw, &reply);
	expect_reply(directory, expect, &reply, json_object_get(expect, "limits"));
	reply_finish(&reply);
}

static void check_request(const char *directory, const json_t *wanted, const struct buffer *body)
{
	struct error err;
	json_auto_t *built = json_read(body->data, body->len, JSON_OURS, &err);

	ck_assert_msg(built != NULL, "%s: %s", directory, err.text);
	ck_assert_msg(json_equal(built, wanted), "%s: built %s", directory, body->data);
}

static void check_call(const struct provider *provider, const char *directory,
		       const json_t *described)
{
	json_auto_t *request = load_of(directory, "request");
	json_auto_t *reject = load_of(directory, "reject");
	AUTO_FINISH(buffer_finish) struct buffer body = {0};
	struct test_call t;
	struct error err;
	bool built;

	ck_assert_msg(request || reject, "%s expects nothing", directory);
	test_call_init(&t, provider->dialect, described);
	built = provider->build(&t.call, &body, &err);
	ck_assert_msg(built == !reject, "%s: %s", directory, built ? body.data : err.text);
	if (built)
		check_request(directory, request, &body);
	else
		ck_assert_msg(err.kind == ERROR_REJECT &&
				      strstr(err.text, json_text(reject, "words", "?")),
			      "%s: %s", directory, err.text);
}

static void check_case(const struct provider *provider, const char *directory)
{
	json_auto_t *reply = load_of(directory, "reply");
	json_auto_t *call = load_of(directory, "call");

	ck_assert_msg(!reply != !call, "%s is neither a reply nor a call", directory);
	if (reply)
		check_reply(provider, directory, reply);
	else
		check_call(provider, directory, call);
}

static void check_dialect(const char *dialect, size_t at_least)
{
	AUTO(xfree) char *root = xasprintf(TEST_DATA "/%s", dialect);
	DIR *directory = opendir(root);
	const struct dirent *entry;
	size_t seen = 0;

	ck_assert_msg(directory != NULL, "%s cannot be opened", root);
	while ((entry = readdir(directory))) {
		AUTO(xfree) char *path = xasprintf("%s/%s", root, entry->d_name);

		if (entry->d_name[0] == '.')
			continue;
		check_case(provider_find(dialect), path);
		seen++;
	}
	closedir(directory);
	ck_assert_uint_ge(seen, at_least);
}

START_TEST(every_openai_case_holds)
{
	check_dialect("openai", 80);
}
END_TEST

START_TEST(every_anthropic_case_holds)
{
	check_dialect("anthropic", 40);
}
END_TEST

START_TEST(a_body_nested_too_deep_is_garbled_and_may_be_billed)
{
	AUTO_FINISH(buffer_finish) struct buffer body = {0};
	const char *const dialects[] = {"openai", "anthropic"};

	buffer_text(&body, "{\"choices\":");
	for (int i = 0; i < 3000; i++)
		buffer_byte(&body, '[');
	for (int i = 0; i < 3000; i++)
		buffer_byte(&body, ']');
	buffer_byte(&body, '}');
	for (size_t i = 0; i < COUNT_OF(dialects); i++) {
		struct raw_reply raw = {.status = 200, .body = body.data, .len = body.len};
		struct reply reply;

		provider_find(dialects[i])->read(&raw, &reply);
		ck_assert_int_eq(reply.kind, REPLY_GARBLED);
		ck_assert(reply.billed && !reply.usage.known);
		ck_assert_msg(strstr(reply.message, "not JSON"), "%s", reply.message);
		reply_finish(&reply);
	}
}
END_TEST

START_TEST(a_raw_nul_byte_in_a_body_is_garbled)
{
	static const char body[] = "{\"choices\":[\0]}";
	struct raw_reply raw = {.status = 200, .body = body, .len = sizeof(body) - 1};
	struct reply reply;

	provider_openai.read(&raw, &reply);
	ck_assert_int_eq(reply.kind, REPLY_GARBLED);
	ck_assert(reply.billed && !reply.usage.known);
	reply_finish(&reply);
}
END_TEST

static char *build_text(const char *dialect, const json_t *described, enum lane lane)
{
	struct buffer body = {0};
	struct test_call t;
	struct error err;

	test_call_init(&t, dialect, described);
	t.job.lane = lane;
	ck_assert_msg(provider_find(dialect)->build(&t.call, &body, &err), "%s", err.text);
	return buffer_take(&body);
}

static size_t count_of(const char *text, const char *piece)
{
	size_t count = 0;

	for (; (text = strstr(text, piece)); text += strlen(piece))
		count++;
	return count;
}

/* A job with `bytes` of stable text in front, in two parts, and a system part of today. */
static json_t *cached_job(size_t bytes)
{
	AUTO(xfree) char *half = xcalloc(1, bytes / 2 + 1);

	memset(half, 'r', bytes / 2);
	return json_pack("{s:s, s:i, s:{s:[{s:s, s:[{s:s,s:s},{s:s,s:s,s:b},{s:s,s:s,s:b}]},"
			 "{s:s, s:s}]}}",
			 "model", "claude-opus-5", "max_output_tokens", 9, "job", "messages",
			 "role", "system", "content", "type", "text", "text", "today", "type",
			 "text", "text", half, "stable", 1, "type", "text", "text", half, "stable",
			 1, "role", "user", "content", "x");
}

START_TEST(a_long_stable_prefix_is_marked_once_at_its_end)
{
	json_auto_t *described = cached_job(1400); /* 512 tokens of 2.7 bytes are 1383 */
	AUTO(xfree) char *body = build_text("anthropic", described, LANE_NORMAL);

	ck_assert_uint_eq(count_of(body, "cache_control"), 1);
	ck_assert_msg(strstr(body, "r\",\"cache_control\":{\"type\":\"ephemeral\"}},"
				   "{\"type\":\"text\",\"text\":\"today\"}]") != NULL,
		      "%s", body);
}
END_TEST

START_TEST(a_short_stable_prefix_is_not_marked)
{
	json_auto_t *described = cached_job(1300);
	AUTO(xfree) char *body = build_text("anthropic", described, LANE_NORMAL);

	ck_assert_uint_eq(count_of(body, "cache_control"), 0);
}
END_TEST

START_TEST(batches_cache_for_an_hour)
{
	json_auto_t *described = cached_job(1400);
	AUTO(xfree) char *body = build_text("anthropic", described, LANE_BATCH);

	ck_assert_uint_eq(count_of(body, "\"ttl\":\"1h\""), 1);
}
END_TEST

START_TEST(a_prepared_schema_makes_the_same_request)
{
	static const char *const cases[][2] = {
		{"openai", "request-with-schema"},
		{"openai", "request-for-a-list-is-asked-in-words"},
		{"anthropic", "request-of-a-new-model-has-no-sampling"},
		{"anthropic", "request-of-an-old-model-forces-a-tool"},
	};

	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		AUTO(xfree)
		char *directory = xasprintf(TEST_DATA "/%s/%s", cases[i][0], cases[i][1]);
		AUTO_FINISH(prepared_schema_finish) struct prepared_schema prepared = {0};
		AUTO_FINISH(buffer_finish) struct buffer body = {0};
		json_auto_t *described = load_of(directory, "call");
		json_auto_t *wanted = load_of(directory, "request");
		struct test_call t;
		struct error err;

		test_call_init(&t, cases[i][0], described);
		prepared_schema_init(&prepared, cases[i][0], t.call.output_schema);
		t.call.prepared = &prepared;
		ck_assert(provider_find(cases[i][0])->build(&t.call, &body, &err));
		check_request(directory, wanted, &body);
	}
}
END_TEST

START_TEST(a_long_answer_is_quoted_cut_between_characters)
{
	json_auto_t *described = json_pack("{s:s, s:{s:[{s:s,s:s}]}}", "model", "gpt-4o", "job",
					   "messages", "role", "user", "content", "x");
	AUTO_FINISH(buffer_finish) struct buffer answer = {0};
	AUTO_FINISH(buffer_finish) struct buffer body = {0};
	struct test_call t;
	struct error err;

	buffer_byte(&answer, 'x');
	while (answer.len < 100000)
		buffer_text(&answer, "\xf0\x9f\x99\x82");
	test_call_init(&t, "openai", described);
	t.call.repair_answer = answer.data;
	t.call.repair_answer_len = answer.len;
	t.call.repair_note = "too long";
	ck_assert(provider_openai.build(&t.call, &body, &err));
	json_auto_t *built = json_read(body.data, body.len, JSON_OURS, &err);
	ck_assert_msg(built != NULL, "%s", err.text);
	ck_assert_uint_lt(body.len, 34000);
	ck_assert_ptr_nonnull(strstr(body.data, "\x82 [cut]"));
}
END_TEST

START_TEST(an_answer_of_bad_bytes_is_quoted_as_text)
{
	json_auto_t *described = json_pack("{s:s, s:{s:[{s:s,s:s}]}}", "model", "gpt-4o", "job",
					   "messages", "role", "user", "content", "x");
	AUTO_FINISH(buffer_finish) struct buffer body = {0};
	struct test_call t;
	struct error err;

	test_call_init(&t, "openai", described);
	t.call.repair_answer = "\xff\xfe{";
	t.call.repair_answer_len = 3;
	t.call.repair_note = "bad \xc3";
	ck_assert(provider_openai.build(&t.call, &body, &err));
	json_auto_t *built = json_read(body.data, body.len, JSON_OURS, &err);
	ck_assert_msg(built != NULL, "%s", err.text);
	ck_assert_ptr_nonnull(strstr(body.data, "\xef\xbf\xbd\xef\xbf\xbd{"));
}
END_TEST

START_TEST(a_request_over_the_cap_is_refused)
{
	static const char *const dialects[] = {"openai", "anthropic"};
	json_auto_t *described = json_pack("{s:s, s:{s:[{s:s,s:s}]}}", "model", "m", "job",
					   "messages", "role", "user", "content",
					   "a text that is longer than the cap allows");

	for (size_t i = 0; i < COUNT_OF(dialects); i++) {
		AUTO_FINISH(buffer_finish) struct buffer body = {.max = 60};
		struct test_call t;
		struct error err;

		test_call_init(&t, dialects[i], described);
		ck_assert(!provider_find(dialects[i])->build(&t.call, &body, &err));
		ck_assert_int_eq(err.kind, ERROR_REJECT);
		ck_assert_ptr_nonnull(strstr(err.text, "60 bytes"));
	}
}
END_TEST

START_TEST(kinds_are_named_as_they_are_listed)
{
	static const char *const names[] = {
#define NAME(name) #name,
		REPLY_KINDS(NAME)
#undef NAME
	};

	for (size_t i = 0; i < COUNT_OF(names); i++)
		ck_assert_int_eq(strcasecmp(reply_kind_name((enum reply_kind)i), names[i]), 0);
	ck_assert_ptr_null(provider_find("gemini"));
}
END_TEST

/* One reply of each dialect, cut at every byte and with every byte changed. */
static void check_damaged(const char *dialect, const char *path)
{
	size_t len;
	AUTO(xfree) char *body = load_bytes(path, &len);

	for (size_t i = 0; i < len; i++) {
		char *damaged = xmemdup(body, len);
		struct raw_reply raw = {.status = 200, .body = damaged, .len = len};
		struct reply reply;

		damaged[i] ^= (char)(1 + i % 255);
		provider_find(dialect)->read(&raw, &reply);
		ck_assert(reply.billed || reply.kind == REPLY_REFUSED);
		reply_finish(&reply);
		raw.len = i;
		provider_find(dialect)->read(&raw, &reply);
		ck_assert_msg(reply.kind == REPLY_GARBLED, "cut at %zu: %s", i,
			      reply_kind_name(reply.kind));
		reply_finish(&reply);
		free(damaged);
	}
}

START_TEST(a_damaged_reply_is_some_kind_and_no_crash)
{
	check_damaged("openai", TEST_DATA "/damage/openai.json");
	check_damaged("anthropic", TEST_DATA "/damage/anthropic.json");
}
END_TEST

UNIT_TESTS(provider, every_openai_case_holds, every_anthropic_case_holds,
	   a_body_nested_too_deep_is_garbled_and_may_be_billed, a_raw_nul_byte_in_a_body_is_garbled,
	   a_long_stable_prefix_is_marked_once_at_its_end, a_short_stable_prefix_is_not_marked,
	   batches_cache_for_an_hour, a_prepared_schema_makes_the_same_request,
	   a_long_answer_is_quoted_cut_between_characters, an_answer_of_bad_bytes_is_quoted_as_text,
	   a_request_over_the_cap_is_refused, kinds_are_named_as_they_are_listed,
	   a_damaged_reply_is_some_kind_and_no_crash)
