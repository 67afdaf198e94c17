#include "retry_hint.h"

#include <stdio.h>
#include <string.h>

#include "compiler.h"
#include "unit.h"

#define MS NSEC_PER_MSEC
#define SEC NSEC_PER_SEC
#define WALL (1793491200 * NSEC_PER_SEC) /* 2026-11-01T00:00:00Z */
#define UNTOUCHED ((nsec)4711)

struct hint {
	const char *text;
	nsec wait;
};

static void check_hint(const struct hint *hint, bool read, nsec wait)
{
	ck_assert_msg(read && wait == hint->wait, "\"%s\" is %s %llu ns", hint->text,
		      read ? "read as" : "refused, not", (unsigned long long)wait);
}

START_TEST(durations_are_read_as_go_writes_them)
{
	static const struct hint hints[] = {
		{"12ms", 12 * MS},
		{"120ms", 120 * MS},
		{"1s", SEC},
		{"17.26s", 17260 * MS},
		{"6m0s", 360 * SEC},
		{"1h2m3s", 3723 * SEC},
		{"34s", 34 * SEC},
		{"34.074824224s", 34074824224},
		{"0s", 0},
		{".5s", 500 * MS},
		{"100us", 100000},
		{"100\xc2\xb5s", 100000},
		{"7ns", 7},
		{"1m0.5s", 60500 * MS},
		{" 2s ", 2 * SEC},
		{"0.1234567890123s", 123456789},
		{"24h", 24 * 3600 * SEC},
		{"9999h", RETRY_HINT_LONGEST},
		{"99999999999999999999s", RETRY_HINT_LONGEST},
		{"20h20h", RETRY_HINT_LONGEST},
	};

	for (size_t i = 0; i < COUNT_OF(hints); i++) {
		nsec wait = UNTOUCHED;
		bool read = retry_hint_duration(hints[i].text, &wait);

		check_hint(&hints[i], read, wait);
	}
}
END_TEST

START_TEST(seconds_may_have_a_fraction_and_stay_within_a_day)
{
	static const struct hint hints[] = {
		{"17", 17 * SEC},
		{"0.25", 250 * MS},
		{"0", 0},
		{" 5", 5 * SEC},
		{"86401", RETRY_HINT_LONGEST},
		{"18446744073709551616", RETRY_HINT_LONGEST},
	};

	for (size_t i = 0; i < COUNT_OF(hints); i++) {
		nsec wait = UNTOUCHED;
		bool read = retry_hint_seconds(hints[i].text, &wait);

		check_hint(&hints[i], read, wait);
	}
}
END_TEST

START_TEST(milliseconds_may_have_a_fraction)
{
	nsec wait;

	ck_assert(retry_hint_millis("18642", &wait));
	ck_assert_uint_eq(wait, 18642 * MS);
	ck_assert(retry_hint_millis("12.5", &wait));
	ck_assert_uint_eq(wait, 12500000);
}
END_TEST

START_TEST(dates_become_waits_from_now)
{
	static const struct hint hints[] = {
		{"2026-11-01T00:00:17Z", 17 * SEC},
		{"2026-11-01T00:00:17.900Z", 17900 * MS},
		{"2026-11-01T01:00:17+01:00", 17 * SEC},
		{"2026-10-31T19:00:17-05:00", 17 * SEC},
		{"Sun, 01 Nov 2026 00:01:00 GMT", 60 * SEC},
		{"2026-11-01T00:00:00Z", 0},
		{"2025-08-21T12:40:59Z", 0},
		{"1970-01-01T00:00:00Z", 0},
		{"2026-12-01T00:00:00Z", RETRY_HINT_LONGEST},
		{"2499-12-31T23:59:60Z", RETRY_HINT_LONGEST},
	};

	for (size_t i = 0; i < COUNT_OF(hints); i++) {
		nsec wait = UNTOUCHED;
		bool read = retry_hint_date(hints[i].text, WALL, &wait);

		check_hint(&hints[i], read, wait);
	}
}
END_TEST

