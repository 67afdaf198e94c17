/*
 * From messages and due rows to members of batches. A group of messages is one
 * claim: those whose place is known go straight into their batch with the
 * intent of their line; the others become ours, and are placed, moved or ended
 * at once.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "batcher.h"
#include "ensure.h"
#include "event.h"
#include "failpoint.h"
#include "job_message.h"
#include "log.h"
#include "metrics.h"
#include "utf8.h"

#define MAX_LETTER_BYTES ((size_t)512 * 1024)
#define PULL_EVERY (200 * NSEC_PER_MSEC)

/* A message that is no job. */
struct rejected {
	const char *topic;
	int32_t partition;
	int64_t offset;
	bool has_job_id;
	struct uuid job_id;
	const char *reason;
	char detail[400];
	char *bytes; /* owned */
	size_t len;
};

struct stored_offset {
	size_t topic;
	int32_t partition;
	uint64_t assignment;
	int64_t next;
};

/* Messages read together, until their claim has committed: kept while Postgres is away, and sent
 * again. */
struct gather_group {
	struct uuid id;
	struct member **members; /* NULL once they are settled somewhere */
	size_t count;
	struct rejected *rejects;
	size_t reject_count;
	struct stored_offset *offsets;
	size_t offset_count;
};

static void group_destroy(struct gather_group *group)
{
	if (!group)
		return;
	for (size_t i = 0; i < group->count; i++)
		member_destroy(group->members[i]);
	for (size_t i = 0; i < group->reject_count; i++)
		free(group->rejects[i].bytes);
	free(group->members);
	free(group->rejects);
	free(group->offsets);
	free(group);
}

void gather_forget(struct batcher *w)
{
	group_destroy(w->pending);
	w->pending = NULL;
}

/* --- messages --- */

static void note_offset(struct gather_group *group, const struct kafka_message *message)
{
	for (size_t i = 0; i < group->offset_count; i++) {
		struct stored_offset *offset = &group->offsets[i];

		if (offset->topic == message->topic && offset->partition == message->partition &&
		    offset->assignment == message->assignment) {
			offset->next = message->offset + 1;
			return;
		}
	}
	group->offsets = xrealloc(group->offsets,
				  (group->offset_count + 1) * sizeof(*group->offsets));
	group->offsets[group->offset_count++] = (struct stored_offset){
		message->topic, message->partition, message->assignment, message->offset + 1};
}

static void reject(struct batcher *w, struct gather_group *group, size_t topic, int32_t partition,
		   int64_t offset, const struct uuid *job_id, const char *reason,
		   const char *detail, const char *bytes, size_t len)
{
	struct rejected *rejected;

	group->rejects = xrealloc(group->rejects,
				  (group->reject_count + 1) * sizeof(*group->rejects));
	rejected = &group->rejects[group->reject_count++];
	*rejected = (struct rejected){
		.topic = w->topics[topic].name,
		.partition = partition,
		.offset = offset,
		.has_job_id = job_id != NULL,
		.reason = reason,
		.bytes = xmemdup(bytes ? bytes : "", len),
		.len = len,
	};
	if (job_id)
		rejected->job_id = *job_id;
	snprintf(rejected->detail, sizeof(rejected->detail), "%s", detail);
	metrics_add(METRIC_rejects_total, 1, LABELS(reason));
	log_warn("message_rejected", "topic=%s partition=%d offset=%lld reason=%s detail=%s",
		 rejected->topic, (int)partition, (long long)offset, reason, rejected->detail);
}

static void reject_member(struct batcher *w, struct gather_group *group, const struct member *m,
			  const char *reason, const char *detail)
{
	reject(w, group, m->topic, m->partition, m->offset, &m->job->id, reason, detail, m->bytes,
	       m->len);
}

static const struct member *in_group(const struct gather_group *group, const struct uuid *job_id)
{
	for (size_t i = 0; i < group->count; i++)
		if (uuid_equal(&group->members[i]->job->id, job_id))
			return group->members[i];
	return NULL;
}

/* The same job twice in one group: dropped or in conflict before Postgres sees it. */
static bool is_repeated(struct batcher *w, struct gather_group *group, const struct member *m)
{
	const struct member *other = in_group(group, &m->job->id);

	if (!other)
		return false;
	if (!m->job->thin && !other->job->thin &&
	    !digest_equal(&m->job->fingerprint, &other->job->fingerprint))
		reject_member(w, group, m, "conflict",
			      "another message with this job_id came first and has another body");
	return true;
}

