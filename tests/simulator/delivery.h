/*
 * How faults spoil a reply that was an answer: bodies that are none, and bytes that
 * travel badly.
 *
 *	delivery_spoil(&x->reply, FAULT_GARBAGE, OPENAI, request_id, &dice);
 *	delivery_plan(&x->reply, FAULT_RESET_BODY);
 */
#ifndef SIMULATOR_DELIVERY_H
#define SIMULATOR_DELIVERY_H

#include "failure.h"
#include "reply.h"

/* Put another body in its place, where the fault is one of those. */
void delivery_spoil(struct reply *reply, enum fault fault, enum maker maker, const char *request_id,
		    struct dice *dice);
/* Cut, reset, hang, drip, lie about the length, break the chunks. */
void delivery_plan(struct reply *reply, enum fault fault);

#endif
