/* What others do for a job whose worker is gone, what people ask for, and the outbox. */
#include <stdlib.h>
#include <string.h>

#include "ensure.h"
#include "tables.h"

static bool is_among(const struct uuid *id, const struct uuid *ids, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (uuid_equal(id, &ids[i]))
			return true;
	return false;
}

/* write_off() of sql/0002_functions.sql */
void tables_write_off(struct tables *t, const struct uuid *jobs, size_t count)
{
	for (size_t i = 0; count > 0 && i < t->attempts.count; i++) {
		struct attempt_row *attempt = relation_at(&t->attempts, i);

		if (attempt->state != ATTEMPT_SENT || !is_among(&attempt->job_id, jobs, count))
			continue;
		attempt->state = ATTEMPT_UNKNOWN;
		attempt->verdict = "unknown";
		tables_touch_attempt(t, attempt);
		tables_book(t, attempt, LEDGER_UNKNOWN, attempt->bound, "unknown");
		t->written_off++;
	}
}

static void park(struct tables *t, struct job_row *job, const char *reason)
{
	job->state = ROW_PARKED;
	job->reason = reason;
	job->has_due = true;
	job->due = t->now;
	job->has_owner = false;
	job->owner = (struct uuid){0};
	tables_touch_job(t, job);
}

/* repair_orphans() of sql/0002_functions.sql */
size_t tables_repair_orphans(struct tables *t, size_t most)
{
	static struct uuid repaired[TABLES_MOST_JOBS];
	size_t count = 0;

	for (size_t i = 0; i < t->jobs.count && count < most; i++) {
		struct job_row *job = relation_at(&t->jobs, i);
		const struct worker_row *worker;

		if (job->state != ROW_CLAIMED)
			continue;
		worker = relation_find(&t->workers, &job->owner);
		if (worker && !worker->ended && worker->beat_at + 15 * NSEC_PER_SEC >= t->now)
			continue;
		job->epoch++;
		job->crash_count += worker && (worker->stopping || worker->ended) ? 0 : 1;
		park(t, job, "orphan");
		repaired[count++] = job->id;
	}
	if (t->mutation != MUTATION_NO_WRITE_OFF)
		tables_write_off(t, repaired, count);
	return count;
}

/* the suspects of sql/statements/sweep.sql */
size_t tables_suspects(const struct tables *t)
{
	size_t count = 0;

	for (size_t i = 0; i < t->jobs.count; i++) {
		const struct job_row *job = relation_at(&t->jobs, i);

		count += job->state == ROW_PARKED && job->crash_count >= 2 && job->due <= t->now;
	}
	return count;
}

/* hand_back() of sql/0002_functions.sql */
size_t tables_hand_back(struct tables *t, const struct uuid *worker, const struct uuid *jobs,
			size_t count, const struct uuid *unsent, size_t unsent_count,
			struct uuid *given)
{
	size_t back = 0;

	for (size_t i = 0; i < unsent_count; i++) {
		struct attempt_row *attempt = relation_find(&t->attempts, &unsent[i]);

		if (!attempt || attempt->state != ATTEMPT_SENT)
			continue;
		attempt->state = ATTEMPT_THROTTLED;
		attempt->verdict = "not_sent";
		tables_touch_attempt(t, attempt);
	}
	for (size_t i = 0; i < count; i++) {
		struct job_row *job = relation_find(&t->jobs, &jobs[i]);

		if (!job || job->state != ROW_CLAIMED || !uuid_equal(&job->owner, worker))
			continue;
		park(t, job, "handed_back");
		given[back++] = job->id;
	}
	tables_write_off(t, given, back);
	return back;
}

/* sql/statements/outbox_take.sql */
size_t tables_outbox_take(struct tables *t, struct outbox_row **rows, size_t most)
{
	size_t count = 0;

	for (size_t i = 0; i < t->outbox.count && count < most; i++) {
		struct outbox_row *row = relation_at(&t->outbox, i);

		if (row->deleted || row->next_try > t->now || strcmp(row->kind, "webhook") == 0)
			continue;
		row->next_try = t->now + 20 * NSEC_PER_SEC;
		row->tries++;
		rows[count++] = row;
	}
	return count;
}

/* sql/statements/outbox_paid.sql */
void tables_outbox_paid(struct tables *t, const struct uuid *events, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		struct outbox_row *row = relation_find(&t->outbox, &events[i]);

		if (row)
			row->deleted = true;
	}
}

/* sql/queries/cancel.sql, of one job */
enum cancel_stood tables_cancel(struct tables *t, const struct uuid *job_id)
{
	struct job_row *job = relation_find(&t->jobs, job_id);
	struct tombstone_row *tomb = relation_find(&t->tombstones, job_id);

	if (job && row_is_final(job->state))
		return STOOD_ENDED;
	if (job) {
		job->cancel_requested = true;
		if (job->state == ROW_PARKED) {
			job->due = t->now;
			job->reason = "cancel";
		}
		tables_touch_job(t, job);
		return STOOD_OPEN;
	}
	if (tomb)
		return STOOD_NOWHERE; /* ON CONFLICT DO NOTHING */
	tomb = relation_add(&t->tombstones, job_id);
	tomb->state = ROW_CANCELLED; /* run, hop 0; no fingerprint */
	return STOOD_NOWHERE;
}

/* sql/queries/rerun.sql, of one job */
bool tables_rerun(struct tables *t, const struct uuid *job_id, int32_t run, const char *tier,
		  const struct uuid *event_id, const char *topic, const char *message)
{
	struct job_row *job = relation_find(&t->jobs, job_id);
	struct outbox_row *row = relation_find(&t->outbox, event_id);

	if (!job || job->run != run - 1 || !row_is_final(job->state))
		return false;
	job->state = ROW_QUEUED;
	job->run = run;
	job->hop = 0;
	job->epoch++;
	job->tier = tier;
	job->crash_count = 0;
	job->cancel_requested = job->has_due = job->has_owner = job->has_claim = false;
	job->due = 0;
	job->owner = job->claim_id = (struct uuid){0};
	job->reason = "rerun";
	free(TAKE(job->progress));
	tables_touch_job(t, job);
	if (row && !row->deleted)
		return true;
	if (!row)
		row = relation_add(&t->outbox, event_id);
	*row = (struct outbox_row){
		.event_id = *event_id,
		.job_id = *job_id,
		.next_try = t->now,
		.kind = "move",
		.topic = topic,
		.body = message,
	};
	return true;
}
