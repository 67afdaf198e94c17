#include "forward.h"

#include <string.h>

#include "base64.h"
#include "ensure.h"
#include "unit.h"

#define NOW ((nsec)1700000000 * NSEC_PER_SEC)

static struct endpoint cloud = {.name = "cloud"};
static struct candidate model = {.endpoint = &cloud};
static struct tier tiers[] = {
	{.name = "economy", .rank = 0, .candidates = &model, .candidate_count = 1},
	{.name = "frontier", .rank = 1, .candidates = &model, .candidate_count = 1},
};
static struct task tasks[] = {{.name = "", .tier = ""}};
static struct config config = {
	.kafka = {.brokers = "b:9092", .prefix = "sluice", .max_message_bytes = 4096},
	.worker = {.max_hops = 6},
	.tiers = tiers,
	.tier_count = 2,
	.tasks = tasks,
	.task_count = 1,
};
static struct forwarder forwarder;
static struct forward forward;
static struct intake_message message;

#define JOB(members)                                           \
	"{\"version\":1,\"business_unit\":\"claims\"," members \
	"\"prompt\":{\"messages\":[{\"role\":\"user\",\"content\":\"Say 1.0e2\"}]}}"

#define PLACE                                                                               \
	(struct job_source)                                                                 \
	{                                                                                   \
		.cluster = "b:9092", .topic = "sluice.intake", .partition = 3, .offset = 42 \
	}

static void setup(void)
{
	if (!forwarder.reader)
		forwarder = (struct forwarder){.config = &config,
					       .reader = job_reader_create(4096)};
	forward_finish(&forward);
	forward = (struct forward){0};
}

static const struct forward *forwarded(const char *bytes)
{
	setup();
	message = (struct intake_message){
		.source = PLACE, .bytes = bytes, .len = bytes ? strlen(bytes) : 0};
	forward_make(&forwarder, &message, NOW, &forward);
	return &forward;
}

/* What arrives on the topic, as its reader sees it. */
static struct job *arrived(void)
{
	const struct job_source source = {.cluster = "b:9092", .topic = forward.topic, .offset = 7};
	struct error err;
	struct job *job = job_read(forwarder.reader, forward.value.data, forward.value.len, &source,
				   &err);

	ck_assert_msg(job != NULL, "%s: %s", forward.value.data, err.text);
	return job;
}

START_TEST(a_job_goes_to_its_topic_with_the_decision_in_front)
{
	const char *bytes = JOB("\"idempotency_key\":\"k\",\"routing\":{\"tier\":\"frontier\"},");
	struct job *job;

	ck_assert(!forwarded(bytes)->dead);
	ck_assert_str_eq(forward.topic, "sluice.frontier.normal");
	ck_assert_str_eq(forward.key, "claims");
	ck_assert_int_eq(forward.hop, 1);
	ck_assert_str_eq(forward.tier, "frontier");
	job = arrived();
	ck_assert_str_eq(json_text(job->routed, "tier", ""), "frontier");
	job_destroy(job);
}
END_TEST

START_TEST(the_producers_bytes_go_on_unchanged)
{
	const char *bytes = JOB("\"job_id\":\"01890a5d-ac96-774b-bcce-b302099a8057\",");
	const char *rest = bytes + 1;

	forwarded(bytes);
	ck_assert_uint_gt(forward.value.len, strlen(rest));
	ck_assert_str_eq(forward.value.data + forward.value.len - strlen(rest), rest);
	forwarded(" \n{ \"version\" : 1, \"idempotency_key\":\"k\", \"business_unit\":\"claims\","
		  "\"prompt\":{\"messages\":[{\"role\":\"user\",\"content\":\"x\"}]}}\n");
	job_destroy(arrived());
}
END_TEST

