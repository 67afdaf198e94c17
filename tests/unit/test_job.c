#include "job.h"

#include <dirent.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "buffer.h"
#include "embedded.h"
#include "ensure.h"
#include "unit.h"

#define MAX_BYTES (4 << 20)

static const struct job_source place = {
	.cluster = "C", .topic = "sluice.intake", .partition = 3, .offset = 99120};

static struct job *read_bytes(const char *bytes, size_t len, const struct job_source *source,
			      struct error *err)
{
	struct job_reader *reader = job_reader_create(MAX_BYTES);
	struct job *job = job_read(reader, bytes, len, source, err);

	job_reader_destroy(reader);
	return job;
}

static struct job *must_read(const char *text)
{
	struct error err = {0};
	struct job *job = read_bytes(text, strlen(text), &place, &err);

	ck_assert_msg(job != NULL, "%.200s: %s", text, err.text);
	return job;
}

static void read_file(const char *folder, const char *name, struct buffer *content)
{
	char *path = xasprintf(TEST_DATA "/job/%s/%s", folder, name);
	FILE *file = fopen(path, "r");
	char block[4096];
	size_t len;

	ck_assert_msg(file != NULL, "%s", path);
	buffer_append(content, "", 0);
	while ((len = fread(block, 1, sizeof(block), file)) > 0)
		buffer_append(content, block, len);
	fclose(file);
	free(path);
}

/* One folder: message.json, and in expect "ok" or how the error begins. */
static void check_case(const struct job_reader *reader, const char *folder)
{
	AUTO_FINISH(buffer_finish) struct buffer message = {0};
	AUTO_FINISH(buffer_finish) struct buffer expect = {0};
	struct error err = {0};
	struct job *job;

	read_file(folder, "message.json", &message);
	read_file(folder, "expect", &expect);
	ck_assert_uint_gt(expect.len, 1);
	expect.data[expect.len - 1] = '\0';
	job = job_read(reader, message.len ? message.data : "", message.len, &place, &err);
	if (!strcmp(expect.data, "ok")) {
		ck_assert_msg(job != NULL, "%s: %s", folder, err.text);
	} else {
		ck_assert_msg(!job, "%s was read", folder);
		ck_assert_int_eq(err.kind, ERROR_REJECT);
		ck_assert_msg(!strncmp(err.text, expect.data, strlen(expect.data)),
			      "%s: %s, not %s", folder, err.text, expect.data);
	}
	job_destroy(job);
}

START_TEST(every_message_of_the_table_is_read_or_refused_as_it_says)
{
	struct job_reader *reader = job_reader_create(MAX_BYTES);
	DIR *table = opendir(TEST_DATA "/job");
	struct dirent *entry;
	size_t cases = 0;

	ck_assert_ptr_nonnull(table);
	while ((entry = readdir(table)))
		if (entry->d_name[0] != '.') {
			check_case(reader, entry->d_name);
			cases++;
		}
	closedir(table);
	job_reader_destroy(reader);
	ck_assert_uint_gt(cases, 100);
}
END_TEST

static void refused(const struct buffer *message, const char *why)
{
	struct error err = {0};

	ck_assert(!read_bytes(message->data, message->len, &place, &err));
	ck_assert_msg(strstr(err.text, why), "%s", err.text);
}

/* A job whose member `metadata` is opened and closed so often. */
static void nest(struct buffer *message, size_t depth)
{
	buffer_text(message, "{\"version\":1,\"business_unit\":\"b\",\"prompt\":{\"messages\":"
			     "[{\"role\":\"user\",\"content\":\"x\"}]},\"metadata\":{\"a\":");
	for (size_t i = 0; i < depth; i++)
		buffer_byte(message, '[');
	for (size_t i = 0; i < depth; i++)
		buffer_byte(message, ']');
	buffer_text(message, "}}");
}

START_TEST(depth_is_refused_before_it_hurts)
{
	static const size_t depths[] = {17, 500, 2000, 2048, 10000, 1000000};

	for (size_t i = 0; i < COUNT_OF(depths); i++) {
		AUTO_FINISH(buffer_finish) struct buffer message = {0};

		nest(&message, depths[i]);
		refused(&message, depths[i] <= 2000 ? "/metadata is too large" : "not JSON");
	}
}
END_TEST

START_TEST(ten_mebibytes_are_refused_unread)
{
	AUTO_FINISH(buffer_finish) struct buffer message = {0};

	while (message.len < 10 << 20)
		buffer_text(&message,
			    "{\"version\":1,\"business_unit\":\"bbbbbbbbbbbbbbbbbbbbbbbbbb");
	refused(&message, "the most is 4194304");
}
END_TEST

