/*
 * A job on its way into a batch or out of it: whether it may go on, where to,
 * and what its line is made of.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "batcher.h"
#include "ensure.h"
#include "job_contract.h"
#include "log.h"
#include "metrics.h"
#include "provider.h"
#include "routing_lane.h"
#include "targets.h"
#include "utf8.h"

#define POISON_CRASHES 4
#define DEFAULT_OUTPUT_TOKENS 4096
#define WORDS_OF_OURS 1024
#define MAX_LINE ((size_t)8 * 1024 * 1024)
#define LINE_FRAME 160 /* bytes around a body */

struct member *member_create(struct job *job, char *bytes, size_t len, char *headers)
{
	struct member *m = xcalloc(1, sizeof(*m));

	m->job = job;
	m->bytes = bytes;
	m->len = len;
	m->headers = headers;
	m->lane = LANE_BATCH;
	memo_read(&m->memo, "");
	return m;
}

void member_destroy(struct member *m)
{
	if (!m)
		return;
	memo_finish(&m->memo);
	contract_release(m->contract);
	job_destroy(m->job);
	free(m->bytes);
	free(m->headers);
	free(m);
}

void member_contract(struct batcher *w, struct member *m)
{
	struct error err = {0};

	m->contract = job_contract(w->contracts, w->config, w->task_schemas, m->job, m->bytes,
				   m->len, &err);
	if (m->contract || !*err.text)
		return;
	m->doomed = "invalid_schema";
	utf8_copy(m->doomed_detail, sizeof(m->doomed_detail), err.text);
}

/* --- what it is made of, from a row --- */

enum {
	LINE_ATTEMPT,
	LINE_DAY,
	LINE_JOB,
	LINE_RUN,
	LINE_HOP,
	LINE_EPOCH,
	LINE_TIER,
	LINE_LANE,
	LINE_PROGRESS,
	LINE_STATE,
	LINE_OURS,
	LINE_CANCEL,
	LINE_HEADERS,
	LINE_BODY,
	LINE_BOUND,
	LINE_MODEL,
	LINE_CREDENTIAL,
	LINE_PROVIDER,
	LINE_AGE,
};

static const struct candidate *candidate_of(const struct tier *tier, const struct batch *batch)
{
	for (size_t i = 0; i < tier->candidate_count; i++)
		if (tier->candidates[i].endpoint == batch->endpoint &&
		    strcmp(tier->candidates[i].model, batch->model) == 0)
			return &tier->candidates[i];
	return &batch->candidate;
}

static void read_line(struct batcher *w, struct member *m, struct batch *batch,
		      const struct pg_rows *rows, int row)
{
	const struct tier *tier = config_tier(w->config, pg_get_text(rows, row, LINE_TIER));

	m->tier = tier ? tier : &w->config->tiers[0];
	m->job->id = pg_get_uuid(rows, row, LINE_JOB);
	m->job->run = (int32_t)pg_get_int(rows, row, LINE_RUN);
	m->job->hop = (int32_t)pg_get_int(rows, row, LINE_HOP);
	m->epoch = (int32_t)pg_get_int(rows, row, LINE_EPOCH);
	m->cancel_requested = pg_get_bool(rows, row, LINE_CANCEL);
	m->calling = (nsec)(pg_get_double(rows, row, LINE_AGE) * 1e9);
	memo_read(&m->memo, pg_get_text(rows, row, LINE_PROGRESS));
	m->batch_id = batch->id;
	m->candidate = candidate_of(m->tier, batch);
	m->attempt_day = (int32_t)pg_get_int(rows, row, LINE_DAY);
	m->intent = (struct intent){
		.attempt_id = pg_get_uuid(rows, row, LINE_ATTEMPT),
		.provider = batch->endpoint->name,
		.model = batch->model,
		.credential = batch->endpoint->credential,
		.tier = m->tier->name,
		.bound = pg_is_null(rows, row, LINE_BOUND) ? PICO_UNPRICED
							   : pg_get_int(rows, row, LINE_BOUND),
	};
}

struct member *member_of_line(struct batcher *w, struct batch *batch, const struct pg_rows *rows,
			      int row)
{
	struct job_source nowhere = {.cluster = "", .topic = ""};
	size_t len;
	const char *body = pg_get_bytes(rows, row, LINE_BODY, &len);
	struct error err;
	struct job *job = job_read(w->reader, body, len, &nowhere, &err);
	struct member *m;

	if (!job) {
		log_error("payload_unreadable", "why=%s", err.text);
		return NULL;
	}
	m = member_create(job, xmemdup(body, len), len,
			  xstrdup(pg_get_text(rows, row, LINE_HEADERS)));
	read_line(w, m, batch, rows, row);
	member_contract(w, m);
	return m;
}

/* --- its line --- */

static int64_t output_cap(const struct member *m, const struct task *task)
{
	int64_t cap = m->job->max_output_tokens;

	if (cap == 0)
		cap = task->max_output_tokens;
	if (cap == 0)
		cap = DEFAULT_OUTPUT_TOKENS;
	if (m->candidate->traits.max_output > 0 && cap > m->candidate->traits.max_output)
		cap = m->candidate->traits.max_output;
	return cap;
}

