/*
 * From jobs that are ours to calls on the wire: where a call goes, what it can
 * cost at most, the intent that says so, and only then the request.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ensure.h"
#include "failpoint.h"
#include "log.h"
#include "metrics.h"
#include "provider.h"
#include "routing_lane.h"
#include "worker.h"

#define BEAT_TOO_OLD (10 * NSEC_PER_SEC)
#define POISON_CRASHES 4 /* twice in company, twice alone */
#define DEFAULT_OUTPUT_TOKENS 4096
#define WORDS_OF_OURS 1024 /* bytes an adapter may add to what the job says */
#define MAX_INTENDS_OPEN 8
#define LONGEST_PAUSE (250 * NSEC_PER_MSEC)

bool starts_allowed(const struct worker *w, nsec now)
{
	return w->has_prices && w->beat_acked > 0 && now - w->beat_acked < BEAT_TOO_OLD;
}

/* --- where to, and for how much --- */

static int64_t output_cap(const struct work *work, const struct task *task,
			  const struct model *traits)
{
	int64_t cap = work->job->max_output_tokens;

	if (cap == 0)
		cap = task->max_output_tokens;
	if (cap == 0)
		cap = DEFAULT_OUTPUT_TOKENS;
	if (traits->max_output > 0 && cap > traits->max_output)
		cap = traits->max_output;
	return cap;
}

/* A token is at least a byte, so the bytes of the request bound its tokens. */
static int64_t most_input_tokens(const struct work *work)
{
	return (int64_t)(work->weight + work->repair_len + WORDS_OF_OURS);
}

static int64_t likely_input_tokens(const struct work *work, const struct model *traits)
{
	double per_token = traits->bytes_per_token > 0 ? traits->bytes_per_token : 4;

	return (int64_t)((double)(work->weight + work->repair_len) / per_token);
}

uint64_t starts_cost(const struct worker *w, const struct work *work)
{
	static const struct model any = {0};
	const struct task *task = config_task(w->config, work->job->task);

	return (uint64_t)(likely_input_tokens(work, &any) + output_cap(work, task, &any) / 2);
}

static bool over_cost_cap(const struct worker *w, const struct work *work,
			  const struct price *price, const struct task *task,
			  const struct candidate *candidate)
{
	pico cap = work->job->max_cost > 0 ? work->job->max_cost : task->max_cost;
	pico likely;

	(void)w;
	if (cap == 0 || !price || work->memo.spent == PICO_UNPRICED)
		return false;
	likely = price_bound(price, likely_input_tokens(work, &candidate->traits),
			     output_cap(work, task, &candidate->traits));
	return work->memo.spent + likely > cap;
}

enum readiness { START_GO, START_WAIT, START_MOVE, START_END };

struct readiness_why {
	const char *state; /* START_END: DEAD, CANCELLED, DONE */
	const char *reason;
	const char *detail;
	const struct tier *tier; /* START_MOVE */
	const char *policy;	 /* of the budget that is used up */
	nsec wait;		 /* START_WAIT */
	bool everyone;		 /* whoever else asked would have to wait as well */
};

static enum readiness end(struct readiness_why *why, const char *state, const char *reason,
			  const char *detail)
{
	*why = (struct readiness_why){.state = state, .reason = reason, .detail = detail};
	return START_END;
}

/* Everything that ends a job without another call. */
static enum readiness may_live(const struct worker *w, const struct work *work,
			       const struct task *task, struct readiness_why *why)
{
	const struct job *job = work->job;

	if (work->cancel_requested)
		return end(why, "CANCELLED", "cancelled", "cancelled on request");
	if (work->doomed)
		return end(why, "DEAD", work->doomed, work->doomed_detail);
	if (work->crash_count >= POISON_CRASHES)
		return end(why, "DEAD", "poison",
			   "workers died over this job, twice with nothing else in hand");
	if (job->deadline > 0 && clock_wall() > job->deadline)
		return end(why, "DEAD", "deadline",
			   "the deadline passed before an answer was accepted");
	if (work->memo.attempts >= task->max_attempts)
		return end(why, "DEAD", "max_attempts", "no attempt is left");
	if (job->hop > w->config->worker.max_hops)
		return end(why, "DEAD", "max_hops", "the job moved between topics too often");
	return START_GO;
}

