#include "batch_wire.h"

#include <stdio.h>
#include <string.h>

#include "unit.h"

#define OPENAI batch_wire_find("openai")
#define ANTHROPIC batch_wire_find("anthropic")

static struct batch_report report_of(const struct batch_wire *wire, const char *text)
{
	struct batch_report report;
	struct error err;

	ck_assert_msg(batch_wire_report(wire, text, strlen(text), &report, &err), "%s", err.text);
	return report;
}

static struct batch_result result_of(const struct batch_wire *wire, const char *line)
{
	struct batch_result result;
	struct error err;

	ck_assert_msg(batch_wire_result(wire, line, strlen(line), &result, &err), "%s", err.text);
	return result;
}

START_TEST(lines_carry_the_body_untouched)
{
	struct buffer out = {0};

	batch_wire_line(OPENAI, "id-1", "{\"a\":1.0}", 9, &out);
	ck_assert_str_eq(out.data, "{\"custom_id\":\"id-1\",\"method\":\"POST\",\"url\":"
				   "\"/v1/chat/completions\",\"body\":{\"a\":1.0}}");
	buffer_clear(&out);
	batch_wire_begin(ANTHROPIC, "", "", &out);
	batch_wire_line(ANTHROPIC, "id-1", "{}", 2, &out);
	batch_wire_between(ANTHROPIC, &out);
	batch_wire_line(ANTHROPIC, "id-2", "{}", 2, &out);
	batch_wire_end(ANTHROPIC, "", &out);
	ck_assert_str_eq(out.data, "{\"requests\":[{\"custom_id\":\"id-1\",\"params\":{}},"
				   "{\"custom_id\":\"id-2\",\"params\":{}}]}");
	buffer_finish(&out);
}
END_TEST

START_TEST(a_line_of_a_file_is_one_line_for_every_reader)
{
	static const char body[] =
		"{\"a\":\"\xc2\x85-\xe2\x80\xa8-\xe2\x80\xa9\",\"b\":\"\xe2\x82\xac\"}";
	struct buffer out = {0};

	ck_assert(batch_wire_line(OPENAI, "i", body, sizeof(body) - 1, &out));
	ck_assert_ptr_nonnull(strstr(out.data, "{\"a\":\"\\u0085-\\u2028-\\u2029\",\"b\":"
					       "\"\xe2\x82\xac\"}}"));
	buffer_clear(&out);
	ck_assert(batch_wire_line(ANTHROPIC, "i", body, sizeof(body) - 1, &out));
	ck_assert_ptr_nonnull(strstr(out.data, body));
	buffer_clear(&out);
	ck_assert(batch_wire_line(OPENAI, "i", "\xe2\x80", 2, &out)); /* cut off: as it came */
	ck_assert_ptr_nonnull(strstr(out.data, "\xe2\x80}"));
	buffer_finish(&out);
}
END_TEST

START_TEST(a_batch_has_ended_even_if_its_lines_have_not_all_run)
{
	static const char *const words[] = {"completed", "expired", "cancelled"};
	char text[200];

	for (size_t i = 0; i < COUNT_OF(words); i++) {
		snprintf(text, sizeof(text),
			 "{\"id\":\"batch_1\",\"status\":\"%s\",\"error_file_id\":\"\"}", words[i]);
		ck_assert_int_eq(report_of(OPENAI, text).phase, BATCH_PHASE_ENDED);
	}
	ck_assert_int_eq(report_of(OPENAI, "{\"id\":\"b\",\"status\":\"something_new\"}").phase,
			 BATCH_PHASE_RUNNING);
	ck_assert(report_of(OPENAI, "{\"id\":\"b\",\"status\":\"cancelling\"}").cancelling);
}
END_TEST

START_TEST(null_absent_and_empty_files_are_none)
{
	static const char *const spellings[] = {
		"{\"id\":\"b\",\"status\":\"completed\",\"output_file_id\":\"file-1\",\"error_file_"
		"id\":null}",
		"{\"id\":\"b\",\"status\":\"completed\",\"output_file_id\":\"file-1\",\"error_file_"
		"id\":\"\"}",
		"{\"id\":\"b\",\"status\":\"completed\",\"output_file_id\":\"file-1\"}",
	};

	for (size_t i = 0; i < COUNT_OF(spellings); i++) {
		struct batch_report report = report_of(OPENAI, spellings[i]);

		ck_assert_str_eq(report.output_id, "file-1");
		ck_assert_str_eq(report.error_id, "");
	}
}
END_TEST

