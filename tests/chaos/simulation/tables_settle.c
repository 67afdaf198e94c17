/* The statements about attempts and decisions: intend, settle. */
#include <stdlib.h>
#include <string.h>

#include "ensure.h"
#include "tables.h"

/* sql/statements/intend.sql */
size_t tables_intend(struct tables *t, const struct uuid *owner, const struct intend_row *rows,
		     size_t count, struct uuid *attempts)
{
	size_t written = 0;

	for (size_t i = 0; i < count; i++) {
		const struct intend_row *row = &rows[i];
		const struct job_row *job = relation_find(&t->jobs, &row->job_id);

		if (!job || job->state != ROW_CLAIMED || job->epoch != row->epoch ||
		    !uuid_equal(&job->owner, owner))
			continue;
		if (job->cancel_requested && t->mutation != MUTATION_IGNORE_CANCEL)
			continue;
		/* ON CONFLICT DO UPDATE SET state = attempts.state: sent again after a lost answer
		 */
		if (!relation_find(&t->attempts, &row->intent->attempt_id))
			tables_add_attempt(t, owner, job, row->epoch, row->intent);
		attempts[written++] = row->intent->attempt_id;
	}
	return written;
}

static enum row_state state_named(const char *name)
{
	for (enum row_state state = 0; state < ROW_STATE_COUNT; state++)
		if (strcmp(row_state_name(state), name) == 0)
			return state;
	ENSURE(false);
}

/* "ours" of settle.sql */
static bool is_ours(const struct tables *t, const struct job_row *job, const struct settlement *s)
{
	bool same_epoch = job->epoch == s->epoch || t->mutation == MUTATION_NO_EPOCH_GUARD;
	bool cancel = job->cancel_requested && t->mutation != MUTATION_IGNORE_CANCEL;

	return same_epoch && job->state == ROW_CLAIMED &&
	       (!cancel || strcmp(s->state, "CANCELLED") == 0);
}

/* "decided" of settle.sql */
static void decide(struct tables *t, struct job_row *job, const struct settlement *s)
{
	job->state = state_named(s->state);
	if (s->hop >= 0 && t->mutation != MUTATION_HOP_STAYS)
		job->hop = s->hop;
	if (s->tier)
		job->tier = s->tier;
	if (s->lane)
		ENSURE(lane_parse(s->lane, &job->lane));
	job->reason = s->reason;
	free(job->progress);
	job->progress = s->progress ? xstrdup(s->progress) : NULL;
	if (job->state != ROW_CLAIMED) {
		job->has_owner = false;
		job->owner = (struct uuid){0};
	}
	job->has_due = job->state == ROW_PARKED;
	job->due = job->has_due ? t->now + s->wait / NSEC_PER_MSEC * NSEC_PER_MSEC : 0;
	tables_touch_job(t, job);
}

/* cost - coalesce(bound, 0) */
static pico minus(pico cost, pico bound)
{
	return cost == PICO_UNPRICED ? PICO_UNPRICED : cost - (bound == PICO_UNPRICED ? 0 : bound);
}

static enum attempt_row_state attempt_state_named(const char *name)
{
	if (strcmp(name, "closed") == 0)
		return ATTEMPT_CLOSED;
	return strcmp(name, "unknown") == 0 ? ATTEMPT_UNKNOWN : ATTEMPT_THROTTLED;
}

/* "prior", "closed" and "booked" of settle.sql; done: the decision of the same statement on its
 * job, or NULL */
