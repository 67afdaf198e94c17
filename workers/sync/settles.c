/*
 * From verdicts to rows: settlements wait a moment for company, go out as one
 * statement, and what was decided is acted on: debts are published, kept jobs
 * go on. What the statement did not hit is looked up: cancelled meanwhile,
 * decided by an earlier sending, or taken from us.
 */
#include <stdlib.h>
#include <string.h>

#include "ensure.h"
#include "failpoint.h"
#include "log.h"
#include "metrics.h"
#include "utf8.h"
#include "worker.h"

#define MAX_SETTLES_OPEN 4

size_t settles_pending(const struct worker *w)
{
	return w->unsettled_count;
}

void settles_add(struct worker *w, struct work *work, struct settlement *settlement, nsec now)
{
	settlement->owner = work;
	work_move(&w->works, work, WORK_SETTLING);
	if (w->unsettled_count == 0)
		w->settle_at = now;
	w->unsettled = xrealloc(w->unsettled, (w->unsettled_count + 1) * sizeof(*w->unsettled));
	w->unsettled[w->unsettled_count++] = settlement;
}

/* --- sending --- */

void settles_resend(struct worker *w, struct request *request)
{
	if (request->kind == REQUEST_LOOK) {
		struct pg_args *args = pg_args_create();
		int ids = pg_array(args, PG_UUID);

		for (size_t i = 0; i < request->count; i++)
			pg_push_uuid(args, ids, &request->settlements[i]->job_id);
		worker_send(w, request, "look", args);
		return;
	}
	FAILPOINT("K11");
	worker_send(w, request, "settle", store_settle_args(request->settlements, request->count));
	metrics_observe(METRIC_transaction_rows, (double)request->count, LABELS("settle"));
	FAILPOINT("K12");
}

static void send(struct worker *w, enum request_kind kind, struct settlement **settlements,
		 size_t count)
{
	struct request *request = request_create(kind, PG_SETTLE);

	request->settlements = settlements;
	request->count = count;
	w->settles_open++;
	settles_resend(w, request);
}

static int by_attempt(const void *a, const void *b)
{
	return uuid_compare(&(*(struct settlement *const *)a)->attempt_id,
			    &(*(struct settlement *const *)b)->attempt_id);
}

void settles_flush(struct worker *w, nsec now, bool all)
{
	size_t most = w->config->worker.group_size;

	while (w->unsettled_count > 0 && w->settles_open < MAX_SETTLES_OPEN &&
	       pg_ready(w->pgs[PG_SETTLE])) {
		size_t count = w->unsettled_count < most ? w->unsettled_count : most;
		struct settlement **group;

		if (!all && count < most && now - w->settle_at < w->config->worker.linger)
			return;
		group = xmemdup(w->unsettled, count * sizeof(*group));
		w->unsettled_count -= count;
		memmove(w->unsettled, w->unsettled + count, w->unsettled_count * sizeof(*group));
		qsort(group, count, sizeof(*group), by_attempt);
		send(w, REQUEST_SETTLE, group, count);
	}
}

/* --- what came of it --- */

static bool is_kept(const struct settlement *s)
{
	return strcmp(s->state, "CLAIMED") == 0;
}

/* Kept: the job goes on with us, at once or after its wait. */
static void go_on(struct worker *w, struct work *work, nsec now)
{
	nsec wait = work->wait_after;

	work->wait_after = 0;
	work->idle_since = now;
	if (wait == 0) {
		work_move(&w->works, work, WORK_READY);
		return;
	}
	FAILPOINT("K17");
	work->wake_at = now + wait;
	work_move(&w->works, work, WORK_WAITING);
}