START_TEST(a_failure_names_its_lines_or_the_token_limit)
{
	struct batch_report report = report_of(
		OPENAI, "{\"id\":\"b\",\"status\":\"failed\",\"errors\":{\"data\":["
			"{\"code\":\"invalid_json_line\",\"message\":\"m\",\"line\":7},"
			"{\"code\":\"model_mismatch\",\"line\":9}]}}");

	ck_assert_int_eq(report.phase, BATCH_PHASE_FAILED);
	ck_assert_uint_eq(report.bad_line_count, 2);
	ck_assert_int_eq(report.bad_lines[0], 7);
	ck_assert_str_eq(report.code, "invalid_json_line");
	ck_assert(!report.token_limit);
	report = report_of(OPENAI, "{\"id\":\"b\",\"status\":\"failed\",\"errors\":{\"data\":["
				   "{\"code\":\"token_limit_exceeded\",\"line\":null}]}}");
	ck_assert(report.token_limit);
	ck_assert_uint_eq(report.bad_line_count, 0);
}
END_TEST

START_TEST(anthropics_lines_are_summed_whatever_became_of_them)
{
	struct batch_report report = report_of(
		ANTHROPIC,
		"{\"id\":\"msgbatch_1\",\"processing_status\":\"ended\",\"created_at\":"
		"\"2026-11-21T10:00:00Z\",\"request_counts\":{\"processing\":0,\"succeeded\":5,"
		"\"errored\":1,\"canceled\":2,\"expired\":3}}");

	ck_assert_int_eq(report.phase, BATCH_PHASE_ENDED);
	ck_assert_int_eq(report.total, 11);
	ck_assert_int_eq(report.completed, 5);
	ck_assert_str_eq(report.output_id, "msgbatch_1");
	ck_assert(report.created > 0);
	report = report_of(ANTHROPIC,
			   "{\"id\":\"msgbatch_1\",\"processing_status\":\"in_progress\","
			   "\"request_counts\":{\"processing\":11}}");
	ck_assert_int_eq(report.total, 11);
	ck_assert_int_eq(report.completed, -1);
}
END_TEST

START_TEST(counts_that_no_batch_can_have_are_not_told)
{
	struct batch_report report = report_of(
		ANTHROPIC,
		"{\"id\":\"m\",\"processing_status\":\"ended\",\"request_counts\":{\"processing\":"
		"9223372036854775807,\"succeeded\":9223372036854775807,\"errored\":-3,\"expired\":"
		"2}}");

	ck_assert_int_eq(report.total, 2);
	ck_assert_int_eq(report.completed, 0);
	ck_assert_int_eq(report.failed, 2);
	report = report_of(OPENAI, "{\"id\":\"b\",\"status\":\"completed\",\"request_counts\":{"
				   "\"total\":-7,\"completed\":9223372036854775807,\"failed\":1}}");
	ck_assert_int_eq(report.total, -1);
	ck_assert_int_eq(report.completed, -1);
	ck_assert_int_eq(report.failed, 1);
}
END_TEST

START_TEST(an_id_that_would_lead_elsewhere_is_none)
{
	const char *text = "{\"id\":\"../files/x\",\"status\":\"completed\"}";
	struct batch_report report;
	char id[BATCH_ID_TEXT];
	struct error err;

	ck_assert(!batch_wire_report(OPENAI, text, strlen(text), &report, &err));
	ck_assert(!batch_wire_file_id("{\"id\":\"a/b\"}", 12, id, &err));
	ck_assert(!batch_wire_file_id("{}", 2, id, &err));
	ck_assert(!batch_wire_report(OPENAI, "[]", 2, &report, &err));
}
END_TEST

