#include "passage.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ensure.h"
#include "failpoint.h"
#include "log.h"
#include "metrics.h"
#include "offset_window.h"
#include "spread.h"

#define PASSAGE_SLOTS 4096
#define PASSAGE_BYTES ((size_t)64 << 20) /* of held messages; one more may begin below it */
#define RETRY_PAUSE NSEC_PER_SEC
#define HEADER_MOST 1000000 /* runs and hops beyond are nonsense */

enum slot_state { SLOT_FREE, SLOT_WAITING, SLOT_SENT };

/* One message on its way; its place in the array is its slot in the window. */
struct slot {
	enum slot_state state;
	nsec due; /* WAITING: not before */
	struct kafka_message message;
	struct intake_message intake; /* the same, as forward.h wants it */
	struct forward forward;
};

struct passage {
	const struct forwarder *forwarder;
	const char *topic;
	struct kafka_consumer *consumer;
	struct kafka_producer *producer;
	struct spread *spread;
	struct offset_window window;
	struct slot *slots;
	size_t waiting;
	size_t bytes;
};

struct passage *passage_create(const struct forwarder *forwarder, const char *intake_topic,
			       struct kafka_consumer *consumer, struct kafka_producer *producer)
{
	struct passage *p = xcalloc(1, sizeof(*p));

	p->forwarder = forwarder;
	p->topic = intake_topic;
	p->consumer = consumer;
	p->producer = producer;
	p->spread = spread_create(producer);
	offset_window_init(&p->window, PASSAGE_SLOTS);
	p->slots = xcalloc(PASSAGE_SLOTS, sizeof(*p->slots));
	return p;
}

static void slot_clear(struct slot *slot)
{
	kafka_message_release(&slot->message);
	forward_finish(&slot->forward);
	*slot = (struct slot){0};
}

void passage_destroy(struct passage *p)
{
	if (!p)
		return;
	for (size_t i = 0; i < PASSAGE_SLOTS; i++)
		slot_clear(&p->slots[i]);
	free(p->slots);
	spread_destroy(p->spread);
	offset_window_finish(&p->window);
	free(p);
}

bool passage_has_room(const struct passage *p)
{
	return !offset_window_is_full(&p->window) && p->bytes < PASSAGE_BYTES;
}

size_t passage_unfinished(const struct passage *p)
{
	return p->window.count;
}

bool passage_is_waiting(const struct passage *p)
{
	return p->waiting > 0;
}

static void slot_wait(struct passage *p, struct slot *slot, nsec due)
{
	slot->state = SLOT_WAITING;
	slot->due = due;
	p->waiting++;
}

/* The number in a header; 0 for none and for nonsense. */
static int32_t header_number(const struct kafka_message *message, const char *name)
{
	struct kafka_header header;
	int32_t number = 0;

	if (!kafka_message_header(message, name, &header))
		return 0;
	for (size_t i = 0; i < header.len; i++) {
		char digit = ((const char *)header.value)[i];

		if (digit < '0' || digit > '9' || number >= HEADER_MOST / 10)
			return 0;
		number = number * 10 + (digit - '0');
	}
	return number;
}

/* All headers go on, traceparent and the rest, but for the hop, which is ours. */
static size_t copy_headers(const struct slot *slot, const struct kafka_header *hop,
			   struct kafka_header headers[KAFKA_MAX_HEADERS])
{
	struct kafka_header header;
	size_t count = 0;

	headers[count++] = *hop;
	for (size_t i = 0; kafka_message_header_at(&slot->message, i, &header); i++)
		if (strcmp(header.name, hop->name) != 0 && count < KAFKA_MAX_HEADERS)
			headers[count++] = header;
	return count;
}

static enum kafka_produced produce(struct passage *p, struct slot *slot, nsec now,
				   struct error *err)
{
	const struct forward *f = &slot->forward;
	struct kafka_header headers[KAFKA_MAX_HEADERS];
	char number[16];
	struct kafka_header hop = {.name = "sluice-hop", .value = number};
	struct kafka_record record = {
		.topic = f->topic,
		.partition = -1,
		.key = f->key,
		.key_len = strlen(f->key),
		.value = f->value.data,
		.len = f->value.len,
		.headers = headers,
		.token = slot,
	};

	hop.len = (size_t)snprintf(number, sizeof(number), "%d", (int)f->hop);
	if (!f->dead)
		record.partition = spread_partition(p->spread, f->topic, f->key, &f->job_id, now);
	record.header_count = copy_headers(slot, &hop, headers);
	return kafka_produce(p->producer, &record, err);
}

