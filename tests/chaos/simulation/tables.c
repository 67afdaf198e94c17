#include "tables.h"

#include <stdlib.h>
#include <string.h>

#include "ensure.h"

struct tables *tables_create(void)
{
	struct tables *t = xcalloc(1, sizeof(*t));

	relation_init(&t->jobs, sizeof(struct job_row), TABLES_MOST_JOBS);
	relation_init(&t->attempts, sizeof(struct attempt_row), TABLES_MOST_ATTEMPTS);
	relation_init(&t->outbox, sizeof(struct outbox_row), 8 * TABLES_MOST_JOBS);
	relation_init(&t->tombstones, sizeof(struct tombstone_row), TABLES_MOST_JOBS);
	relation_init(&t->workers, sizeof(struct worker_row), 256);
	t->ledger = xcalloc(TABLES_MOST_LEDGER, sizeof(*t->ledger));
	t->results = xcalloc((size_t)4 * TABLES_MOST_JOBS, sizeof(*t->results));
	t->rejects = xcalloc((size_t)4 * TABLES_MOST_JOBS, sizeof(*t->rejects));
	t->touched_jobs = xcalloc((size_t)4 * TABLES_MOST_JOBS, sizeof(*t->touched_jobs));
	t->touched_attempts = xcalloc(TABLES_MOST_ATTEMPTS, sizeof(*t->touched_attempts));
	return t;
}

static void free_progress(struct tables *t)
{
	for (size_t i = 0; i < t->jobs.count; i++)
		free(((struct job_row *)relation_at(&t->jobs, i))->progress);
}

void tables_clear(struct tables *t)
{
	free_progress(t);
	relation_clear(&t->jobs);
	relation_clear(&t->attempts);
	relation_clear(&t->outbox);
	relation_clear(&t->tombstones);
	relation_clear(&t->workers);
	t->ledger_count = t->result_count = t->reject_count = t->written_off = 0;
	tables_forget_touched(t);
}

void tables_destroy(struct tables *t)
{
	if (!t)
		return;
	free_progress(t);
	relation_finish(&t->jobs);
	relation_finish(&t->attempts);
	relation_finish(&t->outbox);
	relation_finish(&t->tombstones);
	relation_finish(&t->workers);
	free(t->ledger);
	free(t->results);
	free(t->rejects);
	free(t->touched_jobs);
	free(t->touched_attempts);
	free(t);
}

void tables_forget_touched(struct tables *t)
{
	t->touched_job_count = t->touched_attempt_count = 0;
}

void tables_touch_job(struct tables *t, struct job_row *job)
{
	if (t->touched_job_count < (size_t)4 * TABLES_MOST_JOBS)
		t->touched_jobs[t->touched_job_count++] = job;
}

void tables_touch_attempt(struct tables *t, struct attempt_row *attempt)
{
	if (t->touched_attempt_count < TABLES_MOST_ATTEMPTS)
		t->touched_attempts[t->touched_attempt_count++] = attempt;
}

bool row_is_final(enum row_state state)
{
	return state == ROW_DONE || state == ROW_DEAD || state == ROW_CANCELLED;
}

const char *row_state_name(enum row_state state)
{
	static const char *const names[] = {
		[ROW_CLAIMED] = "CLAIMED", [ROW_PARKED] = "PARKED", [ROW_QUEUED] = "QUEUED",
		[ROW_DONE] = "DONE",	   [ROW_DEAD] = "DEAD",	    [ROW_CANCELLED] = "CANCELLED",
	};

	return names[state];
}

struct attempt_row *tables_add_attempt(struct tables *t, const struct uuid *worker,
				       const struct job_row *job, int32_t epoch,
				       const struct intent *intent)
{
	struct attempt_row *attempt = relation_add(&t->attempts, &intent->attempt_id);

	attempt->job_id = job->id;
	attempt->worker_id = *worker;
	attempt->run = job->run;
	attempt->hop = job->hop;
	attempt->epoch = epoch;
	attempt->state = ATTEMPT_SENT;
	attempt->sent_at = t->now;
	attempt->bound = intent->bound;
	attempt->provider = intent->provider;
	attempt->model = intent->model;
	attempt->tier = intent->tier;
	tables_touch_attempt(t, attempt);
	return attempt;
}

void tables_book(struct tables *t, struct attempt_row *attempt, enum ledger_kind kind, pico amount,
		 const char *purpose)
{
	ENSURE(t->ledger_count < TABLES_MOST_LEDGER);
	t->ledger[t->ledger_count++] = (struct ledger_row){
		.attempt_id = attempt->id,
		.job_id = attempt->job_id,
		.kind = kind,
		.run = attempt->run,
		.hop = attempt->hop,
		.amount = amount,
		.purpose = purpose,
	};
	attempt->rows++;
	if (amount != PICO_UNPRICED)
		attempt->booked += amount;
}

/* sql/statements/worker_start.sql */
void tables_worker_start(struct tables *t, const struct uuid *worker)
{
	struct worker_row *row = relation_find(&t->workers, worker);

	if (row)
		return;
	row = relation_add(&t->workers, worker);
	row->beat_at = t->now;
}

/* sql/statements/beat.sql; false: no row came back */
bool tables_beat(struct tables *t, const struct uuid *worker, bool stopping)
{
	struct worker_row *row = relation_find(&t->workers, worker);

	if (!row || row->ended)
		return false;
	row->beat_at = t->now;
	row->stopping = stopping;
	return true;
}

/* sql/statements/worker_end.sql */
void tables_worker_end(struct tables *t, const struct uuid *worker)
{
	struct worker_row *row = relation_find(&t->workers, worker);

	if (!row)
		return;
	row->ended = row->stopping = true;
}
