/*
 * Writes messages and says which have arrived. A message counts as sent when
 * its delivery comes back without an error; until then its debt stands.
 *
 *	struct kafka_producer *producer = kafka_producer_create(&settings, err);
 *	switch (kafka_produce(producer, &record, err)) {
 *	case KAFKA_FULL:        -- come back when deliveries have made room
 *	case KAFKA_REFUSED:     -- err says why; no delivery will follow
 *	case KAFKA_ACCEPTED:    -- exactly one delivery will follow, with record.token
 *	}
 *	... when kafka_producer_fd() is readable, and once a second:
 *	while (kafka_producer_delivered(producer, &delivery))
 *		if (delivery.ok) debt_paid(delivery.token);
 *
 * Deliveries are at least once: a message may arrive twice, so it carries an id
 * its readers know. A producer that breaks for good is replaced by a new one
 * on the inside, after what it held was reported as not delivered.
 */
#ifndef SLUICE_KAFKA_PRODUCER_H
#define SLUICE_KAFKA_PRODUCER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "clock.h"
#include "compiler.h"
#include "error.h"
#include "kafka.h"

#define KAFKA_MAX_HEADERS 16

struct kafka_producer_settings {
	struct kafka_connection connection;
	size_t max_message_bytes; /* 0: 1 MiB */
	size_t queue_bytes;	  /* most we hold unsent; 0: 64 MiB */
	kafka_notice *
		notice; /* gets "kafka_error", "kafka_log", "kafka_producer_replaced"; NULL: none */
	void *context;
};

/* What to send; all is copied. */
struct kafka_record {
	const char *topic;
	int32_t partition; /* -1: by key, or any where there is none */
	const void *key;   /* NULL: none */
	size_t key_len;
	const char *value;
	size_t len;
	const struct kafka_header *headers;
	size_t header_count; /* at most KAFKA_MAX_HEADERS */
	void *token;	     /* comes back with the delivery */
};

enum kafka_produced {
	KAFKA_ACCEPTED,
	KAFKA_FULL,
	KAFKA_REFUSED,
};

struct kafka_delivery {
	void *token;
	bool ok;
	struct error error; /* where not ok: RETRY, or REJECT for a message no broker will take */
	int32_t partition;
	int64_t offset; /* -1: not known */
};

struct kafka_producer;

/* Does not wait for the cluster. */
struct kafka_producer *kafka_producer_create(const struct kafka_producer_settings *settings,
					     struct error *err) MUST_USE;

/* Gives up what is not delivered; wait for kafka_producer_unreported() first. Takes a second at
 * most. */
void kafka_producer_destroy(struct kafka_producer *producer);
AUTO_DEFINE(struct kafka_producer, kafka_producer_destroy)

enum kafka_produced kafka_produce(struct kafka_producer *producer,
				  const struct kafka_record *record, struct error *err) MUST_USE;

/* Readable when deliveries may have come. Silenced by kafka_producer_delivered(). */
int kafka_producer_fd(const struct kafka_producer *producer);

/* The next delivery; false: none now. Call it until it is false. Never waits. */
bool kafka_producer_delivered(struct kafka_producer *producer,
			      struct kafka_delivery *delivery) MUST_USE;

/* Messages accepted and not yet reported. */
size_t kafka_producer_unreported(const struct kafka_producer *producer);

/*
 * For programs without a loop of their own: sleep until deliveries have come;
 * false when none came for so long, whatever else the cluster had to say.
 * Messages leave by themselves within milliseconds.
 *
 *	while (kafka_producer_unreported(producer) > 0 && kafka_producer_wait(producer, longest))
 *		while (kafka_producer_delivered(producer, &delivery)) ...
 */
bool kafka_producer_wait(struct kafka_producer *producer, nsec longest);

/*
 * Partitions of a topic, from the cluster, waiting for it at most so long. The
 * first message to a topic leaves up to a second late; asking this first warms it up.
 */
bool kafka_producer_partitions(struct kafka_producer *producer, const char *topic, nsec longest,
			       int32_t *count, struct error *err) MUST_USE;

#endif
