/*
 * What an answer means: one pure function from what came back, what the task
 * allows and what the job has been through, to what happens next. It is the
 * heart; its table of rows is in design terms, and tested row by row.
 *
 *	struct verdict v = cascade_judge(&policy, &history, &finding);
 *	switch (v.next) ...
 *
 * Limits (cost, attempts, hops, deadline) are asked only before another call:
 * a good answer that is paid for is accepted however late or dear it came, and
 * a job that dies anyway dies with what was wrong with it.
 */
#ifndef SLUICE_CASCADE_H
#define SLUICE_CASCADE_H

#include <stdbool.h>
#include <stdint.h>

#include "clock.h"
#include "money.h"
#include "provider.h"

/*
 * Failures of the provider that use up no attempt have a bound of their own, or a request that
 * breaks a provider with nobody else to answer would be sent for ever. They end a job, as
 * max_attempts, when they are so many for each attempt and have gone on for so long.
 *
 * With the default settings a job alone with a dead candidate calls every 15 s (full jitter up to
 * 30 s): 20 × 6 failures are half an hour, too short for an outage, hence the time. It is 12 h and
 * some 2900 calls that cost nothing. Where the breaker opens, its probes come every 8 min: then 120
 * take 16 h, even if one job made them all. The time alone would end a job that was called twice.
 */
#define CASCADE_UNCOUNTED_PER_ATTEMPT 20
#define CASCADE_LONGEST_OUTAGE (12 * 3600 * NSEC_PER_SEC)

/* What the task and the job allow. */
struct cascade_policy {
	double min_confidence; /* below it a valid answer escalates; 0: any will do */
	bool needs_confidence; /* unmeasured is escalated too, not accepted and counted */
	int max_repairs;       /* same model, error quoted */
	int max_transient;     /* the provider's failures in a row on one candidate */
	int max_attempts;      /* calls of one run, as the history counts them; at least 1 */
	int max_hops;
	pico max_cost;		/* of one run; 0: none */
	bool refusal_escalates; /* once, then dead; false: dead at once */
	bool degraded_allowed;	/* a valid but unsure answer beats none at the end of the road */
};

/* What the job has been through in this run. */
struct cascade_history {
	int attempts; /* this one included; see memo.h */
	int repairs;  /* with this model */
	int hop;
	int refusals;  /* before this one */
	int transient; /* failures of the provider in a row, before this one */
	int uncounted; /* failures of the provider since an answer that are no attempts, … */
	nsec failing;  /* … and how long ago the first of them was */
	pico spent;    /* this call included; unpriced calls count their bound */
	bool past_deadline;
	bool has_next_candidate;  /* another candidate of this tier may take it */
	bool has_higher_tier;	  /* a higher tier is allowed and not tried */
	bool has_larger_window;	  /* a candidate or allowed tier with a larger context exists */
	bool has_fallback_answer; /* a valid answer below the threshold was seen before */
	char signature[96];	  /* of this model's failure before this one; "" */
};

/* What came back, checked. */
struct cascade_finding {
	enum reply_kind kind;
	bool valid;	    /* parsed, and fits the schema (or plain text was wanted) */
	double confidence;  /* NAN: unmeasured */
	char signature[96]; /* of this failure: "schema /items/-/price type", "truncated" … */
	bool never_retry;
};

#define NEXT_STEPS(X)                                                              \
	X(ACCEPT)   /* this is the answer */                                       \
	X(DEGRADE)  /* end with the best valid answer there is, marked degraded */ \
	X(REPAIR)   /* ask the same model again, the error quoted */               \
	X(RETRY)    /* ask the same candidate again after a back-off */            \
	X(FALLBACK) /* the tier's next candidate */                                \
	X(ESCALATE) /* the next tier */                                            \
	X(WIDEN)    /* a candidate or tier with a larger window */                 \
	X(WAIT)	    /* throttled: when the quota allows; not an attempt */         \
	X(PARK)	    /* the credential is broken; wait for people */                \
	X(DIE)	    /* dead, with the reason */

enum next_step {
#define NEXT_STEP(name) NEXT_##name,
	NEXT_STEPS(NEXT_STEP)
#undef NEXT_STEP
};

/*
 * Why: constant codes, the same in rows, messages and metrics. The limits among
 * them end a job whose last call would otherwise have been followed by another.
 */
#define VERDICT_REASONS(X)                                                                \
	X(ACCEPTED, "accepted")                                                           \
	X(LOW_CONFIDENCE, "low_confidence")                                               \
	X(INVALID_OUTPUT, "invalid_output") /* not JSON, or not as the schema wants it */ \
	X(SAME_FAILURE, "same_failure")	    /* again, although it was quoted */           \
	X(TRUNCATED, "truncated")	    /* by the cap on output tokens */             \
	X(GARBLED, "garbled")		    /* paid for, but not the provider's format */ \
	X(REFUSED, "refused")                                                             \
	X(THROTTLED, "throttled")                                                         \
	X(CREDENTIAL, "credential")                                                       \
	X(TOO_LARGE, "too_large")                                                         \
	X(UNAVAILABLE, "unavailable")                                                     \
	X(LOST, "lost")                                                                   \
	X(INVALID_REQUEST, "invalid_request")                                             \
	X(UNKNOWN_MODEL, "unknown_model")                                                 \
	X(DEADLINE, "deadline")                                                           \
	X(MAX_COST, "max_cost")                                                           \
	X(MAX_ATTEMPTS, "max_attempts")                                                   \
	X(MAX_HOPS, "max_hops")

struct verdict {
	enum next_step next;
	const char *reason; /* one of VERDICT_REASONS */
	bool unmeasured;    /* accepted without the confidence the task asks for */
};

struct verdict cascade_judge(const struct cascade_policy *policy,
			     const struct cascade_history *history,
			     const struct cascade_finding *finding);

const char *next_step_name(enum next_step next); /* "accept", … */

/*
 * The JSON in an answer: code fences and prose around it are forgiven. Finds the
 * outermost value, the longest where there are several; returns it (the caller's)
 * and where its bytes lie in text, or NULL with a REJECT error fit to quote to the
 * model. A value that was cut short is never taken for one of its parts.
 */
json_t *cascade_extract_json(const char *text, size_t len, const char **start, size_t *value_len,
			     struct error *err);

#endif
