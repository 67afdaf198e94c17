#include "store_settle.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "ensure.h"

/* How many arguments a settle had before … */
#define BEFORE_QUESTIONS 50
#define BEFORE_TOOL_CALLS 54

struct settlement *settlement_create(void)
{
	struct settlement *settlement = xcalloc(1, sizeof(*settlement));

	settlement->hop = -1;
	settlement->confidence = NAN;
	return settlement;
}

void settlement_destroy(struct settlement *settlement)
{
	if (!settlement)
		return;
	for (size_t i = 0; i < settlement->debt_count; i++) {
		struct debt *debt = &settlement->debts[i];

		free(debt->topic);
		free(debt->key);
		free(debt->headers);
		free(debt->body);
	}
	free(settlement->progress);
	free(settlement->output);
	free(settlement->tool_calls);
	free(settlement);
}

void settlement_owe(struct settlement *settlement, const char *kind, const struct uuid *event_id,
		    const char *topic, const char *key, char *headers, char *body, size_t len)
{
	ENSURE(settlement->debt_count < MAX_DEBTS);
	settlement->debts[settlement->debt_count++] = (struct debt){
		.event_id = *event_id,
		.kind = kind,
		.topic = xstrdup(topic),
		.key = xstrdup(key),
		.headers = headers,
		.body = body,
		.len = len,
	};
}

static void push_money(struct pg_args *args, int column, pico amount)
{
	if (amount == PICO_UNPRICED)
		pg_push_null(args, column);
	else
		pg_push_big(args, column, amount);
}

/* Closings sorted by attempt, decisions by job: the order in which rows are locked. */
static void add_closings(struct pg_args *args, struct settlement *const *all, size_t count)
{
	int id = pg_array(args, PG_UUID), day = pg_array(args, PG_INT4),
	    state = pg_array(args, PG_TEXT), verdict = pg_array(args, PG_TEXT),
	    purpose = pg_array(args, PG_TEXT), reply = pg_array(args, PG_TEXT),
	    status = pg_array(args, PG_INT4), model = pg_array(args, PG_TEXT),
	    request = pg_array(args, PG_TEXT), ttfb = pg_array(args, PG_INT4),
	    total = pg_array(args, PG_INT4), confidence = pg_array(args, PG_FLOAT8),
	    error = pg_array(args, PG_TEXT), signature = pg_array(args, PG_TEXT),
	    billed = pg_array(args, PG_BOOL), cost = pg_array(args, PG_INT8),
	    input = pg_array(args, PG_INT8), cache_read = pg_array(args, PG_INT8),
	    cache_write = pg_array(args, PG_INT8), cache_write_1h = pg_array(args, PG_INT8),
	    output = pg_array(args, PG_INT8), reasoning = pg_array(args, PG_INT8),
	    saving = pg_array(args, PG_INT8);

	for (size_t i = 0; i < count; i++) {
		const struct settlement *s = all[i];

		if (!s->closes)
			continue;
		pg_push_uuid(args, id, &s->attempt_id);
		pg_push_int(args, day, s->attempt_day);
		pg_push_string(args, state, s->attempt_state);
		pg_push_string(args, verdict, s->verdict);
		pg_push_string(args, purpose, s->purpose);
		pg_push_string(args, reply, s->reply);
		pg_push_int(args, status, s->status);
		pg_push_string(args, model, s->answered_model);
		pg_push_string(args, request, s->request_id);
		pg_push_int(args, ttfb, s->ttfb_ms);
		pg_push_int(args, total, s->total_ms);
		pg_push_double(args, confidence, s->confidence);
		pg_push_string(args, error, s->error[0] ? s->error : NULL);
		pg_push_string(args, signature, s->signature[0] ? s->signature : NULL);
		pg_push_bool(args, billed, s->billed);
		push_money(args, cost, s->cost);
		pg_push_big(args, input, s->usage.input);
		pg_push_big(args, cache_read, s->usage.cache_read);
		pg_push_big(args, cache_write, s->usage.cache_write);
		pg_push_big(args, cache_write_1h, s->usage.cache_write_1h);
		pg_push_big(args, output, s->usage.output);
		pg_push_big(args, reasoning, s->usage.reasoning);
		pg_push_big(args, saving, s->cache_saving);
	}
}

