#include "fingerprint.h"

#include <stdio.h>
#include <string.h>

#include "buffer.h"
#include "ensure.h"
#include "unit.h"

static struct digest digest_of_text(const char *text)
{
	struct error err = {0};
	json_auto_t *value = json_read(text, strlen(text), JSON_OURS, &err);

	ck_assert_msg(value != NULL, "%s: %s", text, err.text);
	return fingerprint_of(value);
}

static bool same(const char *a, const char *b)
{
	struct digest x = digest_of_text(a), y = digest_of_text(b);

	return digest_equal(&x, &y);
}

START_TEST(spelling_and_order_do_not_count)
{
	ck_assert(same("{\"a\":1,\"b\":[true,null]}", "{ \"b\" : [ true , null ], \"a\" : 1 }"));
	ck_assert(same("\"\\u00e9\\n\"", "\"\xc3\xa9\\u000a\""));
	ck_assert(same("[1.50, 1e2]", "[1.5, 100.0]"));
	ck_assert(same("{\"o\":{\"y\":{},\"x\":[]}}", "{\"o\":{\"x\":[],\"y\":{}}}"));
}
END_TEST

/* Each of them is a value of its own. */
static const char *const different[] = {"null",
					"true",
					"false",
					"0",
					"1",
					"-1",
					"1.0",
					"0.0",
					"\"\"",
					"\"0\"",
					"\"n\"",
					"[]",
					"{}",
					"[[]]",
					"[{}]",
					"[null]",
					"[1,2]",
					"[2,1]",
					"[12]",
					"[[1],2]",
					"[[1,2]]",
					"[\"a\",\"b\"]",
					"[\"ab\"]",
					"[\"a\"]",
					"{\"a\":1}",
					"{\"a\":\"1\"}",
					"{\"b\":1}",
					"{\"a\":1,\"b\":1}",
					"{\"a\":{\"b\":1}}",
					"{\"a\":null}",
					"[\"a\",1]",
					"{\"\":1}",
					"9223372036854775807",
					"-9223372036854775808",
					"256",
					"[\"s\"]",
					"[\"a\",[\"b\"]]"};

START_TEST(different_values_differ)
{
	for (size_t i = 0; i < COUNT_OF(different); i++)
		for (size_t k = 0; k < COUNT_OF(different); k++)
			ck_assert_msg(same(different[i], different[k]) == (i == k), "%s and %s",
				      different[i], different[k]);
}
END_TEST

START_TEST(objects_of_many_members_are_sorted_too)
{
	AUTO_FINISH(buffer_finish) struct buffer up = {0};
	AUTO_FINISH(buffer_finish) struct buffer down = {0};

	for (int i = 0; i < 500; i++) {
		buffer_printf(&up, "%s\"k%d\":%d", i ? "," : "{", i, i);
		buffer_printf(&down, "%s\"k%d\":%d", i ? "," : "{", 499 - i, 499 - i);
	}
	buffer_byte(&up, '}');
	buffer_byte(&down, '}');
	ck_assert(same(up.data, down.data));
}
END_TEST

START_TEST(only_the_named_members_count)
{
	static const char *const names[] = {"a", "b"};
	json_auto_t *one = json_pack("{s:i, s:i}", "a", 1, "x", 1);
	json_auto_t *two = json_pack("{s:i, s:i}", "x", 2, "a", 1);
	json_auto_t *three = json_pack("{s:i, s:n}", "a", 1, "b");
	struct digest d1 = fingerprint_of_members(one, names, 2);
	struct digest d2 = fingerprint_of_members(two, names, 2);
	struct digest d3 = fingerprint_of_members(three, names, 2);

	ck_assert(digest_equal(&d1, &d2));
	ck_assert(!digest_equal(&d1, &d3)); /* null is not absent */
}
END_TEST

START_TEST(the_rule_never_changes)
{
	struct digest d = digest_of_text(
		"{\"b\":[1,-2,0.5,\"\xc3\xa9\"],\"a\":{\"t\":true,\"n\":null}}");
	char text[DIGEST_TEXT];

	ck_assert_str_eq(digest_format(text, &d),
			 "1e2cc9e69c8f46a2778910ae8c2e10ed3b001112b09e03742a666aaa635c2111");
}
END_TEST

UNIT_TESTS(fingerprint, spelling_and_order_do_not_count, different_values_differ,
	   objects_of_many_members_are_sorted_too, only_the_named_members_count,
	   the_rule_never_changes)
