/*
 * A model of the provider: it answers, misbehaves as the seed says, loses
 * answers, and keeps a bill of its own, reckoned by its own price list.
 *
 *	vendor_accept(world, call);     -- the request is there: billed or not, from now on
 *	vendor_reply(world, call, &reply)
 */
#ifndef SIMULATION_VENDOR_H
#define SIMULATION_VENDOR_H

#include <stdbool.h>

#include "config.h"
#include "provider.h"
#include "relation.h"
#include "uuid.h"

struct world;

enum misbehaviour {
	VENDOR_GOOD,
	VENDOR_INVALID_OUTPUT,
	VENDOR_UNSURE,
	VENDOR_TRUNCATED,
	VENDOR_REFUSES,
	VENDOR_GARBLED,
	VENDOR_THROTTLES,
	VENDOR_TOO_LARGE,
	VENDOR_CREDENTIAL,
	VENDOR_UNAVAILABLE,
	VENDOR_INVALID,
	VENDOR_UNKNOWN_MODEL,
	VENDOR_LOSES_BILLED, /* the answer never comes; the call is on the bill */
	VENDOR_LOSES_UNBILLED,
	VENDOR_NEVER_SENT, /* no connection: the provider saw nothing */
	VENDOR_KINDS,
};

struct phone_call {
	struct uuid attempt_id;
	int job;
	int32_t run, hop;
	const struct candidate *candidate;
	int64_t most_input, most_output; /* what the request allows */
	int attempts;			 /* made before it, in this run */
	bool degraded_task;
	enum misbehaviour how;
	struct usage usage;
};

/* A line of the bill. */
struct bill_row {
	struct uuid attempt_id;
	pico amount;
};

struct vendor {
	struct relation bill;
	unsigned trouble; /* of a thousand calls, how many go wrong */
};

void vendor_init(struct vendor *vendor);
void vendor_clear(struct vendor *vendor);
void vendor_finish(struct vendor *vendor);

struct price_book vendor_price_list(void); /* as our table of prices has it; finish it */

/* Decide what will become of a call that is about to be made. */
void vendor_draw(struct world *world, struct phone_call *call);
void vendor_accept(struct world *world, const struct phone_call *call);
void vendor_reply(struct world *world, const struct phone_call *call, struct reply *reply,
		  bool *valid);
nsec vendor_latency(struct world *world, const struct phone_call *call);

#endif