static void add_decisions(struct pg_args *args, struct settlement *const *all, size_t count)
{
	int id = pg_array(args, PG_UUID), epoch = pg_array(args, PG_INT4),
	    state = pg_array(args, PG_TEXT), hop = pg_array(args, PG_INT4),
	    tier = pg_array(args, PG_TEXT), lane = pg_array(args, PG_TEXT),
	    wait = pg_array(args, PG_INT8), reason = pg_array(args, PG_TEXT),
	    progress = pg_array(args, PG_TEXT), degraded = pg_array(args, PG_BOOL),
	    unmeasured = pg_array(args, PG_BOOL), is_json = pg_array(args, PG_BOOL),
	    attempts = pg_array(args, PG_INT4), confidence = pg_array(args, PG_FLOAT8),
	    cost = pg_array(args, PG_INT8), provider = pg_array(args, PG_TEXT),
	    model = pg_array(args, PG_TEXT), detail = pg_array(args, PG_TEXT),
	    output = pg_array(args, PG_BYTES);

	for (size_t i = 0; i < count; i++) {
		const struct settlement *s = all[i];

		if (!s->decides)
			continue;
		pg_push_uuid(args, id, &s->job_id);
		pg_push_int(args, epoch, s->epoch);
		pg_push_string(args, state, s->state);
		if (s->hop < 0)
			pg_push_null(args, hop);
		else
			pg_push_int(args, hop, s->hop);
		pg_push_string(args, tier, s->tier);
		pg_push_string(args, lane, s->lane);
		pg_push_big(args, wait, (int64_t)(s->wait / NSEC_PER_MSEC));
		pg_push_string(args, reason, s->reason);
		pg_push_string(args, progress, s->progress);
		pg_push_bool(args, degraded, s->degraded);
		pg_push_bool(args, unmeasured, s->unmeasured);
		pg_push_bool(args, is_json, s->is_json);
		pg_push_int(args, attempts, s->attempts);
		pg_push_double(args, confidence, s->confidence);
		push_money(args, cost, s->spent);
		pg_push_string(args, provider, s->provider);
		pg_push_string(args, model, s->model);
		pg_push_string(args, detail, s->detail[0] ? s->detail : NULL);
		if (s->output)
			pg_push_bytes(args, output, s->output, s->output_len);
		else
			pg_push_null(args, output);
	}
}

static void add_debts(struct pg_args *args, struct settlement *const *all, size_t count)
{
	int job = pg_array(args, PG_UUID), event = pg_array(args, PG_UUID),
	    kind = pg_array(args, PG_TEXT), topic = pg_array(args, PG_TEXT),
	    key = pg_array(args, PG_TEXT), headers = pg_array(args, PG_TEXT),
	    body = pg_array(args, PG_BYTES), epoch = pg_array(args, PG_INT4);

	for (size_t i = 0; i < count; i++) {
		for (size_t k = 0; k < all[i]->debt_count; k++) {
			const struct debt *debt = &all[i]->debts[k];

			pg_push_uuid(args, job, &all[i]->job_id);
			pg_push_uuid(args, event, &debt->event_id);
			pg_push_string(args, kind, debt->kind);
			pg_push_string(args, topic, debt->topic);
			pg_push_string(args, key, debt->key);
			pg_push_string(args, headers, debt->headers);
			pg_push_bytes(args, body, debt->body, debt->len);
			pg_push_int(args, epoch, all[i]->epoch);
		}
	}
}

/* Only of decisions that end or move the job: as long as it is ours it goes on leading. */
static void add_questions(struct pg_args *args, struct settlement *const *all, size_t count)
{
	int job = pg_array(args, PG_UUID), epoch = pg_array(args, PG_INT4),
	    key = pg_array(args, PG_BYTES), keep = pg_array(args, PG_INT8);

	for (size_t i = 0; i < count; i++) {
		const struct settlement *s = all[i];

		if (!s->decides || !s->has_key)
			continue;
		pg_push_uuid(args, job, &s->job_id);
		pg_push_int(args, epoch, s->epoch);
		pg_push_bytes(args, key, s->answer_key.bytes, sizeof(s->answer_key.bytes));
		pg_push_big(args, keep, (int64_t)(s->keep_for / NSEC_PER_MSEC));
	}
}

/* Of the same decisions, in the same order. */
static void add_calls(struct pg_args *args, struct settlement *const *all, size_t count)
{
	int tool_calls = pg_array(args, PG_TEXT);

	for (size_t i = 0; i < count; i++)
		if (all[i]->decides)
			pg_push_string(args, tool_calls, all[i]->tool_calls);
}

struct pg_args *store_settle_args(struct settlement *const *settlements, size_t count)
{
	struct pg_args *args = pg_args_create();

	add_closings(args, settlements, count);
	add_decisions(args, settlements, count);
	add_debts(args, settlements, count);
	add_questions(args, settlements, count);
	add_calls(args, settlements, count);
	return args;
}

void store_settle_complete(struct pg_args *args)
{
	if (pg_args_count(args) == BEFORE_QUESTIONS)
		add_questions(args, NULL, 0);
	if (pg_args_count(args) == BEFORE_TOOL_CALLS)
		add_calls(args, NULL, 0);
}
