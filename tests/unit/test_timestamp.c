#include "timestamp.h"

#include <string.h>

#include "unit.h"

static const struct {
	const char *text;
	nsec wall;
} times[] = {
	{"1970-01-01T00:00:00Z", 0},
	{"2026-11-21T04:21:00Z", 1795234860 * NSEC_PER_SEC},
	{"2026-11-21T05:21:00+01:00", 1795234860 * NSEC_PER_SEC},
	{"2026-11-20T22:51:00-05:30", 1795234860 * NSEC_PER_SEC},
	{"2026-11-21t04:21:00.5z", 1795234860 * NSEC_PER_SEC + NSEC_PER_SEC / 2},
	{"2026-11-21 04:21:00.1234567899Z", 1795234860 * NSEC_PER_SEC + 123456789},
	{"2000-02-29T12:00:00Z", 951825600 * NSEC_PER_SEC},
	{"2016-12-31T23:59:60Z", 1483228800 * NSEC_PER_SEC},
	{"2400-02-29T00:00:00Z", (nsec)13574563200 * NSEC_PER_SEC},
};

START_TEST(a_date_time_is_its_second)
{
	for (size_t i = 0; i < sizeof(times) / sizeof(times[0]); i++) {
		nsec wall;

		ck_assert_msg(timestamp_parse(times[i].text, &wall), "%s", times[i].text);
		ck_assert_msg(wall == times[i].wall, "%s gave %llu", times[i].text,
			      (unsigned long long)wall);
	}
}
END_TEST

START_TEST(what_is_no_date_time_is_refused)
{
	static const char *const bad[] = {"",
					  "2026",
					  "2026-11-21",
					  "2026-11-21T04:21:00",
					  "2500-12-31T23:59:60Z",
					  "2500-12-31T23:30:00-01:00",
					  "2026-02-29T00:00:00Z",
					  "2100-02-29T00:00:00Z",
					  "2026-13-01T00:00:00Z",
					  "2026-00-01T00:00:00Z",
					  "2026-11-31T00:00:00Z",
					  "2026-11-21T24:00:00Z",
					  "2026-11-21T04:60:00Z",
					  "2026-11-21T04:21:61Z",
					  "2026-11-21T04:21:00.Z",
					  "2026-11-21T04:21:00+0100",
					  "2026-11-21T04:21:00Zx",
					  "1969-12-31T23:59:59Z",
					  "1970-01-01T00:00:00+01:00",
					  "2501-01-01T00:00:00Z",
					  "9999-12-31T23:59:59Z",
					  "tomorrow",
					  "1795234860"};
	nsec wall;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		ck_assert_msg(!timestamp_parse(bad[i], &wall), "\"%s\" was read", bad[i]);
}
END_TEST

START_TEST(a_time_survives_its_text)
{
	char text[TIMESTAMP_TEXT];

	/* Every day of 500 years, at a time of day that moves. */
	for (nsec day = 0; day < 500 * 365; day++) {
		nsec wall = (day * 86400 + day % 86400) * NSEC_PER_SEC + 7 * NSEC_PER_MSEC, back;

		ck_assert(timestamp_parse(timestamp_format(text, wall), &back));
		ck_assert_msg(back == wall, "%s", text);
	}
	ck_assert_str_eq(timestamp_format(text, 1795234860 * NSEC_PER_SEC + 5 * NSEC_PER_MSEC),
			 "2026-11-21T04:21:00.005Z");
}
END_TEST

UNIT_TESTS(timestamp, a_date_time_is_its_second, what_is_no_date_time_is_refused,
	   a_time_survives_its_text)