START_TEST(what_is_as_large_as_allowed_is_read)
{
	AUTO_FINISH(buffer_finish) struct buffer message = {0};
	struct error err = {0};
	struct job *job;

	buffer_text(&message, "{\"version\":1,\"business_unit\":\"b\",\"prompt\":{\"messages\":"
			      "[{\"role\":\"user\",\"content\":\"");
	while (message.len < MAX_BYTES - 5)
		buffer_byte(&message, 'x');
	buffer_text(&message, "\"}]}}");
	ck_assert_uint_eq(message.len, MAX_BYTES);
	job = read_bytes(message.data, message.len, &place, &err);
	ck_assert_msg(job != NULL, "%s", err.text);
	job_destroy(job);
	buffer_byte(&message, ' ');
	refused(&message, "the message is 4194305 bytes");
}
END_TEST

START_TEST(errors_do_not_quote_the_prompt)
{
	static const char *const bad[] = {
		"{\"version\":1,\"prompt\":{\"messages\":[{\"content\":\"confidential\" oops",
		"{\"version\":1,\"business_unit\":\"b\",\"prompt\":{\"messages\":[{\"role\":"
		"\"user\","
		"\"content\":[\"confidential\"]}]}}",
		"{\"version\":1,\"business_unit\":\"b\",\"prompt\":\"confidential\"}",
		"{\"version\":1 confidential"};

	for (size_t i = 0; i < COUNT_OF(bad); i++) {
		struct error err = {0};

		ck_assert(!read_bytes(bad[i], strlen(bad[i]), &place, &err));
		ck_assert_msg(!strstr(err.text, "confidential"), "%s", err.text);
	}
}
END_TEST

START_TEST(a_full_job_is_read_whole)
{
	struct job *job = must_read(embedded_text("schemas/examples/job.json"));
	char id[UUID_TEXT];

	ck_assert(!job->thin);
	ck_assert_str_eq(uuid_format(id, &job->id), "0197a1b2-7c3d-7e4f-8a5b-6c7d8e9f0a1b");
	ck_assert_str_eq(job->business_unit, "claims");
	ck_assert_str_eq(job->feature, "invoice-intake");
	ck_assert_str_eq(job->environment, "production");
	ck_assert_str_eq(job->usage_tier, "enterprise");
	ck_assert_str_eq(job->user, "u-48213");
	ck_assert_str_eq(job->task, "extract-invoice");
	ck_assert(!job->free_plan);
	ck_assert_str_eq(job->prompt_name, "invoice-extraction");
	ck_assert_str_eq(job->prompt_version, "14");
	ck_assert_uint_eq(json_array_size(job->messages), 2);
	ck_assert(job->output_given);
	ck_assert_str_eq(job->output_name, "invoice");
	ck_assert(json_is_object(job->output_schema));
	ck_assert_int_eq(job->max_output_tokens, 512);
	ck_assert_double_eq(job->temperature, 0);
	ck_assert_double_eq(job->top_p, 1);
	ck_assert_uint_eq(json_array_size(job->stop), 1);
	ck_assert_int_eq(json_integer_value(job->seed), 7);
	ck_assert_str_eq(job->reasoning_effort, "low");
	ck_assert_str_eq(job->tier, "auto");
	ck_assert_str_eq(job->max_tier, "frontier");
	ck_assert_int_eq(job->lane, LANE_AUTO);
	ck_assert(job->deadline == (nsec)1795327200 * NSEC_PER_SEC);
	ck_assert(job->not_before == (nsec)1795280400 * NSEC_PER_SEC);
	ck_assert(job->max_cost == PICO_PER_USD / 20);
	ck_assert_int_eq(job->data_class, DATA_INTERNAL);
	ck_assert_int_eq(job->quality, QUALITY_HIGH);
	ck_assert(job->quality_given);
	ck_assert_str_eq(json_text(job->callback, "url", ""),
			 "https://claims.example.com/hooks/sluice");
	ck_assert_str_eq(job->reply_topic, "sluice.replies.claims");
	ck_assert_str_eq(job->parent, "0197a1b2-0000-7000-8000-000000000001");
	ck_assert_str_eq(job->step, "extract");
	ck_assert_uint_eq(json_object_size(job->metadata), 2);
	ck_assert_str_eq(json_text(job->routed, "tier", ""), "economy");
	job_destroy(job);
}
END_TEST

