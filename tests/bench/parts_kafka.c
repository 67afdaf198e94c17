/* 2 KB messages written to a topic, and read back. */
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>

#include "kafka_consumer.h"
#include "kafka_producer.h"
#include "meter.h"
#include "parts.h"
#include "sample.h"
#include "uuid.h"

#define SILENCE (30 * NSEC_PER_SEC)

static bool take(struct kafka_producer *producer, bool wait, struct error *err)
{
	struct kafka_delivery delivery;

	if (wait && !kafka_producer_wait(producer, SILENCE))
		return error_set(err, ERROR_RETRY, "Kafka has confirmed nothing for 30 s");
	while (kafka_producer_delivered(producer, &delivery)) {
		if (!delivery.ok) {
			*err = delivery.error;
			return false;
		}
	}
	return true;
}

static bool produce(struct kafka_producer *producer, const struct kafka_record *record,
		    struct error *err)
{
	enum kafka_produced produced;

	while ((produced = kafka_produce(producer, record, err)) == KAFKA_FULL)
		if (!take(producer, true, err))
			return false;
	return produced == KAFKA_ACCEPTED && take(producer, false, err);
}

static bool write_all(const struct parts_wishes *wishes, struct error *err)
{
	struct kafka_producer_settings settings = {.connection = {.brokers = wishes->brokers}};
	AUTO(kafka_producer_destroy)
	struct kafka_producer *producer = kafka_producer_create(&settings, err);
	AUTO_FINISH(buffer_finish) struct buffer bytes = {0};
	struct kafka_record record = {.topic = wishes->topic};
	int32_t partitions;
	struct meter meter;

	if (!producer ||
	    !kafka_producer_partitions(producer, wishes->topic, SILENCE, &partitions, err))
		return false;
	sample_job(&bytes, 0);
	record.value = bytes.data;
	record.len = bytes.len;
	meter_start(&meter, wishes->server);
	for (int64_t i = 0; i < wishes->jobs; i++) {
		record.partition = (int32_t)(i % partitions);
		if (!produce(producer, &record, err))
			return false;
	}
	while (kafka_producer_unreported(producer) > 0)
		if (!take(producer, true, err))
			return false;
	meter_print(&meter, "produce", (size_t)wishes->jobs);
	return true;
}

static bool read_some(struct kafka_consumer *consumer, int64_t *count, struct error *err)
{
	struct pollfd bell = {.fd = kafka_consumer_fd(consumer), .events = POLLIN};
	struct kafka_message message;

	if (!kafka_consumer_ready(consumer, 0))
		poll(&bell, 1, 100);
	if (!kafka_consumer_tick(consumer, clock_now(), err))
		return false;
	while (kafka_consumer_next(consumer, 0, &message)) {
		kafka_consumer_store(consumer, 0, message.partition, message.assignment,
				     message.offset + 1);
		kafka_message_release(&message);
		++*count;
	}
	return true;
}

static bool read_all(const struct parts_wishes *wishes, struct error *err)
{
	struct uuid id = uuid_make();
	char group[UUID_TEXT];
	json_auto_t *options = json_pack("{s:s}", "session.timeout.ms", "6000");
	struct kafka_consumer_settings settings = {
		.connection = {.brokers = wishes->brokers, .options = options},
		.group = uuid_format(group, &id),
		.topics = &wishes->topic,
		.topic_count = 1,
	};
	AUTO(kafka_consumer_destroy)
	struct kafka_consumer *consumer = kafka_consumer_create(&settings, err);
	nsec last = clock_now();
	int64_t count = 0, before = 0;
	struct meter meter;

	if (!consumer)
		return false;
	/* From the joining on: messages are fetched before the first one is read. */
	meter_start(&meter, wishes->server);
	for (; count < wishes->jobs; before = count) {
		if (!read_some(consumer, &count, err))
			return false;
		last = count > before ? clock_now() : last;
		if (clock_now() - last > SILENCE)
			return error_set(err, ERROR_RETRY,
					 "read %" PRId64 " of %" PRId64 " messages", count,
					 wishes->jobs);
	}
	meter_print(&meter, "consume", (size_t)wishes->jobs);
	return true;
}

bool parts_kafka(const struct parts_wishes *wishes, struct error *err)
{
	return write_all(wishes, err) && read_all(wishes, err);
}
