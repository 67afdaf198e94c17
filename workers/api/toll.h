/*
 * What keys may use: requests and tokens a minute, true for all processes
 * together. Each takes chunks of what a key has left from Postgres and spends
 * them without asking; who finds nothing left here waits for the next turn.
 *
 *	toll_pay(toll, x, PURSE_TOKENS, 1200, go_on);   -- or the exchange ends with 429
 *	toll_charge(toll, key, PURSE_REQUESTS, 99);     -- used in any case; the next one waits
 *
 * A key without a limit pays nothing and waits for nothing.
 */
#ifndef API_TOLL_H
#define API_TOLL_H

#include <stdbool.h>

#include "clock.h"

enum purse_unit { PURSE_REQUESTS, PURSE_TOKENS, PURSE_COUNT };

/* What this process holds of a key's limit. */
struct purse {
	double per_minute; /* 0: no limit */
	double left;	   /* below 0: used, and not charged yet */
	double level;	   /* what was left for all at level_at; part of no promise */
	nsec level_at;
	double short_of; /* while a turn is made up: what those who wait need, … */
	double first;	 /* … the first of them, … */
	double used;	 /* … and what was used already */
};

struct api;
struct api_key;
struct exchange;
struct toll;

typedef void toll_paid(struct exchange *x);

struct toll *toll_create(struct api *api);
void toll_destroy(struct toll *toll);

/* `paid` is called at once or later; it is not if the key has nothing left or Postgres is away. */
void toll_pay(struct toll *toll, struct exchange *x, enum purse_unit unit, double amount,
	      toll_paid *paid);
void toll_charge(struct toll *toll, struct api_key *key, enum purse_unit unit, double amount);
void toll_run(struct toll *toll);

const char *purse_name(enum purse_unit unit);
double purse_shows(const struct purse *purse, nsec now);  /* what a client may think is left */
unsigned purse_wait(const struct purse *purse, nsec now); /* seconds until there is one again */

#endif
