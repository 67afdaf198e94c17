/* The statements that take jobs: claim, classify, pull, reject. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ensure.h"
#include "tables.h"

static struct claimed claimed_of(const struct job_row *job, bool whole)
{
	struct claimed claimed = {
		.job_id = job->id,
		.parked = job->state == ROW_PARKED,
		.run = job->run,
		.hop = job->hop,
		.epoch = job->epoch,
		.tier = whole ? job->tier : "",
		.lane = whole ? lane_name(job->lane) : "",
		.progress = whole && job->progress ? job->progress : "",
		.crash_count = whole ? job->crash_count : 0,
		.cancel_requested = whole && job->cancel_requested,
		.headers = "",
	};

	if (whole) {
		claimed.body = job->body;
		claimed.body_len = job->body_len;
	}
	return claimed;
}

static void put_claim(struct tables *t, struct job_row *job, const struct uuid *owner,
		      const struct uuid *claim_id, const struct claim_row *row)
{
	job->state = row->park_reason ? ROW_PARKED : ROW_CLAIMED;
	job->tier = row->tier;
	job->lane = row->lane;
	job->has_owner = !row->park_reason;
	job->owner = row->park_reason ? (struct uuid){0} : *owner;
	job->has_claim = true;
	job->claim_id = *claim_id;
	job->has_due = row->due > 0 || row->park_reason;
	job->due = row->due > 0 ? row->due : row->park_reason ? t->now : 0;
	job->reason = row->park_reason;
	tables_touch_job(t, job);
}

/* "inserted", "stored" and "intent" of claim.sql */
static struct job_row *insert(struct tables *t, const struct uuid *owner,
			      const struct uuid *claim_id, const struct claim_row *row)
{
	struct job_row *job;

	if (relation_find(&t->tombstones, &row->job->id) &&
	    t->mutation != MUTATION_IGNORE_TOMBSTONE)
		return NULL;
	if (relation_find(&t->jobs, &row->job->id))
		return NULL;
	job = relation_add(&t->jobs, &row->job->id);
	job->run = row->job->run;
	job->hop = row->job->hop;
	job->epoch = 1;
	job->fingerprint = row->job->fingerprint;
	job->body = row->bytes;
	job->body_len = row->len;
	put_claim(t, job, owner, claim_id, row);
	if (row->intent && job->state == ROW_CLAIMED)
		tables_add_attempt(t, owner, job, job->epoch, row->intent);
	return job;
}

/* "queued" and "taken" of claim.sql */
static struct job_row *take(struct tables *t, const struct uuid *owner, const struct uuid *claim_id,
			    const struct claim_row *row)
{
	struct job_row *job = relation_find(&t->jobs, &row->job->id);

	if (!job || job->state != ROW_QUEUED || job->run != row->job->run ||
	    job->hop != row->job->hop)
		return NULL;
	job->epoch++;
	put_claim(t, job, owner, claim_id, row);
	return job;
}

/* The primary key of attempts: the same attempt id twice fails the whole statement. */
static bool repeats_attempt(const struct tables *t, const struct claim_row *row)
{
	return row->intent && !row->job->thin && !row->park_reason &&
	       !relation_find(&t->jobs, &row->job->id) &&
	       !relation_find(&t->tombstones, &row->job->id) &&
	       relation_find(&t->attempts, &row->intent->attempt_id);
}

/* sql/statements/claim.sql */
bool tables_claim(struct tables *t, const struct uuid *owner, const struct uuid *claim_id,
		  const struct claim_row *rows, size_t count, struct claimed *won,
		  size_t *won_count)
{
	*won_count = 0;
	for (size_t i = 0; i < count; i++)
		if (repeats_attempt(t, &rows[i]))
			return false;
	for (size_t i = 0; i < count; i++) {
		bool thin = rows[i].job->thin;
		struct job_row *job = thin ? take(t, owner, claim_id, &rows[i])
					   : insert(t, owner, claim_id, &rows[i]);

		if (job)
			won[(*won_count)++] = claimed_of(job, thin);
	}
	return true;
}