bool member_build(struct batcher *w, const struct member *m, struct buffer *body, struct error *err)
{
	const struct provider *provider = m->candidate->endpoint->provider;
	const struct task *task = config_task(w->config, m->job->task);
	char attempt[UUID_TEXT];
	struct call call = {
		.job = m->job,
		.model = m->candidate->model,
		.traits = &m->candidate->traits,
		.attempt_id = uuid_format(attempt, &m->intent.attempt_id),
		.max_output_tokens = output_cap(m, task),
		.output_schema = m->contract ? m->contract->document : NULL,
		.prepared = m->contract ? contract_for(m->contract, provider->dialect) : NULL,
		.repair_answer = m->memo.repair_note ? m->memo.repair_answer : NULL,
		.repair_answer_len = m->memo.repair_note ? strlen(m->memo.repair_answer) : 0,
		.repair_note = m->memo.repair_note,
		.want_confidence = task->min_confidence > 0 && !*task->confidence_field,
	};

	return provider->build(&call, body, err);
}

struct hearing member_hearing(struct batcher *w, struct member *m)
{
	return (struct hearing){
		.job = m->job,
		.headers = m->headers,
		.contract = m->contract,
		.tier = m->tier,
		.lane = LANE_BATCH,
		.epoch = m->epoch,
		.memo = &m->memo,
		.doomed = m->doomed,
		.queued = m->queued,
		.calling = m->calling,
		.total = m->queued + m->calling,
		.intent = &m->intent,
		.attempt_day = m->attempt_day,
		.candidate = m->candidate,
		.answered = clock_wall(), /* other lines of its batch were: a failure is its own */
		.random = random_next(&w->random),
	};
}

/* --- where it goes --- */

struct settlement *member_end(struct batcher *w, struct member *m, const char *state,
			      const char *reason, const char *detail)
{
	struct hearing hearing = member_hearing(w, m);
	struct settlement *s = settlement_create();

	hearing_end(&w->court, &hearing, s, state, reason, detail, 0);
	hearing_tell(&w->court, &hearing, s);
	return s;
}

struct settlement *member_park(struct batcher *w, struct member *m, const char *reason, nsec wait)
{
	struct hearing hearing = member_hearing(w, m);
	struct settlement *s = settlement_create();

	hearing_decide(&hearing, s, "PARKED", reason);
	s->wait = wait;
	s->progress = memo_write(&m->memo);
	return s;
}

struct settlement *member_move(struct batcher *w, struct member *m, const struct tier *tier,
			       enum lane lane, const char *reason)
{
	struct hearing hearing = member_hearing(w, m);
	struct settlement *s = settlement_create();

	hearing_move(&w->court, &hearing, s, tier, lane, reason);
	return s;
}

struct settlement *member_leave(struct batcher *w, struct member *m, const char *reason)
{
	struct settlement *s = member_move(w, m, m->tier, LANE_NORMAL, reason);

	metrics_add(METRIC_batch_rescues_total, 1, LABELS(m->tier->name));
	return s;
}

/* How long a batch of the job will take, where it leaves the lane to us: whoever asks for a batch
 * gets one as long as there is any hope. */
static nsec expected(const struct batcher *w, const struct member *m)
{
	const struct batch_time *measured = m->candidate && m->job->lane == LANE_AUTO
						    ? batch_times_find(&w->times,
								       m->candidate->endpoint->name,
								       m->candidate->model)
						    : NULL;

	return measured ? measured->p95 : 0;
}

bool member_must_leave(const struct batcher *w, const struct member *m, nsec wait)
{
	const struct batch_settings *settings = &w->config->batch;

	return m->job->deadline > 0 &&
	       clock_wall() + wait + settings->max_age + expected(w, m) + settings->rescue_before >
		       m->job->deadline;
}

/* Everything that ends a job without another call. NULL: nothing does. */
static struct settlement *must_end(struct batcher *w, struct member *m, const struct task *task)
{
	if (m->cancel_requested)
		return member_end(w, m, "CANCELLED", "cancelled", "cancelled on request");
	if (m->doomed)
		return member_end(w, m, "DEAD", m->doomed, m->doomed_detail);
	if (m->crash_count >= POISON_CRASHES)
		return member_end(w, m, "DEAD", "poison", "workers died over this job");
	if (m->job->deadline > 0 && clock_wall() > m->job->deadline)
		return member_end(w, m, "DEAD", "deadline",
				  "the deadline passed before an answer was accepted");
	if (m->memo.attempts >= task->max_attempts)
		return member_end(w, m, "DEAD", "max_attempts", "no attempt is left");
	if (m->job->hop > w->config->worker.max_hops)
		return member_end(w, m, "DEAD", "max_hops",
				  "the job moved between topics too often");
	return NULL;
}

