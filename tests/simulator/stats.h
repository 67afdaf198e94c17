/*
 * What happened, for GET /control: in all, per five seconds, per model and key.
 *
 *	stats_add(&stats, scope_model, scope_key, STAT_ACCEPTED, now);
 */
#ifndef SIMULATOR_STATS_H
#define SIMULATOR_STATS_H

#include "buffer.h"
#include "clock.h"

#define STATS(X)                                                      \
	X(REQUESTS, "requests")	    /* chat calls that came in */     \
	X(ACCEPTED, "accepted")	    /* will be answered and billed */ \
	X(DELIVERED, "delivered")   /* all of the answer left */      \
	X(THROTTLED, "throttled")   /* 429, whatever the reason */    \
	X(LIMITED, "limited")	    /* 429 because of the limits */   \
	X(FAULTED, "faulted")	    /* a fault struck */              \
	X(REFUSED, "refused")	    /* any other error answer */      \
	X(DUPLICATES, "duplicates") /* accepted again with a known client request id */

enum stat {
#define STAT(constant, name) STAT_##constant,
	STATS(STAT)
#undef STAT
		STAT_COUNT,
};

#define STATS_WINDOW (5 * NSEC_PER_SEC)
#define STATS_WINDOWS 1440 /* two hours */
#define STATS_MAX_SCOPES 64

struct stats_scope {
	char model[96];
	char key[96];
	uint64_t counts[STAT_COUNT];
};

struct stats {
	nsec start;
	uint64_t counts[STAT_COUNT];
	uint64_t in_flight;
	uint64_t faults[128]; /* by fault, as far as they struck */
	struct stats_scope scopes[STATS_MAX_SCOPES];
	size_t scope_count;
	uint64_t first_window; /* number of the oldest window kept */
	uint32_t windows[STATS_WINDOWS][STAT_COUNT];
	uint64_t last_window;
};

void stats_add(struct stats *stats, const char *model, const char *key, enum stat stat, nsec now);
void stats_write(const struct stats *stats, struct buffer *out); /* members of a JSON object */

#endif
