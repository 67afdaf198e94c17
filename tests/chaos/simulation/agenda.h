/*
 * What is going to happen, in order of virtual time and, within an instant, of
 * planning. Events of a worker that is stalled are put off, those of one that
 * has died are dropped by whoever takes them.
 *
 *	agenda_add(&agenda, (struct event){.at = now + wait, .kind = EVENT_TICK, .worker = 1});
 *	while (agenda_take(&agenda, &event)) ...
 */
#ifndef SIMULATION_AGENDA_H
#define SIMULATION_AGENDA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "clock.h"

enum event_kind {
	EVENT_PRODUCE,	 /* a producer's message arrives; number: its message */
	EVENT_TICK,	 /* a worker's loop goes round */
	EVENT_EXECUTE,	 /* Postgres runs a statement; data: struct sending */
	EVENT_ANSWER,	 /* its answer is with the worker */
	EVENT_BROKEN,	 /* a worker notices that a connection broke; number: which */
	EVENT_ARRIVE,	 /* a request is with the provider; data: struct phone_call */
	EVENT_REPLY,	 /* its reply, or the end of waiting for it, is with the worker */
	EVENT_APPEND,	 /* the broker gets an event or message; data: struct parcel */
	EVENT_DELIVERED, /* the worker hears what became of it */
	EVENT_EXPIRE,	 /* a member of the group was silent for too long */
	EVENT_REBALANCE,
	EVENT_FAULT,
	EVENT_CANCEL,
	EVENT_RERUN,
	EVENT_WAKE,  /* a stall ends */
	EVENT_START, /* a worker's process starts */
	EVENT_HEAL,
};

struct event {
	nsec at;
	uint64_t order; /* set by the agenda */
	enum event_kind kind;
	int worker;
	uint64_t life; /* of the worker when it was planned */
	int number;
	void *data;
};

struct agenda {
	struct event *heap;
	size_t count, room;
	uint64_t planned;
};

void agenda_add(struct agenda *agenda, struct event event);
bool agenda_take(struct agenda *agenda, struct event *event);
void agenda_clear(struct agenda *agenda); /* memory kept */
void agenda_finish(struct agenda *agenda);

#endif
