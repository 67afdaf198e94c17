/*
 * Faults on demand: one command per line, each answered by one line on
 * standard output, "broker did ..." or "broker refused ...".
 *
 *	down [BROKER]                   disconnect all clients, accept none
 *	up [BROKER]                     accept them again; log and offsets are kept
 *	delay MS [BROKER]               answer every request that much later
 *	fail API CODE COUNT [MS]        answer the next COUNT requests of this API key with the
 *error code, MS later; code -195 disconnects instead, code 0 and a delay beyond the client's
 *timeout lose the answer alone leader TOPIC PARTITION BROKER   move a partition; -1: it has no
 *leader coordinator GROUP BROKER        move a group look                            answer when
 *all that was produced so far is known to have been kept, or consumed
 *
 * BROKER is 1 ... N; without it, all.
 */
#ifndef BROKER_CONTROL_H
#define BROKER_CONTROL_H

#include <librdkafka/rdkafka.h>
#include <librdkafka/rdkafka_mock.h>

#include "guard.h"

struct control {
	rd_kafka_mock_cluster_t *cluster;
	int broker_count;
	struct guard *guard;
};

/* Does what a line says and answers. */
void control_line(const struct control *control, const char *line);

#endif
