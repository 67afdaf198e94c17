#include "log.h"

#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#include "json.h"
#include "unit.h"

static struct buffer line;

static void fresh(size_t max)
{
	buffer_finish(&line);
	line.max = max;
}

START_TEST(a_line_is_time_level_event_and_fields)
{
	fresh(0);
	log_line(&line, false, 1772357400125 * NSEC_PER_MSEC, LOG_LEVEL_INFO, "job_settled", 0,
		 "job=%s ms=%" PRIu64, "j1", (uint64_t)812);
	ck_assert_str_eq(line.data, "time=2026-03-01T09:30:00.125Z level=info event=job_settled "
				    "job=j1 ms=812\n");
}
END_TEST

START_TEST(a_value_cannot_forge_a_field_or_a_line)
{
	fresh(0);
	log_line(&line, false, 0, LOG_LEVEL_WARN, "e", 0, "a=%s b=\"%s\" c=%s",
		 "x b=2\nlevel=error", "say \"hi\"", "");
	ck_assert_str_eq(line.data, "time=1970-01-01T00:00:00.000Z level=warn event=e "
				    "a=\"x b=2\\nlevel=error\" b=\"say \\\"hi\\\"\" c=\"\"\n");
}
END_TEST

START_TEST(a_value_with_our_own_field_break_stays_one_value)
{
	fresh(0);
	log_line(&line, false, 0, LOG_LEVEL_INFO, "e", 0, "a=%s b=%d",
		 "x\x1f"
		 "b=9",
		 1);
	ck_assert_str_eq(
		line.data,
		"time=1970-01-01T00:00:00.000Z level=info event=e a=\"x\\u001fb=9\" b=1\n");
}
END_TEST

START_TEST(json_lines_are_json_with_numbers_as_numbers)
{
	struct error err;
	json_t *value;

	fresh(0);
	log_line(&line, true, 0, LOG_LEVEL_ERROR, "e", 7, "n=%d why=%s bad=%s", -3, "a \"b\"\t\\",
		 "\xff\x01");
	value = json_read(line.data, line.len - 1, JSON_OURS, &err);
	ck_assert_ptr_nonnull(value);
	ck_assert_int_eq(json_integer_or(value, "n", 0), -3);
	ck_assert_int_eq(json_integer_or(value, "suppressed", 0), 7);
	ck_assert_str_eq(json_text(value, "why", ""), "a \"b\"\t\\");
	ck_assert_str_eq(json_text(value, "bad", ""), "\xef\xbf\xbd\x01");
	json_decref(value);
}
END_TEST

START_TEST(a_line_at_its_cap_is_cut_but_well_formed)
{
	char *long_text = calloc(1, 10001);
	struct error err;
	json_t *value;

	memset(long_text, '"', 10000);
	fresh(4095);
	log_line(&line, true, 0, LOG_LEVEL_INFO, "e", 0, "text=%s after=%d", long_text, 5);
	ck_assert_uint_le(line.len, 4095);
	ck_assert_int_eq(line.data[line.len - 1], '\n');
	value = json_read(line.data, line.len - 1, JSON_OURS, &err);
	ck_assert_ptr_nonnull(value);
	ck_assert_uint_gt(strlen(json_text(value, "text", "")), 500);
	json_decref(value);
	free(long_text);
}
END_TEST

/* What the calls write while `settings` hold; at most 64 KiB. */
static char *written(const struct log_settings *wish, void (*calls)(void))
{
	static char text[65536];
	struct log_settings settings = *wish;
	int fds[2];
	ssize_t len;

	ck_assert_int_eq(pipe(fds), 0);
	settings.fd = fds[1];
	log_open(&settings);
	calls();
	close(fds[1]);
	len = read(fds[0], text, sizeof(text) - 1);
	close(fds[0]);
	text[len > 0 ? len : 0] = '\0';
	return text;
}

static size_t occurrences(const char *text, const char *part)
{
	size_t count = 0;

	for (; (text = strstr(text, part)); text++)
		count++;
	return count;
}

static void repeat_and_flush(void)
{
	for (int i = 0; i < 100; i++)
		log_warn("provider_down", "try=%d", i);
	log_info("something_else", "n=%d", 1);
	log_flush();
}

START_TEST(a_repeated_event_is_held_back_and_counted)
{
	struct log_settings settings = LOG_DEFAULTS;
	const char *text;

	settings.burst = 3;
	text = written(&settings, repeat_and_flush);
	ck_assert_uint_eq(occurrences(text, "event=provider_down try="), 3);
	ck_assert_uint_eq(occurrences(text, "event=provider_down suppressed=97"), 1);
	ck_assert_uint_eq(occurrences(text, "event=something_else"), 1);
}
END_TEST

static void all_levels(void)
{
	log_debug("d", "n=%d", 1);
	log_info("i", "n=%d", 1);
	log_warn("w", "n=%d", 1);
	log_error("e", "n=%d", 1);
}

static void repeat_info(void)
{
	for (int i = 0; i < 50; i++)
		log_info("call", "n=%d", i);
}

START_TEST(outcomes_have_a_larger_limit_than_faults)
{
	struct log_settings settings = LOG_DEFAULTS;

	settings.burst = 3;
	settings.info_burst = 40;
	ck_assert_uint_eq(occurrences(written(&settings, repeat_info), "event=call"), 40);
}
END_TEST

START_TEST(what_is_below_the_level_is_not_written)
{
	struct log_settings settings = LOG_DEFAULTS;

	settings.level = LOG_LEVEL_WARN;
	ck_assert_uint_eq(occurrences(written(&settings, all_levels), "event="), 2);
}
END_TEST

START_TEST(settings_are_read_from_words)
{
	struct log_settings settings = LOG_DEFAULTS;

	ck_assert(log_settings_parse(&settings, "debug,json"));
	ck_assert(settings.json && settings.level == LOG_LEVEL_DEBUG);
	ck_assert(log_settings_parse(&settings, "logfmt,all"));
	ck_assert(!settings.json && settings.burst == 0 && settings.info_burst == 0);
	ck_assert(!log_settings_parse(&settings, "loud"));
}
END_TEST

UNIT_TESTS(log, a_line_is_time_level_event_and_fields, a_value_cannot_forge_a_field_or_a_line,
	   a_value_with_our_own_field_break_stays_one_value,
	   json_lines_are_json_with_numbers_as_numbers, a_line_at_its_cap_is_cut_but_well_formed,
	   a_repeated_event_is_held_back_and_counted, outcomes_have_a_larger_limit_than_faults,
	   what_is_below_the_level_is_not_written, settings_are_read_from_words)