static bool is_too_early(const struct job *job, struct readiness_why *why)
{
	nsec wall = clock_wall();

	if (job->not_before <= wall)
		return false;
	*why = (struct readiness_why){.reason = "not_before", .wait = job->not_before - wall};
	return true;
}

static void make_intent(struct worker *w, struct work *work, const struct pick *pick,
			const struct task *task, nsec now)
{
	const struct candidate *candidate = pick->candidate;
	const struct price *price = price_book_find(&w->prices, candidate->endpoint->name, "",
						    candidate->model, MODE_SYNC, clock_wall());

	work->candidate = candidate;
	work->target = pick->target;
	work->intent = (struct intent){
		.attempt_id = uuid_make(),
		.provider = candidate->endpoint->name,
		.model = candidate->model,
		.credential = candidate->endpoint->credential,
		.tier = work->tier->name,
		.bound = price ? price_bound(price, most_input_tokens(work),
					     output_cap(work, task, &candidate->traits))
			       : PICO_UNPRICED,
	};
	work->is_probe = breaker_start(&pick->target->breaker, now);
	work->is_credential_probe = breaker_start(&pick->target->account->credential, now);
	work->counted = true;
	pick->target->in_flight++;
	pick->target->account->in_flight++;
	work->prepared = true;
}

/* What the call can take at most of those who pay; without a price the worst there is. */
static struct quota_bound bound_of(const struct worker *w, const struct work *work,
				   const struct candidate *candidate, const struct task *task)
{
	int64_t input = most_input_tokens(work),
		output = output_cap(work, task, &candidate->traits);
	const struct price *price = price_book_find(&w->prices, candidate->endpoint->name, "",
						    candidate->model, MODE_SYNC, clock_wall());

	return (struct quota_bound){
		.usd = price ? price_bound(price, input, output)
			     : price_bound_unpriced(&w->prices, input, output),
		.input = input,
		.output = output,
	};
}

/* QUOTA_DRY: the target is marked, so that the next pick finds another. */
static enum quota_answer take_quota(struct worker *w, struct work *work, const struct pick *pick,
				    const struct task *task, nsec now, struct readiness_why *why)
{
	const struct model *traits = &pick->candidate->traits;
	struct quota_bound bound = {0};
	struct quota_refusal refusal = {0};
	enum quota_answer answer;

	if (quota_pays(w, work))
		bound = bound_of(w, work, pick->candidate, task);
	answer = quota_take(w, work, pick->target, (int64_t)(work->weight + work->repair_len),
			    output_cap(work, task, traits), &bound, now, &refusal);
	if (answer == QUOTA_GO)
		return answer;
	*why = (struct readiness_why){.reason = refusal.reason,
				      .policy = refusal.policy,
				      .wait = refusal.wait,
				      .everyone = refusal.everyone};
	if (answer == QUOTA_DRY)
		pick->target->dry_until = now + (refusal.wait > 0 ? refusal.wait : NSEC_PER_MSEC);
	return answer;
}

/* A budget is used up until its period ends: what then is the budget's own affair. */
static enum readiness at_the_stop(const struct worker *w, const struct work *work,
				  struct readiness_why *why)
{
	if (strcmp(why->policy, "dead") == 0)
		return end(why, "DEAD", "budget", "the budget is used up for this period");
	if (strcmp(why->policy, "degrade") == 0 && work->tier->rank > 0 && !*work->job->candidate) {
		why->tier = &w->config->tiers[0];
		return START_MOVE;
	}
	return START_WAIT;
}

