#include "metrics.h"

#include <stdio.h>
#include <string.h>

#include "unit.h"

static struct buffer shown;

static const char *render(void)
{
	buffer_clear(&shown);
	metrics_render(&shown);
	return shown.data;
}

static void ck_shows(const char *line)
{
	ck_assert_msg(strstr(render(), line), "not shown: %s", line);
}

START_TEST(a_counter_is_shown_with_help_type_and_labels)
{
	metrics_reset();
	metrics_add(METRIC_verdicts_total, 2, LABELS("economy", "accept", "accepted"));
	metrics_add(METRIC_verdicts_total, 1, LABELS("economy", "accept", "accepted"));
	ck_shows("# HELP sluice_verdicts_total What answers meant, by next step\n"
		 "# TYPE sluice_verdicts_total counter\n"
		 "sluice_verdicts_total{tier=\"economy\",step=\"accept\",reason=\"accepted\"} 3\n");
}
END_TEST

START_TEST(a_metric_without_labels_shows_before_its_first_use)
{
	metrics_reset();
	ck_shows("\nsluice_spool_bytes 0\n");
	ck_assert_ptr_null(strstr(render(), "sluice_verdicts_total"));
}
END_TEST

START_TEST(a_histogram_counts_upwards_to_infinity)
{
	metrics_reset();
	metrics_observe(METRIC_call_seconds, 0.3, LABELS("m"));
	metrics_observe(METRIC_call_seconds, 700, LABELS("m"));
	metrics_observe_time(METRIC_call_seconds, 5 * NSEC_PER_SEC, LABELS("m"));
	ck_shows("sluice_call_seconds_bucket{model=\"m\",le=\"0.25\"} 0\n"
		 "sluice_call_seconds_bucket{model=\"m\",le=\"0.5\"} 1\n");
	ck_shows("le=\"5\"} 2\n");
	ck_shows("le=\"600\"} 2\n"
		 "sluice_call_seconds_bucket{model=\"m\",le=\"+Inf\"} 3\n"
		 "sluice_call_seconds_sum{model=\"m\"} 705.29999999999995\n"
		 "sluice_call_seconds_count{model=\"m\"} 3\n");
}
END_TEST

START_TEST(label_values_are_escaped)
{
	metrics_reset();
	metrics_add(METRIC_dead_total, 1, LABELS("a\"b\\c\nd\xff"));
	ck_shows("sluice_dead_total{reason=\"a\\\"b\\\\c\\nd\xef\xbf\xbd\"} 1\n");
}
END_TEST

START_TEST(labels_from_outside_cannot_make_series_without_end)
{
	metrics_reset();
	for (int i = 0; i < 10 * METRICS_MAX_SERIES; i++) {
		char name[16];

		snprintf(name, sizeof(name), "unit-%d", i);
		metrics_add(METRIC_throttled_total, 1, LABELS(name));
	}
	ck_assert_double_eq(series_value(metrics_series(METRIC_throttled_total, LABELS("unit-0"))),
			    1);
	ck_assert_double_eq(series_value(metrics_series(METRIC_throttled_total, LABELS("other"))),
			    10 * METRICS_MAX_SERIES - (METRICS_MAX_SERIES - 1));
}
END_TEST

START_TEST(a_gauge_is_zeroed_before_it_is_measured_anew)
{
	metrics_reset();
	metrics_set(METRIC_jobs_parked, 12, LABELS("budget"));
	metrics_zero(METRIC_jobs_parked);
	ck_shows("sluice_jobs_parked{reason=\"budget\"} 0\n");
}
END_TEST

static bool ends_with(const char *text, const char *end)
{
	size_t len = strlen(text), end_len = strlen(end);

	return len > end_len && strcmp(text + len - end_len, end) == 0;
}

START_TEST(names_follow_the_conventions)
{
	for (size_t i = 0; i < METRIC_COUNT; i++) {
		const char *name = metrics_name((enum metric)i);
		const char *type = metrics_type((enum metric)i);

		ck_assert_int_eq(strncmp(name, "sluice_", 7), 0);
		ck_assert_uint_eq(strspn(name, "abcdefghijklmnopqrstuvwxyz_"), strlen(name));
		ck_assert_msg((strcmp(type, "counter") == 0) == ends_with(name, "_total"), "%s",
			      name);
		ck_assert_msg(strcmp(type, "histogram") != 0 || ends_with(name, "_seconds") ||
				      ends_with(name, "_rows"),
			      "%s", name);
		ck_assert_uint_gt(strlen(metrics_help((enum metric)i)), 0);
	}
}
END_TEST

UNIT_TESTS(metrics, a_counter_is_shown_with_help_type_and_labels,
	   a_metric_without_labels_shows_before_its_first_use,
	   a_histogram_counts_upwards_to_infinity, label_values_are_escaped,
	   labels_from_outside_cannot_make_series_without_end,
	   a_gauge_is_zeroed_before_it_is_measured_anew, names_follow_the_conventions)
