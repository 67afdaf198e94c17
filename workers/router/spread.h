/*
 * Which partition of a topic a job of a business unit goes to (shard.h), with
 * how many partitions the topics have remembered for some minutes.
 *
 *	record.partition = spread_partition(spread, topic, business_unit, &job_id, now);
 */
#ifndef SLUICE_ROUTER_SPREAD_H
#define SLUICE_ROUTER_SPREAD_H

#include "clock.h"
#include "compiler.h"
#include "kafka_producer.h"
#include "uuid.h"

struct spread;

/* Borrows the producer. */
struct spread *spread_create(struct kafka_producer *producer);
void spread_destroy(struct spread *spread);
AUTO_DEFINE(struct spread, spread_destroy)

/* -1, any by key, while the topic can't be asked about. Waits for the cluster for two seconds at
 * most. */
int32_t spread_partition(struct spread *spread, const char *topic, const char *business_unit,
			 const struct uuid *job_id, nsec now);

/* A partition turned out not to be there: ask again. */
void spread_forget(struct spread *spread, const char *topic);

#endif
