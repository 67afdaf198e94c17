#include "json_span.h"

#include <string.h>

#include "unit.h"

static struct json_span span_of(const char *text)
{
	return (struct json_span){text, strlen(text)};
}

static void check_span(bool found, struct json_span span, const char *wanted)
{
	ck_assert_msg(found, "%s was not found", wanted);
	ck_assert_msg(span.len == strlen(wanted) && memcmp(span.bytes, wanted, span.len) == 0,
		      "\"%.*s\" is not \"%s\"", (int)span.len, span.bytes, wanted);
}

START_TEST(a_member_is_found_with_its_spelling)
{
	struct json_span body = span_of(
		" {\"x\" : \"}\\\"]\", \"n\":[1,{\"v\":2}] ,\"v\" : 1.10E+2 , \"o\":{\"v\":[]}}");
	struct json_span value;

	check_span(json_span_member(body, "x", &value), value, "\"}\\\"]\"");
	check_span(json_span_member(body, "v", &value), value, "1.10E+2");
	check_span(json_span_member(body, "o", &value), value, "{\"v\":[]}");
	ck_assert(!json_span_member(body, "absent", &value));
}
END_TEST

START_TEST(of_duplicates_the_last_counts)
{
	struct json_span value;

	check_span(json_span_member(span_of("{\"a\":1,\"a\":2}"), "a", &value), value, "2");
}
END_TEST

START_TEST(items_are_counted_from_zero)
{
	struct json_span array = span_of("[ true, [0, 1], \"a,b\" ,{} ]"), value;

	check_span(json_span_item(array, 0, &value), value, "true");
	check_span(json_span_item(array, 1, &value), value, "[0, 1]");
	check_span(json_span_item(array, 2, &value), value, "\"a,b\"");
	check_span(json_span_item(array, 3, &value), value, "{}");
	ck_assert(!json_span_item(array, 4, &value));
	ck_assert(!json_span_item(span_of("[]"), 0, &value));
}
END_TEST

START_TEST(what_is_not_json_holds_nothing)
{
	static const char *const bad[] = {"",	     "[",	   "{",		 "{\"a\"",
					  "{\"a\":", "{\"a\":[1,", "{\"a\":\"x", "{\"a\":\"x\\",
					  "{a:1}",   "17",	   "[[[[",	 "{\"a\":}"};
	struct json_span value;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		ck_assert_msg(!json_span_member(span_of(bad[i]), "a", &value), "%s", bad[i]);
		ck_assert_msg(!json_span_item(span_of(bad[i]), 0, &value), "%s", bad[i]);
	}
}
END_TEST

START_TEST(no_cut_makes_it_read_past_the_end)
{
	static const char text[] = "{\"a\":[{\"b\":\"c\\\"d\"},-1.5e3,null],\"e\":{\"f\":[[]]}}";

	for (size_t len = 0; len < sizeof(text); len++) {
		char *cut = malloc(len ? len : 1); /* its end is where a sanitizer looks */
		struct json_span value;

		memcpy(cut, text, len);
		if (json_span_member((struct json_span){cut, len}, "e", &value))
			ck_assert_uint_le((size_t)(value.bytes - cut) + value.len, len);
		if (json_span_member((struct json_span){cut, len}, "a", &value) &&
		    json_span_item(value, 2, &value))
			ck_assert_uint_le((size_t)(value.bytes - cut) + value.len, len);
		free(cut);
	}
}
END_TEST

UNIT_TESTS(json_span, a_member_is_found_with_its_spelling, of_duplicates_the_last_counts,
	   items_are_counted_from_zero, what_is_not_json_holds_nothing,
	   no_cut_makes_it_read_past_the_end)