/* The next cheaper tier that can take the job now. NULL: none. */
static const struct tier *cheaper_tier(struct worker *w, const struct work *work,
				       const struct pick_wish *wish, nsec now)
{
	struct pick_wish there = *wish;

	there.memo = NULL;
	there.prefer = NULL;
	for (size_t i = work->tier->rank; i-- > 0;) {
		const struct tier *tier = &w->config->tiers[i];

		if (targets_fitting(tier, &there) > 0 &&
		    !targets_broken(w->targets, tier, &there, now))
			return tier;
	}
	return NULL;
}

/* Nothing of the tier can be called now. If all of it is out of order: what the task allows, else
 * it waits. */
static enum readiness fall_back(struct worker *w, struct work *work, const struct task *task,
				const struct pick_wish *wish, nsec now, struct readiness_why *why)
{
	bool may_move = task->cheaper_allowed && !*work->job->candidate &&
			work->job->hop < w->config->worker.max_hops;

	if (!targets_broken(w->targets, work->tier, wish, now))
		return START_WAIT;
	why->tier = may_move ? cheaper_tier(w, work, wish, now) : NULL;
	if (why->tier)
		return START_MOVE;
	if (judge_has_static(w, work, now))
		return end(why, "DEAD", "static_answer", "every candidate is out of order");
	return START_WAIT;
}

/* Tokens of context that the call needs by our guess; 0 where no candidate has so many: the
 * provider shall say. */
static int64_t least_window(const struct work *work, const struct task *task,
			    const struct pick_wish *wish)
{
	static const struct model any = {0};
	struct pick_wish wider = *wish;

	wider.memo = NULL;
	wider.min_window = likely_input_tokens(work, &any) + output_cap(work, task, &any);
	return targets_fitting(work->tier, &wider) > 0 ? wider.min_window : 0;
}

static const char *no_candidate(const struct job *job)
{
	if (*job->candidate)
		return "the tier has not the candidate that the job wants, or it may not see its "
		       "data";
	if (job->data_class == DATA_RESTRICTED)
		return "data_class is restricted and the tier has no self-hosted candidate";
	return "the tier has no candidate for this job";
}

static enum readiness decide(struct worker *w, struct work *work, nsec now,
			     struct readiness_why *why)
{
	const struct task *task = config_task(w->config, work->job->task);
	struct pick_wish wish = {
		.restricted = work->job->data_class == DATA_RESTRICTED,
		.only = work->job->candidate,
		.memo = &work->memo,
		.prefer = work->prefer,
		.patience = work->prefer_until > now ? work->prefer_until - now : 0,
	};
	struct pick pick;
	enum quota_answer quota;

	if (may_live(w, work, task, why) != START_GO)
		return START_END;
	wish.min_window = least_window(work, task, &wish);
	if (is_too_early(work->job, why)) /* it came by a thin message, or was run again */
		return START_WAIT;
	do {
		pick = targets_pick(w->targets, work->tier, &wish, now, random_next(&w->random));
		if (!pick.candidate && pick.wait == 0 && work->memo.avoided_count > 0) {
			memo_forgive(
				&work->memo); /* all have failed once: begin again with the first */
			pick = targets_pick(w->targets, work->tier, &wish, now,
					    random_next(&w->random));
		}
		quota = pick.candidate ? take_quota(w, work, &pick, task, now, why) : QUOTA_GO;
	} while (quota == QUOTA_DRY);
	if (quota != QUOTA_GO)
		return quota == QUOTA_WAIT ? START_WAIT : at_the_stop(w, work, why);
	if (!pick.candidate && pick.wait == 0)
		return end(why, "DEAD", "no_candidate", no_candidate(work->job));
	if (!pick.candidate) {
		*why = (struct readiness_why){.reason = pick.reason, .wait = pick.wait};
		return fall_back(w, work, task, &wish, now, why);
	}
	if (over_cost_cap(w, work,
			  price_book_find(&w->prices, pick.candidate->endpoint->name, "",
					  pick.candidate->model, MODE_SYNC, clock_wall()),
			  task, pick.candidate)) {
		quota_give_back(work);
		return end(why, "DEAD", "max_cost",
			   "another call would likely pass the job's cost cap");
	}
	make_intent(w, work, &pick, task, now);
	return START_GO;
}