/* sql/statements/classify.sql, as store_standing_read() reads it */
void tables_classify(struct tables *t, const struct uuid *owner, const struct uuid *claim_id,
		     const struct uuid *ids, size_t count, struct standing *standing)
{
	for (size_t i = 0; i < count; i++) {
		const struct job_row *job = relation_find(&t->jobs, &ids[i]);
		const struct tombstone_row *tomb = relation_find(&t->tombstones, &ids[i]);
		struct standing *s = &standing[i];

		*s = (struct standing){.job_id = ids[i], .exists = job || tomb};
		if (!s->exists)
			continue;
		s->run = job ? job->run : tomb->run;
		s->hop = job ? job->hop : tomb->hop;
		snprintf(s->state, sizeof(s->state), "%s",
			 row_state_name(job ? job->state : tomb->state));
		s->terminal_or_tomb = row_is_final(job ? job->state : tomb->state);
		s->fingerprint = job ? job->fingerprint : tomb->fingerprint;
		s->ours = job && job->has_claim && uuid_equal(&job->claim_id, claim_id) &&
			  ((job->state == ROW_CLAIMED && uuid_equal(&job->owner, owner)) ||
			   job->state == ROW_PARKED);
		if (!s->ours)
			continue;
		s->claimed = claimed_of(job, true);
		if (job->state != ROW_CLAIMED) {
			s->claimed.body = NULL;
			s->claimed.body_len = 0;
		}
	}
}

static int by_due(const void *a, const void *b)
{
	const struct job_row *x = *(struct job_row *const *)a, *y = *(struct job_row *const *)b;

	return x->due != y->due ? (x->due > y->due) - (x->due < y->due) : (x > y) - (x < y);
}

/* sql/statements/pull.sql */
size_t tables_pull(struct tables *t, const struct uuid *owner, const struct uuid *claim_id,
		   const struct pull_want *wants, size_t count, bool suspects,
		   struct claimed *pulled, size_t most)
{
	static struct job_row *due[TABLES_MOST_JOBS];
	size_t taken = 0;

	for (size_t w = 0; w < count; w++) {
		size_t found = 0;

		for (size_t i = 0; i < t->jobs.count; i++) {
			struct job_row *job = relation_at(&t->jobs, i);

			if (job->state == ROW_PARKED && job->due <= t->now &&
			    job->lane == wants[w].lane && (job->crash_count >= 2) == suspects &&
			    strcmp(job->tier, wants[w].tier) == 0)
				due[found++] = job;
		}
		qsort(due, found, sizeof(struct job_row *), by_due);
		for (size_t i = 0;
		     i < found && i < (size_t)(suspects ? 1 : wants[w].most) && taken < most; i++) {
			struct job_row *job = due[i];

			if (suspects && taken == 1)
				return taken;
			job->state = ROW_CLAIMED;
			job->has_owner = job->has_claim = true;
			job->owner = *owner;
			job->claim_id = *claim_id;
			job->epoch++;
			job->has_due = false;
			job->due = 0;
			job->reason = NULL;
			tables_touch_job(t, job);
			pulled[taken++] = claimed_of(job, true);
		}
	}
	return taken;
}

static bool is_rejected(const struct tables *t, const struct reject_row *row)
{
	for (size_t i = 0; i < t->reject_count; i++)
		if (t->rejects[i].partition == row->partition &&
		    t->rejects[i].offset == row->offset &&
		    strcmp(t->rejects[i].topic, row->topic) == 0)
			return true;
	return false;
}

/* sql/statements/reject.sql */
bool tables_reject(struct tables *t, const struct reject_row *rows, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		const struct reject_row *row = &rows[i];
		struct outbox_row *debt = relation_find(&t->outbox, &row->event_id);

		if (!is_rejected(t, row)) {
			struct reject_place *place = &t->rejects[t->reject_count++];

			ENSURE(t->reject_count < (size_t)4 * TABLES_MOST_JOBS);
			*place = (struct reject_place){.partition = row->partition,
						       .offset = row->offset,
						       .reason = row->reason};
			snprintf(place->topic, sizeof(place->topic), "%s", row->topic);
		}
		if (debt && !debt->deleted)
			continue; /* ON CONFLICT DO NOTHING */
		if (!debt)
			debt = relation_add(&t->outbox, &row->event_id);
		*debt = (struct outbox_row){
			.event_id = row->event_id,
			.job_id = row->job_id ? *row->job_id : row->event_id,
			.next_try = t->now,
			.kind = "reject",
			.topic = row->dead_topic,
			.body = row->dead_letter,
		};
	}
	return true;
}
