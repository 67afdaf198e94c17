/*
 * How jobs stand: GET /v1/jobs/{job_id}, at once or at their end, and the list.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "ensure.h"
#include "estimate.h"
#include "json_writer.h"
#include "looks.h"
#include "routes.h"
#include "timestamp.h"
#include "utf8.h"
#include "vigil.h"
#include "wait_reason.h"
#include "weather.h"

#define LONGEST_WAIT 60
#define MOST 500
#define FEW 50

/* Columns that job.sql and list.sql share … */
enum {
	JOB_ID,
	JOB_STATE,
	JOB_REASON,
	JOB_RUN,
	JOB_HOP,
	JOB_TIER,
	JOB_LANE,
	JOB_UNIT,
	JOB_CREATED,
	JOB_CHANGED,
	JOB_DUE,
	JOB_CANCEL,
	JOB_SHARED,
	LIST_TASK = JOB_SHARED,
	LIST_FEATURE,
};

/* … and those of job.sql alone. */
enum {
	JOB_ATTEMPTS = JOB_SHARED,
	JOB_ENDED,
	RESULT_REASON,
	RESULT_DEGRADED,
	RESULT_IS_JSON,
	RESULT_CONFIDENCE,
	RESULT_COST,
	RESULT_FINISHED,
	RESULT_PROVIDER,
	RESULT_MODEL,
	RESULT_DETAIL,
	RESULT_OUTPUT,
	RESULT_TOOL_CALLS,
	RESULT_TIER,
	JOB_TASK,
	JOB_FEATURE,
};

static void put_text(struct json_writer *w, const char *name, const struct pg_rows *rows, int row,
		     int column)
{
	const char *text = pg_get_text(rows, row, column);

	if (!*text)
		return;
	json_key(w, name);
	json_put_text(w, text);
}

static void put_time(struct json_writer *w, const char *name, const struct pg_rows *rows, int row,
		     int column)
{
	char text[TIMESTAMP_TEXT];

	if (pg_is_null(rows, row, column))
		return;
	json_key(w, name);
	json_put_text(w, timestamp_format(text, pg_get_time(rows, row, column)));
}

static void put_integer(struct json_writer *w, const char *name, int64_t value)
{
	json_key(w, name);
	json_put_integer(w, value);
}

static void write_head(struct json_writer *w, const struct pg_rows *rows, int row, int task,
		       int feature)
{
	struct uuid id = pg_get_uuid(rows, row, JOB_ID);
	char text[UUID_TEXT];

	json_key(w, "job_id");
	json_put_text(w, uuid_format(text, &id));
	put_text(w, "state", rows, row, JOB_STATE);
	put_text(w, "reason", rows, row, JOB_REASON);
	put_integer(w, "run", pg_get_int(rows, row, JOB_RUN));
	put_integer(w, "hop", pg_get_int(rows, row, JOB_HOP));
	put_text(w, "tier", rows, row, JOB_TIER);
	put_text(w, "lane", rows, row, JOB_LANE);
	put_text(w, "business_unit", rows, row, JOB_UNIT);
	put_text(w, "feature", rows, row, feature);
	put_text(w, "task", rows, row, task);
	put_time(w, "created_at", rows, row, JOB_CREATED);
	put_time(w, "changed_at", rows, row, JOB_CHANGED);
	put_time(w, "due", rows, row, JOB_DUE);
	json_key(w, "cancel_requested");
	json_put_bool(w, pg_get_bool(rows, row, JOB_CANCEL));
}

/* --- one job --- */

static void put_tool_calls(struct json_writer *w, const struct pg_rows *rows, int row)
{
	const char *calls = pg_get_text(rows, row, RESULT_TOOL_CALLS);

	if (!*calls)
		return;
	json_key(w, "tool_calls");
	json_put_raw(w, calls, strlen(calls));
}

/* A model's output is passed on as it came; text that is no UTF-8 is mended. */
static void write_output(struct json_writer *w, const struct pg_rows *rows, int row)
{
	size_t len;
	const char *output = pg_get_bytes(rows, row, RESULT_OUTPUT, &len);

	put_tool_calls(w, rows, row);
	if (pg_is_null(rows, row, RESULT_OUTPUT))
		return;
	json_key(w, "output");
	if (pg_get_bool(rows, row, RESULT_IS_JSON)) {
		json_put_raw(w, output, len);
	} else {
		json_auto_t *text = json_lenient_string(output, len);

		json_put_value(w, text);
	}
}