/* What can be said of a job before it is claimed. */
static void examine(struct batcher *w, struct member *m, nsec now)
{
	if (m->job->thin)
		return;
	member_contract(w, m);
	if (!m->doomed && *m->job->reply_topic &&
	    !config_allows_reply(w->config, m->job->reply_topic)) {
		m->doomed = "reply_topic";
		snprintf(m->doomed_detail, sizeof(m->doomed_detail),
			 "reply_topic begins with none of kafka.reply_prefixes");
	}
	if (!m->doomed && m->job->not_before > clock_wall()) {
		m->park_reason = "not_before";
		m->park_until = m->job->not_before;
		return;
	}
	/* One that cannot be placed is claimed all the same, and looked at again when it is ours.
	 */
	settlement_destroy(member_place(w, m, now));
}

static void take(struct batcher *w, struct gather_group *group, const struct kafka_message *message,
		 nsec now)
{
	struct error err;
	struct job *job = job_message_read(w->reader, w->config, w->topics[message->topic].name,
					   message, &err);
	nsec wall = clock_wall(), sent = (nsec)message->timestamp_ms * NSEC_PER_MSEC;
	struct member *m;

	note_offset(group, message);
	if (!job) {
		reject(w, group, message->topic, message->partition, message->offset, NULL,
		       "unparseable", err.text, message->value, message->len);
		return;
	}
	m = member_create(job, xmemdup(message->value, message->len), message->len,
			  job_message_headers(message));
	m->tier = w->topics[message->topic].tier;
	m->topic = message->topic;
	m->partition = message->partition;
	m->offset = message->offset;
	m->queued = message->timestamp_ms > 0 && wall > sent ? wall - sent : 0;
	if (is_repeated(w, group, m)) {
		member_destroy(m);
		return;
	}
	examine(w, m, now);
	group->members = xrealloc(group->members, (group->count + 1) * sizeof(*group->members));
	group->members[group->count++] = m;
}

static int by_job_id(const void *a, const void *b)
{
	return uuid_compare(&(*(struct member *const *)a)->job->id,
			    &(*(struct member *const *)b)->job->id);
}

static struct gather_group *read_group(struct batcher *w, nsec now)
{
	struct gather_group *group = xcalloc(1, sizeof(*group));
	size_t most = w->config->worker.group_size, read = 0;
	struct kafka_message message;

	group->id = uuid_make();
	for (size_t topic = 0; topic < w->config->tier_count; topic++)
		while (read < most && kafka_consumer_next(w->consumer, topic, &message)) {
			take(w, group, &message, now);
			kafka_message_release(&message);
			metrics_add(METRIC_messages_read_total, 1, LABELS(w->topics[topic].name));
			read++;
		}
	if (read == 0) {
		group_destroy(group);
		return NULL;
	}
	qsort(group->members, group->count, sizeof(*group->members), by_job_id);
	return group;
}

/* --- the claim --- */

static void fill_row(const struct member *m, struct claim_row *row)
{
	*row = (struct claim_row){
		.job = m->job,
		.tier = m->tier->name,
		.lane = LANE_BATCH,
		.bytes = m->bytes,
		.len = m->len,
		.headers = m->headers,
		.park_reason = m->park_reason,
		.due = m->placed ? m->rescue_at : m->park_until,
		.intent = m->placed ? &m->intent : NULL,
		.batch_id = m->placed ? &m->batch_id : NULL,
	};
}

/* A thin message learns what it stands for. */
static bool load(struct batcher *w, struct member *m, const struct claimed *claimed)
{
	struct job_source nowhere = {.cluster = "", .topic = ""};
	struct error err;
	struct job *full;

	if (!m->job->thin)
		return true;
	full = claimed->body ? job_read(w->reader, claimed->body, claimed->body_len, &nowhere, &err)
			     : NULL;
	if (!full) {
		log_error("payload_unreadable", "why=%s",
			  claimed->body ? err.text : "there is none");
		return false;
	}
	job_destroy(m->job);
	free(m->bytes);
	free(m->headers);
	m->job = full;
	m->bytes = xmemdup(claimed->body, claimed->body_len);
	m->len = claimed->body_len;
	m->headers = xstrdup(claimed->headers);
	member_contract(w, m);
	return true;
}

/* Ours now, as the row says. */
static void adopt(struct batcher *w, struct member *m, const struct claimed *claimed)
{
	m->job->id = claimed->job_id;
	m->job->run = claimed->run;
	m->job->hop = claimed->hop;
	m->epoch = claimed->epoch;
	m->crash_count = claimed->crash_count;
	m->cancel_requested = claimed->cancel_requested;
	m->placed = false;
	if (*claimed->tier && config_tier(w->config, claimed->tier))
		m->tier = config_tier(w->config, claimed->tier);
	memo_finish(&m->memo);
	memo_read(&m->memo, claimed->progress);
}

