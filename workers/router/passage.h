/*
 * The way of messages through the router: from the intake over forward.h to
 * the producer, until their delivery is reported and their offset can be stored.
 * Holds each message until then, so that it can be sent again.
 *
 *	while (passage_has_room(passage) && kafka_consumer_next(consumer, 0, &message))
 *		passage_take(passage, &message, clock_wall(), now);
 *	passage_settle(passage, now);
 *
 *	WAITING --producer takes it--> SENT --delivered--> done, popped in order
 *	   ^                             |
 *	   └---- not delivered, or no broker takes it (then as a dead letter) ----┘
 */
#ifndef SLUICE_ROUTER_PASSAGE_H
#define SLUICE_ROUTER_PASSAGE_H

#include <stdbool.h>
#include <stddef.h>

#include "forward.h"
#include "kafka_consumer.h"
#include "kafka_producer.h"

struct passage;

/* All is borrowed, and must outlive the passage. */
struct passage *passage_create(const struct forwarder *forwarder, const char *intake_topic,
			       struct kafka_consumer *consumer, struct kafka_producer *producer);
void passage_destroy(struct passage *passage);
AUTO_DEFINE(struct passage, passage_destroy)

/* Takes the message over. There must be room. */
void passage_take(struct passage *passage, struct kafka_message *message, nsec wall, nsec now);

/* Hears deliveries, sends again what must be, stores offsets. */
void passage_settle(struct passage *passage, nsec now);

bool passage_has_room(const struct passage *passage);

/* Messages that are not safe yet. */
size_t passage_unfinished(const struct passage *passage);

/* Whether some wait to be sent (again), for which no descriptor will ring. */
bool passage_is_waiting(const struct passage *passage);

#endif
