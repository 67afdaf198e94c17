/*
 * From messages to claim groups: how many we have room for, from which topics,
 * and what can be said of a message before Postgres is asked.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ensure.h"
#include "failpoint.h"
#include "job_contract.h"
#include "job_message.h"
#include "log.h"
#include "metrics.h"
#include "utf8.h"
#include "worker.h"

#define REAL_TIMESTAMP 1000000000000 /* milliseconds: 2001 */

size_t intake_room(const struct worker *w, nsec now)
{
	const struct works *works = &w->works;
	size_t most = w->config->worker.max_in_flight;
	size_t ready = works_in(works, WORK_READY) - works_stalled(works, now);
	size_t busy = works_in(works, WORK_CLAIMING) + ready + works_in(works, WORK_INTENDING) +
		      works_in(works, WORK_CALLING) + works_in(works, WORK_RECALLING);
	size_t held = works_in(works, WORK_CLAIMING) + works_in(works, WORK_READY) +
		      works_in(works, WORK_INTENDING) + works_in(works, WORK_CALLING) +
		      works_in(works, WORK_SETTLING) + works_in(works, WORK_WAITING) +
		      works_in(works, WORK_RECALLING);

	if (busy >= most || held >= 3 * most)
		return 0;
	return most - busy;
}

/* Those of a tier that is short of quota are not busy, but bounded as well: enough to go on with
 * while partitions change hands. */
size_t intake_room_of(const struct worker *w, size_t topic, nsec now)
{
	const struct work_line *line = &w->works.lines[w->topics[topic].tier->rank];
	size_t room = intake_room(w, now);
	size_t most = w->config->worker.max_in_flight;
	size_t waiting = fair_queue_count(line->queue);

	if (!work_line_is_short(line, now))
		return room;
	if (waiting >= most)
		return 0;
	return room < most - waiting ? room : most - waiting;
}

/* Pulled are no more than half of a short line: whoever has little waiting is read from Kafka at
 * once. */
size_t intake_pull_room_of(const struct worker *w, size_t topic, nsec now)
{
	const struct work_line *line = &w->works.lines[w->topics[topic].tier->rank];
	size_t room = intake_room_of(w, topic, now);
	size_t most = w->config->worker.max_in_flight / 2 + 1;
	size_t waiting = fair_queue_count(line->queue);

	if (!work_line_is_short(line, now))
		return room;
	if (waiting >= most)
		return 0;
	return room < most - waiting ? room : most - waiting;
}

/* --- one message --- */

static void reject(struct worker *w, struct claim_group *group, const struct kafka_message *message,
		   const struct job *job, const char *reason, const char *detail)
{
	struct rejected *rejected;

	group->rejects = xrealloc(group->rejects,
				  (group->reject_count + 1) * sizeof(*group->rejects));
	rejected = &group->rejects[group->reject_count++];
	*rejected = (struct rejected){
		.topic = w->topics[message->topic].name,
		.partition = message->partition,
		.offset = message->offset,
		.has_job_id = job != NULL,
		.reason = reason,
		.bytes = xmemdup(message->value ? message->value : "", message->len),
		.len = message->len,
	};
	if (job)
		rejected->job_id = job->id;
	utf8_copy(rejected->detail, sizeof(rejected->detail), detail);
	metrics_add(METRIC_rejects_total, 1, LABELS(reason));
	log_warn("message_rejected", "topic=%s partition=%d offset=%lld reason=%s detail=%s",
		 rejected->topic, (int)message->partition, (long long)message->offset, reason,
		 rejected->detail);
}

/* The same message, whatever its offset: the same envelope, or the same follow-up. */
static bool is_same(const struct job *a, const struct job *b)
{
	if (a->thin != b->thin || !uuid_equal(&a->id, &b->id))
		return false;
	return a->thin ? a->run == b->run && a->hop == b->hop
		       : digest_equal(&a->fingerprint, &b->fingerprint);
}