START_TEST(a_page_knows_where_the_next_begins)
{
	const char *text =
		"{\"data\":[{\"id\":\"b2\",\"status\":\"completed\",\"input_file_id\":\"file-2\","
		"\"metadata\":{\"sluice_batch\":\"x-y\"}},{\"broken\":1}],\"has_more\":true,"
		"\"last_id\":\"b2\"}";
	struct batch_page page;
	struct error err;

	ck_assert(batch_wire_page(OPENAI, text, strlen(text), &page, &err));
	ck_assert_uint_eq(page.count, 1);
	ck_assert_str_eq(page.reports[0].our_id, "x-y");
	ck_assert_str_eq(page.reports[0].file_id, "file-2");
	ck_assert(page.has_more);
	ck_assert_str_eq(page.last_id, "b2");
	batch_page_finish(&page);
}
END_TEST

START_TEST(a_line_tells_what_a_call_would_have_told)
{
	struct batch_result r = result_of(
		OPENAI, "{\"custom_id\":\"c\",\"response\":{\"status_code\":200,"
			"\"request_id\":\"r\",\"body\":{\"x\":[1]}},\"error\":null}\n");

	ck_assert_int_eq(r.fate, BATCH_ANSWERED);
	ck_assert_int_eq(r.status, 200);
	ck_assert_mem_eq(r.body, "{\"x\":[1]}", r.len);
	ck_assert_str_eq(r.request_id, "r");
	r = result_of(
		OPENAI,
		"{\"custom_id\":\"c\",\"response\":null,\"error\":{\"code\":\"batch_expired\"}}");
	ck_assert_int_eq(r.fate, BATCH_UNDONE);
	ck_assert_str_eq(r.code, "batch_expired");
	r = result_of(OPENAI,
		      "{\"custom_id\":\"c\",\"response\":{\"status_code\":0,\"body\":\"\"}}");
	ck_assert_int_eq(r.fate, BATCH_ANSWERED);
	ck_assert_int_eq(r.status, 0);
	r = result_of(
		ANTHROPIC,
		"{\"custom_id\":\"c\",\"result\":{\"type\":\"succeeded\",\"message\":{\"m\":1}}}");
	ck_assert_int_eq(r.status, 200);
	ck_assert_mem_eq(r.body, "{\"m\":1}", r.len);
	r = result_of(ANTHROPIC, "{\"custom_id\":\"c\",\"result\":{\"type\":\"errored\",\"error\":{"
				 "\"type\":\"error\","
				 "\"error\":{\"type\":\"overloaded_error\",\"message\":\"m\"}}}}");
	ck_assert_int_eq(r.status, 529);
	r = result_of(ANTHROPIC, "{\"custom_id\":\"c\",\"result\":{\"type\":\"expired\"}}");
	ck_assert_int_eq(r.fate, BATCH_UNDONE);
	ck_assert_str_eq(r.code, "batch_expired");
}
END_TEST

START_TEST(a_line_without_an_id_is_refused_and_garbage_is_undone)
{
	struct batch_result r;
	struct error err;

	ck_assert(!batch_wire_result(OPENAI, "", 0, &r, &err));
	ck_assert(!batch_wire_result(OPENAI, "{\"custom_id\":7}", 15, &r, &err));
	ck_assert(!batch_wire_result(OPENAI, "{\"response\":{", 13, &r, &err));
	r = result_of(OPENAI, "{\"custom_id\":\"c\"}");
	ck_assert_int_eq(r.fate, BATCH_UNDONE);
	ck_assert_str_eq(r.code, "batch_unreadable");
}
END_TEST

UNIT_TESTS(batch_wire, lines_carry_the_body_untouched,
	   a_line_of_a_file_is_one_line_for_every_reader,
	   a_batch_has_ended_even_if_its_lines_have_not_all_run,
	   null_absent_and_empty_files_are_none, a_failure_names_its_lines_or_the_token_limit,
	   anthropics_lines_are_summed_whatever_became_of_them,
	   counts_that_no_batch_can_have_are_not_told, an_id_that_would_lead_elsewhere_is_none,
	   a_page_knows_where_the_next_begins, a_line_tells_what_a_call_would_have_told,
	   a_line_without_an_id_is_refused_and_garbage_is_undone)
