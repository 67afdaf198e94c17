#include "progress.h"

#include <string.h>

#include "unit.h"

static struct progress progress;
static struct buffer line;

static const char *at(uint64_t done, nsec now, const char *extra)
{
	buffer_clear(&line);
	progress_line(&progress, done, now, extra, &line);
	return line.data;
}

static void begin(uint64_t total)
{
	progress_start(&progress, "submitting", total, NSEC_PER_SEC);
	progress.quiet = true;
	progress.terminal = false;
	progress.columns = 0;
}

START_TEST(a_line_has_count_rate_eta_and_extra)
{
	begin(10000);
	progress_update(&progress, 4600, 6 * NSEC_PER_SEC, "%s", "");
	ck_assert_str_eq(at(4600, 6 * NSEC_PER_SEC, "$0.31"),
			 "submitting  4,600/10,000  920/s  ETA 6s  $0.31");
}
END_TEST

START_TEST(a_terminal_gets_a_bar)
{
	begin(200);
	progress.terminal = true;
	ck_assert_str_eq(at(100, 2 * NSEC_PER_SEC, ""),
			 "submitting  [##########----------]  50 %  100/200");
}
END_TEST

START_TEST(an_unknown_total_has_no_eta)
{
	begin(0);
	progress_update(&progress, 30, 4 * NSEC_PER_SEC, "%s", "");
	ck_assert_str_eq(at(30, 4 * NSEC_PER_SEC, ""), "submitting  30  10/s");
}
END_TEST

START_TEST(the_rate_follows_a_change)
{
	begin(10000);
	progress_update(&progress, 1000, 2 * NSEC_PER_SEC, "%s", "");
	progress_update(&progress, 1000, 3 * NSEC_PER_SEC, "%s", "");
	ck_assert_double_eq(progress.rate, 1000);
	progress_update(&progress, 1020, 4 * NSEC_PER_SEC, "%s", "");
	ck_assert_double_eq(progress.rate, 10);
}
END_TEST

START_TEST(the_end_says_how_long_it_took)
{
	begin(500);
	ck_assert_str_eq(at(500, 91 * NSEC_PER_SEC, ""), "submitting  500/500  in 1m 30s");
}
END_TEST

START_TEST(a_narrow_terminal_cuts_the_line)
{
	begin(500);
	progress.columns = 20;
	ck_assert_uint_eq(strlen(at(100, 2 * NSEC_PER_SEC, "a long text that cannot fit")), 19);
}
END_TEST

UNIT_TESTS(progress, a_line_has_count_rate_eta_and_extra, a_terminal_gets_a_bar,
	   an_unknown_total_has_no_eta, the_rate_follows_a_change, the_end_says_how_long_it_took,
	   a_narrow_terminal_cuts_the_line)
