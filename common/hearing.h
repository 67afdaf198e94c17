/*
 * What an answer means for its job, for every lane alike: the answer is
 * checked, the cascade is asked, and what follows is written down as a
 * settlement. Only how a job that stays in its tier goes on is the lane's own
 * affair: it is told what to do next, and does it.
 *
 *	struct hearing hearing = {.job = job, .memo = &memo, .candidate = candidate, …};
 *	struct sequel sequel;
 *
 *	hearing_judge(&court, &hearing, &reply, settlement, &sequel);
 *	if (sequel.keeps)
 *		...             -- the same tier again, after sequel.wait: decide s->state
 *	hearing_tell(&court, &hearing, settlement);
 *
 * What counts against max_attempts: every call, but for those that tell nothing of the job.
 * Throttled ones and those with a bad key never do. A failure of the provider that costs nothing
 * (5xx, overloaded, no connection) does only if the candidate answered others meanwhile: an outage
 * ends no job; a request that breaks a provider which works for others ends. A lost answer may have
 * to be paid for, so it counts, until the candidate's breaker opens. What is not counted has a wide
 * bound of its own: cascade.h.
 */
#ifndef SLUICE_HEARING_H
#define SLUICE_HEARING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cascade.h"
#include "clock.h"
#include "config.h"
#include "contract.h"
#include "digest.h"
#include "memo.h"
#include "pricing.h"
#include "provider.h"
#include "store_claim.h"
#include "store_settle.h"

#define HEARING_NOTE 700

/* What is the same for all jobs of a worker. Borrowed. */
struct court {
	const struct config *config;
	const struct price_book *prices;
	enum price_mode mode;
	const char *results_topic;
	const char *dead_topic;
};

/* A job whose answer has come, or that ends without one. Borrowed, but for the memo, which is
 * written. */
struct hearing {
	const struct job *job;
	const char *headers;		 /* that come back on its events, as JSON; "": none */
	const struct contract *contract; /* NULL: any text */
	const struct tier *tier;
	enum lane lane;
	int32_t epoch;
	struct memo *memo;
	const char *doomed; /* why it can only die; NULL: it may live */
	nsec queued;	    /* from submit to claim; 0: not known */
	nsec calling;
	nsec total;

	const struct digest *answer_key; /* of its question; NULL: its answer is not kept */
	bool leads;			 /* others wait for its answer, or may */

	/* The attempt; not asked where it ends without one. */
	const struct intent *intent;
	int32_t attempt_day;
	const struct candidate *candidate;
	nsec left;	/* when the call left; wall */
	nsec answered;	/* when the last call left that the candidate has answered, whoever's; wall
			 */
	bool is_outage; /* the breaker has opened, or this was its probe: a failure is not the job's
			 */
	uint64_t random; /* for the back-off */
};

/* How it goes on, as far as the settlement does not say. */
struct sequel {
	bool keeps;		 /* in its tier: the lane decides where and when */
	const char *reason;	 /* why; a constant */
	nsec wait;		 /* before the next call */
	bool same_candidate;	 /* asked again */
	bool quotes;		 /* the next prompt quotes the answer, and … */
	char note[HEARING_NOTE]; /* … what was wrong with it */
	bool forgets;		 /* what was to be quoted before is not any more */
};

/* Closes the attempt; decides the job too unless the sequel keeps it. */
void hearing_judge(const struct court *court, const struct hearing *hearing,
		   const struct reply *reply, struct settlement *s, struct sequel *sequel);

/* Whether the task has an answer of its own that fits what the job wants. */
bool hearing_has_static(const struct court *court, const struct hearing *hearing);

/* A decision without an answer: DEAD, CANCELLED or PARKED; a fallback answer, or the task's static
 * one, makes DEAD a degraded DONE. */
void hearing_end(const struct court *court, const struct hearing *hearing, struct settlement *s,
		 const char *state, const char *reason, const char *detail, nsec wait);

/* The answer that somebody else was called for. Borrowed. */
struct recalled {
	const char *provider;
	const char *model;
	const char *output;
	size_t len;
	bool is_json;
	bool unmeasured;
	double confidence; /* NAN: unmeasured */
};

/* A decision without a call: done, by an answer from the cache. */
void hearing_recall(const struct court *court, const struct hearing *hearing, struct settlement *s,
		    const struct recalled *answer);

/* The fields of a decision that every one has. */
void hearing_decide(const struct hearing *hearing, struct settlement *s, const char *state,
		    const char *reason);

/* To another tier or lane, through Kafka, one hop further. */
void hearing_move(const struct court *court, const struct hearing *hearing, struct settlement *s,
		  const struct tier *tier, enum lane lane, const char *reason);

/* A terminal decision becomes what is owed to the outside; others owe nothing. */
void hearing_tell(const struct court *court, const struct hearing *hearing, struct settlement *s);

#endif