static bool is_conflict(const struct job *a, const struct job *b)
{
	return !a->thin && !b->thin && uuid_equal(&a->id, &b->id) &&
	       !digest_equal(&a->fingerprint, &b->fingerprint);
}

/*
 * The same message twice in one group: the second is dropped, or in conflict,
 * before Postgres sees it. An envelope and a follow-up of one job are two
 * messages, and both are claimed, one after the other.
 */
static bool is_repeated(struct worker *w, struct claim_group *group,
			const struct kafka_message *message, struct job *job)
{
	for (size_t i = 0; i < group->count; i++) {
		const struct job *other = group->works[i]->job;

		if (is_same(job, other)) {
			metrics_add(METRIC_claims_total, 1, LABELS("duplicate"));
			return true;
		}
		if (is_conflict(job, other)) {
			metrics_add(METRIC_claims_total, 1, LABELS("conflict"));
			reject(w, group, message, job, "conflict",
			       "another message with this job_id came first and has another body");
			return true;
		}
	}
	return false;
}

static void doom(struct work *work, const char *reason, const char *detail)
{
	work->doomed = reason;
	utf8_copy(work->doomed_detail, sizeof(work->doomed_detail), detail);
}

void intake_contract(struct worker *w, struct work *work, const char *bytes, size_t len)
{
	struct error err = {0};

	work->contract = job_contract(w->contracts, w->config, w->task_schemas, work->job, bytes,
				      len, &err);
	if (!work->contract && *err.text)
		doom(work, "invalid_schema", err.text);
	if (work->contract && work->job->output_given)
		job_share_schema(work->job, work->contract->document);
	if (work->contract && !work->job->output_given) /* sent as well, and paid for */
		work->weight += strlen(w->task_schemas[config_task(w->config, work->job->task) -
						       w->config->tasks]);
}

/* What can be said of a job before it is claimed; it is claimed all the same, so that its end is an
 * outcome. */
static void examine(struct worker *w, struct work *work)
{
	const struct job *job = work->job;
	const struct worker_settings *settings = &w->config->worker;
	nsec wall = clock_wall();

	if (job->thin)
		return;
	intake_contract(w, work, work->bytes, work->len);
	if (work->doomed)
		return;
	if (*job->reply_topic && !config_allows_reply(w->config, job->reply_topic))
		doom(work, "reply_topic", "reply_topic begins with none of kafka.reply_prefixes");
	else if (job->hop > settings->max_hops)
		doom(work, "max_hops", "the job moved between topics too often");
	else if (job->not_before > wall) {
		work->park_reason = "not_before";
		work->park_until = job->not_before;
	}
}

static void take_job(struct worker *w, struct claim_group *group,
		     const struct kafka_message *message, struct job *job, nsec now)
{
	const struct tier_topic *topic = &w->topics[message->topic];
	struct work *work = work_create(&w->works, job, xmemdup(message->value, message->len),
					message->len, job_message_headers(message));
	nsec wall = clock_wall(), sent = (nsec)message->timestamp_ms * NSEC_PER_MSEC, wait;

	work->tier = topic->tier;
	work->lane = topic->lane;
	work->topic = message->topic;
	work->partition = message->partition;
	work->offset = message->offset;
	work->claimed_at = work->idle_since = now;
	work->queued = message->timestamp_ms > REAL_TIMESTAMP && wall > sent ? wall - sent : 0;
	examine(w, work);
	if (!job->thin && !work->doomed && !work->park_reason &&
	    starts_is_broke(w, work, now, &wait)) {
		work->park_reason = "budget";
		work->park_until = wall + wait;
		readahead_parked(w, work, now);
	}
	if (!job->thin && !work->doomed && !work->park_reason &&
	    starts_is_stuck(w, work, now, &wait)) {
		work->park_reason = "breaker";
		work->park_until = wall + wait;
		readahead_parked(w, work, now);
	}
	/* A job that a budget pays waits for its answer: only who asked learns that the budget is
	 * spent. */
	if (!job->thin && !work->doomed && !work->park_reason && !quota_pays(w, work) &&
	    readahead_is_over_share(w, work, now)) {
		work->park_reason = "share"; /* due at once: pulled when it is its unit's turn */
		readahead_parked(w, work, now);
	}
	if (!job->thin && !work->doomed && !work->park_reason && !recalls_wants(w, work))
		starts_prepare(w, work, now);
	group->works = xrealloc(group->works, (group->count + 1) * sizeof(struct work *));
	group->works[group->count++] = work;
}

