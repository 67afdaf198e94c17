/*
 * A model of Kafka: a log per partition, one consumer group with generations,
 * and what was published to the topics of results. It loses nothing, delivers
 * again whatever was not committed, and refuses the commits of zombies.
 *
 *	broker_append(broker, partition, message);
 *	while (position < broker->partitions[p].count) ...
 *	if (!broker_commit(broker, slot, life, p, next)) rejoin
 */
#ifndef SIMULATION_BROKER_H
#define SIMULATION_BROKER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "relation.h"

#define TIERS 3
#define PARTITIONS 3 /* of each topic */
#define LOGS (TIERS * PARTITIONS)
#define SLOTS 3 /* workers */

enum message_kind {
	MESSAGE_FULL,
	MESSAGE_OTHER_BODY, /* the same id with another body */
	MESSAGE_THIN,
	MESSAGE_GARBAGE,
	MESSAGE_KIND_COUNT,
};

struct message {
	enum message_kind kind;
	int job;
	int32_t run, hop;
};

struct partition {
	struct message *messages;
	int64_t count, room;
	int64_t committed;
	int owner; /* slot; -1: nobody */
	uint64_t life;
	uint64_t assignment;
};

/* An event of an outcome, as consumers of the result topics saw it. */
struct published {
	struct uuid event_id;
	int job;
	int32_t run;
	uint64_t body; /* hash of it */
	int copies;
};

struct broker {
	struct partition partitions[LOGS];
	struct {
		bool in;
		uint64_t life;
	} members[SLOTS];
	uint64_t generation;
	uint64_t assignments;
	bool away;
	struct relation published;
};

void broker_init(struct broker *broker);
void broker_clear(struct broker *broker);
void broker_finish(struct broker *broker);

void broker_append(struct broker *broker, int partition, const struct message *message);

void broker_join(struct broker *broker, int slot, uint64_t life);
void broker_leave(struct broker *broker, int slot);
/* A new generation: partitions are dealt out anew, beginning with member `first`. */
void broker_rebalance(struct broker *broker, unsigned first);

/* False: not its partition (any more), or the broker is away. */
bool broker_commit(struct broker *broker, int slot, uint64_t life, int partition, int64_t next);

int broker_log(int tier, int partition);	    /* the number of that partition */
const char *broker_topic(int log);		    /* "sluice.economy.normal" */
int broker_log_of(const char *topic, unsigned key); /* -1: no topic of jobs */

#endif
