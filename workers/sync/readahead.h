/*
 * How far messages are read ahead of their turn: those whose budget is used up,
 * and those of a unit that has its share of a line waiting already, are claimed
 * straight into PARKED, so that others behind them move. That is
 * bounded in rows per business unit and in all; at the bound the partition waits.
 * Each worker parks its share of what is left of the bound, as last counted.
 *
 *	if (starts_is_broke(w, work, now, &wait)) {
 *		park the work for that long;
 *		readahead_parked(w, work, now);
 *	}
 */
#ifndef SYNC_READAHEAD_H
#define SYNC_READAHEAD_H

#include <stdbool.h>

#include "clock.h"
#include "pg.h"

struct readahead;
struct request;
struct work;
struct worker;

struct readahead *readahead_create(void);
void readahead_destroy(struct readahead *ahead);

/* One more goes into PARKED; its partition is held if its unit has had its share. */
void readahead_parked(struct worker *w, const struct work *work, nsec now);

void readahead_run(struct worker *w, nsec now);
void readahead_answer(struct worker *w, struct request *request, struct pg_answer *answer,
		      nsec now);

/* Whether a message's unit has as many jobs waiting in a line that is short of quota as is its
 * part: half of the line, split evenly. The other half stays free for those who come. */
bool readahead_is_over_share(const struct worker *w, const struct work *work, nsec now);

/* The unit that stops a partition, and what its jobs wait for: "budget", "breaker", "share". NULL:
 * none does. */
const char *readahead_blocker(const struct worker *w, const char **reason);

#endif