bool starts_prepare(struct worker *w, struct work *work, nsec now)
{
	const struct work_line *line = &w->works.lines[work->tier->rank];
	struct readiness_why why;

	/* Who waits already is first. The claim's own intent names no leases: who has a budget goes
	 * the longer way. */
	return fair_queue_count(line->queue) == 0 && now >= line->paused_until &&
	       !quota_pays(w, work) && decide(w, work, now, &why) == START_GO;
}

bool starts_is_broke(struct worker *w, const struct work *work, nsec now, nsec *wait)
{
	const struct task *task = config_task(w->config, work->job->task);
	struct quota_refusal refusal = {0};
	bool may_call = false;

	if (!quota_pays(w, work))
		return false;
	for (size_t i = 0; i < work->tier->candidate_count; i++) {
		const struct candidate *candidate = &work->tier->candidates[i];
		struct quota_bound bound = bound_of(w, work, candidate, task);

		if (!routing_may_call(candidate, work->job))
			continue;
		may_call = true;
		if (!quota_is_out(w, work, targets_of(w->targets, candidate), &bound, now,
				  &refusal) ||
		    strcmp(refusal.policy, "park") != 0)
			return false;
	}
	*wait = refusal.wait;
	return may_call;
}

static bool any_task_falls_back(const struct config *config)
{
	for (size_t i = 0; i < config->task_count; i++)
		if (config->tasks[i].cheaper_allowed || *config->tasks[i].static_answer)
			return true;
	return false;
}

bool starts_reads(const struct worker *w, const struct tier *tier, nsec now)
{
	static const struct pick_wish any = {0};

	return targets_open(w->targets, tier, now) ||
	       (any_task_falls_back(w->config) && targets_broken(w->targets, tier, &any, now));
}

bool starts_is_stuck(struct worker *w, struct work *work, nsec now, nsec *wait)
{
	const struct task *task = config_task(w->config, work->job->task);
	struct pick_wish wish = {.restricted = work->job->data_class == DATA_RESTRICTED,
				 .only = work->job->candidate,
				 .memo = &work->memo};
	struct readiness_why why = {0};

	if (!targets_broken(w->targets, work->tier, &wish, now) ||
	    fall_back(w, work, task, &wish, now, &why) != START_WAIT)
		return false;
	*wait = targets_pick(w->targets, work->tier, &wish, now, 0).wait;
	*wait += random_below(&w->random, *wait / 4 + NSEC_PER_MSEC);
	return true;
}

void starts_unprepare(struct work *work)
{
	if (!work->prepared)
		return;
	breaker_release(&work->target->breaker, work->is_probe, clock_now());
	breaker_release(&work->target->account->credential, work->is_credential_probe, clock_now());
	calls_uncount(work);
	quota_give_back(work);
	work->prepared = false;
}

/* --- READY and WAITING --- */

static void wait_or_park(struct worker *w, struct work *work, const struct readiness_why *why,
			 nsec now)
{
	if (why->wait > w->config->worker.longest_wait_in_memory) {
		settles_add(w, work, judge_end(w, work, "PARKED", why->reason, "", why->wait, now),
			    now);
		return;
	}
	/* A little chance, so that what waits for the same thing does not come back as one. */
	work_waits(work, why->reason, why->wait);
	work->wake_at = now + why->wait + random_below(&w->random, why->wait / 4 + NSEC_PER_MSEC);
	work_move(&w->works, work, WORK_WAITING);
}

/* Nothing of the tier can be started for a moment, whoever asks. */
static bool holds_for_all(struct worker *w, const struct work *work,
			  const struct readiness_why *why, nsec now)
{
	static const struct pick_wish any = {0};

	return why->wait <= w->config->worker.longest_wait_in_memory &&
	       (why->everyone || (!targets_open(w->targets, work->tier, now) &&
				  !targets_broken(w->targets, work->tier, &any, now)));
}