static void note_offset(struct claim_group *group, const struct kafka_message *message)
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
		.topic = message->topic,
		.partition = message->partition,
		.assignment = message->assignment,
		.next = message->offset + 1,
	};
}

/* After its tombstone is gone an old topic's message would look like a new job. */
static bool is_too_old(const struct worker *w, const struct kafka_message *message)
{
	nsec longest = w->config->worker.max_job_age, wall = clock_wall();
	nsec sent = (nsec)message->timestamp_ms * NSEC_PER_MSEC;

	/* Embedded brokers may give no real time. */
	return longest > 0 && message->timestamp_ms > REAL_TIMESTAMP && wall > sent &&
	       wall - sent > longest;
}

static void take(struct worker *w, const struct kafka_message *message, nsec now)
{
	struct claim_group *group = claims_group(w, now);
	struct error err;
	struct job *job = job_message_read(w->reader, w->config, w->topics[message->topic].name,
					   message, &err);

	FAILPOINT("K02");
	note_offset(group, message);
	if (!job) {
		reject(w, group, message, NULL, "unparseable", err.text);
		return;
	}
	if (is_too_old(w, message)) {
		reject(w, group, message, job, "too_old",
		       "the message is older than worker.max_job_age: its job may have been "
		       "finished and forgotten");
		job_destroy(job);
		return;
	}
	if (is_repeated(w, group, message, job)) {
		job_destroy(job);
		return;
	}
	take_job(w, group, message, job, now);
}

/* --- many --- */

static size_t read_topic(struct worker *w, size_t topic, size_t most, nsec now)
{
	struct kafka_message message;
	size_t count = 0;

	while (count < most && kafka_consumer_next(w->consumer, topic, &message)) {
		FAILPOINT("K01");
		take(w, &message, now);
		kafka_message_release(&message);
		count++;
		claims_flush(w, now, false);
	}
	if (count > 0)
		metrics_add(METRIC_messages_read_total, (double)count,
			    LABELS(w->topics[topic].name));
	return count;
}

/* Turn by turn over the tiers, so that none starves behind another. */
static size_t read_lane(struct worker *w, enum lane lane, size_t most, nsec now)
{
	size_t count = 0, room;
	size_t offset = random_below(&w->random, w->topic_count);

	for (size_t i = 0; i < w->topic_count && count < most; i++) {
		size_t topic = (i + offset) % w->topic_count;

		if (w->topics[topic].lane != lane || !kafka_consumer_ready(w->consumer, topic) ||
		    !starts_reads(w, w->topics[topic].tier, now))
			continue;
		room = intake_room_of(w, topic, now);
		if (room > most - count)
			room = most - count;
		count += read_topic(w, topic, room, now);
	}
	return count;
}

void intake_read(struct worker *w, nsec now)
{
	size_t room = intake_room(w, now);
	size_t kept, count;

	if (w->stop_at || w->alone || room == 0 || !pg_ready(w->pgs[PG_CLAIM]) ||
	    !starts_allowed(w, now))
		return;
	claims_pull(w, now);
	/* Express first, but a share stays for normal, even where there is room for one only. */
	kept = random_share(&w->random, room, (unsigned)w->config->worker.normal_share);
	count = read_lane(w, LANE_EXPRESS, room - kept, now);
	count += read_lane(w, LANE_NORMAL, room - count, now);
	if (count < room)
		read_lane(w, LANE_EXPRESS, room - count, now);
}
