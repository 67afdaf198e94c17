/*
 * What the cascade must remember of a job's run across calls, parks, hops and
 * crashes. Stored with the job as JSON when there is anything to remember; no
 * prompt is in it, and an answer only where the task allows a degraded one or
 * where it is to be quoted to the model.
 *
 *	struct memo memo;
 *	memo_read(&memo, claimed.progress);     -- "" : a fresh run
 *	memo_avoid(&memo, "openai", "gpt-4o-mini");
 *	char *text = memo_write(&memo);         -- NULL: nothing to remember
 *	memo_finish(&memo);
 */
#ifndef SLUICE_MEMO_H
#define SLUICE_MEMO_H

#include <stdbool.h>
#include <stddef.h>

#include "clock.h"
#include "money.h"
#include "usage.h"

#define MEMO_MAX_AVOIDED 8
#define MEMO_MAX_FALLBACK 16384 /* bytes of an answer kept for a degraded end */

struct memo {
	int attempts; /* made in this run; what counts as one: hearing.h */
	int repairs;  /* with the present model */
	int refusals;
	int transient;	    /* failures of the provider in a row */
	nsec failed_at;	    /* the last of them, by the wall clock; 0: none since an answer */
	int uncounted;	    /* failures since an answer that used up no attempt … */
	nsec failing_since; /* … and the first of them, by the wall clock; 0: none */
	pico spent;	    /* PICO_UNPRICED: a part has no price */
	struct usage usage;
	char signature[96];		 /* of the last failure */
	char *avoided[MEMO_MAX_AVOIDED]; /* "endpoint/model" that failed in this tier; owned */
	size_t avoided_count;
	char *fallback; /* the best valid answer below the threshold; owned, NULL: none */
	size_t fallback_len;
	bool fallback_is_json;
	double fallback_confidence;
	char fallback_provider[64];
	char fallback_model[96];
	char *repair_answer; /* what the next prompt quotes, where another worker may send it; owned
				… */
	char *repair_note;   /* … and what was wrong with it; NULL: nothing is quoted */
};

void memo_read(struct memo *memo, const char *text); /* unreadable text: a fresh run */
char *memo_write(const struct memo *memo);	     /* the caller's */
void memo_finish(struct memo *memo);

void memo_avoid(struct memo *memo, const char *endpoint, const char *model);
bool memo_avoids(const struct memo *memo, const char *endpoint, const char *model);
void memo_forgive(struct memo *memo); /* a new tier: nothing is avoided, no repairs made */

/* The provider failed the job, or said something about it: then what was before is over. */
void memo_fail(struct memo *memo, bool is_attempt, nsec wall);
void memo_hear(struct memo *memo);

void memo_spend(struct memo *memo, pico cost, const struct usage *usage);

/* Quote an answer and what is wrong with it in the next prompt; note NULL: quote nothing. */
void memo_quote(struct memo *memo, const char *answer, size_t len, const char *note);

/* Keep a valid answer that was not sure enough, unless it is too long or one before was surer. */
void memo_keep(struct memo *memo, const char *answer, size_t len, bool is_json, double confidence,
	       const char *provider, const char *model);

#endif
