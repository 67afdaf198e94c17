/*
 * Looks after topics and groups, for commands and checks: every call waits for
 * the cluster, at most as long as the admin was told to. Not for a worker's loop.
 *
 *	struct kafka_admin *admin = kafka_admin_create(&connection, 5 * NSEC_PER_SEC, err);
 *	if (!kafka_admin_create_topic(admin, &topic, &existed, err)) ...
 *	if (!kafka_admin_topics(admin, &topics, err)) ...
 *	for (size_t i = 0; i < topics.count; i++)
 *		if (!kafka_admin_lag(admin, "sluice", &topics.topics[i], lag, err)) ...
 *	kafka_topics_finish(&topics);
 *
 * An embedded test broker can't do everything; what it can't ends in an error
 * that says so.
 */
#ifndef SLUICE_KAFKA_ADMIN_H
#define SLUICE_KAFKA_ADMIN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "clock.h"
#include "compiler.h"
#include "error.h"
#include "kafka.h"

struct kafka_setting {
	const char *name; /* "max.message.bytes" */
	const char *value;
};

struct kafka_new_topic {
	const char *name;
	int partitions;
	int replication; /* 0: the brokers' default */
	const struct kafka_setting *settings;
	size_t setting_count;
};

struct kafka_topic {
	char *name;
	int32_t partitions;
	int32_t leaderless; /* partitions that can't be written now */
};

struct kafka_topics {
	struct kafka_topic *topics;
	size_t count;
};

struct kafka_lag {
	int32_t partition;
	int64_t low;	   /* first offset in the log … */
	int64_t high;	   /* … and the one after its last */
	int64_t committed; /* by the group; -1: nothing yet */
	int64_t lag;	   /* messages the group has yet to commit */
};

struct kafka_admin;

struct kafka_admin *kafka_admin_create(const struct kafka_connection *connection, nsec longest,
				       struct error *err) MUST_USE;
void kafka_admin_destroy(struct kafka_admin *admin);
AUTO_DEFINE(struct kafka_admin, kafka_admin_destroy)

/* True too where the topic is there already; `existed` tells. */
bool kafka_admin_create_topic(struct kafka_admin *admin, const struct kafka_new_topic *topic,
			      bool *existed, struct error *err) MUST_USE;

/* All topics but Kafka's own, by name. The caller's, to finish. */
bool kafka_admin_topics(struct kafka_admin *admin, struct kafka_topics *topics,
			struct error *err) MUST_USE;
void kafka_topics_finish(struct kafka_topics *topics);

/* A topic of the list by name; NULL: it is not there. Borrowed. */
const struct kafka_topic *kafka_topics_find(const struct kafka_topics *topics, const char *name);

/* Where a group stands in a topic; `lag` has room for topic->partitions. */
bool kafka_admin_lag(struct kafka_admin *admin, const char *group, const struct kafka_topic *topic,
		     struct kafka_lag *lag, struct error *err) MUST_USE;

/* A topic's setting in force. The caller frees it; NULL with an error. */
char *kafka_admin_setting(struct kafka_admin *admin, const char *topic, const char *name,
			  struct error *err) MUST_USE;

/* Move a group to another offset of a partition; the group must have no members. */
bool kafka_admin_set_offset(struct kafka_admin *admin, const char *group, const char *topic,
			    int32_t partition, int64_t offset, struct error *err) MUST_USE;

#endif
