#include "quote.h"

#include <string.h>

#include "unit.h"
#include "utf8.h"

START_TEST(numbers_are_what_json_calls_numbers)
{
	static const char *const good[] = {"0", "-1", "12.5", "1e9", "-0.1E-7"};
	static const char *const bad[] = {"",	"-",   "01", "1.",  ".5",
					  "1e", "0x1", "1 ", "NaN", "+1"};

	for (size_t i = 0; i < COUNT_OF(good); i++)
		ck_assert_msg(quote_is_number(good[i], strlen(good[i])), "%s", good[i]);
	for (size_t i = 0; i < COUNT_OF(bad); i++)
		ck_assert_msg(!quote_is_number(bad[i], strlen(bad[i])), "%s", bad[i]);
}
END_TEST

START_TEST(only_well_formed_sequences_are_stepped_over)
{
	static const char *const bad[] = {
		"\x80",	    "\xc0\x80",		"\xed\xa0\x80", "\xf4\x90\x80\x80",
		"\xe2\x82", "\xf5\x80\x80\x80", "\xe0\x9f\xbf"};

	ck_assert_uint_eq(utf8_step("a", 1), 1);
	ck_assert_uint_eq(utf8_step("é", 2), 2);
	ck_assert_uint_eq(utf8_step("€", 3), 3);
	ck_assert_uint_eq(utf8_step("😀", 4), 4);
	ck_assert_uint_eq(utf8_step("😀", 3), 0);
	for (size_t i = 0; i < COUNT_OF(bad); i++)
		ck_assert_uint_eq(utf8_step(bad[i], strlen(bad[i])), 0);
}
END_TEST

START_TEST(a_cap_is_told_and_kept)
{
	AUTO_FINISH(buffer_finish) struct buffer out = {.max = 8};

	ck_assert(!quote_json(&out, "0123456789", 10));
	ck_assert_uint_le(out.len, 8);
}
END_TEST

UNIT_TESTS(quote, numbers_are_what_json_calls_numbers, only_well_formed_sequences_are_stepped_over,
	   a_cap_is_told_and_kept)
