/*
 * How a message of the intake is passed on: routed to the topic of a tier and
 * lane, or, where that cannot be, to the dead topic with its bytes and why.
 *
 *	AUTO_FINISH(forward_finish) struct forward forward = {0};
 *	forward_make(&forwarder, &message, clock_wall(), &forward);
 *	produce(forward.topic, forward.key, forward.value, "sluice-hop: forward.hop");
 *
 * A job's bytes go on as they came, with the member "routed" put in front: what
 * was decided and why. So is "job_id" where the producer gave neither id nor
 * key: the id is derived from where the message lies in the intake, and must
 * not change because the message lies somewhere else now. A job that is as
 * large as a message may be goes on without "routed".
 *
 * Pure, and the same for the same message: one that is read twice is passed on
 * twice as the same job, and the claim drops the second.
 */
#ifndef SLUICE_FORWARD_H
#define SLUICE_FORWARD_H

#include <stdbool.h>
#include <stddef.h>

#include "buffer.h"
#include "config.h"
#include "job.h"
#include "routing_lane.h"
#include "topic.h"

#define FORWARD_KEY_TEXT 640 /* more than a business unit or a place in Kafka needs */

struct forwarder {
	const struct config *config;
	const struct job_reader *reader;
	const struct routing_news *news; /* NULL: nothing is known */
};

/* A message as it lies in the intake. Borrowed. */
struct intake_message {
	struct job_source source;
	const char *bytes; /* NULL: it has no value */
	size_t len;
	nsec sent; /* its timestamp, wall clock; 0: none */
};

struct forward {
	bool dead;
	char topic[TOPIC_TEXT];
	char key[FORWARD_KEY_TEXT]; /* the business unit; of a dead letter, where the message lies
				     */
	struct buffer value;
	int32_t hop;	  /* for its header */
	const char *tier; /* "" where dead, for logs and metrics; and so below */
	const char *lane;
	struct uuid job_id; /* zero: not known */
	const char *reason; /* why it is dead, a constant: "unparseable", "impossible"; "" : it is
			       not */
	struct error why;   /* the same in words */
};

/* Fills forward, which must be empty. Never fails: what cannot be routed is dead. */
void forward_make(const struct forwarder *forwarder, const struct intake_message *message,
		  nsec wall, struct forward *forward);

/*
 * No broker takes what was made of it, and `why` says so: makes it a dead letter
 * after all, and of a dead letter one without the bytes, which says where they lie.
 */
void forward_bury(const struct forwarder *forwarder, const struct intake_message *message,
		  nsec wall, const struct error *why, struct forward *forward);

void forward_finish(struct forward *forward);

#endif
