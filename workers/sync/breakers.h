/*
 * This worker's breakers and the fleet's: what one finds out of order all leave
 * alone. They travel in the turns at the allowances, as columns of turn.sql.
 *
 *	breakers_push(w, args, now);                    -- what we found, or would like to probe
 *	breakers_read(w, text, request->sent_at, now);  -- what is open, ours to probe or not
 */
#ifndef SYNC_BREAKERS_H
#define SYNC_BREAKERS_H

#include "pg_args.h"
#include "worker.h"

/* Six arrays, $13 to $18 of turn.sql; empty ones where there is nothing to say. */
void breakers_push(struct worker *w, struct pg_args *args, nsec now);

/* The JSON of breakers_turn(), "" for none open; asked: when the turn left, by our clock. */
void breakers_read(struct worker *w, const char *text, nsec asked, nsec now);

#endif
