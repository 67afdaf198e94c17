/*
 * Reads topics as a member of a consumer group. Every partition has a queue of
 * its own: a topic or a partition is throttled by not reading it, the others go
 * on, and nothing is thrown away. Offsets are stored by the caller, once what
 * they stand for is safe elsewhere, and committed about once a second.
 *
 *	struct kafka_consumer *consumer = kafka_consumer_create(&settings, err);
 *	for (;;) {
 *		sleep until kafka_consumer_fd() is readable, at most kafka_consumer_nap()
 *		if (!kafka_consumer_tick(consumer, clock_now(), err)) ...
 *		while (room(topic) && kafka_consumer_next(consumer, topic, &message)) {
 *			remember(message.topic, message.partition, message.assignment,
 *message.offset); kafka_message_release(&message);
 *		}
 *		kafka_consumer_store(consumer, topic, partition, assignment, offset + 1);
 *	}
 *
 * Assignment is eager: a rebalance takes all partitions away and gives new
 * ones. What was read under an older assignment belongs to somebody else; a
 * store for it is ignored.
 *
 * A partition nobody has read yet starts at its beginning. One whose committed
 * offset is no longer in the log is not guessed at: it stays unread, and
 * kafka_consumer_trouble() says so until an operator decides. The option
 * auto.offset.reset overrides that.
 *
 * Everything happens in the calling thread; one consumer belongs to one loop.
 */
#ifndef SLUICE_KAFKA_CONSUMER_H
#define SLUICE_KAFKA_CONSUMER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "clock.h"
#include "compiler.h"
#include "error.h"
#include "kafka.h"
#include "kafka_message.h"

struct kafka_consumer_settings {
	struct kafka_connection connection;
	const char *group;
	const char *const *topics; /* their indexes here name them in all calls */
	size_t topic_count;
	size_t max_message_bytes; /* 0: 1 MiB */
	size_t partition_bytes;	  /* read ahead of each partition; 0: 2 MiB */
	/*
	 * Gets "kafka_assigned", "kafka_revoked", "kafka_commit_failed", "kafka_error",
	 * "kafka_offset_lost", "kafka_log". Called from within tick, next and destroy. NULL: none.
	 */
	kafka_notice *notice;
	void *context;
};

/* Where we stand in one of our partitions; -1: not known yet. */
struct kafka_position {
	int32_t partition;
	int64_t read;	/* offset of the next message to be read */
	int64_t stored; /* offset that will be, or is, committed */
	int64_t low;	/* first offset in the log, as of the last fetch … */
	int64_t high;	/* … and the one after its last */
	int64_t lag;	/* messages not yet stored */
	bool held;
	bool lost;
};

struct kafka_consumer;

/* Joins the group; assignments come later, through tick. Does not wait for the cluster. */
struct kafka_consumer *kafka_consumer_create(const struct kafka_consumer_settings *settings,
					     struct error *err) MUST_USE;

/* Commits, leaves the group and frees, within about five seconds in all. */
void kafka_consumer_destroy(struct kafka_consumer *consumer);
AUTO_DEFINE(struct kafka_consumer, kafka_consumer_destroy)

/*
 * The id the cluster calls itself by, the same whatever brokers were named; the
 * caller's. NULL: it did not answer within `longest`.
 */
char *kafka_consumer_cluster(const struct kafka_consumer *consumer, nsec longest);

/* Readable when something may have come. Only tick silences it. */
int kafka_consumer_fd(const struct kafka_consumer *consumer);

/* Longest sleep until the next tick is due. */
nsec kafka_consumer_nap(const struct kafka_consumer *consumer, nsec now);

/*
 * To be called after every sleep: serves rebalances and errors, keeps our seat
 * in the group, commits. False with a FATAL error when this consumer is of no use any more.
 */
bool kafka_consumer_tick(struct kafka_consumer *consumer, nsec now, struct error *err) MUST_USE;

/* The next message of a topic, turn by turn over its partitions; false: none now. Never waits. */
bool kafka_consumer_next(struct kafka_consumer *consumer, size_t topic,
			 struct kafka_message *message) MUST_USE;

/* Whether next may find something without a ring of the descriptor. */
bool kafka_consumer_ready(const struct kafka_consumer *consumer, size_t topic);

/* A held partition is not read until it is let go, or assigned anew. */
void kafka_consumer_hold(struct kafka_consumer *consumer, size_t topic, int32_t partition,
			 bool hold);

/* Changes whenever partitions are taken or given: messages of an older one are not ours. */
uint64_t kafka_consumer_assignment(const struct kafka_consumer *consumer);

/*
 * `next` is the offset after the last one that is safe. Never moves backwards. False:
 * ignored, for the partition was taken away since.
 */
bool kafka_consumer_store(struct kafka_consumer *consumer, size_t topic, int32_t partition,
			  uint64_t assignment, int64_t next);

/* Our i-th partition of a topic; false past the last. */
bool kafka_consumer_position(const struct kafka_consumer *consumer, size_t topic, size_t i,
			     struct kafka_position *position);

/* What needs an operator, in words; NULL: nothing. */
const char *kafka_consumer_trouble(const struct kafka_consumer *consumer);

#endif