static void write_result(struct json_writer *w, const struct pg_rows *rows, int row, bool costs)
{
	double confidence = pg_get_double(rows, row, RESULT_CONFIDENCE);

	json_key(w, "result");
	json_open(w, '{');
	put_text(w, "outcome", rows, row, JOB_STATE);
	put_text(w, "reason", rows, row, RESULT_REASON);
	put_text(w, "detail", rows, row, RESULT_DETAIL);
	put_text(w, "tier", rows, row, RESULT_TIER);
	put_text(w, "provider", rows, row, RESULT_PROVIDER);
	put_text(w, "model", rows, row, RESULT_MODEL);
	json_key(w, "degraded");
	json_put_bool(w, pg_get_bool(rows, row, RESULT_DEGRADED));
	if (!isnan(confidence)) {
		json_key(w, "confidence");
		json_put_number(w, confidence);
	}
	if (costs)
		estimate_put_usd(w, "cost_usd",
				 pg_is_null(rows, row, RESULT_COST)
					 ? PICO_UNPRICED
					 : pg_get_int(rows, row, RESULT_COST));
	put_time(w, "finished_at", rows, row, RESULT_FINISHED);
	write_output(w, rows, row);
	json_close(w, '}');
}

static void write_wait(struct exchange *x, struct json_writer *w, const struct pg_rows *rows,
		       int row)
{
	const char *state = pg_get_text(rows, row, JOB_STATE);
	const char *words = wait_reason_now(state, pg_get_text(rows, row, JOB_REASON));
	const char *tier = pg_get_text(rows, row, JOB_TIER),
		   *lane = pg_get_text(rows, row, JOB_LANE);
	int64_t ahead;
	double wait;

	if (words) {
		json_key(w, "waits_for");
		json_put_text(w, words);
	}
	if (strcmp(state, "queued") != 0)
		return;
	ahead = weather_ahead(x->api->weather, tier, lane, pg_get_time(rows, row, JOB_CREATED));
	put_integer(w, "ahead", ahead);
	wait = estimate_wait(x->api, tier, lane, ahead);
	json_key(w, "eta_seconds");
	if (wait < 0)
		json_put_raw(w, "null", 4);
	else
		json_put_number(w, wait);
}

static void reply_job(struct exchange *x, const struct pg_rows *rows, int row)
{
	AUTO_FINISH(buffer_finish) struct buffer body = {0};
	struct json_writer w = {.out = &body};

	json_open(&w, '{');
	write_head(&w, rows, row, JOB_TASK, JOB_FEATURE);
	put_integer(&w, "attempts", pg_get_int(rows, row, JOB_ATTEMPTS));
	write_wait(x, &w, rows, row);
	if (pg_get_bool(rows, row, JOB_ENDED))
		write_result(&w, rows, row, x->key->rights & RIGHT_COSTS);
	json_close(&w, '}');
	exchange_json(x, 200, &body, NULL, 0);
}

static bool is_final(const char *state)
{
	return strcmp(state, "done") == 0 || strcmp(state, "dead") == 0 ||
	       strcmp(state, "cancelled") == 0;
}

static void refuse_unknown(struct exchange *x)
{
	exchange_problem(x, 404, "not_found",
			 "job %.60s is not known to this key: another unit's, still in Kafka, or "
			 "gone with retention",
			 x->words[0]);
}

static void shown(struct exchange *x, const struct pg_rows *rows, int row)
{
	if (row < 0 || !exchange_sees(x, pg_get_text(rows, row, JOB_UNIT)))
		refuse_unknown(x);
	else if (x->wait_until && !is_final(pg_get_text(rows, row, JOB_STATE)))
		vigil_keep(x->api->vigil, x);
	else
		reply_job(x, rows, row);
}

void vigil_over(struct exchange *x)
{
	x->wait_until = 0;
	looks_ask(x->api->looks, x, shown);
}

/* A number of the query within bounds, or the fallback; false: it is none, and that was replied. */
static bool query_number(struct exchange *x, const char *name, long least, long most, long *value)
{
	const char *text = web_query(x->request, name);
	char *end;
	long number;

	if (!text)
		return true;
	number = strtol(text, &end, 10);
	if (*text && !*end && number >= least && number <= most) {
		*value = number;
		return true;
	}
	exchange_problem(x, 400, "bad_query", "%s must be a number from %ld to %ld", name, least,
			 most);
	return false;
}