START_TEST(a_job_without_id_or_key_keeps_the_id_of_its_place_in_the_intake)
{
	const struct job_source source = PLACE;
	struct uuid id = job_id_from_source(&source);
	struct job *job;

	ck_assert(!forwarded(JOB(""))->dead);
	job = arrived();
	ck_assert(uuid_equal(&job->id, &id));
	ck_assert(uuid_equal(&forward.job_id, &id));
	job_destroy(job);
}
END_TEST

START_TEST(the_same_message_is_passed_on_as_the_same_job)
{
	char *first;

	forwarded(JOB(""));
	first = buffer_take(&forward.value);
	forwarded(JOB(""));
	ck_assert_str_eq(forward.value.data, first);
	free(first);
}
END_TEST

START_TEST(a_keyed_jobs_id_does_not_depend_on_where_it_lies)
{
	struct uuid id = job_id_from_key("claims", "k");
	struct job *job;

	forwarded(JOB("\"idempotency_key\":\"k\","));
	job = arrived();
	ck_assert(uuid_equal(&job->id, &id));
	job_destroy(job);
}
END_TEST

START_TEST(an_older_decision_is_replaced)
{
	struct job *job;

	ck_assert(!forwarded(JOB("\"routed\":{\"tier\":\"gone\",\"lane\":\"batch\"},"))->dead);
	job = arrived();
	ck_assert_str_eq(json_text(job->routed, "tier", ""), "economy");
	ck_assert(uuid_equal(&job->id, &forward.job_id));
	job_destroy(job);
}
END_TEST

START_TEST(every_hop_counts)
{
	setup();
	message = (struct intake_message){
		.source = PLACE,
		.bytes = JOB(""),
		.len = strlen(JOB("")),
	};
	message.source.hop = 2;
	forward_make(&forwarder, &message, NOW, &forward);
	ck_assert_int_eq(forward.hop, 3);
}
END_TEST

static char *job_of(const char *members, size_t size)
{
	size_t frame = strlen(JOB("\"metadata\":{\"x\":\"\"},")) + strlen(members);
	char *pad = xcalloc(1, size - frame + 1);
	char *job;

	memset(pad, 'x', size - frame);
	job = xasprintf("{\"version\":1,\"business_unit\":\"claims\",%s"
			"\"metadata\":{\"x\":\"%s\"},\"prompt\":{\"messages\":"
			"[{\"role\":\"user\",\"content\":\"Say 1.0e2\"}]}}",
			members, pad);
	free(pad);
	ck_assert_uint_eq(strlen(job), size);
	return job;
}

START_TEST(a_job_as_large_as_a_message_may_be_goes_on_without_the_decision)
{
	char *largest = job_of("\"idempotency_key\":\"k\",", 4096);
	struct job *job;

	ck_assert(!forwarded(largest)->dead);
	ck_assert_uint_eq(forward.value.len, 4096);
	job = arrived();
	ck_assert_ptr_null(job->routed);
	job_destroy(job);
	free(largest);
}
END_TEST

START_TEST(a_job_with_no_room_for_its_id_is_told_to_bring_one)
{
	char *largest = job_of("", 4096);

	ck_assert(forwarded(largest)->dead);
	ck_assert_ptr_nonnull(strstr(forward.why.text, "job_id"));
	free(largest);
}
END_TEST

/* Messages that are no job. */

static json_t *letter(void)
{
	struct error err;
	json_t *value = json_read(forward.value.data, forward.value.len, JSON_OURS, &err);

	ck_assert_msg(value != NULL, "%s: %s", forward.value.data, err.text);
	ck_assert_str_eq(forward.topic, "sluice.dead");
	ck_assert_str_eq(forward.key, "sluice.intake/3/42");
	ck_assert_str_eq(json_text(value, "kind", ""), "message");
	ck_assert_int_eq(json_integer_or(json_object_get(value, "source"), "offset", -1), 42);
	return value;
}