/* Jobs that are ours for the moment, and what has been decided of them. */
struct desk {
	struct member **members; /* owned */
	size_t count;
};

static void desk_add(struct desk *desk, struct member *m)
{
	desk->members = xrealloc(desk->members, (desk->count + 1) * sizeof(*desk->members));
	desk->members[desk->count++] = m;
}

static void won(struct batcher *w, struct desk *desk, struct member **slot,
		const struct claimed *claimed)
{
	struct member *m = TAKE(*slot);

	metrics_add(METRIC_claims_total, 1, LABELS("won"));
	if (claimed->batched)
		FAILPOINT("B01");
	if (claimed->parked || !load(w, m, claimed)) {
		member_destroy(m); /* in its batch, waiting in its row, or without a payload: mended
				      by hand */
		return;
	}
	adopt(w, m, claimed);
	desk_add(desk, m);
}

static struct member **find(struct gather_group *group, size_t from, size_t count,
			    const struct uuid *id)
{
	for (size_t i = from; i < from + count; i++)
		if (group->members[i] && uuid_equal(&group->members[i]->job->id, id))
			return &group->members[i];
	return NULL;
}

static void classify_one(struct batcher *w, struct gather_group *group, struct desk *desk,
			 struct member **slot, const struct standing *standing)
{
	switch (claim_classify((*slot)->job, standing)) {
	case CLAIM_WON:
		won(w, desk, slot, &standing->claimed);
		return;
	case CLAIM_AGAIN:
		return; /* left in the group, which stays pending: claimed again in the next turn */
	case CLAIM_DUPLICATE:
		metrics_add(METRIC_claims_total, 1, LABELS("duplicate"));
		break;
	case CLAIM_CONFLICT:
		reject_member(w, group, *slot, "conflict",
			      "a job with this job_id exists and has another body");
		break;
	case CLAIM_IMPOSSIBLE:
		reject_member(
			w, group, *slot, "impossible",
			"a follow-up that is newer than its job, or whose job does not exist");
		break;
	}
	member_destroy(TAKE(*slot));
}

static bool is_any_left(const struct gather_group *group, size_t from, size_t count)
{
	for (size_t i = from; i < from + count; i++)
		if (group->members[i])
			return true;
	return false;
}

static bool classify(struct batcher *w, struct gather_group *group, struct desk *desk, size_t from,
		     size_t count)
{
	AUTO(xfree) struct uuid *ids = xcalloc(count, sizeof(*ids));
	size_t left = 0;
	struct error err;

	for (size_t i = from; i < from + count; i++)
		if (group->members[i])
			ids[left++] = group->members[i]->job->id;
	if (left == 0)
		return true;
	AUTO(pg_rows_destroy)
	struct pg_rows *rows = database_ask(w, "statements/classify",
					    store_classify_args(&group->id, ids, left), &err);
	for (int row = 0; rows && row < pg_count(rows); row++) {
		struct standing standing = store_standing_read(rows, row, &w->id, &group->id);
		struct member **slot = find(group, from, count, &standing.job_id);

		if (slot)
			classify_one(w, group, desk, slot, &standing);
	}
	return rows && !is_any_left(group, from, count);
}

static bool claim(struct batcher *w, struct gather_group *group, struct desk *desk, size_t from,
		  size_t count);

/* Postgres refused a row: half the statement, until the culprit is alone and rejected. */
static bool bisect(struct batcher *w, struct gather_group *group, struct desk *desk, size_t from,
		   size_t count, const struct error *why)
{
	size_t half = count / 2;

	metrics_add(METRIC_bisections_total, 1, LABELS("claim"));
	if (count > 1)
		return claim(w, group, desk, from, half) &&
		       claim(w, group, desk, from + half, count - half);
	reject_member(w, group, group->members[from], "unstorable", why->text);
	member_destroy(TAKE(group->members[from]));
	return true;
}

