#include "header.h"

#include <stdio.h>
#include <string.h>

#include "unit.h"

static bool add(struct header_list *list, const char *line)
{
	return header_list_add(list, line, strlen(line));
}

START_TEST(a_header_is_found_in_any_case_and_the_first_counts)
{
	struct header_list list = {0};

	ck_assert(add(&list, "Retry-After: \t7 \r\n"));
	ck_assert(add(&list, "retry-after: 8\r\n"));
	ck_assert(add(&list, "X-Empty:\r\n"));
	ck_assert(add(&list, "X-Colon: a:b"));
	header_list_close(&list);
	ck_assert_str_eq(header_find(list.items, list.count, "RETRY-AFTER"), "7");
	ck_assert_str_eq(header_find(list.items, list.count, "x-empty"), "");
	ck_assert_str_eq(header_find(list.items, list.count, "x-colon"), "a:b");
	ck_assert_ptr_null(header_find(list.items, list.count, "retry"));
	header_list_clear(&list);
	ck_assert_uint_eq(list.count, 0);
	header_list_finish(&list);
}
END_TEST

START_TEST(what_is_no_header_is_not_kept)
{
	struct header_list list = {0};

	ck_assert(!add(&list, ""));
	ck_assert(!add(&list, "\r\n"));
	ck_assert(!add(&list, "no colon\r\n"));
	ck_assert(!add(&list, ": no name\r\n"));
	ck_assert(!header_list_add(&list, "a: \0b", 5));
	header_list_close(&list);
	ck_assert_uint_eq(list.count, 0);
	ck_assert_ptr_null(header_find(list.items, list.count, "a"));
	header_list_finish(&list);
}
END_TEST

START_TEST(headers_beyond_the_caps_leave_the_others_whole)
{
	struct header_list list = {0};
	char line[20000];

	memset(line, 'v', sizeof(line));
	memcpy(line, "a: ", 3);
	ck_assert(header_list_add(&list, line, sizeof(line)));
	ck_assert(!header_list_add(&list, line, sizeof(line)));
	for (int i = 1; i < MAX_HEADERS; i++) {
		snprintf(line, sizeof(line), "x-%d: %d", i, i);
		ck_assert(add(&list, line));
	}
	ck_assert(!add(&list, "one: more"));
	header_list_close(&list);
	ck_assert_uint_eq(list.count, MAX_HEADERS);
	ck_assert_uint_eq(strlen(list.items[0].value), sizeof(line) - 3);
	ck_assert_str_eq(header_find(list.items, list.count, "x-95"), "95");
	header_list_finish(&list);
}
END_TEST

UNIT_TESTS(header, a_header_is_found_in_any_case_and_the_first_counts,
	   what_is_no_header_is_not_kept, headers_beyond_the_caps_leave_the_others_whole)