/* The whole line waits, and who is next in it stays next. */
static void pause_line(struct work_line *line, const struct readiness_why *why, nsec now)
{
	nsec wait = why->wait < LONGEST_PAUSE ? why->wait : LONGEST_PAUSE;

	line->paused_until = now + wait + NSEC_PER_MSEC;
	line->paused_for = why->reason;
}

static void start(struct worker *w, struct work_line *line, struct work *work, nsec now)
{
	struct readiness_why why;

	switch (decide(w, work, now, &why)) {
	case START_GO:
		work_take(&w->works, work);
		work_tell_wait(work, line, now);
		if (w->to_intend_count == 0)
			w->intend_at = now;
		w->to_intend[w->to_intend_count++] = work;
		work_move(&w->works, work, WORK_INTENDING);
		if (w->to_intend_count == w->config->worker.group_size)
			starts_flush(w, now);
		break;
	case START_WAIT:
		if (holds_for_all(w, work, &why, now))
			pause_line(line, &why, now);
		else
			wait_or_park(w, work, &why, now);
		break;
	case START_MOVE:
		settles_add(w, work, judge_move(w, work, why.tier, why.reason, now), now);
		break;
	case START_END:
		settles_add(w, work, judge_end(w, work, why.state, why.reason, why.detail, 0, now),
			    now);
		break;
	}
}

static void wake(struct worker *w, nsec now)
{
	struct work *next;

	for (struct work *work = w->works.lists[WORK_WAITING].first; work; work = next) {
		next = work->next;
		if (work->wake_at <= now)
			work_move(&w->works, work, WORK_READY);
	}
}

/* Stopping: an intent that was not sent is none. */
static void drop_intents(struct worker *w)
{
	while (w->to_intend_count > 0) {
		struct work *work = w->to_intend[--w->to_intend_count];

		starts_unprepare(work);
		work_move(&w->works, work, WORK_READY);
	}
}

/* Those far back in a line: a deadline does not wait until it is their turn. */
static void end_overdue(struct worker *w, nsec now)
{
	struct readiness_why why;
	struct work *next;

	if (now < w->overdue_at)
		return;
	w->overdue_at = now + NSEC_PER_SEC;
	for (struct work *work = w->works.lists[WORK_READY].first; work; work = next) {
		next = work->next;
		if (may_live(w, work, config_task(w->config, work->job->task), &why) != START_GO)
			settles_add(w, work,
				    judge_end(w, work, why.state, why.reason, why.detail, 0, now),
				    now);
	}
}

static bool has_slot(const struct worker *w)
{
	return works_in(&w->works, WORK_CALLING) + works_in(&w->works, WORK_INTENDING) <
		       w->config->worker.max_in_flight &&
	       w->to_intend_count < w->config->worker.group_size;
}

/* Turn by turn over the lines: a job of each tier that can start any. */
static void start_lines(struct worker *w, nsec now)
{
	struct works *works = &w->works;

	for (size_t idle = 0; idle < works->line_count && has_slot(w);) {
		struct work_line *line = &works->lines[w->line_turn++ % works->line_count];
		struct work *work = now < line->paused_until ? NULL : work_next(line);

		idle = work ? 0 : idle + 1;
		if (work)
			start(w, line, work, now);
	}
}

void starts_run(struct worker *w, nsec now)
{
	wake(w, now);
	if (w->stop_at)
		drop_intents(w);
	if (w->stop_at || !starts_allowed(w, now) || !pg_ready(w->pgs[PG_CLAIM]))
		return;
	end_overdue(w, now);
	start_lines(w, now);
	starts_flush(w, now);
}

nsec starts_nap(const struct worker *w, nsec longest, nsec now)
{
	for (size_t i = 0; i < w->works.line_count; i++) {
		const struct work_line *line = &w->works.lines[i];

		if (line->paused_until > now && fair_queue_count(line->queue) > 0 &&
		    line->paused_until - now < longest)
			longest = line->paused_until - now;
	}
	return longest;
}

/* --- intents --- */

