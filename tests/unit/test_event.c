/* What is written to the outside is what the published schemas say. */
#include "event.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "embedded.h"
#include "ensure.h"
#include "schema.h"
#include "unit.h"

static struct job *read_job(const char *text)
{
	static const struct job_source place = {.cluster = "C", .topic = "t"};
	struct job_reader *reader = job_reader_create(1 << 20);
	struct error err = {0};
	struct job *job = job_read(reader, text, strlen(text), &place, &err);

	ck_assert_msg(job != NULL, "%s", err.text);
	job_reader_destroy(reader);
	return job;
}

/* The event's JSON, which must fit the schema. The caller's. */
static json_t *checked(const struct buffer *body, const char *schema_path)
{
	const char *text = embedded_text(schema_path);
	struct error err = {0};
	json_auto_t *document = json_read(text, strlen(text), JSON_OURS, &err);
	AUTO(schema_destroy) struct schema *schema = schema_compile(document, &err);
	json_t *value = json_read(body->data, body->len, JSON_OURS, &err);
	struct schema_errors errors = {0};
	char note[SCHEMA_NOTE];

	ck_assert_msg(value != NULL, "%s: %s", body->data, err.text);
	ck_assert_msg(schema_check(schema, value, &errors), "%s\n%s", body->data,
		      schema_errors_note(&errors, note));
	return value;
}

static struct event event_of(const struct job *job)
{
	return (struct event){
		.event_id = job_event_id(&job->id, 0, 1, "result", "sluice.results"),
		.job = job,
		.hop = 1,
		.outcome = "done",
		.reason = "accepted",
		.detail = "",
		.confidence = NAN,
		.tier = "economy",
		.lane = "normal",
		.provider = "openai",
		.model = "gpt-4o-mini-2024-07-18",
		.attempts = 2,
		.usage = {.known = true, .input = 10, .output = 5},
		.cost = 42300000,
		.queued = 5 * NSEC_PER_MSEC,
		.calling = 900 * NSEC_PER_MSEC,
		.total = NSEC_PER_SEC,
		.finished_at = 1795234860 * NSEC_PER_SEC,
	};
}

START_TEST(a_result_carries_the_models_own_bytes)
{
	static const char answer[] = "{ \"total\": 1249.50, \"n\": 1e2, \"s\": \"\\u00e9\" }";
	AUTO(job_destroy) struct job *job = read_job(embedded_text("schemas/examples/job.json"));
	AUTO_FINISH(buffer_finish) struct buffer body = {0};
	struct event event = event_of(job);
	json_auto_t *value = NULL;

	event.output = answer;
	event.output_len = strlen(answer);
	event.is_json = true;
	event.confidence = 0.97;
	event_result(&event, &body);
	value = checked(&body, "schemas/result.json");
	ck_assert_ptr_nonnull(strstr(body.data, answer));
	ck_assert_str_eq(json_text(value, "business_unit", ""), "claims");
	ck_assert_str_eq(json_text(value, "cost_usd", ""), "0.0000423");
	ck_assert_str_eq(json_text(value, "cost_pico", ""), "42300000");
	ck_assert_str_eq(json_text(value, "finished_at", ""), "2026-11-21T04:21:00.000Z");
	ck_assert(json_equal(json_object_get(value, "metadata"), job->metadata));
}
END_TEST

START_TEST(calls_for_tools_are_told_without_a_text)
{
	static const char calls[] = "[{\"id\":\"c\",\"type\":\"function\",\"function\":{\"name\":"
				    "\"f\",\"arguments\":\"{\\\"n\\\":1e2}\"}}]";
	AUTO(job_destroy) struct job *job = read_job(embedded_text("schemas/examples/job.json"));
	AUTO_FINISH(buffer_finish) struct buffer body = {0};
	struct event event = event_of(job);
	json_auto_t *value = NULL;

	event.tool_calls = calls;
	event_result(&event, &body);
	value = checked(&body, "schemas/result.json");
	ck_assert_ptr_nonnull(strstr(body.data, calls));
	ck_assert_ptr_null(json_object_get(value, "text"));
}
END_TEST