static void count_outcome(const struct work *work, const struct settlement *s)
{
	static const struct {
		const char *state, *outcome;
	} outcomes[] = {{"DONE", "done"}, {"DEAD", "dead"}, {"CANCELLED", "cancelled"}};

	for (size_t i = 0; i < COUNT_OF(outcomes); i++) {
		if (strcmp(s->state, outcomes[i].state) != 0)
			continue;
		metrics_add(
			METRIC_jobs_terminal_total, 1,
			LABELS(work->tier->name, work->job->business_unit, outcomes[i].outcome));
		metrics_observe_time(METRIC_job_seconds,
				     work->queued + (clock_now() - work->claimed_at),
				     LABELS(work->tier->name, lane_name(work->lane)));
		if (i == 1)
			metrics_add(METRIC_dead_total, 1, LABELS(s->reason ? s->reason : ""));
		if (s->unmeasured)
			metrics_add(METRIC_confidence_unmeasured_total, 1,
				    LABELS(s->model ? s->model : ""));
	}
	if (strcmp(s->state, "PARKED") == 0)
		FAILPOINT("K18");
}

static void decided(struct worker *w, struct settlement *s, nsec now)
{
	struct work *work = s->owner;

	metrics_add(METRIC_jobs_settled_total, 1, NO_LABELS);
	w->progress_at = now;
	if (is_kept(s)) {
		go_on(w, work, now);
	} else {
		count_outcome(work, s);
		outlet_publish(w, s);
		work_destroy(&w->works, work);
	}
	settlement_destroy(s);
}

static struct settlement **find(struct request *request, const struct uuid *job_id)
{
	for (size_t i = 0; i < request->count; i++)
		if (request->settlements[i] && uuid_equal(&request->settlements[i]->job_id, job_id))
			return &request->settlements[i];
	return NULL;
}

/* A group may hold two decisions on one job: ours, and one from before we stood still and lost it.
 */
static struct settlement **find_decided(struct request *request, const struct uuid *job_id,
					int64_t epoch)
{
	for (size_t i = 0; i < request->count; i++) {
		const struct settlement *s = request->settlements[i];

		if (s && s->decides && s->epoch == epoch && uuid_equal(&s->job_id, job_id))
			return &request->settlements[i];
	}
	return NULL;
}

static void read_settle(struct worker *w, struct request *request, const struct pg_rows *rows,
			nsec now)
{
	struct settlement **left;
	size_t left_count = 0;

	FAILPOINT("K13");
	for (int row = 0; row < pg_count(rows); row++) {
		struct uuid job_id = pg_get_uuid(rows, row, 0);
		struct settlement **s = find_decided(request, &job_id, pg_get_int(rows, row, 1));

		ENSURE(s);
		decided(w, TAKE(*s), now);
	}
	left = xcalloc(request->count, sizeof(*left));
	for (size_t i = 0; i < request->count; i++)
		if (request->settlements[i])
			left[left_count++] = TAKE(request->settlements[i]);
	if (left_count > 0)
		send(w, REQUEST_LOOK, left, left_count);
	else
		free(left);
}

/* The job is not what our decision thought: find out what it is. */
static void look_at(struct worker *w, struct settlement *s, const struct pg_rows *rows, int row,
		    nsec now)
{
	struct work *work = s->owner;
	const char *state = pg_get_text(rows, row, 1);
	bool same_epoch = pg_get_int(rows, row, 2) == s->epoch;
	bool cancel = pg_get_bool(rows, row, 4);

	if (same_epoch && strcmp(state, "CLAIMED") == 0 && cancel) {
		work->cancel_requested = true;
		settlement_destroy(s);
		work_move(&w->works, work, WORK_READY);
		settles_add(w, work,
			    judge_end(w, work, "CANCELLED", "cancelled", "cancelled on request", 0,
				      now),
			    now);
		return;
	}
	if (same_epoch && strcmp(state, s->state) == 0) {
		decided(w, s, now); /* by the first sending, whose answer was lost */
		return;
	}
	metrics_add(METRIC_fenced_writes_total, 1, NO_LABELS);
	log_warn("decision_fenced", "state=%s wanted=%s", state, s->state);
	work_destroy(&w->works, work);
	settlement_destroy(s);
}

