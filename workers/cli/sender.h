/*
 * Sends messages to the partitions of their business unit, and tells which
 * have arrived.
 *
 *	struct sender *sender = sender_create(&config->kafka, told, context, err);
 *	sender_send(sender, &parcel, line, err)         -- waits while the queue is full
 *	sender_finish(sender, err)                      -- until all have arrived or failed
 */
#ifndef SLUICE_CLI_SENDER_H
#define SLUICE_CLI_SENDER_H

#include <stdbool.h>
#include <stddef.h>

#include "config.h"
#include "envelope.h"
#include "error.h"

/* What became of one; error is NULL where it has arrived. */
struct sent {
	struct uuid id;
	size_t line;
	const char *topic;
	int32_t partition;
	int64_t offset;
	const struct error *error;
};

typedef void sender_told(void *context, const struct sent *sent);

struct sender;

struct sender *sender_create(const struct kafka_settings *kafka, sender_told *told, void *context,
			     struct error *err) MUST_USE;
void sender_destroy(struct sender *sender);
AUTO_DEFINE(struct sender, sender_destroy)

bool sender_send(struct sender *sender, const struct parcel *parcel, size_t line,
		 struct error *err) MUST_USE;

/* False when the cluster has not confirmed the rest within half a minute of silence. */
bool sender_finish(struct sender *sender, struct error *err) MUST_USE;

#endif
