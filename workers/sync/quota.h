/*
 * What this worker holds of the fleet's allowances, and its turns at them: a few
 * times a second one statement asks for what is wanted and tells what replies
 * said. Without any allowance it costs two empty turns a second. The same turns
 * share the breakers of the targets with the fleet.
 *
 *	switch (quota_take(w, work, &size, bound, now, &refusal)) ...   -- before an intent
 *	quota_give_back(work);                          -- the call did not start
 *	quota_learn(w, work, &reply, wait, now);        -- it ended
 *
 * A rate belongs to a target (provider, credential, model), a balance to whom
 * the job belongs. What a job takes of rates is local; what it takes of
 * balances is written with the intent and fenced by the lease it names.
 */
#ifndef SYNC_QUOTA_H
#define SYNC_QUOTA_H

#include <stdbool.h>
#include <stddef.h>

#include "allowance.h"
#include "clock.h"
#include "pg.h"
#include "provider.h"
#include "store_claim.h"
#include "targets.h"

struct request;
struct rule;
struct work;
struct worker;

#define MAX_QUOTA_TAKES 16 /* allowances that one call may take from */

/* What a job has taken for its call. */
struct quota_takes {
	struct quota_take {
		struct rule *rule;
		struct uuid lease_id;
		int64_t amount;
	} items[MAX_QUOTA_TAKES];
	size_t count;
	struct call_size size; /* as it was guessed */
	int64_t bytes;	       /* that the guess was made from */
};

enum quota_answer {
	QUOTA_GO,   /* taken */
	QUOTA_DRY,  /* this target has none left now: another may have */
	QUOTA_WAIT, /* a balance has none left now, or the row is only being asked */
	QUOTA_STOP, /* a balance has none left until its period ends: see policy */
};

struct quota_refusal {
	const char *reason; /* "budget", "quota" */
	const char *policy; /* QUOTA_STOP: "park", "degrade", "dead" */
	nsec wait;
	bool everyone; /* whoever else asked would be refused as well */
};

/* The most a call can take of balances. */
struct quota_bound {
	int64_t usd; /* pico-dollars */
	int64_t input;
	int64_t output;
};

struct quota;
struct quota *quota_create(struct worker *w);
void quota_destroy(struct quota *quota);

void quota_run(struct worker *w, nsec now);
void quota_answer(struct worker *w, struct request *request, struct pg_answer *answer, nsec now);
/* The next turn as soon as may be: a breaker has opened or closed, which the fleet must know. */
void quota_hurry(struct worker *w, nsec now);
nsec quota_wake_at(const struct worker *w); /* 0: a turn is under way, or there is nobody to ask */

/* Whether any balance holds for the job: then its intent must name leases. */
bool quota_pays(const struct worker *w, const struct work *work);

/* Takes from all that hold for this call, or from none. */
enum quota_answer quota_take(struct worker *w, struct work *work, const struct target *target,
			     int64_t bytes, int64_t output_cap, const struct quota_bound *bound,
			     nsec now, struct quota_refusal *refusal);

/* A balance of the job's that is used up until its period ends; nothing is taken or asked for. */
bool quota_is_out(const struct worker *w, const struct work *work, const struct target *target,
		  const struct quota_bound *bound, nsec now, struct quota_refusal *refusal);

void quota_give_back(struct work *work);

/* Postgres refused the leases: what we think we hold of them is wrong. */
void quota_doubt(struct work *work);

/* The leases that the work's intent names. Returns how many. */
size_t quota_leases(const struct work *work, struct intent_take takes[MAX_QUOTA_TAKES]);

/* A call has ended: guesses become facts, headers are readings, a 429 holds for the fleet. */
void quota_learn(struct worker *w, struct work *work, const struct reply *reply, nsec hold,
		 nsec now);

#endif
