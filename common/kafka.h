/*
 * What everything that talks to Kafka shares: how to reach the cluster, and
 * the headers of a message. Reading is kafka_consumer.h, writing
 * kafka_producer.h, topics and lag kafka_admin.h.
 *
 *	struct kafka_connection connection = {.brokers = "127.0.0.1:9092", .client_id = "sluice"};
 *
 * librdkafka stays behind kafka_internal.h, which only the kafka modules include.
 */
#ifndef SLUICE_KAFKA_H
#define SLUICE_KAFKA_H

#include <stddef.h>
#include <stdint.h>

#include "json.h"

struct kafka_connection {
	const char *brokers;   /* "host:port,host:port" */
	const char *client_id; /* what brokers call us in their logs; NULL: "sluice" */
	/*
	 * librdkafka's own settings by name (security, tuning), text, number or
	 * boolean; NULL: none. They win over our defaults, except for the few our
	 * promises hang on, which are refused.
	 */
	const json_t *options;
};

/* A header of a message. */
struct kafka_header {
	const char *name;
	const void *value; /* NULL: a header without value */
	size_t len;
};

/* Something worth a log line: a constant name and words, borrowed for the call. */
typedef void kafka_notice(void *context, const char *event, const char *text);

/* The version of librdkafka this process runs with, as in 0x020002ff for 2.0.2. */
int kafka_library_version(void);

#endif
