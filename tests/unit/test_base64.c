#include "base64.h"

#include <string.h>

#include "unit.h"

START_TEST(the_vectors_of_rfc_4648_hold_both_ways)
{
	static const char *const vectors[][2] = {{"", ""},
						 {"f", "Zg=="},
						 {"fo", "Zm8="},
						 {"foo", "Zm9v"},
						 {"foob", "Zm9vYg=="},
						 {"fooba", "Zm9vYmE="},
						 {"foobar", "Zm9vYmFy"}};

	for (size_t i = 0; i < COUNT_OF(vectors); i++) {
		struct buffer there = {0}, back = {0};

		buffer_text(&there, "");
		buffer_text(&back, "");
		ck_assert(base64_encode(&there, vectors[i][0], strlen(vectors[i][0])));
		ck_assert_str_eq(there.data, vectors[i][1]);
		ck_assert(base64_decode(&back, there.data, there.len));
		ck_assert_str_eq(back.data, vectors[i][0]);
		buffer_finish(&there);
		buffer_finish(&back);
	}
}
END_TEST

START_TEST(what_is_not_base64_is_refused)
{
	static const char *const bad[] = {"Z",	   "Zg=",  "Z===",    "Zm9v Zm9v",
					  "Zm9\n", "====", "Zg==Zg=="};

	for (size_t i = 0; i < COUNT_OF(bad); i++) {
		struct buffer out = {0};

		ck_assert_msg(!base64_decode(&out, bad[i], strlen(bad[i])), "%s was read", bad[i]);
		buffer_finish(&out);
	}
}
END_TEST

UNIT_TESTS(base64, the_vectors_of_rfc_4648_hold_both_ways, what_is_not_base64_is_refused)