static const char *const no_jobs[] = {
	"",
	"{",
	"[]",
	"null",
	"\x01\xff not JSON",
	"{\"version\":1}",
	JOB("\"colour\":\"red\","),
	JOB("\"routing\":{\"tier\":\"gold\"},"),
	JOB("\"routing\":{\"data_class\":\"restricted\"},"),
	"{\"version\":1,\"job_id\":\"01890a5d-ac96-774b-bcce-b302099a8057\",\"run\":0,\"hop\":1}",
};

START_TEST(what_is_no_job_is_buried_with_its_bytes_and_why)
{
	for (size_t i = 0; i < COUNT_OF(no_jobs); i++) {
		struct buffer bytes = {0};
		const char *text;
		json_t *dead;

		ck_assert_msg(forwarded(no_jobs[i])->dead, "%s went on", no_jobs[i]);
		dead = letter();
		ck_assert_str_eq(json_text(dead, "reason", ""), "unparseable");
		ck_assert_str_eq(json_text(dead, "detail", ""), forward.why.text);
		text = json_text(dead, "bytes", "");
		ck_assert(base64_decode(&bytes, text, strlen(text)));
		ck_assert_uint_eq(bytes.len, strlen(no_jobs[i]));
		if (bytes.len > 0)
			ck_assert_mem_eq(bytes.data, no_jobs[i], bytes.len);
		ck_assert(!json_bool_or(dead, "truncated", true));
		buffer_finish(&bytes);
		json_decref(dead);
	}
}
END_TEST

START_TEST(a_message_without_a_value_is_buried)
{
	ck_assert(forwarded(NULL)->dead);
	json_decref(letter());
}
END_TEST

START_TEST(a_message_older_than_the_fleet_remembers_is_not_run_again)
{
	setup();
	config.worker.max_job_age = 3600 * NSEC_PER_SEC;
	message = (struct intake_message){.source = PLACE,
					  .bytes = JOB(""),
					  .len = strlen(JOB("")),
					  .sent = NOW - 3600 * NSEC_PER_SEC};
	forward_make(&forwarder, &message, NOW, &forward);
	ck_assert(!forward.dead);
	forward_finish(&forward);
	setup();
	message.sent--;
	forward_make(&forwarder, &message, NOW, &forward);
	ck_assert(forward.dead);
	ck_assert_str_eq(forward.reason, "impossible");
	config.worker.max_job_age = 0;
}
END_TEST

START_TEST(what_no_broker_takes_is_buried_and_a_dead_letter_loses_its_bytes)
{
	struct error why;
	json_t *dead;

	error_set(&why, ERROR_REJECT, "message size too large");
	ck_assert(!forwarded(JOB(""))->dead);
	forward_bury(&forwarder, &message, NOW, &why, &forward);
	dead = letter();
	ck_assert(!json_bool_or(dead, "truncated", true));
	json_decref(dead);
	forward_bury(&forwarder, &message, NOW, &why, &forward);
	dead = letter();
	ck_assert(json_bool_or(dead, "truncated", false));
	ck_assert_str_eq(json_text(dead, "bytes", ""), "");
	ck_assert_str_eq(json_text(dead, "detail", ""), "message size too large");
	json_decref(dead);
}
END_TEST

UNIT_TESTS(forward, a_job_goes_to_its_topic_with_the_decision_in_front,
	   the_producers_bytes_go_on_unchanged,
	   a_job_without_id_or_key_keeps_the_id_of_its_place_in_the_intake,
	   the_same_message_is_passed_on_as_the_same_job,
	   a_keyed_jobs_id_does_not_depend_on_where_it_lies, an_older_decision_is_replaced,
	   every_hop_counts, a_job_as_large_as_a_message_may_be_goes_on_without_the_decision,
	   a_job_with_no_room_for_its_id_is_told_to_bring_one,
	   what_is_no_job_is_buried_with_its_bytes_and_why, a_message_without_a_value_is_buried,
	   a_message_older_than_the_fleet_remembers_is_not_run_again,
	   what_no_broker_takes_is_buried_and_a_dead_letter_loses_its_bytes)
