#include "store_claim.h"

#include <string.h>

#include "ensure.h"

static void push_bound(struct pg_args *args, int column, const struct intent *intent)
{
	if (!intent || intent->bound == PICO_UNPRICED)
		pg_push_null(args, column);
	else
		pg_push_big(args, column, intent->bound);
}

struct pg_args *store_claim_args(const struct uuid *owner, const struct uuid *claim_id,
				 const struct claim_row *rows, size_t count)
{
	struct pg_args *args = pg_args_create();

	pg_uuid(args, owner);
	pg_uuid(args, claim_id);
	int id = pg_array(args, PG_UUID), run = pg_array(args, PG_INT4),
	    hop = pg_array(args, PG_INT4), thin = pg_array(args, PG_BOOL),
	    tier = pg_array(args, PG_TEXT), lane = pg_array(args, PG_TEXT),
	    fingerprint = pg_array(args, PG_BYTES), body = pg_array(args, PG_BYTES),
	    headers = pg_array(args, PG_TEXT), reason = pg_array(args, PG_TEXT),
	    due = pg_array(args, PG_TIME), free_plan = pg_array(args, PG_BOOL),
	    unit = pg_array(args, PG_TEXT), feature = pg_array(args, PG_TEXT),
	    environment = pg_array(args, PG_TEXT), usage_tier = pg_array(args, PG_TEXT),
	    user = pg_array(args, PG_TEXT), task = pg_array(args, PG_TEXT),
	    prompt = pg_array(args, PG_TEXT), version = pg_array(args, PG_TEXT),
	    attempt = pg_array(args, PG_UUID), provider = pg_array(args, PG_TEXT),
	    model = pg_array(args, PG_TEXT), credential = pg_array(args, PG_TEXT),
	    bound = pg_array(args, PG_INT8), attempt_tier = pg_array(args, PG_TEXT),
	    batch = pg_array(args, PG_UUID);

	for (size_t i = 0; i < count; i++) {
		const struct claim_row *row = &rows[i];
		const struct job *job = row->job;
		const struct intent *intent = row->intent;

		pg_push_uuid(args, id, &job->id);
		pg_push_int(args, run, job->run);
		pg_push_int(args, hop, job->hop);
		pg_push_bool(args, thin, job->thin);
		pg_push_string(args, tier, row->tier);
		pg_push_string(args, lane, lane_name(row->lane));
		pg_push_bytes(args, fingerprint, job->fingerprint.bytes,
			      sizeof(job->fingerprint.bytes));
		pg_push_bytes(args, body, row->bytes, job->thin ? 0 : row->len);
		pg_push_string(args, headers, row->headers);
		pg_push_string(args, reason, row->park_reason);
		pg_push_time(args, due, row->due);
		pg_push_bool(args, free_plan, job->free_plan);
		pg_push_string(args, unit, job->thin ? "" : job->business_unit);
		pg_push_string(args, feature, job->thin ? "" : job->feature);
		pg_push_string(args, environment, job->thin ? "" : job->environment);
		pg_push_string(args, usage_tier, job->thin ? "" : job->usage_tier);
		pg_push_string(args, user, job->thin ? "" : job->user);
		pg_push_string(args, task, job->thin ? "" : job->task);
		pg_push_string(args, prompt, job->thin ? "" : job->prompt_name);
		pg_push_string(args, version, job->thin ? "" : job->prompt_version);
		pg_push_uuid(args, attempt, intent ? &intent->attempt_id : NULL);
		pg_push_string(args, provider, intent ? intent->provider : NULL);
		pg_push_string(args, model, intent ? intent->model : NULL);
		pg_push_string(args, credential, intent ? intent->credential : NULL);
		push_bound(args, bound, intent);
		pg_push_string(args, attempt_tier, intent ? intent->tier : NULL);
		pg_push_uuid(args, batch, row->batch_id);
	}
	return args;
}

/* Columns of claim.sql and pull.sql. */
enum {
	COLUMN_ID,
	COLUMN_STATE,
	COLUMN_RUN,
	COLUMN_HOP,
	COLUMN_EPOCH,
	COLUMN_DAY,
	COLUMN_TIER,
	COLUMN_LANE,
	COLUMN_PROGRESS,
	COLUMN_CRASHES,
	COLUMN_CANCEL,
	COLUMN_BODY,
	COLUMN_HEADERS,
};

struct claimed store_claimed_read(const struct pg_rows *rows, int row)
{
	struct claimed claimed = {
		.job_id = pg_get_uuid(rows, row, COLUMN_ID),
		.parked = strcmp(pg_get_text(rows, row, COLUMN_STATE), "CLAIMED") != 0,
		.batched = strcmp(pg_get_text(rows, row, COLUMN_STATE), "BATCHED") == 0,
		.run = (int32_t)pg_get_int(rows, row, COLUMN_RUN),
		.hop = (int32_t)pg_get_int(rows, row, COLUMN_HOP),
		.epoch = (int32_t)pg_get_int(rows, row, COLUMN_EPOCH),
		.day = (int32_t)pg_get_int(rows, row, COLUMN_DAY),
		.tier = pg_get_text(rows, row, COLUMN_TIER),
		.lane = pg_get_text(rows, row, COLUMN_LANE),
		.progress = pg_get_text(rows, row, COLUMN_PROGRESS),
		.crash_count = (int)pg_get_int(rows, row, COLUMN_CRASHES),
		.cancel_requested = pg_get_bool(rows, row, COLUMN_CANCEL),
		.headers = pg_get_text(rows, row, COLUMN_HEADERS),
	};