START_TEST(a_minimal_job_has_the_defaults)
{
	struct job *job = must_read(embedded_text("schemas/examples/job-minimal.json"));

	ck_assert_str_eq(job->feature, "");
	ck_assert_str_eq(job->task, "");
	ck_assert_str_eq(job->prompt_name, "");
	ck_assert_ptr_null(job->tools);
	ck_assert_ptr_null(job->output_schema);
	ck_assert(!job->output_given);
	ck_assert_str_eq(job->output_name, "answer");
	ck_assert_int_eq(job->max_output_tokens, 0);
	ck_assert(isnan(job->temperature) && isnan(job->top_p));
	ck_assert_ptr_null(job->stop);
	ck_assert_ptr_null(job->seed);
	ck_assert_str_eq(job->reasoning_effort, "");
	ck_assert_str_eq(job->tier, "auto");
	ck_assert_str_eq(job->max_tier, "");
	ck_assert_int_eq(job->lane, LANE_AUTO);
	ck_assert(job->deadline == 0 && job->not_before == 0 && job->max_cost == 0);
	ck_assert_int_eq(job->data_class, DATA_INTERNAL);
	ck_assert_int_eq(job->quality, QUALITY_NORMAL);
	ck_assert(!job->quality_given);
	ck_assert_ptr_null(job->callback);
	ck_assert_str_eq(job->reply_topic, "");
	ck_assert_str_eq(job->parent, "");
	ck_assert_ptr_null(job->metadata);
	ck_assert_ptr_null(job->routed);
	ck_assert_int_eq(job->run, 0);
	ck_assert_int_eq(job->hop, 0);
	job_destroy(job);
}
END_TEST

START_TEST(headers_give_a_full_job_its_run_and_hop)
{
	const char *text = embedded_text("schemas/examples/job-minimal.json");
	struct job_source source = place;
	struct error err = {0};
	struct job *job;

	source.run = 2;
	source.hop = 1;
	job = read_bytes(text, strlen(text), &source, &err);
	ck_assert_int_eq(job->run, 2);
	ck_assert_int_eq(job->hop, 1);
	job_destroy(job);
}
END_TEST

START_TEST(a_thin_message_survives_its_writing)
{
	struct uuid id = uuid_make();
	char *text = job_thin_message(&id, 4, 7);
	struct job *job = must_read(text);

	ck_assert(job->thin);
	ck_assert(uuid_equal(&job->id, &id));
	ck_assert_int_eq(job->run, 4);
	ck_assert_int_eq(job->hop, 7);
	ck_assert_str_eq(job->business_unit, "");
	ck_assert_ptr_null(job->messages);
	job_destroy(job);
	free(text);
}
END_TEST

#define BODY                                                                                       \
	"\"business_unit\":\"b\",\"prompt\":{\"messages\":[{\"role\":\"user\",\"content\":\"x\"}]" \
	"}"

START_TEST(the_same_key_is_the_same_job)
{
	struct job *a = must_read("{\"version\":1,\"idempotency_key\":\"k\"," BODY "}");
	struct job *b = must_read("{" BODY ",\"idempotency_key\":\"k\",\"version\":1}");
	struct job *c = must_read("{\"version\":1,\"idempotency_key\":\"l\"," BODY "}");
	struct uuid by_key = job_id_from_key("b", "k"), other = job_id_from_key("bk", "");
	char text[UUID_TEXT];

	ck_assert(uuid_equal(&a->id, &b->id));
	ck_assert(uuid_equal(&a->id, &by_key));
	ck_assert(!uuid_equal(&a->id, &c->id));
	ck_assert(!uuid_equal(&a->id, &other));
	uuid_format(text, &a->id);
	ck_assert_int_eq(text[14], '8');
	ck_assert_ptr_nonnull(strchr("89ab", text[19]));
	/* Written down: it must be the same in every version of the program. */
	ck_assert_str_eq(text, "f13d7b63-3069-8272-b39c-bbce610a1aab");
	job_destroy(a);
	job_destroy(b);
	job_destroy(c);
}
END_TEST

START_TEST(without_id_or_key_the_place_is_the_job)
{
	const struct job_source places[] = {
		place,
		{.cluster = "D", .topic = "sluice.intake", .partition = 3, .offset = 99120},
		{.cluster = "C", .topic = "sluice.intake2", .partition = 3, .offset = 99120},
		{.cluster = "C", .topic = "sluice.intake", .partition = 39, .offset = 9120},
		{.cluster = "C", .topic = "sluice.intake", .partition = 3, .offset = 99121},
	};
	struct job *job = must_read("{\"version\":1," BODY "}");
	char text[UUID_TEXT];

	for (size_t i = 0; i < COUNT_OF(places); i++) {
		struct uuid id = job_id_from_source(&places[i]);

		ck_assert_int_eq(uuid_equal(&job->id, &id), i == 0);
	}
	ck_assert_str_eq(uuid_format(text, &job->id), "2c4e7c9c-e401-8e11-b95d-6f0a4b130c22");
	job_destroy(job);
}
END_TEST

