/*
 * From claim groups to rows that are ours. A group is sent whole, rejects and
 * claims side by side; what the claim did not win is looked up and classified;
 * when nothing of the oldest group is open any more its offsets are stored.
 *
 * A bad row fails its whole statement: the statement is sent again in halves
 * until the culprit is alone, and that one becomes a reject.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ensure.h"
#include "event.h"
#include "failpoint.h"
#include "log.h"
#include "metrics.h"
#include "utf8.h"
#include "worker.h"

#define MAX_CLAIMS_OPEN 4
#define MAX_LETTER_BYTES ((size_t)512 * 1024)
#define PULL_INTERVAL (200 * NSEC_PER_MSEC)

struct claim_group *claims_group(struct worker *w, nsec now)
{
	if (!w->filling) {
		w->filling = xcalloc(1, sizeof(*w->filling));
		w->filling->id = uuid_make();
		w->filling->opened_at = now;
	}
	return w->filling;
}

void claim_group_destroy(struct worker *w, struct claim_group *group)
{
	if (!group)
		return;
	for (size_t i = 0; i < group->count; i++)
		if (group->works[i]) {
			starts_unprepare(group->works[i]);
			work_destroy(&w->works, group->works[i]);
		}
	for (size_t i = 0; i < group->reject_count; i++)
		free(group->rejects[i].bytes);
	free(group->works);
	free(group->rejects);
	free(group->offsets);
	free(group);
}

/*
 * The claim id of one round of a group. Messages of one job are claimed round by
 * round, each under an id of its own: what the first has won must not look as if
 * the second had won it.
 */
static struct uuid round_id(const struct claim_group *group, size_t round)
{
	struct uuid id = group->id;

	id.bytes[14] ^= (uint8_t)(round >> 8);
	id.bytes[15] ^= (uint8_t)round;
	return id;
}

/* Of any round: ids of one process differ in more than their last two bytes. */
bool claims_know(const struct worker *w, const struct uuid *claim_id)
{
	for (const struct claim_group *group = w->claims; group; group = group->next)
		if (memcmp(group->id.bytes, claim_id->bytes, sizeof(claim_id->bytes) - 2) == 0)
			return true;
	return false;
}

/* --- sending --- */

/* By job, and messages of one job in the order in which they make sense. */
static int by_job(const void *a, const void *b)
{
	const struct job *first = (*(struct work *const *)a)->job,
			 *second = (*(struct work *const *)b)->job;
	int order = uuid_compare(&first->id, &second->id);

	if (order == 0)
		order = first->thin - second->thin;
	if (order == 0)
		order = (first->run > second->run) - (first->run < second->run);
	return order ? order : (first->hop > second->hop) - (first->hop < second->hop);
}

/*
 * One statement takes a job once. Of works [from, count), sorted, those that
 * repeat the job before them move behind the others; returns where they begin.
 */
static size_t first_of_each(struct work **works, size_t from, size_t count)
{
	AUTO(xfree) struct work **repeats = xcalloc(count - from + 1, sizeof(struct work *));
	size_t kept = from, repeated = 0;

	for (size_t i = from; i < count; i++) {
		if (kept > from && uuid_equal(&works[kept - 1]->job->id, &works[i]->job->id))
			repeats[repeated++] = works[i];
		else
			works[kept++] = works[i];
	}
	memcpy(works + kept, repeats, repeated * sizeof(struct work *));
	return kept;
}

static void send_claim(struct worker *w, struct request *request)
{
	const struct claim_group *group = request->group;
	AUTO(xfree) struct claim_row *rows = xcalloc(request->count, sizeof(*rows));

	for (size_t i = 0; i < request->count; i++) {
		const struct work *work = group->works[request->from + i];

		rows[i] = (struct claim_row){
			.job = work->job,
			.tier = work->tier->name,
			.lane = work->lane,
			.bytes = work->bytes,
			.len = work->len,
			.headers = work->headers,
			.park_reason = work->park_reason,
			.due = work->park_until,
			.intent = work->prepared ? &work->intent : NULL,
		};
	}
	FAILPOINT("K03");
	worker_send(w, request, "claim",
		    store_claim_args(&w->id, &request->claim_id, rows, request->count));
	metrics_observe(METRIC_transaction_rows, (double)request->count, LABELS("claim"));
}

