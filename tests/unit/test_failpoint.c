#include "failpoint.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "clock.h"
#include "compiler.h"
#include "unit.h"

static struct failpoint_plan plan;

static void plan_of(const char *text)
{
	struct error err;

	ck_assert_msg(failpoint_plan_parse(&plan, text, 7, &err), "%s", text);
}

/* How many of `hits` fired, and which was the first. */
static int fired(const char *name, int hits, int *first)
{
	uint64_t stall;
	int count = 0;

	*first = 0;
	for (int i = 1; i <= hits; i++) {
		if (failpoint_plan_hit(&plan, name, &stall) == FAILPOINT_NONE)
			continue;
		*first = *first ? *first : i;
		count++;
	}
	return count;
}

START_TEST(the_nth_hit_fires_and_only_that)
{
	int first;

	plan_of("K07=error@3,K11=crash");
	ck_assert_int_eq(fired("K07", 10, &first), 1);
	ck_assert_int_eq(first, 3);
	ck_assert_int_eq(fired("K11", 10, &first), 1);
	ck_assert_int_eq(first, 1);
	ck_assert_int_eq(fired("K01", 10, &first), 0);
}
END_TEST

START_TEST(a_probability_fires_about_that_often_and_the_same_for_a_seed)
{
	int first, again, count;

	plan_of("K11=error@0.1");
	count = fired("K11", 10000, &first);
	ck_assert_int_ge(count, 900);
	ck_assert_int_le(count, 1100);
	plan_of("K11=error@0.1");
	ck_assert_int_eq(fired("K11", 10000, &again), count);
	ck_assert_int_eq(first, again);
}
END_TEST

START_TEST(a_stall_says_how_long)
{
	uint64_t stall = 0;

	plan_of("K12=stall:2s");
	ck_assert_int_eq(failpoint_plan_hit(&plan, "K12", &stall), FAILPOINT_STALL);
	ck_assert_uint_eq(stall, 2 * NSEC_PER_SEC);
}
END_TEST

START_TEST(a_typing_error_is_refused_not_ignored)
{
	static const char *const bad[] = {
		"K99=crash",	 "K07",	      "K07=explode", "K07=crash@0",  "K07=crash@x",
		"K07=error@1.5", "K07=stall", "K07=stall:2", "K07=crash:2s", "K07=crash@-1"};
	struct error err;

	for (size_t i = 0; i < COUNT_OF(bad); i++)
		ck_assert_msg(!failpoint_plan_parse(&plan, bad[i], 0, &err), "%s", bad[i]);
}
END_TEST

START_TEST(a_crash_kills_the_process_and_leaves_a_line)
{
	char path[] = "/tmp/failpoint-test-XXXXXX", text[128] = "";
	int fd = mkstemp(path), status;
	pid_t child;

	ck_assert_int_ge(fd, 0);
	child = fork();
	if (child == 0) {
		setenv("SLUICE_FAILPOINTS", "K07=crash@2", 1);
		setenv("SLUICE_FAILPOINT_LOG", path, 1);
		failpoint_hit("K07");
		failpoint_hit("K07");
		_exit(0);
	}
	ck_assert_int_eq(waitpid(child, &status, 0), child);
	ck_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
	ck_assert_int_gt(read(fd, text, sizeof(text) - 1), 0);
	ck_assert_int_eq(strncmp(text, "K07 crash pid=", 14), 0);
	close(fd);
	unlink(path);
}
END_TEST

START_TEST(every_place_has_a_step)
{
	ck_assert_str_eq(failpoint_step("K04"), "claim committed");
	ck_assert_ptr_null(failpoint_step("K4"));
}
END_TEST

UNIT_TESTS(failpoint, the_nth_hit_fires_and_only_that,
	   a_probability_fires_about_that_often_and_the_same_for_a_seed, a_stall_says_how_long,
	   a_typing_error_is_refused_not_ignored, a_crash_kills_the_process_and_leaves_a_line,
	   every_place_has_a_step)
