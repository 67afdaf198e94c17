/*
 * Writes sample jobs to a topic, evenly over its partitions, as fast as Kafka
 * takes them; prints how many and how fast.
 *
 *	bench_load --brokers 127.0.0.1:9092 --topic sluice.economy.normal --jobs 100000
 *
 * With --group it keeps at most --unread messages of a partition before that
 * group: for the embedded broker, which drops what is beyond 5 MiB.
 */
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>

#include "arguments.h"
#include "ensure.h"
#include "kafka_admin.h"
#include "kafka_producer.h"
#include "sample.h"

#define SILENCE (60 * NSEC_PER_SEC)
#define LOOK_MS 50

struct wishes {
	struct arguments common;
	const char *brokers;
	const char *topic;
	const char *group;
	int64_t jobs;
	int64_t unread;
};

static const struct argument table[] = {
	ARGUMENT_TEXT(struct wishes, brokers, "brokers", 0, "LIST", "of Kafka"),
	ARGUMENT_TEXT(struct wishes, topic, "topic", 0, "TOPIC", "to write to"),
	ARGUMENT_COUNT(struct wishes, jobs, "jobs", 'n', "how many (default 100000)", 1, 100000000),
	ARGUMENT_TEXT(struct wishes, group, "group", 0, "GROUP", "wait for this group of readers"),
	ARGUMENT_COUNT(struct wishes, unread, "unread", 0,
		       "messages of a partition it may have before it (default 1500)", 1, 1000000),
	{0},
};

static const struct argument_form form = {
	.usage = "",
	.summary = "Write sample jobs to a topic.",
	.details = "",
	.table = table,
};

struct load {
	const struct wishes *wishes;
	struct kafka_producer *producer;
	struct kafka_admin *admin; /* NULL: nobody is waited for */
	struct kafka_topic topic;
	int64_t sent;
	int64_t limit; /* how many may have been sent, as far as is known */
};

static bool take(struct load *load, struct error *err)
{
	struct kafka_delivery delivery;

	while (kafka_producer_delivered(load->producer, &delivery)) {
		if (!delivery.ok) {
			*err = delivery.error;
			return false;
		}
	}
	return true;
}

/* How far the slowest partition's readers are decides. */
static bool look(struct load *load, struct error *err)
{
	AUTO(xfree)
	struct kafka_lag *lag = xcalloc((size_t)load->topic.partitions, sizeof(*lag));
	int64_t least = INT64_MAX;

	if (!kafka_admin_lag(load->admin, load->wishes->group, &load->topic, lag, err))
		return false;
	for (int32_t i = 0; i < load->topic.partitions; i++) {
		int64_t read = lag[i].committed < 0 ? 0 : lag[i].committed;

		least = read < least ? read : least;
	}
	load->limit = (least + load->wishes->unread) * load->topic.partitions;
	return true;
}

static bool await_readers(struct load *load, struct error *err)
{
	nsec until = clock_now() + SILENCE;

	while (load->admin && load->sent >= load->limit) {
		if (!take(load, err) || !look(load, err))
			return false;
		if (load->sent < load->limit)
			break;
		if (clock_now() > until)
			return error_set(err, ERROR_RETRY, "group %s has read nothing for 60 s",
					 load->wishes->group);
		poll(NULL, 0, LOOK_MS);
	}
	return true;
}

static bool send_one(struct load *load, struct buffer *bytes, struct error *err)
{
	struct kafka_record record = {
		.topic = load->wishes->topic,
		.partition = (int32_t)(load->sent % load->topic.partitions),
	};
	enum kafka_produced produced;

	buffer_clear(bytes);
	sample_job(bytes, (uint64_t)load->sent);
	record.value = bytes->data;
	record.len = bytes->len;
	while ((produced = kafka_produce(load->producer, &record, err)) == KAFKA_FULL) {
		kafka_producer_wait(load->producer, SILENCE);
		if (!take(load, err))
			return false;
	}
	load->sent++;
	return produced == KAFKA_ACCEPTED && take(load, err);
}

static bool send_all(struct load *load, struct error *err)
{
	AUTO_FINISH(buffer_finish) struct buffer bytes = {0};

	while (load->sent < load->wishes->jobs)
		if (!await_readers(load, err) || !send_one(load, &bytes, err))
			return false;
	while (kafka_producer_unreported(load->producer) > 0)
		if (!kafka_producer_wait(load->producer, SILENCE) || !take(load, err))
			return error_set(err, ERROR_RETRY, "Kafka has not confirmed all");
	return true;
}

static bool load_topic(const struct wishes *wishes, struct error *err)
{
	struct kafka_connection connection = {.brokers = wishes->brokers};
	struct kafka_producer_settings settings = {.connection = connection};
	AUTO(kafka_producer_destroy)
	struct kafka_producer *producer = kafka_producer_create(&settings, err);
	AUTO(kafka_admin_destroy) struct kafka_admin *admin = NULL;
	struct load load = {.wishes = wishes, .producer = producer};
	nsec began;

	if (!producer || !kafka_producer_partitions(producer, wishes->topic, SILENCE,
						    &load.topic.partitions, err))
		return false;
	load.topic.name = (char *)wishes->topic;
	if (*wishes->group) {
		admin = kafka_admin_create(&connection, 10 * NSEC_PER_SEC, err);
		if (!admin)
			return false;
		load.admin = admin;
	}
	began = clock_now();
	if (!send_all(&load, err))
		return false;
	printf("%" PRId64 " jobs of %d bytes at %.0f a second\n", load.sent, SAMPLE_BYTES,
	       (double)load.sent * (double)NSEC_PER_SEC / (double)(clock_now() - began));
	return true;
}

int main(int argc, char **argv)
{
	struct wishes wishes = {.brokers = "localhost:9092",
				.topic = "sluice.economy.normal",
				.group = "",
				.jobs = 100000,
				.unread = 1500};
	int code = arguments_parse(&form, &wishes, argc, argv);
	struct error err;

	if (code >= 0)
		return code;
	if (load_topic(&wishes, &err))
		return 0;
	fprintf(stderr, "%s: %s\n", argv[0], err.text);
	return 1;
}
