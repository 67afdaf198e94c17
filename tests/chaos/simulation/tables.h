/*
 * A model of our Postgres: the tables of sql/0001_tables.sql as rows in memory,
 * and a function for each statement of the protocol that does what the SQL
 * does, at once and whole. Beside each stands which file it mirrors;
 * test_model.c holds both to the same.
 *
 *	struct tables *t = tables_create();
 *	t->now = …;                             -- the database's clock
 *	tables_claim(t, &owner, &claim_id, rows, count, won, &won_count);
 *
 * Statements take what the statements' own argument builders take (store_claim.h,
 * store_settle.h). Texts are borrowed for as long as the tables, except where a
 * field says that it is owned. A bool result: false is what Postgres answers
 * with SQLSTATE 23505, and nothing has changed.
 */
#ifndef SIMULATION_TABLES_H
#define SIMULATION_TABLES_H

#include <stdbool.h>
#include <stddef.h>

#include "mutation.h"
#include "relation.h"
#include "store_claim.h"
#include "store_settle.h"

enum row_state {
	ROW_CLAIMED,
	ROW_PARKED,
	ROW_QUEUED,
	ROW_DONE,
	ROW_DEAD,
	ROW_CANCELLED,
	ROW_STATE_COUNT
};

struct job_row {
	struct uuid id;
	enum row_state state;
	int32_t run, hop, epoch;
	int crash_count;
	bool cancel_requested;
	enum lane lane;
	bool has_due, has_owner, has_claim;
	nsec due;
	struct uuid owner, claim_id;
	struct digest fingerprint;
	const char *tier;
	const char *reason; /* NULL: none */
	char *progress;	    /* owned; NULL: none */
	const char *body;   /* of the payload */
	size_t body_len;
};

enum attempt_row_state { ATTEMPT_SENT, ATTEMPT_UNKNOWN, ATTEMPT_CLOSED, ATTEMPT_THROTTLED };

struct attempt_row {
	struct uuid id;
	struct uuid job_id, worker_id;
	int32_t run, hop, epoch;
	enum attempt_row_state state;
	nsec sent_at;
	pico bound;
	const char *provider, *model, *tier;
	const char *verdict;
	pico booked; /* the sum of its ledger rows; unpriced ones count 0 */
	int rows;    /* how many of them */
};

enum ledger_kind { LEDGER_CHARGE, LEDGER_UNKNOWN, LEDGER_ADJUSTMENT };

struct ledger_row {
	struct uuid attempt_id, job_id;
	enum ledger_kind kind;
	int32_t run, hop;
	pico amount; /* PICO_UNPRICED: NULL */
	const char *purpose;
};

struct result_row {
	struct uuid job_id;
	int32_t run;
	enum row_state outcome;
	bool degraded;
	const char *reason;
	pico cost;
};

struct outbox_row {
	struct uuid event_id;
	struct uuid job_id;
	bool deleted;
	nsec next_try;
	int tries;
	const char *kind, *topic; /* borrowed from the settlement */
	const char *body;
};

struct tombstone_row {
	struct uuid job_id;
	int32_t run, hop;
	enum row_state state;
	struct digest fingerprint;
};

struct reject_place {
	char topic[48];
	int32_t partition;
	int64_t offset;
	const char *reason;
};

struct worker_row {
	struct uuid id;
	nsec beat_at;
	bool stopping, ended;
};

/* What settle returns of each job it decided. */
struct decided_row {
	struct uuid job_id;
	int32_t epoch;
};

struct tables {
	nsec now; /* the database's clock */
	enum mutation mutation;
	struct relation jobs, attempts, outbox, tombstones, workers;
	struct ledger_row *ledger;
	struct result_row *results;
	struct reject_place *rejects;
	size_t ledger_count, result_count, reject_count;

	/* What the last statement touched, for whoever checks after each step. */
	struct job_row **touched_jobs;
	struct attempt_row **touched_attempts;
	size_t touched_job_count, touched_attempt_count;
	size_t written_off; /* attempts that became unknown without an answer */
};

#define TABLES_MOST_JOBS 1024
#define TABLES_MOST_ATTEMPTS 8192
#define TABLES_MOST_LEDGER 16384

struct tables *tables_create(void);
void tables_destroy(struct tables *t);
void tables_clear(struct tables *t);
void tables_forget_touched(struct tables *t);

/* won has room for count; parked ones are in it as well. */
bool tables_claim(struct tables *t, const struct uuid *owner, const struct uuid *claim_id,
		  const struct claim_row *rows, size_t count, struct claimed *won,
		  size_t *won_count);
void tables_classify(struct tables *t, const struct uuid *owner, const struct uuid *claim_id,
		     const struct uuid *ids, size_t count, struct standing *standing);
size_t tables_pull(struct tables *t, const struct uuid *owner, const struct uuid *claim_id,
		   const struct pull_want *wants, size_t count, bool suspects,
		   struct claimed *pulled, size_t most);
size_t tables_intend(struct tables *t, const struct uuid *owner, const struct intend_row *rows,
		     size_t count, struct uuid *attempts);
bool tables_settle(struct tables *t, struct settlement *const *settlements, size_t count,
		   struct decided_row *decided, size_t *decided_count);
bool tables_reject(struct tables *t, const struct reject_row *rows, size_t count);

size_t tables_repair_orphans(struct tables *t, size_t most);
size_t tables_suspects(const struct tables *t);
size_t tables_hand_back(struct tables *t, const struct uuid *worker, const struct uuid *jobs,
			size_t count, const struct uuid *unsent, size_t unsent_count,
			struct uuid *given);
size_t tables_outbox_take(struct tables *t, struct outbox_row **rows, size_t most);
void tables_outbox_paid(struct tables *t, const struct uuid *events, size_t count);

void tables_worker_start(struct tables *t, const struct uuid *worker);
bool tables_beat(struct tables *t, const struct uuid *worker, bool stopping);
void tables_worker_end(struct tables *t, const struct uuid *worker);

enum cancel_stood { STOOD_NOWHERE, STOOD_OPEN, STOOD_ENDED };
enum cancel_stood tables_cancel(struct tables *t, const struct uuid *job_id);
/* topic and message of the move are borrowed. False: not ended, or another run. */
bool tables_rerun(struct tables *t, const struct uuid *job_id, int32_t run, const char *tier,
		  const struct uuid *event_id, const char *topic, const char *message);

bool row_is_final(enum row_state state);
const char *row_state_name(enum row_state state); /* as in SQL: "CLAIMED" */

/* For the files of the tables. */
void tables_touch_job(struct tables *t, struct job_row *job);
void tables_touch_attempt(struct tables *t, struct attempt_row *attempt);
struct attempt_row *tables_add_attempt(struct tables *t, const struct uuid *worker,
				       const struct job_row *job, int32_t epoch,
				       const struct intent *intent);
void tables_book(struct tables *t, struct attempt_row *attempt, enum ledger_kind kind, pico amount,
		 const char *purpose);
void tables_write_off(struct tables *t, const struct uuid *jobs, size_t count);

#endif