static void fingerprints(const char *a_text, const char *b_text, bool same)
{
	struct job *a = must_read(a_text), *b = must_read(b_text);

	ck_assert_msg(digest_equal(&a->fingerprint, &b->fingerprint) == same, "%s and\n%s", a_text,
		      b_text);
	job_destroy(a);
	job_destroy(b);
}

START_TEST(the_fingerprint_is_of_what_is_asked)
{
	static const char plain[] = "{\"version\":1," BODY "}";

	fingerprints(plain, "{ " BODY " , \"version\" : 1 }", true);
	fingerprints(plain, "{\"version\":1,\"metadata\":{\"a\":1}," BODY "}", true);
	fingerprints(plain, "{\"version\":1,\"feature\":\"f\",\"step\":\"s\"," BODY "}", true);
	fingerprints("{\"version\":1,\"parameters\":{\"seed\":1,\"temperature\":0.5}," BODY "}",
		     "{\"version\":1,\"parameters\":{\"temperature\":0.50,\"seed\":1}," BODY "}",
		     true);
	fingerprints(plain, "{\"version\":1,\"parameters\":{\"seed\":1}," BODY "}", false);
	fingerprints(plain, "{\"version\":1,\"output\":{\"type\":\"text\"}," BODY "}", false);
	fingerprints(plain, "{\"version\":1,\"routing\":{\"lane\":\"batch\"}," BODY "}", false);
	fingerprints(plain,
		     "{\"version\":1,\"business_unit\":\"b\",\"prompt\":{\"messages\":[{\"role\":"
		     "\"user\",\"content\":\"y\"}]}}",
		     false);
}
END_TEST

START_TEST(an_event_is_the_same_only_for_the_same_debt)
{
	struct uuid job = job_id_from_key("b", "k"), other = job_id_from_key("b", "l");
	struct uuid event = job_event_id(&job, 1, 2, "result", "sluice.results");
	const struct uuid others[] = {
		job_event_id(&other, 1, 2, "result", "sluice.results"),
		job_event_id(&job, 2, 2, "result", "sluice.results"),
		job_event_id(&job, 1, 1, "result", "sluice.results"),
		job_event_id(&job, 12, 2, "result", "sluice.results"),
		job_event_id(&job, 1, 2, "hop", "sluice.results"),
		job_event_id(&job, 1, 2, "result", "sluice.result"),
	};
	struct uuid again = job_event_id(&job, 1, 2, "result", "sluice.results");

	ck_assert(uuid_equal(&event, &again));
	for (size_t i = 0; i < COUNT_OF(others); i++)
		ck_assert_msg(!uuid_equal(&event, &others[i]), "%zu", i);
}
END_TEST

START_TEST(lanes_survive_their_names)
{
	for (int i = 0; i <= LANE_AUTO; i++) {
		enum lane lane;

		ck_assert(lane_parse(lane_name((enum lane)i), &lane));
		ck_assert_int_eq(lane, i);
	}
	ck_assert(!lane_parse("fast", &(enum lane){0}));
}
END_TEST

START_TEST(a_shared_schema_takes_the_place_of_the_jobs_own)
{
	struct job *job = must_read(
		"{\"version\":1,\"business_unit\":\"b\",\"prompt\":{\"messages\":[{\"role\":"
		"\"user\",\"content\":\"x\"}]},\"output\":{\"type\":\"json_schema\",\"schema\":"
		"{\"type\":\"object\"}}}");
	json_auto_t *shared = json_pack("{s:s}", "type", "object");
	const json_t *output = json_object_get(job->envelope, "output");

	job_share_schema(job, shared);
	job_share_schema(job, shared); /* again is fine */
	ck_assert_ptr_eq(job->output_schema, shared);
	ck_assert_ptr_eq(json_object_get(output, "schema"), shared);
	job_destroy(job);
	ck_assert_str_eq(json_text(shared, "type", ""), "object"); /* still the sharer's */
}
END_TEST

UNIT_TESTS(job, every_message_of_the_table_is_read_or_refused_as_it_says,
	   depth_is_refused_before_it_hurts, ten_mebibytes_are_refused_unread,
	   what_is_as_large_as_allowed_is_read, errors_do_not_quote_the_prompt,
	   a_full_job_is_read_whole, a_minimal_job_has_the_defaults,
	   headers_give_a_full_job_its_run_and_hop, a_thin_message_survives_its_writing,
	   the_same_key_is_the_same_job, without_id_or_key_the_place_is_the_job,
	   the_fingerprint_is_of_what_is_asked, an_event_is_the_same_only_for_the_same_debt,
	   a_shared_schema_takes_the_place_of_the_jobs_own, lanes_survive_their_names)
