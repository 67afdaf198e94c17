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
 * Several processes share one by a row that each of them talks to once in a while:
 *
 *	word = breaker_tell(&b, now);          -- goes with the next exchange
 *	breaker_hear(&b, &row, asked, now);    -- what the row says afterwards
 *
 * From then on only who the row has chosen sends a probe; what it finds holds for all.
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

/* To probe: lost if no call comes, kept while the probe is out. */
#define BREAKER_GRANT (3 * NSEC_PER_SEC)

enum breaker_state { BREAKER_CLOSED, BREAKER_OPEN, BREAKER_HALF_OPEN };

/* What one process has to say to the row. */
enum breaker_word { BREAKER_SAYS_NOTHING, BREAKER_SAYS_OPEN, BREAKER_SAYS_CLOSED, BREAKER_ASKS };

/* What the row says to one process. */
struct breaker_row {
	bool open;
	bool mine; /* it is for us to probe */
	nsec left; /* until a probe may go, or the one that another sends is given up */
};

struct breaker {
	struct breaker_rules rules;
	enum breaker_state state;
	nsec until;	 /* OPEN: when a probe may go */
	nsec wait;	 /* how long it was opened for last time */
	uint64_t opened; /* how often by what was seen here, for metrics */
	char why[64];	 /* what opened it; never a provider's free text */

	/* Sharing. */
	bool is_shared;	    /* the row stood open when we last heard: probes need its grant */
	nsec granted_until; /* by then our probe must have started */
	uint64_t told;	    /* openings that the row has heard of */
	enum breaker_state asked_state; /* when we last spoke; what changed since is told first */
	uint64_t asked_opened;
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

enum breaker_word breaker_tell(struct breaker *b, nsec now);

/* The answer to the last breaker_tell(), which was sent at `asked`. */
void breaker_hear(struct breaker *b, const struct breaker_row *row, nsec asked, nsec now);

const char *breaker_word_name(enum breaker_word word);	  /* "", "open", "closed", "probe" */
const char *breaker_state_name(enum breaker_state state); /* "closed", "open", "half_open" */

#endif