static void send_classify(struct worker *w, struct request *request)
{
	const struct claim_group *group = request->group;
	AUTO(xfree) struct uuid *ids = xcalloc(request->count, sizeof(*ids));
	size_t count = 0;

	for (size_t i = 0; i < request->count; i++) {
		const struct work *work = group->works[request->from + i];

		if (work && !work->won)
			ids[count++] = work->job->id;
	}
	worker_send(w, request, "classify", store_classify_args(&request->claim_id, ids, count));
}

static char *dead_letter(const struct worker *w, const struct rejected *rejected,
			 const struct uuid *event_id)
{
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
		.max_bytes = w->config->kafka.max_message_bytes / 2 < MAX_LETTER_BYTES
				     ? w->config->kafka.max_message_bytes / 2
				     : MAX_LETTER_BYTES,
		.at = clock_wall(),
	};
	struct buffer letter = {0};

	event_message_dead_letter(&message, &letter);
	return buffer_take(&letter);
}

static void send_reject(struct worker *w, struct request *request)
{
	const struct claim_group *group = request->group;
	AUTO(xfree) struct reject_row *rows = xcalloc(request->count, sizeof(*rows));
	AUTO(xfree) char **letters = xcalloc(request->count, sizeof(*letters));

	for (size_t i = 0; i < request->count; i++) {
		const struct rejected *rejected = &group->rejects[request->from + i];
		struct uuid event_id = event_message_id(rejected->topic, rejected->partition,
							rejected->offset, w->dead_topic);

		letters[i] = dead_letter(w, rejected, &event_id);
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
	worker_send(w, request, "reject", store_reject_args(rows, request->count));
	for (size_t i = 0; i < request->count; i++)
		free(letters[i]);
}

void claims_resend(struct worker *w, struct request *request)
{
	switch (request->kind) {
	case REQUEST_CLAIM:
		send_claim(w, request);
		break;
	case REQUEST_CLASSIFY:
		send_classify(w, request);
		break;
	default:
		ENSURE(request->kind == REQUEST_REJECT);
		send_reject(w, request);
	}
}

static void open_request(struct worker *w, struct claim_group *group, enum request_kind kind,
			 const struct uuid *claim_id, size_t from, size_t count)
{
	struct request *request;

	if (count == 0)
		return;
	request = request_create(kind, PG_CLAIM);
	request->group = group;
	request->claim_id = *claim_id;
	request->from = from;
	request->count = count;
	group->open++;
	claims_resend(w, request);
}

void claims_flush(struct worker *w, nsec now, bool all)
{
	struct claim_group *group = w->filling;

	if (!group || !pg_ready(w->pgs[PG_CLAIM]) || pg_open(w->pgs[PG_CLAIM]) >= MAX_CLAIMS_OPEN)
		return;
	if (!all && group->count + group->reject_count < w->config->worker.group_size &&
	    now - group->opened_at < w->config->worker.linger)
		return;
	w->filling = NULL;
	qsort(group->works, group->count, sizeof(*group->works), by_job);
	*w->claims_tail = group;
	w->claims_tail = &group->next;
	group->open++; /* ourselves, until all is sent */
	open_request(w, group, REQUEST_REJECT, &group->id, 0, group->reject_count);
	for (size_t from = 0, next, round = 0; from < group->count; from = next, round++) {
		struct uuid id = round_id(group, round);

		next = first_of_each(group->works, from, group->count);
		open_request(w, group, REQUEST_CLAIM, &id, from, next - from);
	}
	group->open--;
}

/* --- what came of it --- */

static void store_offsets(struct worker *w, const struct claim_group *group)
{
	FAILPOINT("K04");
	for (size_t i = 0; i < group->offset_count; i++) {
		const struct stored_offset *offset = &group->offsets[i];

		if (!kafka_consumer_store(w->consumer, offset->topic, offset->partition,
					  offset->assignment, offset->next))
			log_info("offset_not_ours", "topic=%s partition=%d",
				 w->topics[offset->topic].name, (int)offset->partition);
	}
	FAILPOINT("K05");
}

/* Offsets are stored strictly in the order in which the messages were read. */
static void finish_groups(struct worker *w)
{
	while (w->claims && w->claims->open == 0) {
		struct claim_group *group = w->claims;

		store_offsets(w, group);
		w->claims = group->next;
		if (!w->claims)
			w->claims_tail = &w->claims;
		claim_group_destroy(w, group);
	}
}

/* The payload of a follow-up or of a pulled job, with the row's own identity. */
static struct job *read_payload(struct worker *w, const struct claimed *claimed, struct error *err)
{
	struct job_source nowhere = {.cluster = "", .topic = ""};
	struct job *job;

	if (!claimed->body) {
		error_set(err, ERROR_REJECT, "the job has no payload");
		return NULL;
	}
	job = job_read(w->reader, claimed->body, claimed->body_len, &nowhere, err);
	if (job)
		job->id = claimed->job_id;
	return job;
}

/* What another worker left to be quoted in the next prompt. */
static void take_quotation(struct work *work)
{
	if (!work->memo.repair_note)
		return;
	free(work->repair_answer);
	free(work->repair_note);
	work->repair_answer = TAKE(work->memo.repair_answer);
	work->repair_note = TAKE(work->memo.repair_note);
	work->repair_len = strlen(work->repair_answer);
}

struct work *claims_adopt(struct worker *w, struct work *work, const struct claimed *claimed,
			  nsec now)
{
	enum lane lane;

	work->won = true;
	work->epoch = claimed->epoch;
	work->day = claimed->day;
	work->crash_count = claimed->crash_count;
	work->cancel_requested = claimed->cancel_requested;
	work->job->run = claimed->run;
	work->job->hop = claimed->hop;
	if (*claimed->tier && config_tier(w->config, claimed->tier))
		work->tier = config_tier(w->config, claimed->tier);
	if (*claimed->lane && lane_parse(claimed->lane, &lane))
		work->lane = lane;
	memo_finish(&work->memo);
	memo_read(&work->memo, claimed->progress);
	take_quotation(work);
	free(TAKE(work->bytes));
	work->turn.since = work->claimed_at -
			   (work->queued < work->claimed_at ? work->queued : work->claimed_at);
	work->turn.cost = starts_cost(w, work);
	work_hold(&w->works, work);
	metrics_observe_time(METRIC_job_queue_seconds, work->queued,
			     LABELS(work->tier->name, lane_name(work->lane)));
	if (work->prepared) {
		work->attempt_day = claimed->day;
		starts_send(w, work, now);
	} else if (recalls_wants(w, work)) {
		recalls_add(w, work);
	} else {
		work_move(&w->works, work, WORK_READY);
	}
	return work;
}

/* A thin message learns what it stands for. */
static bool load_payload(struct worker *w, struct work *work, const struct claimed *claimed)
{
	struct error err;
	struct job *full;

	if (!claimed->body || !work->job->thin)
		return true;
	full = read_payload(w, claimed, &err);
	if (!full) {
		log_error("payload_unreadable", "why=%s", err.text);
		return false;
	}
	job_destroy(work->job);
	work->job = full;
	work->weight = claimed->body_len;
	intake_contract(w, work, claimed->body, claimed->body_len);
	free(work->headers);
	work->headers = xstrdup(claimed->headers);
	return true;
}

static void forget(struct worker *w, struct claim_group *group, size_t i)
{
	starts_unprepare(group->works[i]);
	work_destroy(&w->works, TAKE(group->works[i]));
}

static void won(struct worker *w, struct claim_group *group, size_t i,
		const struct claimed *claimed, nsec now)
{
	metrics_add(METRIC_claims_total, 1, LABELS("won"));
	if (claimed->parked || !load_payload(w, group->works[i], claimed)) {
		if (claimed->parked)
			FAILPOINT("K18");
		forget(w, group, i);
		return;
	}
	claims_adopt(w, TAKE(group->works[i]), claimed, now);
}

static ssize_t find_in(const struct claim_group *group, const struct request *request,
		       const struct uuid *id)
{
	size_t low = request->from, high = request->from + request->count;

	/* Rows of the group that are gone already can't be compared: look through what is left. */
	for (size_t i = low; i < high; i++)
		if (group->works[i] && uuid_equal(&group->works[i]->job->id, id))
			return (ssize_t)i;
	return -1;
}

static void read_claim(struct worker *w, struct request *request, const struct pg_rows *rows,
		       nsec now)
{
	struct claim_group *group = request->group;
	size_t left = 0;

	FAILPOINT("K06");
	for (int row = 0; row < pg_count(rows); row++) {
		struct claimed claimed = store_claimed_read(rows, row);
		ssize_t at = find_in(group, request, &claimed.job_id);

		ENSURE(at >= 0);
		won(w, group, (size_t)at, &claimed, now);
	}
	for (size_t i = 0; i < request->count; i++)
		left += group->works[request->from + i] != NULL;
	if (left > 0)
		open_request(w, group, REQUEST_CLASSIFY, &request->claim_id, request->from,
			     request->count);
}

static void to_reject(struct claim_group *group, const struct worker *w, const struct work *work,
		      const char *reason, const char *detail)
{
	struct rejected *rejected;

	group->rejects = xrealloc(group->rejects,
				  (group->reject_count + 1) * sizeof(*group->rejects));
	rejected = &group->rejects[group->reject_count++];
	*rejected = (struct rejected){
		.topic = w->topics[work->topic].name,
		.partition = work->partition,
		.offset = work->offset,
		.has_job_id = true,
		.job_id = work->job->id,
		.reason = reason,
		.bytes = xmemdup(work->bytes, work->len),
		.len = work->len,
	};
	utf8_copy(rejected->detail, sizeof(rejected->detail), detail);
	metrics_add(METRIC_rejects_total, 1, LABELS(reason));
	log_warn("message_rejected", "topic=%s partition=%d offset=%lld reason=%s detail=%s",
		 rejected->topic, (int)rejected->partition, (long long)rejected->offset, reason,
		 rejected->detail);
}

static void classify_one(struct worker *w, const struct request *request, size_t i,
			 const struct standing *standing, nsec now)
{
	struct claim_group *group = request->group;
	const struct work *work = group->works[i];

	switch (claim_classify(work->job, standing)) {
	case CLAIM_WON:
		won(w, group, i, &standing->claimed, now);
		return;
	case CLAIM_AGAIN:
		open_request(w, group, REQUEST_CLAIM, &request->claim_id, i, 1);
		return;
	case CLAIM_DUPLICATE:
		metrics_add(METRIC_claims_total, 1, LABELS("duplicate"));
		break;
	case CLAIM_CONFLICT:
		metrics_add(METRIC_claims_total, 1, LABELS("conflict"));
		to_reject(group, w, work, "conflict",
			  "a job with this job_id exists and has another body");
		break;
	case CLAIM_IMPOSSIBLE:
		metrics_add(METRIC_claims_total, 1, LABELS("impossible"));
		to_reject(group, w, work, "impossible",
			  "a follow-up that is newer than its job, or whose job does not exist");
		break;
	}
	forget(w, group, i);
}

static void read_classify(struct worker *w, struct request *request, const struct pg_rows *rows,
			  nsec now)
{
	struct claim_group *group = request->group;
	size_t rejects_before = group->reject_count;

	for (int row = 0; row < pg_count(rows); row++) {
		struct standing standing = store_standing_read(rows, row, &w->id,
							       &request->claim_id);
		ssize_t at = find_in(group, request, &standing.job_id);

		ENSURE(at >= 0);
		classify_one(w, request, (size_t)at, &standing, now);
	}
	open_request(w, group, REQUEST_REJECT, &request->claim_id, rejects_before,
		     group->reject_count - rejects_before);
}

/* Postgres refused a row: half the statement, until the culprit is alone. */
static void bisect(struct worker *w, struct request *request, const struct pg_answer *answer)
{
	struct claim_group *group = request->group;
	size_t half = request->count / 2, before = group->reject_count;

	metrics_add(METRIC_bisections_total, 1, LABELS("claim"));
	if (request->count > 1) {
		open_request(w, group, request->kind, &request->claim_id, request->from, half);
		open_request(w, group, request->kind, &request->claim_id, request->from + half,
			     request->count - half);
		return;
	}
	if (request->kind != REQUEST_CLAIM) {
		worker_fail(w, &answer->error);
		return;
	}
	to_reject(group, w, group->works[request->from], "unstorable", answer->error.text);
	forget(w, group, request->from);
	open_request(w, group, REQUEST_REJECT, &request->claim_id, before, 1);
}

static void read_rows(struct worker *w, struct request *request, const struct pg_answer *answer,
		      nsec now)
{
	if (request->kind == REQUEST_CLAIM)
		read_claim(w, request, answer->rows, now);
	else if (request->kind == REQUEST_CLASSIFY)
		read_classify(w, request, answer->rows, now);
}

static void read_pull(struct worker *w, const struct pg_rows *rows, nsec now)
{
	for (int row = 0; row < pg_count(rows); row++) {
		struct claimed claimed = store_claimed_read(rows, row);
		struct error err;
		struct job *job = read_payload(w, &claimed, &err);
		struct work *work;

		if (!job) {
			/* Stays CLAIMED and is handed back by the comparison, until its payload is
			 * mended. */
			log_error("payload_unreadable", "why=%s", err.text);
			continue;
		}
		work = work_create(&w->works, job, NULL, 0, xstrdup(claimed.headers));
		work->weight = claimed.body_len;
		intake_contract(w, work, claimed.body, claimed.body_len);
		work->claimed_at = work->idle_since = now;
		work->tier = &w->config->tiers[0];
		claims_adopt(w, work, &claimed, now);
	}
	metrics_add(METRIC_pulled_total, (double)pg_count(rows), LABELS("due"));
	if (pg_count(rows) > 0)
		w->pull_at = now;
}

void claims_answer(struct worker *w, struct request *request, struct pg_answer *answer, nsec now)
{
	if (request->kind == REQUEST_PULL) {
		w->pull_open = false;
		if (answer->rows)
			read_pull(w, answer->rows, now);
		else
			w->compare_at = 0; /* some may be ours without our knowing */
		if (!answer->rows && answer->error.kind == ERROR_FATAL)
			worker_fail(w, &answer->error);
		request_destroy(request);
		return;
	}
	if (!answer->rows && answer->error.kind == ERROR_RETRY) {
		worker_send_again(w, request);
		return;
	}
	if (answer->rows)
		read_rows(w, request, answer, now);
	else if (answer->error.kind == ERROR_REJECT)
		bisect(w, request, answer);
	else
		worker_fail(w, &answer->error);
	request->group->open--;
	request_destroy(request);
	finish_groups(w);
}

/* --- due rows --- */

static void send_pull(struct worker *w, size_t most, bool suspects, nsec now)
{
	struct request *request;
	AUTO(xfree) struct pull_want *wants = xcalloc(w->topic_count, sizeof(*wants));
	size_t count = 0;
	size_t each = most / w->topic_count + 1;

	for (size_t i = 0; i < w->topic_count; i++) {
		size_t room = suspects ? 1 : intake_pull_room_of(w, i, now);

		if (room > 0 && (suspects || targets_open(w->targets, w->topics[i].tier, now)))
			wants[count++] = (struct pull_want){w->topics[i].tier->name,
							    w->topics[i].lane,
							    (int)(room < each ? room : each)};
	}
	if (count == 0)
		return;
	request = request_create(REQUEST_PULL, PG_CLAIM);
	request->claim_id = uuid_make();
	request->suspects = suspects;
	w->pull_open = true;
	worker_send(w, request, "pull",
		    store_pull_args(&w->id, &request->claim_id, wants, count, suspects));
}

void claims_pull(struct worker *w, nsec now)
{
	size_t room = intake_room(w, now);

	if (w->pull_open || now < w->pull_at || !pg_ready(w->pgs[PG_CLAIM]))
		return;
	w->pull_at = now + PULL_INTERVAL / 2 + random_below(&w->random, PULL_INTERVAL);
	if (w->alone ? w->works.held > 0 : room == 0)
		return;
	send_pull(w, room / 2 + 1, w->alone, now);
}
