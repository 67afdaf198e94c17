#include "json_quick.h"

#include <string.h>

#include "ensure.h"
#include "random.h"
#include "unit.h"

static json_t *ask_jansson(const char *bytes, size_t len, enum json_origin origin)
{
	size_t flags = origin == JSON_OURS ? JSON_REJECT_DUPLICATES : JSON_ALLOW_NUL;
	json_error_t why;

	return json_loadb(bytes, len, JSON_DECODE_ANY | flags, &why);
}

/* What is taken is what jansson takes, members in the same order. True: it was taken. */
static bool agrees(const char *bytes, size_t len, enum json_origin origin)
{
	json_auto_t *quick = json_quick(bytes, len, origin);
	json_auto_t *slow = NULL;

	if (!quick)
		return false;
	slow = ask_jansson(bytes, len, origin);
	ck_assert_msg(slow != NULL, "jansson refuses %.*s", (int)len, bytes);
	ck_assert_msg(json_equal(quick, slow), "differs: %.*s", (int)len, bytes);
	AUTO(xfree) char *one = json_write(quick);
	AUTO(xfree) char *other = json_write(slow);
	ck_assert_str_eq(one, other);
	return true;
}

static const char *const ordinary[] = {
	"0",
	"-0",
	" 17\n",
	"-922337203685477580",
	"1.5e-3",
	"0.1E+10",
	"-0.0",
	"1e-400",
	"true",
	"\t[ ]\r\n",
	"{ }",
	"[true,false,null,[],{},\"\"]",
	"\"plain text that is longer than eight bytes\"",
	"\"K\xc3\xb6ln \xe2\x82\xac \xf0\x9f\x98\x80 and more\"",
	"\"tab\\t quote\\\" back\\\\ slash\\/ \\b\\f\\n\\r \\u00e9\\u20AC\\u0041 end\"",
	"{\"a\":1,\"b\":{\"c\":[1,2.5,{\"d\":\"e\"}]},\"\":null}",
	"{\"z\":1,\"y\":2,\"x\":3,\"\xc3\xa4\":4,\"a much longer name\":5}",
};

START_TEST(ordinary_json_is_taken_and_equals_what_jansson_reads)
{
	for (size_t i = 0; i < COUNT_OF(ordinary); i++) {
		ck_assert_msg(agrees(ordinary[i], strlen(ordinary[i]), JSON_OURS), "not taken: %s",
			      ordinary[i]);
		ck_assert(agrees(ordinary[i], strlen(ordinary[i]), JSON_FOREIGN));
	}
}
END_TEST

static const char *const left_over[] = {
	"",
	" ",
	"tru",
	"truex",
	"+1",
	"01",
	"-",
	"1.",
	".5",
	"1e",
	"1e+",
	"1e999",
	"9223372036854775808",
	"[1,]",
	"[,1]",
	"[1",
	"[1]]",
	"1 2",
	"{\"a\"}",
	"{\"a\":1,}",
	"{a:1}",
	"{\"a\":1 \"b\":2}",
	"\"open",
	"\"open\\",
	"\"bad \\x escape\"",
	"\"\\u12\"",
	"\"\\u12g4\"",
	"\"\\u0000\"",
	"\"\\ud83d\\ude00\"",
	"\"\\ud83d\"",
	"\"control \x01\"",
	"\"new\nline\"",
	"\"escape \\n then\nline\"",
	"\"line\n\\n then escape\"",
	"\"overlong \xc0\xaf\"",
	"\"surrogate \xed\xa0\x80\"",
	"\"cut \xe2\x82",
	"\"cut \xe2\x82\"",
	"{\"na\\u006de\":1}",
	"\xef\xbb\xbf{}",
};

START_TEST(what_is_wrong_or_rare_is_left_to_jansson)
{
	for (size_t i = 0; i < COUNT_OF(left_over); i++) {
		json_auto_t *value = json_quick(left_over[i], strlen(left_over[i]), JSON_FOREIGN);

		ck_assert_msg(!value, "taken: %s", left_over[i]);
	}
}
END_TEST

START_TEST(duplicates_are_an_error_in_ours_and_the_last_counts_in_foreign)
{
	const char *text = "{\"a\":1,\"b\":2,\"a\":3}";

	ck_assert(!agrees(text, strlen(text), JSON_OURS));
	ck_assert(agrees(text, strlen(text), JSON_FOREIGN));
}
END_TEST

START_TEST(deep_nesting_is_left_to_jansson)
{
	char text[8192];

	memset(text, '[', 4096);
	memset(text + 4096, ']', 4096);
	ck_assert(!json_quick(text, sizeof(text), JSON_OURS));
	ck_assert(agrees(text + 4096 - 100, 200, JSON_OURS));
	ck_assert(!agrees(text + 4096 - 101, 202, JSON_OURS));
}
END_TEST

START_TEST(a_zero_byte_is_no_end)
{
	ck_assert(!agrees("[1]\0", 4, JSON_OURS));
	ck_assert(!agrees("\"a\0b\"", 5, JSON_FOREIGN));
}
END_TEST

/* Bytes that mean something, so that damage is often JSON again. */
static char interesting(struct random *random)
{
	static const char bytes[] = "\"\\/{}[]:,.-+eE0123456789tfnu \n\t\x01\x7f\x80\xc3\xa4\xed";

	return bytes[random_below(random, sizeof(bytes) - 1)];
}

static void damage(struct random *random, char *text, size_t *len)
{
	size_t at = *len > 0 ? random_below(random, *len) : 0;

	switch (random_below(random, 3)) {
	case 0:
		if (*len > 0)
			text[at] = interesting(random);
		break;
	case 1:
		memmove(text + at + 1, text + at, *len - at);
		text[at] = interesting(random);
		++*len;
		break;
	default:
		if (*len > 0)
			memmove(text + at, text + at + 1, --*len - at);
	}
}

START_TEST(damaged_json_is_never_taken_for_something_else)
{
	struct random random;
	size_t taken = 0;

	random_seed(&random, 7);
	for (size_t round = 0; round < 60000; round++) {
		const char *model = ordinary[random_below(&random, COUNT_OF(ordinary))];
		size_t len = strlen(model), hits = 1 + random_below(&random, 3);
		char text[256];

		memcpy(text, model, len);
		for (size_t i = 0; i < hits; i++)
			damage(&random, text, &len);
		taken += agrees(text, len, round % 2 ? JSON_OURS : JSON_FOREIGN);
	}
	ck_assert_uint_gt(taken, 5000); /* or the test tests little */
}
END_TEST

UNIT_TESTS(json_quick, ordinary_json_is_taken_and_equals_what_jansson_reads,
	   what_is_wrong_or_rare_is_left_to_jansson,
	   duplicates_are_an_error_in_ours_and_the_last_counts_in_foreign,
	   deep_nesting_is_left_to_jansson, a_zero_byte_is_no_end,
	   damaged_json_is_never_taken_for_something_else)
