/*
 * A debt to the outside on its way to Kafka. The delivery brings the event's id
 * back, and only then is the row deleted; what is not taken stays owed, and
 * whoever sweeps next finds it.
 *
 *	outbox_produce(producer, &debt->event_id, debt->topic, debt->key, debt->headers, debt->body,
 *debt->len);
 *	...
 *	while (kafka_producer_delivered(producer, &delivery)) {
 *		struct uuid *event_id = delivery.token;         -- ours to free
 */
#ifndef SLUICE_OUTBOX_H
#define SLUICE_OUTBOX_H

#include <stddef.h>

#include "kafka_producer.h"
#include "uuid.h"

/* headers_json: an object of texts, or "". All is copied. */
void outbox_produce(struct kafka_producer *producer, const struct uuid *event_id, const char *topic,
		    const char *key, const char *headers_json, const char *body, size_t len);

#endif
