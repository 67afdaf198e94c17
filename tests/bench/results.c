/*
 * Waits until a topic holds so many messages,
 * and prints when that was, in nanoseconds since 1970.
 *
 *	bench_results --brokers 127.0.0.1:9092 --topic sluice.results --jobs 100000
 *
 * With --each it then reads the topic as an independent consumer and demands
 * that many messages of as many jobs, each job's once.
 */
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "arguments.h"
#include "ensure.h"
#include "kafka_admin.h"
#include "kafka_consumer.h"
#include "uuid.h"

#define LOOK_MS 200 /* the broker answers two questions a partition each time */
#define SILENCE (60 * NSEC_PER_SEC)

struct wishes {
	struct arguments common;
	const char *brokers;
	const char *topic;
	int64_t jobs;
	bool each;
};

static const struct argument table[] = {
	ARGUMENT_TEXT(struct wishes, brokers, "brokers", 0, "LIST", "of Kafka"),
	ARGUMENT_TEXT(struct wishes, topic, "topic", 0, "TOPIC", "with the results"),
	ARGUMENT_COUNT(struct wishes, jobs, "jobs", 'n', "how many to wait for", 1, 100000000),
	ARGUMENT_FLAG(struct wishes, each, "each", 0, "then check that every job has just one"),
	{0},
};

static const struct argument_form form = {
	.usage = "",
	.summary = "Wait until a topic holds so many results.",
	.details = "",
	.table = table,
};

/* --- how many there are --- */

static bool count_all(struct kafka_admin *admin, const struct kafka_topic *topic, int64_t *count,
		      struct error *err)
{
	AUTO(xfree) struct kafka_lag *lag = xcalloc((size_t)topic->partitions, sizeof(*lag));

	if (!kafka_admin_lag(admin, "bench-results", topic, lag, err))
		return false;
	*count = 0;
	for (int32_t i = 0; i < topic->partitions; i++)
		*count += lag[i].high;
	return true;
}

static bool await_all(struct kafka_admin *admin, const struct kafka_topic *topic, int64_t wanted,
		      struct error *err)
{
	int64_t count = 0, before = -1;
	nsec moved = clock_now();

	for (;; before = count) {
		if (!count_all(admin, topic, &count, err))
			return false;
		if (count >= wanted)
			return true;
		moved = count > before ? clock_now() : moved;
		if (clock_now() - moved > SILENCE)
			return error_set(err, ERROR_RETRY,
					 "%" PRId64 " of %" PRId64 " results, and none for 60 s",
					 count, wanted);
		poll(NULL, 0, LOOK_MS);
	}
}

static bool wait_for(const struct wishes *wishes, struct error *err)
{
	struct kafka_connection connection = {.brokers = wishes->brokers};
	AUTO(kafka_admin_destroy)
	struct kafka_admin *admin = kafka_admin_create(&connection, 10 * NSEC_PER_SEC, err);
	AUTO_FINISH(kafka_topics_finish) struct kafka_topics topics = {0};
	const struct kafka_topic *topic;

	if (!admin || !kafka_admin_topics(admin, &topics, err))
		return false;
	topic = kafka_topics_find(&topics, wishes->topic);
	if (!topic)
		return error_set(err, ERROR_FATAL, "there is no topic %s", wishes->topic);
	return await_all(admin, topic, wishes->jobs, err);
}

/* --- whose they are --- */

static int by_id(const void *a, const void *b)
{
	return uuid_compare(a, b);
}

static bool is_each_once(struct uuid *ids, size_t count, struct error *err)
{
	qsort(ids, count, sizeof(*ids), by_id);
	for (size_t i = 1; i < count; i++) {
		char text[UUID_TEXT];

		if (uuid_equal(&ids[i - 1], &ids[i]))
			return error_set(err, ERROR_FATAL, "job %s has two results",
					 uuid_format(text, &ids[i]));
	}
	return true;
}

/* The key of a result is its job. */
static bool read_id(const struct kafka_message *message, struct uuid *id, struct error *err)
{
	char text[UUID_TEXT] = "";

	if (message->key && message->key_len == sizeof(text) - 1)
		memcpy(text, message->key, message->key_len);
	return uuid_parse(text, id) || error_set(err, ERROR_FATAL, "a result without a job");
}

static bool read_some(struct kafka_consumer *consumer, struct uuid *ids, size_t most, size_t *count,
		      struct error *err)
{
	struct pollfd bell = {.fd = kafka_consumer_fd(consumer), .events = POLLIN};
	struct kafka_message message;
	bool ok = true;

	if (!kafka_consumer_ready(consumer, 0))
		poll(&bell, 1, 100);
	if (!kafka_consumer_tick(consumer, clock_now(), err))
		return false;
	while (ok && *count < most && kafka_consumer_next(consumer, 0, &message)) {
		ok = read_id(&message, &ids[(*count)++], err);
		kafka_message_release(&message);
	}
	return ok;
}

static bool check_each(const struct wishes *wishes, struct error *err)
{
	struct uuid id = uuid_make();
	char group[UUID_TEXT];
	struct kafka_consumer_settings settings = {
		.connection = {.brokers = wishes->brokers},
		.group = uuid_format(group, &id),
		.topics = &wishes->topic,
		.topic_count = 1,
	};
	AUTO(kafka_consumer_destroy)
	struct kafka_consumer *consumer = kafka_consumer_create(&settings, err);
	size_t count = 0, before = 0, wanted = (size_t)wishes->jobs;
	AUTO(xfree) struct uuid *ids = xcalloc(wanted, sizeof(*ids));
	nsec moved = clock_now();

	if (!consumer)
		return false;
	for (; count < wanted; before = count) {
		if (!read_some(consumer, ids, wanted, &count, err))
			return false;
		moved = count > before ? clock_now() : moved;
		if (clock_now() - moved > SILENCE)
			return error_set(err, ERROR_RETRY, "read %zu of %zu results", count,
					 wanted);
	}
	return is_each_once(ids, count, err);
}

int main(int argc, char **argv)
{
	struct wishes wishes = {.brokers = "localhost:9092", .topic = "sluice.results", .jobs = 1};
	int code = arguments_parse(&form, &wishes, argc, argv);
	struct error err;
	bool ok;

	if (code >= 0)
		return code;
	ok = wait_for(&wishes, &err);
	if (ok) {
		printf("%" PRIu64 "\n", clock_wall());
		fflush(stdout);
	}
	if (!ok || (wishes.each && !check_each(&wishes, &err))) {
		fprintf(stderr, "%s: %s\n", argv[0], err.text);
		return 1;
	}
	return 0;
}
