#include "duration.h"

#include "unit.h"

START_TEST(durations_show_their_two_largest_units)
{
	char text[DURATION_TEXT];

	ck_assert_str_eq(duration_format(text, (51 * 3600 + 59 * 60) * NSEC_PER_SEC), "2d 3h");
	ck_assert_str_eq(duration_format(text, 90 * NSEC_PER_SEC), "1m 30s");
	ck_assert_str_eq(duration_format(text, 3 * 86400 * NSEC_PER_SEC), "3d");
	ck_assert_str_eq(duration_format(text, 1250 * NSEC_PER_MSEC), "1.25s");
	ck_assert_str_eq(duration_format(text, 7 * NSEC_PER_MSEC), "7ms");
	ck_assert_str_eq(duration_format(text, 0), "0s");
}
END_TEST

START_TEST(durations_are_cut_off_not_rounded_up)
{
	char text[DURATION_TEXT];

	ck_assert_str_eq(duration_format(text, 60 * NSEC_PER_SEC - 1), "59.99s");
	ck_assert_str_eq(duration_format(text, 3600 * NSEC_PER_SEC - 1), "59m 59s");
}
END_TEST

UNIT_TESTS(duration, durations_show_their_two_largest_units, durations_are_cut_off_not_rounded_up)
