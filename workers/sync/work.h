/*
 * One job in the hands of this worker, from its claim to its settlement, and
 * the list of them all.
 *
 *	CLAIMING -> READY -> INTENDING -> CALLING -> SETTLING -> (gone)
 *	                ^        |                      |
 *	                |        v                      |
 *	                +---- WAITING <-----------------+   kept: repair, retry, next candidate
 *
 * A job whose task keeps answers is RECALLING between CLAIMING and READY: asked
 * is whether its answer is there, or being made (then it is parked, and gone).
 *
 * READY jobs of a tier are started in fair order: they wait in its line.
 * CLAIMING with an intent goes straight to CALLING when the claim has
 * committed. Every state is left by one function of the file that is named for
 * the step.
 */
#ifndef SYNC_WORK_H
#define SYNC_WORK_H

#include <stdbool.h>
#include <stddef.h>

#include "clock.h"
#include "config.h"
#include "contract.h"
#include "digest.h"
#include "fair_queue.h"
#include "http.h"
#include "job.h"
#include "memo.h"
#include "quota.h"
#include "store_claim.h"
#include "targets.h"

#define WORK_STATES(X)                                                      \
	X(CLAIMING)  /* in a claim group; not ours yet */                   \
	X(RECALLING) /* ours; whether its answer is there is asked */       \
	X(READY)     /* ours; to be started as soon as something is free */ \
	X(INTENDING) /* the intent of its call is on its way to Postgres */ \
	X(CALLING)   /* the request is on the wire */                       \
	X(SETTLING)  /* the outcome of a call is on its way to Postgres */  \
	X(WAITING)   /* until wake_at, then READY */

enum work_state {
#define WORK_STATE(name) WORK_##name,
	WORK_STATES(WORK_STATE)
#undef WORK_STATE
		WORK_STATE_COUNT,
};

struct work {
	enum work_state state;
	struct job *job; /* owned */
	char *bytes;	 /* the message, owned; NULL once it is stored */
	size_t len;
	size_t weight;		   /* bytes of the envelope: the upper bound of its tokens */
	char *headers;		   /* that come back on every event, as JSON; owned */
	struct contract *contract; /* what the answer must fit; NULL: any text. Released with it */
	const struct tier *tier;
	enum lane lane;
	int32_t epoch;
	int32_t day;
	int crash_count;
	bool cancel_requested;
	const char *doomed; /* why it can only die, as a code; NULL: it may live */
	char doomed_detail[300];
	const char *park_reason; /* claimed straight into PARKED for this; NULL: not */
	nsec park_until;	 /* wall clock; 0: due at once */
	bool won;
	struct memo memo;

	/* Its question, where its task keeps answers. */
	bool has_key;
	bool leads; /* it is called for all who ask the same */
	struct digest answer_key;

	/* Where its message was; topic is an index of the worker's topics. */
	size_t topic;
	int32_t partition;
	int64_t offset;

	/* The present call. */
	struct intent intent;
	struct quota_takes takes; /* what it has taken of allowances */
	int32_t attempt_day;
	const struct candidate *candidate; /* NULL: none */
	struct target *target;
	bool is_probe;			/* of the target's breaker */
	bool is_credential_probe;	/* of the account's */
	const struct candidate *prefer; /* for the next call: the same model again; NULL: any */
	nsec prefer_until;		/* until then it is waited for */
	bool counted;			/* in target->in_flight */
	struct http_call *call;
	nsec sent_at;
	char *body; /* of the request; owned while the call is on */

	/* For the next call: what the model said and what was wrong with it. */
	char *repair_answer; /* owned; NULL: no repair */
	size_t repair_len;
	char *repair_note;

	bool prepared;	 /* intent, candidate and target are chosen */
	nsec wake_at;	 /* WAITING */
	nsec wait_after; /* how long it is to wait when its settlement has committed */
	nsec claimed_at; /* monotonic */
	nsec idle_since; /* nothing was done for it since: its claim, or the last settlement */
	const char *waits_for; /* the longest wait since, a constant; NULL: none */
	nsec waits_most;       /* how long that was to be */
	nsec queued;	       /* from submit to claim; 0: not known */
	nsec calling;	       /* spent in calls so far */

	struct fair_turn turn; /* READY: in the line of its tier */

	struct work *previous, *next; /* in the list of its state */
	struct work *bucket_next;     /* in the table by job id */
};

struct work_list {
	struct work *first, *last;
	size_t count;
};

/* The READY jobs of a tier. */
struct work_line {
	struct fair_queue *queue;
	nsec paused_until; /* nothing of the tier can be started before */
	const char *paused_for;
};

/* All of a worker's jobs: a list by state, and a table of those that are ours. */
struct works {
	struct work_line *lines; /* by the tier's rank */
	size_t line_count;
	struct work_list lists[WORK_STATE_COUNT];
	struct work *buckets[2048];
	size_t held; /* in the table */
};

void works_init(struct works *works, const struct config *config);
void works_finish(struct works *works); /* there must be none left */

/* A new job in CLAIMING. Takes job, bytes and headers. */
struct work *work_create(struct works *works, struct job *job, char *bytes, size_t len,
			 char *headers);
void work_destroy(struct works *works, struct work *work);

/* The one way to change state. */
void work_move(struct works *works, struct work *work, enum work_state to);

/* It waits, so long for this; of several waits before a call the longest counts. */
void work_waits(struct work *work, const char *reason, nsec wait);

/* It is to be called: what it waited for, and how long, is told with the intent. */
void work_tell_wait(struct work *work, const struct work_line *line, nsec now);

/* It is ours now: found by its id from here on. */
void work_hold(struct works *works, struct work *work);
struct work *work_find(const struct works *works, const struct uuid *job_id);

/* A line that was paused just now has more jobs than it can start: they wait, they are no work. */
bool work_line_is_short(const struct work_line *line, nsec now);
size_t works_stalled(const struct works *works, nsec now);
void works_resume(struct works *works, nsec now); /* something came in: all try again */

size_t works_in(const struct works *works, enum work_state state);
/* Whose turn it is in a line; NULL: none waits there. */
struct work *work_next(const struct work_line *line);

/* Its turn is used: it is started. */
void work_take(struct works *works, struct work *work);
const char *work_state_name(enum work_state state);

#endif