	if (!pg_is_null(rows, row, COLUMN_BODY))
		claimed.body = pg_get_bytes(rows, row, COLUMN_BODY, &claimed.body_len);
	return claimed;
}

struct pg_args *store_classify_args(const struct uuid *claim_id, const struct uuid *ids,
				    size_t count)
{
	struct pg_args *args = pg_args_create();
	int id = pg_array(args, PG_UUID);

	for (size_t i = 0; i < count; i++)
		pg_push_uuid(args, id, &ids[i]);
	pg_uuid(args, claim_id);
	return args;
}

/* Columns of classify.sql. */
enum {
	STANDING_ID,
	STANDING_RUN,
	STANDING_HOP,
	STANDING_STATE,
	STANDING_FINGERPRINT,
	STANDING_OWNER,
	STANDING_CLAIM,
	STANDING_EPOCH,
	STANDING_DAY,
	STANDING_CRASHES,
	STANDING_CANCEL,
	STANDING_TIER,
	STANDING_LANE,
	STANDING_PROGRESS,
	STANDING_BODY,
	STANDING_HEADERS,
};

static struct claimed standing_claimed(const struct pg_rows *rows, int row,
				       struct standing *standing)
{
	struct claimed claimed = {
		.job_id = standing->job_id,
		.parked = strcmp(standing->state, "CLAIMED") != 0,
		.batched = strcmp(standing->state, "BATCHED") == 0,
		.run = standing->run,
		.hop = standing->hop,
		.epoch = (int32_t)pg_get_int(rows, row, STANDING_EPOCH),
		.day = (int32_t)pg_get_int(rows, row, STANDING_DAY),
		.tier = pg_get_text(rows, row, STANDING_TIER),
		.lane = pg_get_text(rows, row, STANDING_LANE),
		.progress = pg_get_text(rows, row, STANDING_PROGRESS),
		.crash_count = (int)pg_get_int(rows, row, STANDING_CRASHES),
		.cancel_requested = pg_get_bool(rows, row, STANDING_CANCEL),
		.headers = pg_get_text(rows, row, STANDING_HEADERS),
	};

	if (!pg_is_null(rows, row, STANDING_BODY))
		claimed.body = pg_get_bytes(rows, row, STANDING_BODY, &claimed.body_len);
	return claimed;
}

struct standing store_standing_read(const struct pg_rows *rows, int row, const struct uuid *owner,
				    const struct uuid *claim_id)
{
	struct standing standing = {
		.job_id = pg_get_uuid(rows, row, STANDING_ID),
		.exists = !pg_is_null(rows, row, STANDING_STATE),
		.run = (int32_t)pg_get_int(rows, row, STANDING_RUN),
		.hop = (int32_t)pg_get_int(rows, row, STANDING_HOP),
	};
	struct uuid holder = pg_get_uuid(rows, row, STANDING_OWNER);
	struct uuid claim = pg_get_uuid(rows, row, STANDING_CLAIM);
	const char *state = pg_get_text(rows, row, STANDING_STATE);
	const char *fingerprint;
	size_t len;

	memcpy(standing.state, state, strnlen(state, sizeof(standing.state) - 1));
	fingerprint = pg_get_bytes(rows, row, STANDING_FINGERPRINT, &len);
	if (len == sizeof(standing.fingerprint.bytes))
		memcpy(standing.fingerprint.bytes, fingerprint, len);
	standing.ours = uuid_equal(&claim, claim_id) &&
			((strcmp(state, "CLAIMED") == 0 && uuid_equal(&holder, owner)) ||
			 strcmp(state, "PARKED") == 0 || strcmp(state, "BATCHED") == 0);
	if (standing.ours)
		standing.claimed = standing_claimed(rows, row, &standing);
	return standing;
}

static bool is_past(const struct standing *standing, const struct job *job)
{
	if (standing->run != job->run)
		return standing->run > job->run;
	return standing->hop >= job->hop;
}

/* The tombstone of a job that was cancelled before anybody saw it: whatever its body is, it drops.
 */
static bool is_unseen(const struct standing *standing)
{
	static const struct digest none;

	return digest_equal(&standing->fingerprint, &none);
}