static void read_look(struct worker *w, struct request *request, const struct pg_rows *rows,
		      nsec now)
{
	for (int row = 0; row < pg_count(rows); row++) {
		struct uuid job_id = pg_get_uuid(rows, row, 0);
		struct settlement **s;

		while ((s = find(request, &job_id)))
			look_at(w, TAKE(*s), rows, row, now);
	}
	for (size_t i = 0; i < request->count; i++) {
		struct settlement *s = request->settlements[i];

		if (!s)
			continue;
		log_error("job_gone", "state=%s", s->state);
		work_destroy(&w->works, s->owner);
		settlement_destroy(TAKE(request->settlements[i]));
	}
}

/*
 * A row that Postgres will not take, alone: its money is booked, its answer kept
 * as bytes, and it ends dead. Nothing is owed of what it would have been.
 */
static struct settlement *make_stub(struct worker *w, struct settlement *s, const struct error *why,
				    nsec now)
{
	struct work *work = s->owner;
	struct settlement *stub;

	work->doomed = "unstorable";
	stub = judge_end(w, work, "DEAD", "unstorable", why->text, 0, now);
	free(TAKE(stub->progress));
	stub->owner = work;
	stub->closes = s->closes;
	stub->attempt_id = s->attempt_id;
	stub->attempt_day = s->attempt_day;
	stub->attempt_state = s->attempt_state;
	stub->verdict = s->verdict;
	stub->purpose = s->purpose;
	stub->reply = s->reply;
	stub->status = s->status;
	stub->ttfb_ms = s->ttfb_ms;
	stub->total_ms = s->total_ms;
	stub->billed = s->billed;
	stub->cost = s->cost;
	stub->cache_saving = s->cache_saving;
	stub->usage = s->usage;
	stub->output = TAKE(s->output);
	stub->output_len = s->output_len;
	stub->tool_calls = TAKE(s->tool_calls);
	settlement_destroy(s);
	return stub;
}

static void bisect(struct worker *w, struct request *request, const struct pg_answer *answer,
		   nsec now)
{
	size_t half = request->count / 2;
	bool is_stub = request->count == 1 && request->settlements[0]->reason &&
		       strcmp(request->settlements[0]->reason, "unstorable") == 0;

	metrics_add(METRIC_bisections_total, 1, LABELS("settle"));
	log_error("settle_refused", "rows=%zu sqlstate=%s why=%s", request->count, answer->sqlstate,
		  answer->error.text);
	if (request->count > 1) {
		send(w, REQUEST_SETTLE, xmemdup(request->settlements, half * sizeof(void *)), half);
		send(w, REQUEST_SETTLE,
		     xmemdup(request->settlements + half, (request->count - half) * sizeof(void *)),
		     request->count - half);
		request->count = 0; /* they belong to the halves now */
	} else if (!is_stub && request->settlements[0]->decides) {
		request->settlements[0] = make_stub(w, request->settlements[0], &answer->error,
						    now);
		send(w, REQUEST_SETTLE, xmemdup(request->settlements, sizeof(void *)), 1);
		request->count = 0;
	} else {
		worker_fail(w, &answer->error);
	}
}

void settles_answer(struct worker *w, struct request *request, struct pg_answer *answer, nsec now)
{
	w->settles_open--;
	metrics_observe_time(METRIC_transaction_seconds, now - request->sent_at,
			     LABELS(request->kind == REQUEST_LOOK ? "look" : "settle"));
	if (answer->rows && request->kind == REQUEST_SETTLE)
		read_settle(w, request, answer->rows, now);
	else if (answer->rows)
		read_look(w, request, answer->rows, now);
	else if (answer->error.kind == ERROR_RETRY) {
		w->settles_open++;
		worker_send_again(w, request);
		return;
	} else if (answer->error.kind == ERROR_REJECT && request->kind == REQUEST_SETTLE) {
		bisect(w, request, answer, now);
	} else {
		worker_fail(w, &answer->error);
	}
	request_destroy(request);
}