static bool claim(struct batcher *w, struct gather_group *group, struct desk *desk, size_t from,
		  size_t count)
{
	AUTO(xfree) struct claim_row *claims = xcalloc(count, sizeof(*claims));
	size_t wanted = 0;
	struct error err;

	for (size_t i = from; i < from + count; i++)
		if (group->members[i])
			fill_row(group->members[i], &claims[wanted++]);
	if (wanted == 0)
		return true;
	AUTO(pg_rows_destroy)
	struct pg_rows *rows = database_ask(
		w, "statements/claim", store_claim_args(&w->id, &group->id, claims, wanted), &err);
	if (!rows)
		return err.kind == ERROR_REJECT && bisect(w, group, desk, from, count, &err);
	for (int row = 0; row < pg_count(rows); row++) {
		struct claimed claimed = store_claimed_read(rows, row);
		struct member **slot = find(group, from, count, &claimed.job_id);

		ENSURE(slot);
		won(w, desk, slot, &claimed);
	}
	return classify(w, group, desk, from, count);
}

/* --- rejects --- */

static char *letter_of(const struct batcher *w, const struct rejected *rejected,
		       const struct uuid *event_id)
{
	size_t half = w->config->kafka.max_message_bytes / 2;
	struct event_message message = {
		.event_id = *event_id,
		.job_id = rejected->has_job_id ? &rejected->job_id : NULL,
		.topic = rejected->topic,
		.partition = rejected->partition,
		.offset = rejected->offset,
		.reason = rejected->reason,
		.detail = rejected->detail,
		.bytes = rejected->bytes,
		.len = rejected->len,
		.max_bytes = half < MAX_LETTER_BYTES ? half : MAX_LETTER_BYTES,
		.at = clock_wall(),
	};
	struct buffer letter = {0};

	event_message_dead_letter(&message, &letter);
	return buffer_take(&letter);
}

static bool store_rejects(struct batcher *w, const struct gather_group *group)
{
	AUTO(xfree) struct reject_row *rows = xcalloc(group->reject_count, sizeof(*rows));
	AUTO(xfree) char **letters = xcalloc(group->reject_count, sizeof(*letters));
	struct pg_args *args;
	struct error err;

	if (group->reject_count == 0)
		return true;
	for (size_t i = 0; i < group->reject_count; i++) {
		const struct rejected *rejected = &group->rejects[i];
		struct uuid event_id = event_message_id(rejected->topic, rejected->partition,
							rejected->offset, w->dead_topic);

		letters[i] = letter_of(w, rejected, &event_id);
		rows[i] = (struct reject_row){
			.topic = rejected->topic,
			.partition = rejected->partition,
			.offset = rejected->offset,
			.job_id = rejected->has_job_id ? &rejected->job_id : NULL,
			.reason = rejected->reason,
			.detail = rejected->detail,
			.bytes = rejected->bytes,
			.len = rejected->len,
			.event_id = event_id,
			.dead_topic = w->dead_topic,
			.headers = "",
			.dead_letter = letters[i],
		};
	}
	args = store_reject_args(rows, group->reject_count);
	for (size_t i = 0; i < group->reject_count; i++)
		free(letters[i]);
	AUTO(pg_rows_destroy)
	struct pg_rows *done = database_ask(w, "statements/reject", args, &err);
	if (!done && err.kind == ERROR_REJECT)
		batcher_fail(w, &err);
	return done != NULL;
}

/* --- those that are ours for the moment --- */

static void push_bound(struct pg_args *args, int column, pico bound)
{
	if (bound == PICO_UNPRICED)
		pg_push_null(args, column);
	else
		pg_push_big(args, column, bound);
}

static struct pg_args *join_args(const struct batcher *w, struct member *const *members,
				 size_t count)
{
	struct pg_args *args = pg_args_create();

	pg_uuid(args, &w->id);
	int id = pg_array(args, PG_UUID), epoch = pg_array(args, PG_INT4),
	    attempt = pg_array(args, PG_UUID), provider = pg_array(args, PG_TEXT),
	    model = pg_array(args, PG_TEXT), credential = pg_array(args, PG_TEXT),
	    bound = pg_array(args, PG_INT8), tier = pg_array(args, PG_TEXT),
	    day = pg_array(args, PG_INT4), batch = pg_array(args, PG_UUID),
	    rescue = pg_array(args, PG_TIME);

	for (size_t i = 0; i < count; i++) {
		const struct member *m = members[i];

		if (!m->placed)
			continue;
		pg_push_uuid(args, id, &m->job->id);
		pg_push_int(args, epoch, m->epoch);
		pg_push_uuid(args, attempt, &m->intent.attempt_id);
		pg_push_string(args, provider, m->intent.provider);
		pg_push_string(args, model, m->intent.model);
		pg_push_string(args, credential, m->intent.credential);
		push_bound(args, bound, m->intent.bound);
		pg_push_string(args, tier, m->intent.tier);
		pg_push_int(args, day, m->attempt_day);
		pg_push_uuid(args, batch, &m->batch_id);
		pg_push_time(args, rescue, m->rescue_at);
	}
	return args;
}

