/*
 * The claim: from messages to rows that are ours. A group of messages becomes
 * one statement, sorted and deduplicated by job id; what it won comes back as
 * rows, what it did not win is looked up and classified.
 *
 *	pg_send(pg, "claim", store_claim_args(&owner, &claim_id, rows, count), group);
 *	...
 *	while (store_claimed_read(answer.rows, row++, &won)) ...
 *	pg_send(pg, "classify", store_classify_args(&claim_id, lost, lost_count), group);
 *	...
 *	switch (claim_classify(&wish, &standing, &owner, &claim_id)) ...
 */
#ifndef SLUICE_STORE_CLAIM_H
#define SLUICE_STORE_CLAIM_H

#include <stdbool.h>
#include <stddef.h>

#include "clock.h"
#include "digest.h"
#include "job.h"
#include "money.h"
#include "pg.h"
#include "uuid.h"

/* The intent of one call. */
struct intent {
	struct uuid attempt_id;
	const char *provider;
	const char *model;
	const char *credential;
	const char *tier;
	pico bound;		/* PICO_UNPRICED: no price is known */
	const char *waited_for; /* in a worker, a constant; NULL: for nothing worth telling */
	int waited_ms;
};

/* A message as the claim wants it. Everything is borrowed until the args are built. */
struct claim_row {
	const struct job *job;
	const char *tier;
	enum lane lane;
	const char *bytes; /* of the message, for the payload */
	size_t len;
	const char *headers;	 /* that come back on every event, as JSON; "" : none */
	const char *park_reason; /* NULL: CLAIMED; else PARKED for this reason … */
	nsec due; /* … until then, wall clock; 0: at once. Of a batch: when to rescue */
	const struct intent *intent; /* NULL: no call starts with the claim */
	const struct uuid *batch_id; /* the call is a line of this batch; NULL: it is made by us */
};

/* Rows must be sorted by job id, each id once. */
struct pg_args *store_claim_args(const struct uuid *owner, const struct uuid *claim_id,
				 const struct claim_row *rows, size_t count);

/* A job that is ours now. Texts and body are borrowed from the rows they were read from. */
struct claimed {
	struct uuid job_id;
	bool parked; /* claimed straight into PARKED or BATCHED: not ours to run */
	bool batched;
	int32_t run;
	int32_t hop;
	int32_t epoch;
	int32_t day;	  /* of the payload, in days since 2000 */
	const char *tier; /* "" : as in the message, and so below */
	const char *lane;
	const char *progress;
	int crash_count;
	bool cancel_requested;
	const char *body; /* NULL: the message itself is the payload */
	size_t body_len;
	const char *headers;
};

/* Row `row` of a claim or a pull. */
struct claimed store_claimed_read(const struct pg_rows *rows, int row);

/* What stands where a claim did not win. */
struct standing {
	struct uuid job_id;
	bool exists;
	bool terminal_or_tomb;
	int32_t run;
	int32_t hop;
	char state[12];
	struct digest fingerprint;
	bool ours;		/* won after all, by an earlier sending of the same claim */
	struct claimed claimed; /* if ours */
};

struct pg_args *store_classify_args(const struct uuid *claim_id, const struct uuid *ids,
				    size_t count);
struct standing store_standing_read(const struct pg_rows *rows, int row, const struct uuid *owner,
				    const struct uuid *claim_id);

enum claim_class {
	CLAIM_WON,	  /* ours: by this claim, or by its first sending */
	CLAIM_DUPLICATE,  /* the same job again, or an old message: dropped */
	CLAIM_CONFLICT,	  /* same id, other body: rejected */
	CLAIM_AGAIN,	  /* a follow-up whose row waits for just it: claim once more */
	CLAIM_IMPOSSIBLE, /* a follow-up that is newer than its row, or has none: rejected */
};

/*
 * A full envelope is a duplicate of its row or in conflict with it. A thin one
 * is a duplicate when the row is past it, impossible when it is ahead, and never dropped while
 * the row still waits for it.
 */
enum claim_class claim_classify(const struct job *job, const struct standing *standing);

/* Pulling due work: one row a (tier, lane). */
struct pull_want {
	const char *tier;
	enum lane lane;
	int most;
};
struct pg_args *store_pull_args(const struct uuid *owner, const struct uuid *claim_id,
				const struct pull_want *wants, size_t count, bool suspects);

/* What an attempt takes of the lease of a balance. */
struct intent_take {
	struct uuid lease_id;
	int64_t amount;
};

/* Intents of calls for jobs that are ours already. */
struct intend_row {
	struct uuid job_id;
	int32_t epoch;
	int32_t day; /* of the attempt, in days since 2000: fixed here, so that sending twice is
			harmless */
	const struct intent *intent;
	const struct intent_take
		*takes; /* an intent whose lease is gone or too small is not written */
	size_t take_count;
};

/* Days since 2000 of a wall-clock time. */
int32_t store_day(nsec wall);
struct pg_args *store_intend_args(const struct uuid *owner, const struct intend_row *rows,
				  size_t count);

/* A message that is no job. */
struct reject_row {
	const char *topic;
	int32_t partition;
	int64_t offset;
	const struct uuid *job_id; /* NULL: not known */
	const char *reason;	   /* "unparseable", "conflict", "impossible" … */
	const char *detail;
	const char *bytes;
	size_t len;
	struct uuid event_id;
	const char *dead_topic;
	const char *headers; /* of the dead letter, as JSON */
	const char *dead_letter;
};
struct pg_args *store_reject_args(const struct reject_row *rows, size_t count);

#endif