static int by_job_id(const void *a, const void *b)
{
	return uuid_compare(&(*(struct work *const *)a)->job->id,
			    &(*(struct work *const *)b)->job->id);
}

void starts_resend(struct worker *w, struct request *request)
{
	AUTO(xfree) struct intend_row *rows = xcalloc(request->count, sizeof(*rows));
	AUTO(xfree)
	struct intent_take(*takes)[MAX_QUOTA_TAKES] = xcalloc(request->count, sizeof(*takes));

	for (size_t i = 0; i < request->count; i++) {
		const struct work *work = request->works[i];

		size_t count = quota_leases(work, takes[i]);

		rows[i] = (struct intend_row){
			.takes = takes[i],
			.take_count = count,
			.job_id = work->job->id,
			.epoch = work->epoch,
			.day = work->attempt_day,
			.intent = &work->intent,
		};
	}
	worker_send(w, request, "intend", store_intend_args(&w->id, rows, request->count));
}

void starts_flush(struct worker *w, nsec now)
{
	struct request *request;
	size_t count = w->to_intend_count;

	if (count == 0 || !pg_ready(w->pgs[PG_CLAIM]) ||
	    pg_open(w->pgs[PG_CLAIM]) >= MAX_INTENDS_OPEN)
		return;
	if (count < w->config->worker.group_size && now - w->intend_at < w->config->worker.linger)
		return;
	qsort(w->to_intend, count, sizeof(struct work *), by_job_id);
	for (size_t i = 0; i < count; i++)
		w->to_intend[i]->attempt_day = store_day(clock_wall());
	request = request_create(REQUEST_INTEND, PG_CLAIM);
	request->count = count;
	request->works = xmemdup(w->to_intend, count * sizeof(struct work *));
	w->to_intend_count = 0;
	starts_resend(w, request);
}

static struct work **of_attempt(const struct request *request, const struct uuid *attempt_id)
{
	for (size_t i = 0; i < request->count; i++)
		if (request->works[i] &&
		    uuid_equal(&request->works[i]->intent.attempt_id, attempt_id))
			return &request->works[i];
	return NULL;
}

/* What was announced was not sent: it ends without money. */
static void close_unsent(struct settlement *s, const struct work *work)
{
	s->closes = true;
	s->attempt_id = work->intent.attempt_id;
	s->attempt_day = work->attempt_day;
	s->attempt_state = "throttled";
	s->verdict = "not_sent";
	s->purpose = "not_sent";
	s->reply = "not_sent";
}

/*
 * Not written: cancelled, taken from us, or its lease is gone. The look tells
 * which. A first sending, whose answer was lost, may have written it all the same.
 */
static void not_ours(struct worker *w, struct work *work, nsec wait, nsec now)
{
	struct settlement *s = judge_end(w, work, "CLAIMED", "", "", 0, now);

	close_unsent(s, work);
	quota_doubt(work);
	starts_unprepare(work);
	work->wait_after = wait;
	settles_add(w, work, s, now);
}

static void send_intended(struct worker *w, struct request *request, const struct pg_rows *rows,
			  nsec now)
{
	FAILPOINT("K06");
	for (int row = 0; row < pg_count(rows); row++) {
		struct uuid attempt_id = pg_get_uuid(rows, row, 0);
		struct work **work = of_attempt(request, &attempt_id);

		ENSURE(work);
		starts_send(w, TAKE(*work), now);
	}
}

void starts_answer(struct worker *w, struct request *request, struct pg_answer *answer, nsec now)
{
	if (answer->rows) {
		send_intended(w, request, answer->rows, now);
	} else if (answer->error.kind == ERROR_RETRY) {
		worker_send_again(
			w, request); /* the same attempts: written once, however often it is sent */
		return;
	} else if (answer->error.kind == ERROR_FATAL) {
		worker_fail(w, &answer->error);
	} else {
		log_error("intents_refused", "rows=%zu sqlstate=%s why=%s", request->count,
			  answer->sqlstate, answer->error.text);
	}
	for (size_t i = 0; i < request->count; i++)
		if (request->works[i])
			not_ours(w, request->works[i], answer->rows ? 0 : NSEC_PER_SEC, now);
	request_destroy(request);
}

