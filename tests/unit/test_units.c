#include "units.h"

#include "unit.h"

START_TEST(counts_may_carry_separators)
{
	int64_t n;

	ck_assert(units_count("200_000", &n) && n == 200000);
	ck_assert(units_count("0", &n) && n == 0);
	ck_assert(units_count("-5", &n) && n == -5);
	ck_assert(units_count("900000000000000000", &n) && n == 900000000000000000);
}
END_TEST

START_TEST(what_is_no_count_is_refused)
{
	static const char *const bad[] = {"",	"_1",  "1_", "1__0",  "1.5",
					  "1k", " 1",  "1 ", "0x1",   "1e3",
					  "-",	"--1", "+1", "1,000", "99999999999999999999"};
	int64_t n;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		ck_assert_msg(!units_count(bad[i], &n), "\"%s\" was read", bad[i]);
}
END_TEST

START_TEST(durations_have_a_unit)
{
	nsec d;

	ck_assert(units_duration("100ms", &d) && d == 100 * NSEC_PER_MSEC);
	ck_assert(units_duration("30s", &d) && d == 30 * NSEC_PER_SEC);
	ck_assert(units_duration("5m", &d) && d == 300 * NSEC_PER_SEC);
	ck_assert(units_duration("2h", &d) && d == 7200 * NSEC_PER_SEC);
	ck_assert(units_duration("7d", &d) && d == 7 * 86400 * NSEC_PER_SEC);
	ck_assert(units_duration("1.5s", &d) && d == 1500 * NSEC_PER_MSEC);
	ck_assert(units_duration("0", &d) && d == 0);
}
END_TEST

START_TEST(what_is_no_duration_is_refused)
{
	static const char *const bad[] = {"",
					  "30",
					  "s",
					  "30 s",
					  "-1s",
					  "1.s",
					  "1.2345s",
					  "1w",
					  "30S",
					  "1m30s",
					  "99999999999999d",
					  "40000d",
					  "1.2"};
	nsec d;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		ck_assert_msg(!units_duration(bad[i], &d), "\"%s\" was read", bad[i]);
}
END_TEST

START_TEST(sizes_have_a_unit)
{
	size_t n;

	ck_assert(units_size("4096B", &n) && n == 4096);
	ck_assert(units_size("64KiB", &n) && n == 65536);
	ck_assert(units_size("10MiB", &n) && n == 10485760);
	ck_assert(units_size("1.5GiB", &n) && n == 1610612736);
	ck_assert(units_size("0", &n) && n == 0);
	ck_assert(!units_size("10MB", &n));
	ck_assert(!units_size("10", &n));
	ck_assert(!units_size("0.0001B", &n));
	ck_assert(!units_size("99999999999GiB", &n));
}
END_TEST

UNIT_TESTS(units, counts_may_carry_separators, what_is_no_count_is_refused, durations_have_a_unit,
	   what_is_no_duration_is_refused, sizes_have_a_unit)
