#include "sender.h"

#include <stdlib.h>
#include <string.h>

#include "ensure.h"
#include "kafka_producer.h"
#include "shard.h"

#define MAX_TOPICS 128
#define SILENCE (30 * NSEC_PER_SEC)

struct destination {
	char topic[TOPIC_TEXT];
	int32_t partitions;
};

/* A message on its way; comes back as the token of its delivery. */
struct pending {
	struct uuid id;
	size_t line;
	const struct destination *destination;
};

struct sender {
	struct kafka_producer *producer;
	struct destination destinations[MAX_TOPICS];
	size_t count;
	sender_told *told;
	void *context;
};

struct sender *sender_create(const struct kafka_settings *kafka, sender_told *told, void *context,
			     struct error *err)
{
	AUTO(sender_destroy) struct sender *sender = xcalloc(1, sizeof(*sender));
	struct kafka_producer_settings settings = {
		.connection = {.brokers = kafka->brokers,
			       .client_id = "sluice-submit",
			       .options = kafka->options},
		.max_message_bytes = kafka->max_message_bytes,
	};

	sender->told = told;
	sender->context = context;
	sender->producer = kafka_producer_create(&settings, err);
	return sender->producer ? TAKE(sender) : NULL;
}

void sender_destroy(struct sender *sender)
{
	if (!sender)
		return;
	kafka_producer_destroy(sender->producer);
	free(sender);
}

static const struct destination *find_destination(struct sender *sender, const char *topic,
						  struct error *err)
{
	struct destination *fresh = &sender->destinations[sender->count];

	for (size_t i = 0; i < sender->count; i++)
		if (strcmp(sender->destinations[i].topic, topic) == 0)
			return &sender->destinations[i];
	if (sender->count == MAX_TOPICS) {
		error_set(err, ERROR_REJECT, "jobs for more than %d topics", MAX_TOPICS);
		return NULL;
	}
	if (!kafka_producer_partitions(sender->producer, topic, SILENCE, &fresh->partitions, err)) {
		error_wrap(err, "topic %s (`sluice topics create` makes it)", topic);
		return NULL;
	}
	memcpy(fresh->topic, topic, sizeof(fresh->topic));
	sender->count++;
	return fresh;
}

static void take_deliveries(struct sender *sender)
{
	struct kafka_delivery delivery;

	while (kafka_producer_delivered(sender->producer, &delivery)) {
		AUTO(xfree) struct pending *pending = delivery.token;
		struct sent sent = {.id = pending->id,
				    .line = pending->line,
				    .topic = pending->destination->topic,
				    .partition = delivery.partition,
				    .offset = delivery.offset,
				    .error = delivery.ok ? NULL : &delivery.error};

		sender->told(sender->context, &sent);
	}
}

/* Waits for deliveries; false after too long a silence. */
static bool await_deliveries(struct sender *sender, struct error *err)
{
	if (!kafka_producer_wait(sender->producer, SILENCE))
		return error_set(err, ERROR_RETRY,
				 "Kafka has confirmed nothing for 30 s; %zu messages are on their "
				 "way, of unknown fate",
				 kafka_producer_unreported(sender->producer));
	take_deliveries(sender);
	return true;
}

bool sender_send(struct sender *sender, const struct parcel *parcel, size_t line, struct error *err)
{
	const struct destination *destination = find_destination(sender, parcel->topic, err);
	AUTO(xfree) struct pending *pending = xcalloc(1, sizeof(*pending));
	enum kafka_produced produced;
	struct kafka_record record;

	if (!destination)
		return false;
	*pending = (struct pending){.id = parcel->id, .line = line, .destination = destination};
	record = (struct kafka_record){
		.topic = parcel->topic,
		.partition = shard_partition(parcel->business_unit, parcel->id.bytes,
					     sizeof(parcel->id.bytes), destination->partitions,
					     SHARD_SPREAD),
		.key = parcel->business_unit,
		.key_len = strlen(parcel->business_unit),
		.value = parcel->bytes.data,
		.len = parcel->bytes.len,
		.token = pending,
	};
	while ((produced = kafka_produce(sender->producer, &record, err)) == KAFKA_FULL)
		if (!await_deliveries(sender, err))
			return false;
	if (produced == KAFKA_REFUSED)
		return false;
	TAKE(pending);
	take_deliveries(sender);
	return true;
}

bool sender_finish(struct sender *sender, struct error *err)
{
	take_deliveries(sender);
	while (kafka_producer_unreported(sender->producer) > 0)
		if (!await_deliveries(sender, err))
			return false;
	return true;
}
