/*
 * Decodes every golden reply of chat and messages, and every error, and compares
 * it with tests/data/golden/expect.json, which was written by hand. A file that
 * nobody has read yet fails.
 */
#include "replies.h"

#include <unistd.h>

#include "unit.h"

#define EXAMPLES SHARED_DATA "/provider-data/examples/"

/* What an adapter is given: synchronous replies, and errors of whatever endpoint. */
static bool is_ours(const json_t *entry)
{
	static const char *const replies[] = {"openai/chat/", "anthropic/messages/",
					      "vllm/response", "gemini/openai-compat/"};
	const char *file = json_text(entry, "file", "");
	const char *kind = json_text(entry, "kind", "");

	if (strcmp(kind, "error") == 0)
		return true;
	for (size_t i = 0; i < COUNT_OF(replies); i++)
		if (strcmp(kind, "response") == 0 &&
		    strncmp(file, replies[i], strlen(replies[i])) == 0)
			return true;
	return false;
}

static const json_t *limits_of(const json_t *expected, const json_t *expect, const char *file,
			       bool success)
{
	const char *dialect = strncmp(file, "anthropic/", 10) == 0 ? "anthropic" : "openai";
	const json_t *own = json_object_get(expect, "limits");
	bool told = strncmp(file, "openai/chat", 11) == 0 || strncmp(file, "anthropic/m", 11) == 0;

	if (own || !success || !told)
		return own;
	return json_object_get(json_object_get(expected, "limits"), dialect);
}

static void check_file(const json_t *expected, const json_t *entry)
{
	const char *file = json_text(entry, "file", "");
	const json_t *expect = json_object_get(json_object_get(expected, "files"), file);
	const struct provider *provider = provider_find(
		strncmp(file, "anthropic/", 10) == 0 ? "anthropic" : "openai");
	AUTO(xfree) char *path = xasprintf(EXAMPLES "%s", file);
	struct test_reply described;
	struct reply reply;
	size_t len;

	ck_assert_msg(expect != NULL, "%s is in no expectation", file);
	AUTO(xfree) char *body = load_bytes(path, &len);
	test_reply_init(&described, entry, body, len);
	provider->read(&described.raw, &reply);
	expect_reply(file, expect, &reply,
		     limits_of(expected, expect, file, described.raw.status == 200));
	reply_finish(&reply);
}

START_TEST(every_golden_reply_means_what_a_reader_says)
{
	json_auto_t *expected = load_json(TEST_DATA "/golden/expect.json");
	size_t i, seen = 0;
	json_t *entry;

	if (access(EXAMPLES "manifest.json", R_OK) != 0) {
		puts("skipped: no golden bodies under " EXAMPLES);
		return;
	}
	json_auto_t *manifest = load_json(EXAMPLES "manifest.json");
	json_array_foreach (json_object_get(manifest, "examples"), i, entry) {
		if (!is_ours(entry))
			continue;
		check_file(expected, entry);
		seen++;
	}
	ck_assert_uint_eq(seen, json_object_size(json_object_get(expected, "files")));
}
END_TEST

UNIT_TESTS(golden, every_golden_reply_means_what_a_reader_says)
