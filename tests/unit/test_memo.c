#include "memo.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "unit.h"

START_TEST(a_fresh_run_has_nothing_to_remember)
{
	struct memo memo;

	memo_read(&memo, "");
	ck_assert_ptr_null(memo_write(&memo));
	ck_assert(!memo_avoids(&memo, "openai", "gpt-4o-mini"));
	memo_finish(&memo);
}
END_TEST

START_TEST(what_is_to_be_quoted_is_remembered_until_it_is_forgotten)
{
	struct memo before, after;
	char *text;

	memo_read(&before, "");
	before.attempts = 1;
	memo_quote(&before, "{\"a\": \xff}", 9, "a is missing");
	text = memo_write(&before);
	memo_read(&after, text);
	ck_assert_str_eq(after.repair_note, "a is missing");
	ck_assert(strncmp(after.repair_answer, "{\"a\": ", 6) == 0);
	free(text);
	memo_quote(&after, NULL, 0, NULL);
	text = memo_write(&after);
	ck_assert_ptr_null(strstr(text, "quote"));
	free(text);
	memo_finish(&before);
	memo_finish(&after);
}
END_TEST

START_TEST(a_run_is_remembered_whole)
{
	struct usage usage = {.known = true, .input = 10, .cache_read = 20, .output = 5};
	struct memo before, after;
	char *text;

	memo_read(&before, "");
	before.attempts = 3;
	before.refusals = 1;
	memo_spend(&before, 123456789, &usage);
	memo_avoid(&before, "openai", "gpt-4o-mini");
	memo_keep(&before, "{\"a\":1}", 7, true, 0.5, "openai", "gpt-4o-mini");
	snprintf(before.signature, sizeof(before.signature), "schema /a type");
	text = memo_write(&before);
	memo_read(&after, text);
	ck_assert_int_eq(after.attempts, 3);
	ck_assert_int_eq(after.refusals, 1);
	ck_assert_int_eq(after.spent, 123456789);
	ck_assert_int_eq(after.usage.cache_read, 20);
	ck_assert_str_eq(after.signature, "schema /a type");
	ck_assert(memo_avoids(&after, "openai", "gpt-4o-mini"));
	ck_assert(!memo_avoids(&after, "openai", "gpt-4o"));
	ck_assert_int_eq(after.fallback_len, 7);
	ck_assert(memcmp(after.fallback, "{\"a\":1}", 7) == 0);
	free(text);
	memo_finish(&before);
	memo_finish(&after);
}
END_TEST

START_TEST(failures_that_are_no_attempts_are_remembered_until_an_answer)
{
	struct memo before, after;
	char *text;

	memo_read(&before, "");
	memo_fail(&before, false, 1000);
	memo_fail(&before, true, 2000);
	memo_fail(&before, false, 3000);
	text = memo_write(&before);
	memo_read(&after, text);
	ck_assert_int_eq(after.uncounted, 2);
	ck_assert_uint_eq(after.failing_since, 1000);
	ck_assert_uint_eq(after.failed_at, 3000);
	free(text);
	memo_hear(&after);
	ck_assert_ptr_null(memo_write(&after));
	memo_finish(&before);
	memo_finish(&after);
}
END_TEST

START_TEST(a_memo_of_an_older_version_has_no_such_failures)
{
	struct memo memo;

	memo_read(&memo, "{\"attempts\":2,\"failed_at\":1000}");
	ck_assert_int_eq(memo.attempts, 2);
	ck_assert_int_eq(memo.uncounted, 0);
	ck_assert_uint_eq(memo.failing_since, 0);
	memo_fail(&memo, false, 2000);
	ck_assert_uint_eq(memo.failing_since, 2000);
	memo_finish(&memo);
}
END_TEST

START_TEST(one_unpriced_call_makes_the_run_unpriced_for_good)
{
	struct usage usage = {0};
	struct memo memo, after;
	char *text;

	memo_read(&memo, "");
	memo.attempts = 1;
	memo_spend(&memo, PICO_UNPRICED, &usage);
	memo_spend(&memo, 5, &usage);
	ck_assert(memo.spent == PICO_UNPRICED);
	text = memo_write(&memo);
	memo_read(&after, text);
	ck_assert(after.spent == PICO_UNPRICED);
	free(text);
	memo_finish(&memo);
	memo_finish(&after);
}
END_TEST

START_TEST(the_surest_answer_is_kept)
{
	struct memo memo;

	memo_read(&memo, "");
	memo_keep(&memo, "first", 5, false, 0.6, "a", "m");
	memo_keep(&memo, "worse", 5, false, 0.4, "b", "m");
	ck_assert(memcmp(memo.fallback, "first", 5) == 0);
	memo_keep(&memo, "surer", 5, false, 0.8, "c", "m");
	ck_assert(memcmp(memo.fallback, "surer", 5) == 0);
	memo_finish(&memo);
}
END_TEST

UNIT_TESTS(memo, a_fresh_run_has_nothing_to_remember, a_run_is_remembered_whole,
	   what_is_to_be_quoted_is_remembered_until_it_is_forgotten,
	   failures_that_are_no_attempts_are_remembered_until_an_answer,
	   a_memo_of_an_older_version_has_no_such_failures,
	   one_unpriced_call_makes_the_run_unpriced_for_good, the_surest_answer_is_kept)