static void tell(const struct passage *p, const struct slot *slot)
{
	const struct forward *f = &slot->forward;
	char id[UUID_TEXT];

	if (f->dead) {
		metrics_add(METRIC_rejects_total, 1, LABELS(f->reason));
		log_warn("message_rejected", "topic=%s partition=%d offset=%lld reason=%s why=%s",
			 p->topic, (int)slot->message.partition, (long long)slot->message.offset,
			 f->reason, f->why.text);
		return;
	}
	log_debug("job_routed", "job=%s tier=%s lane=%s hop=%d", uuid_format(id, &f->job_id),
		  f->tier, f->lane, (int)f->hop);
}

/* What no broker takes becomes a dead letter, a dead letter one without bytes; that one must go. */
static void bury(struct passage *p, struct slot *slot, const struct error *why, nsec wall)
{
	forward_bury(p->forwarder, &slot->intake, wall, why, &slot->forward);
	tell(p, slot);
}

static void fail(struct passage *p, struct slot *slot, const struct error *why, nsec now)
{
	metrics_add(METRIC_events_failed_total, 1,
		    LABELS(slot->forward.dead ? "reject" : "routed"));
	log_warn("delivery_failed", "topic=%s partition=%d offset=%lld to=%s why=%s", p->topic,
		 (int)slot->message.partition, (long long)slot->message.offset, slot->forward.topic,
		 why->text);
	spread_forget(p->spread, slot->forward.topic);
	if (why->kind == ERROR_REJECT)
		bury(p, slot, why, clock_wall());
	slot_wait(p, slot, now + RETRY_PAUSE);
}

static void send(struct passage *p, struct slot *slot, nsec now)
{
	struct error err;

	switch (produce(p, slot, now, &err)) {
	case KAFKA_ACCEPTED:
		slot->state = SLOT_SENT;
		FAILPOINT("T01");
		return;
	case KAFKA_FULL:
		slot_wait(p, slot, now);
		return;
	case KAFKA_REFUSED:
		fail(p, slot, &err, now);
		return;
	}
}

void passage_take(struct passage *p, struct kafka_message *message, nsec wall, nsec now)
{
	struct offset_place place = {message->topic, message->partition, message->assignment,
				     message->offset};
	struct slot *slot = &p->slots[offset_window_open(&p->window, &place)];

	ENSURE(slot->state == SLOT_FREE);
	slot->message = *message;
	*message = (struct kafka_message){0};
	slot->intake = (struct intake_message){
		.source = {.cluster = p->forwarder->config->kafka.brokers,
			   .topic = p->topic,
			   .partition = place.partition,
			   .offset = place.offset,
			   .run = header_number(&slot->message, "sluice-run"),
			   .hop = header_number(&slot->message, "sluice-hop")},
		.bytes = slot->message.value,
		.len = slot->message.len,
		.sent = slot->message.timestamp_ms > 0
				? (nsec)slot->message.timestamp_ms * NSEC_PER_MSEC
				: 0,
	};
	p->bytes += slot->message.len;
	forward_make(p->forwarder, &slot->intake, wall, &slot->forward);
	metrics_add(METRIC_messages_read_total, 1, LABELS(p->topic));
	tell(p, slot);
	send(p, slot, now);
}

static void finish(struct passage *p, struct slot *slot)
{
	FAILPOINT("T02");
	metrics_add(METRIC_events_published_total, 1,
		    LABELS(slot->forward.dead ? "reject" : "routed"));
	p->bytes -= slot->message.len;
	offset_window_close(&p->window, (size_t)(slot - p->slots));
	slot_clear(slot);
}

static void hear_deliveries(struct passage *p, nsec now)
{
	struct kafka_delivery delivery;

	while (kafka_producer_delivered(p->producer, &delivery)) {
		if (delivery.ok)
			finish(p, delivery.token);
		else
			fail(p, delivery.token, &delivery.error, now);
	}
}

/* In the order they were read. */
static void send_waiting(struct passage *p, nsec now)
{
	size_t count = p->waiting > 0 ? p->window.count : 0;

	for (size_t i = 0; i < count; i++) {
		struct slot *slot = &p->slots[(p->window.first + i) % PASSAGE_SLOTS];

		if (slot->state != SLOT_WAITING || slot->due > now)
			continue;
		p->waiting--;
		send(p, slot, now);
		if (slot->state == SLOT_WAITING)
			return; /* no room in the producer */
	}
}

static void store_offsets(struct passage *p)
{
	struct offset_place place;
	bool stored = false;

	while (offset_window_pop(&p->window, &place))
		stored = kafka_consumer_store(p->consumer, place.topic, place.partition,
					      place.assignment, place.offset + 1) ||
			 stored;
	if (stored)
		FAILPOINT("T03");
}

void passage_settle(struct passage *p, nsec now)
{
	hear_deliveries(p, now);
	send_waiting(p, now);
	store_offsets(p);
}