static void close_attempt(struct tables *t, const struct settlement *s,
			  const struct settlement *done)
{
	struct attempt_row *attempt = relation_find(&t->attempts, &s->attempt_id);
	enum attempt_row_state was;
	bool late = strcmp(s->purpose, "accepted") == 0 &&
		    !(done && strcmp(done->state, "DONE") == 0);
	const char *purpose = late ? "late" : s->purpose;

	if (!attempt)
		return;
	if (attempt->state != ATTEMPT_SENT && attempt->state != ATTEMPT_UNKNOWN &&
	    t->mutation != MUTATION_BOOK_TWICE)
		return;
	was = attempt->state;
	attempt->state = attempt_state_named(s->attempt_state);
	attempt->verdict = s->verdict;
	tables_touch_attempt(t, attempt);
	if (t->mutation == MUTATION_MONEY_IN_FENCE && s->decides && !done)
		return;
	if (was == ATTEMPT_UNKNOWN && attempt->state != ATTEMPT_UNKNOWN)
		tables_book(t, attempt, LEDGER_ADJUSTMENT,
			    minus(s->billed ? s->cost : 0, attempt->bound), purpose);
	else if (was != ATTEMPT_UNKNOWN && attempt->state == ATTEMPT_UNKNOWN)
		tables_book(t, attempt, LEDGER_UNKNOWN, attempt->bound, purpose);
	else if (was != ATTEMPT_UNKNOWN && s->billed)
		tables_book(t, attempt, LEDGER_CHARGE, s->cost, purpose);
}

/* "owed" of settle.sql */
static void owe(struct tables *t, const struct settlement *s)
{
	for (size_t i = 0; i < s->debt_count && t->mutation != MUTATION_FORGET_OUTBOX; i++) {
		const struct debt *debt = &s->debts[i];
		struct outbox_row *row = relation_find(&t->outbox, &debt->event_id);

		if (row && !row->deleted)
			continue; /* ON CONFLICT DO NOTHING */
		if (!row)
			row = relation_add(&t->outbox, &debt->event_id);
		*row = (struct outbox_row){
			.event_id = debt->event_id,
			.job_id = s->job_id,
			.next_try = t->now + 20 * NSEC_PER_SEC,
			.kind = debt->kind,
			.topic = debt->topic,
			.body = debt->body,
		};
	}
}

static bool has_result(const struct tables *t, const struct job_row *job)
{
	for (size_t i = 0; i < t->result_count; i++)
		if (t->results[i].run == job->run && uuid_equal(&t->results[i].job_id, &job->id))
			return true;
	return false;
}

/* "answered" of settle.sql */
static void answer(struct tables *t, const struct job_row *job, const struct settlement *s)
{
	if (!row_is_final(job->state))
		return;
	ENSURE(t->result_count < (size_t)4 * TABLES_MOST_JOBS);
	t->results[t->result_count++] = (struct result_row){
		.job_id = job->id,
		.run = job->run,
		.outcome = job->state,
		.degraded = s->degraded,
		.reason = s->reason,
		.cost = s->spent,
	};
}

static struct job_row *hit(const struct tables *t, const struct settlement *s)
{
	struct job_row *job = s->decides ? relation_find(&t->jobs, &s->job_id) : NULL;

	return job && is_ours(t, job, s) ? job : NULL;
}

/* The primary key of results: a second outcome of a run fails the whole statement. */
static bool doubles_outcome(const struct tables *t, struct settlement *const *settlements,
			    size_t count)
{
	for (size_t i = 0; i < count; i++) {
		const struct job_row *job = hit(t, settlements[i]);

		if (job && row_is_final(state_named(settlements[i]->state)) && has_result(t, job))
			return true;
	}
	return false;
}

/* sql/statements/settle.sql */
bool tables_settle(struct tables *t, struct settlement *const *settlements, size_t count,
		   struct decided_row *decided, size_t *decided_count)
{
	*decided_count = 0;
	if (doubles_outcome(t, settlements, count))
		return false;
	for (size_t i = 0; i < count; i++) {
		const struct settlement *s = settlements[i];
		struct job_row *job = hit(t, s);

		if (job)
			decide(t, job, s);
		if (s->closes)
			close_attempt(t, s, job ? s : NULL);
		if (!job)
			continue;
		answer(t, job, s);
		owe(t, s);
		decided[(*decided_count)++] = (struct decided_row){s->job_id, job->epoch};
	}
	return true;
}