START_TEST(a_text_is_a_string_whatever_is_in_it)
{
	static const char answer[] = "He said \"hi\"\n\x01\xff</script>";
	AUTO(job_destroy)
	struct job *job = read_job(embedded_text("schemas/examples/job-minimal.json"));
	AUTO_FINISH(buffer_finish) struct buffer body = {0};
	struct event event = event_of(job);
	json_auto_t *value = NULL;

	event.output = answer;
	event.output_len = strlen(answer);
	event.cost = PICO_UNPRICED;
	event_result(&event, &body);
	value = checked(&body, "schemas/result.json");
	ck_assert_ptr_nonnull(strstr(json_text(value, "text", ""), "He said \"hi\"\n"));
	ck_assert(json_is_null(json_object_get(value, "cost_pico")));
	ck_assert(json_bool_or(value, "unpriced", false));
}
END_TEST

START_TEST(ends_without_an_answer_fit_their_contracts)
{
	AUTO(job_destroy)
	struct job *job = read_job(
		"{\"version\":1,\"job_id\":\"0197A1B2-7C3D-7E4F-8A5B-6C7D8E9F0A1B\","
		"\"parent_job_id\":\"0197A1B2-7C3D-7E4F-8A5B-6C7D8E9F0A1B\","
		"\"business_unit\":\"\\\"\\u00fc\\\\\",\"plan\":\"free\","
		"\"prompt\":{\"messages\":[{\"role\":\"user\",\"content\":\"x\"}]}}");
	AUTO_FINISH(buffer_finish) struct buffer cancelled = {0};
	AUTO_FINISH(buffer_finish) struct buffer dead = {0};
	struct event event = event_of(job);

	event.outcome = "cancelled";
	event.reason = "cancelled";
	event.tier = event.lane = event.provider = event.model = "";
	event.attempts = 0;
	event.cost = 0;
	event_result(&event, &cancelled);
	json_decref(checked(&cancelled, "schemas/result.json"));
	event.outcome = "dead";
	event.reason = "max_attempts";
	event.detail = "the provider said \"no\"\n";
	event_dead_letter(&event, &dead);
	json_decref(checked(&dead, "schemas/dead-letter.json"));
}
END_TEST

START_TEST(a_message_is_kept_in_base64_and_cut_where_it_is_long)
{
	static const size_t rooms[] = {0, 1, 2, 3, 4, 5, 100};

	for (size_t i = 0; i < COUNT_OF(rooms); i++) {
		AUTO_FINISH(buffer_finish) struct buffer body = {0};
		struct event_message message = {
			.event_id = uuid_make(),
			.topic = "sluice.intake",
			.partition = 3,
			.offset = 99120,
			.reason = "unparseable",
			.detail = "not JSON at line 1, column 2",
			.bytes = "\xff\x00{x\n",
			.len = 5,
			.max_bytes = rooms[i],
			.at = 1795234860 * NSEC_PER_SEC,
		};
		json_auto_t *value = NULL;

		event_message_dead_letter(&message, &body);
		value = checked(&body, "schemas/dead-letter.json");
		ck_assert_int_eq(json_bool_or(value, "truncated", false), rooms[i] < 5);
		ck_assert_int_eq(json_integer_or(value, "size", 0), 5);
		if (rooms[i] >= 5)
			ck_assert_str_eq(json_text(value, "bytes", ""), "/wB7eAo=");
	}
}
END_TEST

UNIT_TESTS(event, a_result_carries_the_models_own_bytes, calls_for_tools_are_told_without_a_text,
	   a_text_is_a_string_whatever_is_in_it, ends_without_an_answer_fit_their_contracts,
	   a_message_is_kept_in_base64_and_cut_where_it_is_long)