enum claim_class claim_classify(const struct job *job, const struct standing *standing)
{
	if (standing->ours)
		return CLAIM_WON;
	if (job->thin && strcmp(standing->state, "QUEUED") == 0 && standing->run == job->run &&
	    standing->hop == job->hop)
		return CLAIM_AGAIN;
	if (job->thin)
		return standing->exists && is_past(standing, job) ? CLAIM_DUPLICATE
								  : CLAIM_IMPOSSIBLE;
	ENSURE(standing->exists);
	if (is_unseen(standing))
		return CLAIM_DUPLICATE;
	return digest_equal(&standing->fingerprint, &job->fingerprint) ? CLAIM_DUPLICATE
								       : CLAIM_CONFLICT;
}

struct pg_args *store_pull_args(const struct uuid *owner, const struct uuid *claim_id,
				const struct pull_want *wants, size_t count, bool suspects)
{
	struct pg_args *args = pg_args_create();

	pg_uuid(args, owner);
	pg_uuid(args, claim_id);
	int tier = pg_array(args, PG_TEXT), lane = pg_array(args, PG_TEXT),
	    most = pg_array(args, PG_INT4);

	for (size_t i = 0; i < count; i++) {
		pg_push_string(args, tier, wants[i].tier);
		pg_push_string(args, lane, lane_name(wants[i].lane));
		pg_push_int(args, most, wants[i].most);
	}
	pg_bool(args, suspects);
	return args;
}

struct pg_args *store_intend_args(const struct uuid *owner, const struct intend_row *rows,
				  size_t count)
{
	struct pg_args *args = pg_args_create();

	pg_uuid(args, owner);
	int id = pg_array(args, PG_UUID), epoch = pg_array(args, PG_INT4),
	    attempt = pg_array(args, PG_UUID), provider = pg_array(args, PG_TEXT),
	    model = pg_array(args, PG_TEXT), credential = pg_array(args, PG_TEXT),
	    bound = pg_array(args, PG_INT8), tier = pg_array(args, PG_TEXT),
	    day = pg_array(args, PG_INT4), taker = pg_array(args, PG_UUID),
	    lease = pg_array(args, PG_UUID), amount = pg_array(args, PG_INT8),
	    waited_ms = pg_array(args, PG_INT4), waited_for = pg_array(args, PG_TEXT);

	for (size_t i = 0; i < count; i++) {
		const struct intent *intent = rows[i].intent;

		for (size_t t = 0; t < rows[i].take_count; t++) {
			pg_push_uuid(args, taker, &intent->attempt_id);
			pg_push_uuid(args, lease, &rows[i].takes[t].lease_id);
			pg_push_big(args, amount, rows[i].takes[t].amount);
		}
		pg_push_uuid(args, id, &rows[i].job_id);
		pg_push_int(args, epoch, rows[i].epoch);
		pg_push_uuid(args, attempt, &intent->attempt_id);
		pg_push_string(args, provider, intent->provider);
		pg_push_string(args, model, intent->model);
		pg_push_string(args, credential, intent->credential);
		push_bound(args, bound, intent);
		pg_push_string(args, tier, intent->tier);
		pg_push_int(args, day, rows[i].day);
		if (intent->waited_for)
			pg_push_int(args, waited_ms, intent->waited_ms);
		else
			pg_push_null(args, waited_ms);
		pg_push_string(args, waited_for, intent->waited_for);
	}
	return args;
}

int32_t store_day(nsec wall)
{
	return (int32_t)(wall / (86400 * NSEC_PER_SEC)) - 10957; /* from 1970 to 2000 */
}

struct pg_args *store_reject_args(const struct reject_row *rows, size_t count)
{
	struct pg_args *args = pg_args_create();
	int topic = pg_array(args, PG_TEXT), partition = pg_array(args, PG_INT4),
	    offset = pg_array(args, PG_INT8), job = pg_array(args, PG_UUID),
	    reason = pg_array(args, PG_TEXT), detail = pg_array(args, PG_TEXT),
	    body = pg_array(args, PG_BYTES), event = pg_array(args, PG_UUID),
	    dead_topic = pg_array(args, PG_TEXT), key = pg_array(args, PG_TEXT),
	    headers = pg_array(args, PG_TEXT), letter = pg_array(args, PG_BYTES),
	    about = pg_array(args, PG_UUID);

	for (size_t i = 0; i < count; i++) {
		const struct reject_row *row = &rows[i];
		char key_text[UUID_TEXT];

		pg_push_string(args, topic, row->topic);
		pg_push_int(args, partition, row->partition);
		pg_push_big(args, offset, row->offset);
		pg_push_uuid(args, job, row->job_id);
		pg_push_string(args, reason, row->reason);
		pg_push_string(args, detail, row->detail);
		pg_push_bytes(args, body, row->bytes, row->len);
		pg_push_uuid(args, event, &row->event_id);
		pg_push_string(args, dead_topic, row->dead_topic);
		pg_push_string(args, key,
			       uuid_format(key_text, row->job_id ? row->job_id : &row->event_id));
		pg_push_string(args, headers, row->headers);
		pg_push_bytes(args, letter, row->dead_letter, strlen(row->dead_letter));
		pg_push_uuid(args, about, row->job_id ? row->job_id : &row->event_id);
	}
	return args;
}
