/*
 * A message as it was read: where it stood, its bytes and its headers.
 *
 *	if (kafka_message_header(&message, "sluice-run", &header)) ...
 *	kafka_message_release(&message);
 *
 * A message holds on to the whole answer of the broker it came in: take what is
 * needed out of it and let it go.
 */
#ifndef SLUICE_KAFKA_MESSAGE_H
#define SLUICE_KAFKA_MESSAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kafka.h"

/* One message; the pointers live until kafka_message_release(). */
struct kafka_message {
	size_t topic; /* index in the settings */
	int32_t partition;
	uint64_t assignment; /* under which it was read */
	int64_t offset;
	int64_t timestamp_ms; /* -1: none */
	const void *key;      /* NULL: none */
	size_t key_len;
	const char *value; /* NULL: a tombstone */
	size_t len;
	void *handle;
};

void kafka_message_release(struct kafka_message *message);

/* The last header of that name; false: there is none. Borrowed like the message. */
bool kafka_message_header(const struct kafka_message *message, const char *name,
			  struct kafka_header *header);

/* The i-th header, to pass all of them on; false past the last. Borrowed like the message. */
bool kafka_message_header_at(const struct kafka_message *message, size_t i,
			     struct kafka_header *header);

#endif