/* --- the call --- */

static bool build(struct worker *w, struct work *work, struct buffer *body, struct error *err)
{
	const struct candidate *candidate = work->candidate;
	const struct task *task = config_task(w->config, work->job->task);
	char attempt[UUID_TEXT];
	struct call call = {
		.job = work->job,
		.model = candidate->model,
		.traits = &candidate->traits,
		.attempt_id = uuid_format(attempt, &work->intent.attempt_id),
		.max_output_tokens = output_cap(work, task, &candidate->traits),
		.output_schema = work->contract ? work->contract->document : NULL,
		.prepared = work->contract ? contract_for(work->contract,
							  candidate->endpoint->provider->dialect)
					   : NULL,
		.repair_answer = work->repair_answer,
		.repair_answer_len = work->repair_len,
		.repair_note = work->repair_note,
		.want_confidence = task->min_confidence > 0 && !*task->confidence_field,
	};

	return candidate->endpoint->provider->build(&call, body, err);
}

static struct http_call *send_request(struct worker *w, struct work *work, size_t len, nsec now,
				      struct error *err)
{
	const struct endpoint *endpoint = work->candidate->endpoint;
	char attempt[UUID_TEXT];
	char url[1024], key[1024], id[80];
	const char *headers[5] = {"Content-Type: application/json", id};
	struct http_request request = {
		.method = "POST",
		.url = url,
		.headers = headers,
		.header_count = 2,
		.body = work->body,
		.len = len,
		.timeouts = {endpoint->connect_timeout, endpoint->first_byte_timeout,
			     endpoint->idle_timeout, endpoint->total_timeout},
		.ca_file = *endpoint->ca_file ? endpoint->ca_file : NULL,
	};

	snprintf(url, sizeof(url), "%s%s", endpoint->base_url, endpoint->provider->chat_path);
	snprintf(id, sizeof(id), "X-Client-Request-Id: %s",
		 uuid_format(attempt, &work->intent.attempt_id));
	if (*endpoint->key) {
		const char *at = strstr(endpoint->provider->key_header, "%s");

		ENSURE(at);
		snprintf(key, sizeof(key), "%.*s%s", (int)(at - endpoint->provider->key_header),
			 endpoint->provider->key_header, endpoint->key);
		headers[request.header_count++] = key;
	}
	if (endpoint->provider->version_header)
		headers[request.header_count++] = endpoint->provider->version_header;
	return http_start(w->http, &request, work, now, err);
}

/* The intent stands, but nothing was sent: it ends without money. */
static void not_sent(struct worker *w, struct work *work, const char *state, const char *reason,
		     const char *detail, nsec wait, nsec now)
{
	struct settlement *s = judge_end(w, work, state, reason, detail, wait, now);

	close_unsent(s, work);
	work->takes.count = 0; /* the settlement frees what it holds of balances */
	starts_unprepare(work);
	work->wait_after = wait;
	settles_add(w, work, s, now);
}

void starts_send(struct worker *w, struct work *work, nsec now)
{
	struct buffer body = {.max = (size_t)64 * 1024 * 1024};
	struct error err;
	size_t len;

	ENSURE(work->prepared);
	if (!starts_allowed(w, now) || w->stop_at) {
		not_sent(w, work, "CLAIMED", "", "", NSEC_PER_SEC, now);
		return;
	}
	if (!build(w, work, &body, &err)) {
		buffer_finish(&body);
		not_sent(w, work, "DEAD", "unsendable", err.text, 0, now);
		return;
	}
	len = body.len;
	work->body = buffer_take(&body);
	work->sent_at = now;
	work->call = send_request(w, work, len, now, &err);
	if (!work->call) {
		free(TAKE(work->body));
		not_sent(w, work, "DEAD", "unsendable", err.text, 0, now);
		return;
	}
	work_move(&w->works, work, WORK_CALLING);
	FAILPOINT("K07");
}
