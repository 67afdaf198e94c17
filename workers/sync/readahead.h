/*
 * How far messages are read ahead of their turn: those whose budget is used up
 * are claimed straight into PARKED, so that others behind them move. That is
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

/* The unit that stops a partition; NULL: none does. broken: its jobs wait for breakers, else for a
 * budget. */
const char *readahead_blocker(const struct worker *w, bool *broken);

#endif