/* Whoever is not placed or settled now stays claimed by us, and is given back as a stray. */
static void clear(struct batcher *w, struct desk *desk, nsec now)
{
	AUTO(xfree) struct settlement **ends = xcalloc(desk->count, sizeof(*ends));
	size_t end_count = 0, placed = 0;
	struct error err;

	qsort(desk->members, desk->count, sizeof(*desk->members), by_job_id);
	for (size_t i = 0; i < desk->count; i++) {
		struct settlement *end = member_place(w, desk->members[i], now);

		if (end)
			ends[end_count++] = end;
		placed += desk->members[i]->placed;
	}
	if (placed > 0) {
		AUTO(pg_rows_destroy)
		struct pg_rows *rows = database_ask(w, "batch/join",
						    join_args(w, desk->members, desk->count), &err);
		w->pg_strays |= !rows || (size_t)pg_count(rows) < placed;
		FAILPOINT("B01");
	}
	w->pg_strays |= !outcomes_run(w, ends, end_count) || end_count + placed < desk->count;
	for (size_t i = 0; i < desk->count; i++)
		member_destroy(desk->members[i]);
	free(desk->members);
	*desk = (struct desk){0};
}

static void store_offsets(struct batcher *w, const struct gather_group *group)
{
	for (size_t i = 0; i < group->offset_count; i++) {
		const struct stored_offset *offset = &group->offsets[i];

		if (!kafka_consumer_store(w->consumer, offset->topic, offset->partition,
					  offset->assignment, offset->next))
			log_info("offset_not_ours", "topic=%s partition=%d",
				 w->topics[offset->topic].name, (int)offset->partition);
	}
}

/* Until everything of the group is a row, it stays pending and nothing more is read. */
static void run_group(struct batcher *w, nsec now)
{
	struct gather_group *group = w->pending;
	struct desk desk = {0};

	if (claim(w, group, &desk, 0, group->count) && store_rejects(w, group)) {
		store_offsets(w, group);
		group_destroy(TAKE(w->pending));
	}
	clear(w, &desk, now);
}

/* --- due rows --- */

static void take_row(struct batcher *w, struct desk *desk, const struct pg_rows *rows, int row)
{
	struct job_source nowhere = {.cluster = "", .topic = ""};
	struct claimed claimed = store_claimed_read(rows, row);
	struct error err;
	struct job *job = claimed.body ? job_read(w->reader, claimed.body, claimed.body_len,
						  &nowhere, &err)
				       : NULL;
	struct member *m;

	if (!job) {
		log_error("payload_unreadable", "why=%s",
			  claimed.body ? err.text : "there is none");
		return;
	}
	m = member_create(job, xmemdup(claimed.body, claimed.body_len), claimed.body_len,
			  xstrdup(claimed.headers));
	m->tier = &w->config->tiers[0];
	adopt(w, m, &claimed);
	member_contract(w, m);
	desk_add(desk, m);
}

static void pull(struct batcher *w, nsec now)
{
	AUTO(xfree) struct pull_want *wants = xcalloc(w->config->tier_count, sizeof(*wants));
	struct uuid claim_id = uuid_make();
	struct desk desk = {0};
	bool suspects = w->pulls++ % 5 ==
			4; /* one job that workers died over, and nothing beside it */
	struct error err;

	if (now < w->pull_at)
		return;
	w->pull_at = now + PULL_EVERY / 2 + random_below(&w->random, PULL_EVERY);
	for (size_t i = 0; i < w->config->tier_count; i++)
		wants[i] = (struct pull_want){w->config->tiers[i].name, LANE_BATCH,
					      (int)w->config->worker.group_size};
	AUTO(pg_rows_destroy)
	struct pg_rows *rows = database_ask(
		w, "statements/pull",
		store_pull_args(&w->id, &claim_id, wants, w->config->tier_count, suspects), &err);
	for (int row = 0; rows && row < pg_count(rows); row++)
		take_row(w, &desk, rows, row);
	if (desk.count > 0) {
		metrics_add(METRIC_pulled_total, (double)desk.count, LABELS("due"));
		w->pull_at = now;
	}
	clear(w, &desk, now);
}

void gather_run(struct batcher *w, nsec now)
{
	if (!w->pending)
		w->pending = read_group(w, now);
	if (w->pending)
		run_group(w, now);
	if (w->pg && !w->pending)
		pull(w, now);
}
