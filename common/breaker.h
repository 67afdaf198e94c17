/*
 * Stops calling what keeps failing: a candidate, an endpoint, a credential. It
 * opens when too large a share of the calls of a sliding window failed, lets a
 * single probe through after a while, and closes when a probe succeeds.
 *
 *	if (!breaker_allows(&b, now))
 *		return park_until(now + breaker_wait(&b, now));
 *	call->probe = breaker_start(&b, now);
 *	...
 *	breaker_record(&b, call->probe, failed, now);  -- or breaker_release(), no verdict
 *
 *	CLOSED --too many failures, or breaker_trip()--> OPEN
 *	OPEN   --wait over: one probe---------------> HALF_OPEN
 *	HALF_OPEN --probe succeeds--> CLOSED, --fails--> OPEN, twice as long
 *
 * Pure: never reads a clock, never allocates.
 */
#ifndef SLUICE_BREAKER_H
#define SLUICE_BREAKER_H

#include <stdbool.h>
#include <stdint.h>

#include "clock.h"

#define BREAKER_SLICES 10	/* the window moves on by a tenth of itself */
#define BREAKER_LONGEST_WAIT 32 /* × probe_after, after probes that failed in a row */

struct breaker_rules {
	double share; /* failures of the window's calls that open it, 0 < share ≤ 1 */
	nsec window;
	int min_calls; /* fewer in the window say nothing */
	nsec probe_after;
};

enum breaker_state { BREAKER_CLOSED, BREAKER_OPEN, BREAKER_HALF_OPEN };

struct breaker {
	struct breaker_rules rules;
	enum breaker_state state;
	nsec until;	 /* OPEN: when a probe may go */
	nsec wait;	 /* how long it was opened for last time */
	uint64_t opened; /* how often, for metrics */
	struct breaker_slice {
		uint64_t number; /* of the slice since the start of the clock */
		uint32_t calls;
		uint32_t failures;
	} slices[BREAKER_SLICES];
};

void breaker_init(struct breaker *b, const struct breaker_rules *rules);

bool breaker_allows(const struct breaker *b, nsec now);

/* Until it is worth asking again; 0: now. While a probe is out: probe_after. */
nsec breaker_wait(const struct breaker *b, nsec now);

/* An allowed call starts. True: it is the probe, which its record or release must name. */
bool breaker_start(struct breaker *b, nsec now);

/* How a call ended. Late ends of calls from before the opening change nothing. */
void breaker_record(struct breaker *b, bool probe, bool failed, nsec now);

/* A call ended without telling whether the other side works (throttled, cancelled). */
void breaker_release(struct breaker *b, bool probe, nsec now);

/* Open at once: one reply said that no other can pass (bad key, no money, 529). */
void breaker_trip(struct breaker *b, nsec now);

const char *breaker_state_name(enum breaker_state state); /* "closed", "open", "half_open" */

#endif