static bool takes_it(const struct member *m, const struct candidate *candidate)
{
	const struct endpoint *endpoint = candidate->endpoint;

	return endpoint->supports_batch && batch_wire_find(endpoint->provider->dialect) &&
	       routing_may_call(candidate, m->job) &&
	       !memo_avoids(&m->memo, endpoint->name, candidate->model);
}

/* The first that takes batches; where the tier weighs, one by its weight. */
static const struct candidate *pick_among(struct batcher *w, const struct member *m, bool broken)
{
	bool weighted = strcmp(m->tier->pick, "weighted") == 0;
	const struct candidate *found = NULL;
	uint64_t total = 0;

	for (size_t i = 0; i < m->tier->candidate_count; i++) {
		const struct candidate *candidate = &m->tier->candidates[i];

		if (!takes_it(m, candidate) || broken_has(&w->broken, candidate) != broken)
			continue;
		total += candidate->weight;
		if (!found || (weighted && random_below(&w->random, total) < candidate->weight))
			found = candidate;
	}
	return found;
}

/* One that works, if any does; a batch can wait for the others. */
static const struct candidate *pick(struct batcher *w, const struct member *m)
{
	const struct candidate *found = pick_among(w, m, false);

	return found ? found : pick_among(w, m, true);
}

/* A token a byte: above what is billed on purpose. */
static int64_t most_input(const struct member *m)
{
	int64_t input = (int64_t)m->len + WORDS_OF_OURS;

	if (m->memo.repair_note)
		input += (int64_t)(strlen(m->memo.repair_answer) + strlen(m->memo.repair_note));
	return input;
}

static const struct price *price_of(const struct batcher *w, const struct member *m)
{
	return price_book_find(&w->prices, m->candidate->endpoint->name, "", m->candidate->model,
			       MODE_BATCH, clock_wall());
}

struct line_bound member_bound(const struct batcher *w, const struct member *m)
{
	const struct price *price = price_of(w, m);
	struct line_bound bound = {
		.input = most_input(m),
		.output = output_cap(m, config_task(w->config, m->job->task)),
	};

	bound.usd = price ? price_bound(price, bound.input, bound.output)
			  : price_bound_unpriced(&w->prices, bound.input, bound.output);
	return bound;
}

/* What another line would likely cost passes the job's cap. */
static bool over_cost_cap(const struct batcher *w, const struct member *m, const struct task *task)
{
	pico cap = m->job->max_cost > 0 ? m->job->max_cost : task->max_cost;
	const struct price *price = price_of(w, m);
	double per_token = m->candidate->traits.bytes_per_token > 0
				   ? m->candidate->traits.bytes_per_token
				   : 4;

	if (cap == 0 || !price || m->memo.spent == PICO_UNPRICED)
		return false;
	return m->memo.spent + price_bound(price, (int64_t)((double)m->len / per_token),
					   output_cap(m, task)) >
	       cap;
}

static void make_intent(struct batcher *w, struct member *m, const struct task *task)
{
	const struct candidate *candidate = m->candidate;
	const struct price *price = price_of(w, m);

	m->intent = (struct intent){
		.attempt_id = uuid_make(),
		.provider = candidate->endpoint->name,
		.model = candidate->model,
		.credential = candidate->endpoint->credential,
		.tier = m->tier->name,
		.bound = price ? price_bound(price, most_input(m), output_cap(m, task))
			       : PICO_UNPRICED,
	};
	m->attempt_day = store_day(clock_wall());
	m->rescue_at = m->job->deadline > w->config->batch.rescue_before
			       ? m->job->deadline - w->config->batch.rescue_before
			       : 0;
}

/* A line is built once to see that it can be, and how long it is. */
static struct settlement *join(struct batcher *w, struct member *m, const struct task *task,
			       nsec now)
{
	struct buffer body = {.max = MAX_LINE};
	struct batch *batch;
	struct error err;
	size_t len;
	bool built;

	if (over_cost_cap(w, m, task))
		return member_end(w, m, "DEAD", "max_cost",
				  "another line would likely pass the job's cost cap");
	make_intent(w, m, task);
	built = member_build(w, m, &body, &err);
	len = body.len + LINE_FRAME;
	buffer_finish(&body);
	if (!built)
		return member_end(w, m, "DEAD", "unsendable", err.text);
	batch = batches_open(w, m->candidate, len, now);
	if (!batch)
		return NULL;
	m->placed = true;
	m->batch_id = batch->id;
	batches_add(w, batch, len, now);
	return NULL;
}

struct settlement *member_place(struct batcher *w, struct member *m, nsec now)
{
	const struct task *task = config_task(w->config, m->job->task);
	struct settlement *end = must_end(w, m, task);

	if (end)
		return end;
	m->candidate = pick(w, m);
	if (!m->candidate && m->memo.avoided_count > 0) {
		memo_forgive(&m->memo); /* all have failed once: begin again with the first */
		m->candidate = pick(w, m);
	}
	if (member_must_leave(w, m, 0))
		return member_leave(w, m, "deadline_near");
	if (!m->candidate)
		return member_leave(w, m, "no_batch");
	return join(w, m, task, now);
}
