/*
 * What was answered before is not called for again: jobs whose task keeps
 * answers are asked for, many in one statement, between their claim and their
 * call. It says of each that its answer is there, that it is to be called, or
 * that it waits for another's call; then its row is PARKED already.
 *
 * What is said nothing of goes on to its intent, which finds out why: it was
 * cancelled, or is no longer ours.
 */
#include <stdlib.h>
#include <string.h>

#include "answer_key.h"
#include "ensure.h"
#include "failpoint.h"
#include "log.h"
#include "metrics.h"
#include "worker.h"

#define MAX_RECALLS_OPEN 8
#define LONGEST_WAIT (60 * NSEC_PER_SEC) /* for whoever leads, should nobody tell of its end */
#define LEAST_LEFT (5 * NSEC_PER_SEC)	 /* before a deadline; with less, a job waits for nobody */
#define SUSPECT_CRASHES 2		 /* such a job runs alone: nobody waits for it */

bool recalls_wants(const struct worker *w, const struct work *work)
{
	const struct job *job = work->job;
	nsec wall;

	if (!answer_key_wanted(w->config, job))
		return false;
	if (work->cancel_requested || work->doomed || work->crash_count >= SUSPECT_CRASHES)
		return false;
	wall = clock_wall();
	return job->not_before <= wall && (job->deadline == 0 || job->deadline > wall);
}

void recalls_add(struct worker *w, struct work *work)
{
	work->has_key = true;
	work->answer_key = answer_key_of(w->config, work->job, work->tier,
					 work->contract ? work->contract->document : NULL);
	if (work->job->run >
	    0) { /* somebody wants another answer: it takes the place of the old one */
		work_move(&w->works, work, WORK_READY);
		return;
	}
	work_move(&w->works, work, WORK_RECALLING);
	w->to_recall = xrealloc(w->to_recall, (w->to_recall_count + 1) * sizeof(struct work *));
	w->to_recall[w->to_recall_count++] = work;
}

/* Before a deadline most of the time is kept for a call of its own. 0: all of it. */
static nsec longest_wait(const struct job *job)
{
	nsec wall = clock_wall();
	nsec left;

	if (job->deadline == 0)
		return LONGEST_WAIT;
	left = job->deadline > wall ? job->deadline - wall : 0;
	if (left < LEAST_LEFT)
		return 0;
	return left / 4 < LONGEST_WAIT ? left / 4 : LONGEST_WAIT;
}

void recalls_resend(struct worker *w, struct request *request)
{
	struct pg_args *args = pg_args_create();

	pg_uuid(args, &w->id);
	int id = pg_array(args, PG_UUID), epoch = pg_array(args, PG_INT4),
	    key = pg_array(args, PG_BYTES), wait = pg_array(args, PG_INT8);

	for (size_t i = 0; i < request->count; i++) {
		const struct work *work = request->works[i];

		pg_push_uuid(args, id, &work->job->id);
		pg_push_int(args, epoch, work->epoch);
		pg_push_bytes(args, key, work->answer_key.bytes, sizeof(work->answer_key.bytes));
		pg_push_big(args, wait, (int64_t)(longest_wait(work->job) / NSEC_PER_MSEC));
	}
	worker_send(w, request, "recall", args);
}

void recalls_flush(struct worker *w)
{
	size_t most = w->config->worker.group_size;

	while (w->to_recall_count > 0 && pg_ready(w->pgs[PG_CLAIM]) &&
	       pg_open(w->pgs[PG_CLAIM]) < MAX_RECALLS_OPEN) {
		struct request *request = request_create(REQUEST_RECALL, PG_CLAIM);

		request->count = w->to_recall_count < most ? w->to_recall_count : most;
		request->works = xmemdup(w->to_recall, request->count * sizeof(struct work *));
		w->to_recall_count -= request->count;
		memmove(w->to_recall, w->to_recall + request->count,
			w->to_recall_count * sizeof(struct work *));
		recalls_resend(w, request);
	}
}

/* --- what came of it --- */

/* Columns of recall.sql. */
enum {
	COLUMN_JOB,
	COLUMN_VERDICT,
	COLUMN_PROVIDER,
	COLUMN_MODEL,
	COLUMN_JSON,
	COLUMN_UNMEASURED,
	COLUMN_CONFIDENCE,
	COLUMN_OUTPUT,
};

static struct recalled read_answer(const struct pg_rows *rows, int row)
{
	struct recalled answer = {
		.provider = pg_get_text(rows, row, COLUMN_PROVIDER),
		.model = pg_get_text(rows, row, COLUMN_MODEL),
		.is_json = pg_get_bool(rows, row, COLUMN_JSON),
		.unmeasured = pg_get_bool(rows, row, COLUMN_UNMEASURED),
		.confidence = pg_get_double(rows, row, COLUMN_CONFIDENCE),
	};

	answer.output = pg_get_bytes(rows, row, COLUMN_OUTPUT, &answer.len);
	return answer;
}

static void follow(struct worker *w, struct work *work, const struct pg_rows *rows, int row,
		   nsec now)
{
	const char *verdict = pg_get_text(rows, row, COLUMN_VERDICT);

	metrics_add(METRIC_recalls_total, 1, LABELS(verdict));
	if (strcmp(verdict, "hit") == 0) {
		struct recalled answer = read_answer(rows, row);

		settles_add(w, work, judge_recall(w, work, &answer, now), now);
	} else if (strcmp(verdict, "wait") == 0) {
		FAILPOINT("K18");
		work_destroy(&w->works, work);
	} else {
		work->leads = strcmp(verdict, "lead") == 0;
		work_move(&w->works, work, WORK_READY);
	}
}

static struct work **of_job(const struct request *request, const struct uuid *job_id)
{
	for (size_t i = 0; i < request->count; i++)
		if (request->works[i] && uuid_equal(&request->works[i]->job->id, job_id))
			return &request->works[i];
	return NULL;
}

static void read_verdicts(struct worker *w, struct request *request, const struct pg_rows *rows,
			  nsec now)
{
	for (int row = 0; row < pg_count(rows); row++) {
		struct uuid job_id = pg_get_uuid(rows, row, COLUMN_JOB);
		struct work **work = of_job(request, &job_id);

		ENSURE(work);
		follow(w, TAKE(*work), rows, row, now);
	}
}

void recalls_answer(struct worker *w, struct request *request, struct pg_answer *answer, nsec now)
{
	if (!answer->rows && answer->error.kind == ERROR_RETRY) {
		worker_send_again(w, request);
		return;
	}
	if (answer->rows)
		read_verdicts(w, request, answer->rows, now);
	else if (answer->error.kind == ERROR_FATAL)
		worker_fail(w, &answer->error);
	else
		log_error("recall_refused", "sqlstate=%s why=%s", answer->sqlstate,
			  answer->error.text);
	for (size_t i = 0; i < request->count; i++)
		if (request->works[i])
			work_move(&w->works, request->works[i], WORK_READY);
	request_destroy(request);
}