void jobs_show(struct exchange *x)
{
	long wait = 0;

	if (!exchange_job(x) || !query_number(x, "wait", 0, LONGEST_WAIT, &wait))
		return;
	if (wait > 0)
		x->wait_until = x->started + (nsec)wait * NSEC_PER_SEC;
	looks_ask(x->api->looks, x, shown);
}

/* --- the list --- */

static void listed(struct exchange *x, const struct pg_rows *rows)
{
	AUTO_FINISH(buffer_finish) struct buffer body = {0};
	struct json_writer w = {.out = &body};
	long limit = (long)(intptr_t)x->data;
	int count = pg_count(rows) > limit ? (int)limit : pg_count(rows);

	json_open(&w, '{');
	json_key(&w, "jobs");
	json_open(&w, '[');
	for (int row = 0; row < count; row++) {
		json_open(&w, '{');
		write_head(&w, rows, row, LIST_TASK, LIST_FEATURE);
		json_close(&w, '}');
	}
	json_close(&w, ']');
	if (pg_count(rows) > count) { /* one more was asked for than is shown */
		struct uuid last = pg_get_uuid(rows, count - 1, JOB_ID);
		char text[UUID_TEXT];

		json_key(&w, "next_cursor");
		json_put_text(&w, uuid_format(text, &last));
	}
	json_close(&w, '}');
	exchange_json(x, 200, &body, NULL, 0);
}

static bool is_one_of(const char *text, const char *const *names)
{
	while (*names && strcmp(*names, text) != 0)
		names++;
	return *names;
}

static bool check_names(struct exchange *x)
{
	static const char *const states[] = {"claimed", "batched", "parked",	"queued",
					     "done",	"dead",	   "cancelled", NULL};
	static const char *const lanes[] = {"express", "normal", "batch", NULL};
	const char *state = web_query(x->request, "state"), *lane = web_query(x->request, "lane");

	if (state && !is_one_of(state, states))
		exchange_problem(x, 400, "bad_query", "there is no state \"%.40s\"", state);
	else if (lane && !is_one_of(lane, lanes))
		exchange_problem(x, 400, "bad_query", "there is no lane \"%.40s\"", lane);
	else
		return true;
	return false;
}

/* The units that are asked for and may be seen; NULL for all. */
static void push_units(struct pg_args *args, const struct exchange *x)
{
	const char *unit = web_query(x->request, "business_unit");
	const json_t *mine;
	size_t i;
	int array;

	if (!unit && x->key->all_units) {
		pg_string(args, NULL);
		return;
	}
	array = pg_array(args, PG_TEXT);
	if (unit)
		pg_push_string(args, array, unit);
	else
		json_array_foreach (x->key->units, i, mine)
			pg_push_string(args, array, json_string_value(mine));
}

static bool push_text(struct exchange *x, struct pg_args *args, const char *name)
{
	const char *text = web_query(x->request, name);

	if (text && !utf8_is_valid(text)) {
		exchange_problem(x, 400, "bad_query", "%s is not UTF-8", name);
		return false;
	}
	pg_string(args, text);
	return true;
}

static struct pg_args *list_args(struct exchange *x, const struct uuid *below, long limit)
{
	static const char *const names[] = {"state", "tier", "lane", "reason", "task"};
	AUTO(pg_args_destroy) struct pg_args *args = pg_args_create();

	push_units(args, x);
	for (size_t i = 0; i < COUNT_OF(names); i++)
		if (!push_text(x, args, names[i]))
			return NULL;
	pg_uuid(args, below);
	pg_big(args, limit + 1);
	return TAKE(args);
}

void jobs_list(struct exchange *x)
{
	const char *unit = web_query(x->request, "business_unit");
	const char *cursor = web_query(x->request, "cursor");
	struct pg_args *args;
	struct uuid below;
	long limit = FEW;

	if (!check_names(x) || !query_number(x, "limit", 1, MOST, &limit))
		return;
	if (cursor && !uuid_parse(cursor, &below)) {
		exchange_problem(x, 400, "bad_query", "cursor is not one of ours");
		return;
	}
	if (unit && (!utf8_is_valid(unit) || !exchange_sees(x, unit))) {
		exchange_problem(x, 403, "forbidden", "key %s does not see this business unit",
				 x->key->id);
		return;
	}
	args = list_args(x, cursor ? &below : NULL, limit);
	if (!args)
		return;
	x->data = (void *)(intptr_t)limit;
	exchange_ask(x, API_SLOW, "list", args, listed);
}