START_TEST(a_date_within_the_second_waits_for_what_is_left_of_it)
{
	nsec wait;

	ck_assert(retry_hint_date("2026-11-01T00:00:01Z", WALL + 250 * MS, &wait));
	ck_assert_uint_eq(wait, 750 * MS);
}
END_TEST

START_TEST(a_retry_after_is_seconds_or_a_date)
{
	nsec wait;

	ck_assert(retry_hint_after("19", WALL, &wait));
	ck_assert_uint_eq(wait, 19 * SEC);
	ck_assert(retry_hint_after("Sun, 01 Nov 2026 00:00:19 GMT", WALL, &wait));
	ck_assert_uint_eq(wait, 19 * SEC);
}
END_TEST

START_TEST(what_is_no_hint_is_refused_and_changes_nothing)
{
	static const char *const bad[] = {
		"",
		" ",
		"-1",
		"-5s",
		"+5",
		"1e3",
		"0x10",
		"inf",
		"nan",
		"5 s",
		"1,5",
		"5x",
		".",
		".s",
		"s",
		"1.2.3s",
		"soon",
		"1h2",
		"2026-11-01",
		"2026-11-01T00:00Z",
		"2026-13-01T00:00:00Z",
		"2026-11-32T00:00:00Z",
		"2026-11-01T24:00:00Z",
		"2026-11-01T00:00:00",
		"2026-11-01T00:00:00.Z",
		"2026-11-01T00:00:00+25:00",
		"2026-11-01T00:00:00Zx",
		"Sunday, 01-Nov-26 00:00:00 GMT",
		"Sun, 01 Nux 2026 00:00:00 GMT",
		"Sun, 01 Nov 2026 00:00:00 CET",
		"Sun, 1",
		"Sun,",
		"11111111111111111111111111111111111111111111111111111111111111111s",
		"1m1m1m1m1m1m1m1m1m1m1m1m1m1m1m1m1m1m1m1m1m1m1m1m1m1m1m1m1m1m1m1m1m1m",
	};

	for (size_t i = 0; i < COUNT_OF(bad); i++) {
		nsec wait = UNTOUCHED;

		ck_assert_msg(!retry_hint_after(bad[i], WALL, &wait), "\"%s\" was read", bad[i]);
		ck_assert_msg(!retry_hint_duration(bad[i], &wait), "\"%s\" was read", bad[i]);
		ck_assert_uint_eq(wait, UNTOUCHED);
	}
}
END_TEST

START_TEST(no_bytes_whatever_wait_longer_than_a_day)
{
	static const char alphabet[] = "0123456789.hmsun:-TZ+, GMTNov";
	unsigned seed = 7;

	for (int round = 0; round < 200000; round++) {
		char text[24] = "";
		nsec wait = 0;

		for (size_t i = 0; i < sizeof(text) - 1; i++) {
			seed = seed * 1103515245 + 12345;
			text[i] = alphabet[(seed >> 16) % (sizeof(alphabet) - 1)];
			if ((seed >> 8) % 8 == 0)
				break;
		}
		retry_hint_duration(text, &wait);
		ck_assert_uint_le(wait, RETRY_HINT_LONGEST);
		retry_hint_after(text, WALL, &wait);
		ck_assert_uint_le(wait, RETRY_HINT_LONGEST);
	}
}
END_TEST

UNIT_TESTS(retry_hint, durations_are_read_as_go_writes_them,
	   seconds_may_have_a_fraction_and_stay_within_a_day, milliseconds_may_have_a_fraction,
	   dates_become_waits_from_now, a_date_within_the_second_waits_for_what_is_left_of_it,
	   a_retry_after_is_seconds_or_a_date, what_is_no_hint_is_refused_and_changes_nothing,
	   no_bytes_whatever_wait_longer_than_a_day)
