/*
 * From a reply to a decision: checks the answer, asks the cascade, and writes
 * down what follows for the attempt, the job and the outside.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backoff.h"
#include "cascade.h"
#include "ensure.h"
#include "event.h"
#include "metrics.h"
#include "provider.h"
#include "schema.h"
#include "utf8.h"
#include "worker.h"

#define NOTE_MAX 700

/* What the check of one reply found, beside the cascade's own finding. */
struct check {
	struct cascade_finding finding;
	const char *answer; /* in the reply's text: the JSON in it, or all of it */
	size_t len;
	bool is_json;
	char note[NOTE_MAX]; /* what is wrong, to be quoted to the model */
};

/* --- checking the answer --- */

static double confidence_in(const json_t *value, const char *pointer)
{
	char name[128];

	while (*pointer == '/' && value) {
		size_t len = strcspn(++pointer, "/");

		if (len >= sizeof(name))
			return NAN;
		memcpy(name, pointer, len);
		name[len] = '\0';
		value = json_is_array(value) ? json_array_get(value, strtoul(name, NULL, 10))
					     : json_object_get(value, name);
		pointer += len;
	}
	return json_is_number(value) ? json_number_value(value) : NAN;
}

static void check_json(const struct schema *schema, const struct task *task, const struct reply *reply,
		       struct check *check)
{
	struct schema_errors errors;
	struct error err;
	json_auto_t *value = NULL;

	check->is_json = true;
	value = cascade_extract_json(reply->text, reply->len, &check->answer, &check->len, &err);
	if (!value) {
		snprintf(check->note, sizeof(check->note), "The answer is not valid JSON: %.500s", err.text);
		snprintf(check->finding.signature, sizeof(check->finding.signature), "not_json");
		return;
	}
	if (!schema_check(schema, value, &errors)) {
		char note[SCHEMA_NOTE];

		schema_errors_signature(&errors, check->finding.signature);
		snprintf(check->note, sizeof(check->note), "The answer does not fit the schema: %s",
			 schema_errors_note(&errors, note));
		return;
	}
	check->finding.valid = true;
	if (*task->confidence_field)
		check->finding.confidence = confidence_in(value, task->confidence_field);
}

static void check_reply(const struct work *work, const struct task *task, const struct reply *reply,
			struct check *check)
{
	*check = (struct check){.finding = {.kind = reply->kind, .confidence = reply->confidence,
					    .never_retry = reply->never_retry},
				.answer = reply->text, .len = reply->len};
	if (reply->kind == REPLY_TRUNCATED) {
		snprintf(check->finding.signature, sizeof(check->finding.signature), "truncated");
		snprintf(check->note, sizeof(check->note),
			 "The answer was cut off by the limit on its length. Answer more briefly.");
	} else if (reply->kind == REPLY_GARBLED) {
		snprintf(check->finding.signature, sizeof(check->finding.signature), "garbled");
	} else if (reply->kind == REPLY_ANSWER) {
		if (work->contract && !reply->tool_calls)
			check_json(work->contract->schema, task, reply, check);
		else
			check->finding.valid = reply->len > 0 || reply->tool_calls;
		if (!check->finding.valid && !check->note[0]) {
			snprintf(check->finding.signature, sizeof(check->finding.signature), "empty");
			snprintf(check->note, sizeof(check->note), "The answer was empty.");
		}
	}
}

/* --- what the cascade may choose from --- */

static struct pick_wish wish_of(const struct work *work)
{
	return (struct pick_wish){.restricted = work->job->data_class == DATA_RESTRICTED, .memo = &work->memo};
}

/* The next tier this job may go to that has somewhere to go. NULL: none. */
static const struct tier *higher_tier(const struct worker *w, const struct work *work, int64_t min_window)
{
	const struct config *config = w->config;
	const struct tier *highest = *work->job->max_tier ? config_tier(config, work->job->max_tier) : NULL;
	struct pick_wish wish = {.restricted = work->job->data_class == DATA_RESTRICTED, .min_window = min_window};

	for (size_t i = work->tier->rank + 1; i < config->tier_count; i++) {
		if (highest && i > highest->rank)
			return NULL;
		if (targets_fitting(&config->tiers[i], &wish) > 0)
			return &config->tiers[i];
	}
	return NULL;
}

static bool has_next_candidate(const struct work *work)
{
	struct pick_wish wish = wish_of(work);
	size_t fitting = targets_fitting(work->tier, &wish);

	return fitting > (memo_avoids(&work->memo, work->candidate->endpoint->name, work->candidate->model) ? 0 : 1);
}

static int64_t larger_window(const struct work *work)
{
	return work->candidate->traits.context_window + 1;
}

static bool has_larger_candidate(const struct work *work)
{
	struct pick_wish wish = wish_of(work);

	wish.min_window = larger_window(work);
	return targets_fitting(work->tier, &wish) > 0;
}

static struct cascade_policy policy_of(const struct worker *w, const struct work *work, const struct task *task)
{
	pico cap = work->job->max_cost > 0 ? work->job->max_cost : task->max_cost;

	return (struct cascade_policy){
		.min_confidence = task->min_confidence,
		.needs_confidence = task->needs_confidence,
		.max_repairs = task->max_repairs,
		.max_transient = w->config->worker.unavailable.max_tries,
		.max_attempts = task->max_attempts,
		.max_hops = w->config->worker.max_hops,
		.max_cost = cap,
		.refusal_escalates = task->refusal_escalates,
		.degraded_allowed = task->degraded_allowed,
	};
}

static struct cascade_history history_of(const struct worker *w, const struct work *work)
{
	const struct job *job = work->job;
	struct cascade_history history = {
		.attempts = work->memo.attempts,
		.repairs = work->memo.repairs,
		.hop = job->hop,
		.refusals = work->memo.refusals,
		.transient = work->memo.transient,
		.spent = work->memo.spent == PICO_UNPRICED ? 0 : work->memo.spent,
		.past_deadline = job->deadline > 0 && clock_wall() > job->deadline,
		.has_next_candidate = has_next_candidate(work),
		.has_higher_tier = higher_tier(w, work, 0) != NULL,
		.has_larger_window = has_larger_candidate(work) || higher_tier(w, work, larger_window(work)),
		.has_fallback_answer = work->memo.fallback != NULL,
	};

	memcpy(history.signature, work->memo.signature, sizeof(history.signature));
	return history;
}

/* --- the attempt --- */

static const char *purpose_of(const struct verdict *verdict)
{
	switch (verdict->next) {
	case NEXT_ACCEPT:
		return "accepted";
	case NEXT_DIE:
		return verdict->reason;
	default:
		return next_step_name(verdict->next);
	}
}

/* A lost answer, or one without a usage, may have been billed: its bound stands until it is known. */
static bool is_unknown(const struct reply *reply)
{
	return reply->kind == REPLY_LOST || (reply->billed && !reply->usage.known);
}

/* What the cached tokens would have cost more without the cache. */
static pico saved_by_cache(const struct price *price, const struct usage *usage)
{
	return price ? usage->cache_read * (price->rates.input - price->rates.cache_read) : 0;
}

static void close_attempt(struct worker *w, const struct work *work, const struct reply *reply,
			  struct settlement *s)
{
	const struct candidate *candidate = work->candidate;
	const struct price *price = price_book_find(&w->prices, candidate->endpoint->name, reply->model,
						    candidate->model, MODE_SYNC, uuid_time(&work->intent.attempt_id));

	s->closes = true;
	s->attempt_id = work->intent.attempt_id;
	s->attempt_day = work->attempt_day;
	s->reply = reply_kind_name(reply->kind);
	s->status = (int)reply->status;
	s->usage = reply->usage;
	s->confidence = reply->confidence;
	s->billed = reply->billed && reply->usage.known;
	s->attempt_state = reply->kind == REPLY_THROTTLED ? "throttled" : is_unknown(reply) ? "unknown" : "closed";
	s->cost = s->billed ? price_cost(price, &reply->usage) : 0;
	s->cache_saving = s->billed ? saved_by_cache(price, &reply->usage) : 0;
	utf8_copy(s->answered_model, sizeof(s->answered_model), reply->model);
	utf8_copy(s->request_id, sizeof(s->request_id), reply->request_id);
	if (*reply->code || *reply->message) {
		char text[400];

		snprintf(text, sizeof(text), "%s: %s", reply->code, reply->message);
		utf8_copy(s->error, sizeof(s->error), text);
	}
}

/* --- the decision --- */

static void decide(struct settlement *s, const struct work *work, const char *state, const char *reason)
{
	s->decides = true;
	s->job_id = work->job->id;
	s->epoch = work->epoch;
	s->state = state;
	s->reason = reason;
	s->tier = work->tier->name;
	s->attempts = work->memo.attempts;
	s->spent = work->memo.spent;
}

static char *event_headers(const struct work *work, const struct uuid *event_id, const char *kind)
{
	char text[UUID_TEXT];
	struct buffer json = {0};

	buffer_printf(&json, "{\"sluice-event-id\":\"%s\",\"sluice-event\":\"%s\",\"sluice-run\":\"%d\",\"sluice-hop\":\"%d\"",
		      uuid_format(text, event_id), kind, (int)work->job->run, (int)work->job->hop);
	if (*work->headers)
		buffer_printf(&json, ",%s", work->headers + 1); /* its members and its closing brace */
	else
		buffer_byte(&json, '}');
	return buffer_take(&json);
}

static void owe(struct settlement *s, const struct work *work, const struct event *facts, const char *kind,
		const char *topic, void (*write)(const struct event *event, struct buffer *out))
{
	struct event event = *facts;
	struct buffer body = {0};
	char key[UUID_TEXT];
	size_t len;

	event.event_id = job_event_id(&work->job->id, work->job->run, work->job->hop, kind, topic);
	write(&event, &body);
	len = body.len;
	settlement_owe(s, kind, &event.event_id, topic, uuid_format(key, &work->job->id),
		       event_headers(work, &event.event_id, kind), buffer_take(&body), len);
}

static const char *outcome_name(const char *state)
{
	return strcmp(state, "DONE") == 0 ? "done" : strcmp(state, "DEAD") == 0 ? "dead" : "cancelled";
}

/* A terminal decision is told to the outside: once to results or dead, once to the reply topic. */
static void owe_outcome(struct worker *w, struct settlement *s, const struct work *work, nsec now)
{
	bool dead = strcmp(s->state, "DEAD") == 0;
	struct event event = {
		.job = work->job,
		.run = work->job->run,
		.hop = work->job->hop,
		.outcome = outcome_name(s->state),
		.reason = s->reason,
		.detail = s->detail,
		.degraded = s->degraded,
		.output = s->output,
		.output_len = s->output_len,
		.is_json = s->is_json,
		.confidence = s->confidence,
		.tier = work->tier->name,
		.lane = lane_name(work->lane),
		.provider = s->provider,
		.model = s->model,
		.attempts = work->memo.attempts,
		.usage = work->memo.usage,
		.cost = work->memo.spent,
		.queued = work->queued,
		.calling = work->calling,
		.total = work->queued + (now - work->claimed_at),
		.finished_at = clock_wall(),
	};

	if (dead)
		owe(s, work, &event, "dead", w->dead_topic, event_dead_letter);
	else
		owe(s, work, &event, "result", w->results_topic, event_result);
	if (*work->job->reply_topic && !(work->doomed && strcmp(work->doomed, "reply_topic") == 0))
		owe(s, work, &event, "reply", work->job->reply_topic, event_result);
}

static void answer_with(struct settlement *s, const char *answer, size_t len, bool is_json)
{
	s->output = xmemdup(answer, len);
	s->output_len = len;
	s->is_json = is_json;
}

static void degrade(struct settlement *s, const struct work *work)
{
	answer_with(s, work->memo.fallback, work->memo.fallback_len, work->memo.fallback_is_json);
	s->degraded = true;
	s->confidence = work->memo.fallback_confidence;
	s->provider = work->memo.fallback_provider;
	s->model = work->memo.fallback_model;
}

/* To another tier: through Kafka, one hop further. */
static void move_on(struct worker *w, struct settlement *s, struct work *work, const struct tier *tier,
		    const char *reason)
{
	struct uuid event_id;
	char key[UUID_TEXT];
	char *message;
	AUTO(xfree) char *topic = xasprintf("%s.%s.%s", w->config->kafka.prefix, tier->name, lane_name(work->lane));

	memo_forgive(&work->memo);
	decide(s, work, "QUEUED", reason);
	s->tier = tier->name;
	s->hop = work->job->hop + 1;
	s->progress = memo_write(&work->memo);
	event_id = job_event_id(&work->job->id, work->job->run, s->hop, "move", topic);
	message = job_thin_message(&work->job->id, work->job->run, s->hop);
	settlement_owe(s, "move", &event_id, topic, uuid_format(key, &work->job->id),
		       event_headers(work, &event_id, "move"), message, strlen(message));
}

static void keep(struct worker *w, struct settlement *s, struct work *work, const char *reason, nsec wait)
{
	bool park = wait > w->config->worker.longest_wait_in_memory;

	decide(s, work, park ? "PARKED" : "CLAIMED", park ? reason : NULL);
	s->wait = wait;
	s->progress = memo_write(&work->memo);
	work->wait_after = wait;
}

static void remember_for_repair(struct work *work, const struct reply *reply, const struct check *check)
{
	free(work->repair_answer);
	free(work->repair_note);
	work->repair_answer = xmemdup(reply->text, reply->len);
	work->repair_len = reply->len;
	work->repair_note = xstrdup(check->note);
}

static void forget_repair(struct work *work)
{
	free(TAKE(work->repair_answer));
	free(TAKE(work->repair_note));
	work->repair_len = 0;
}

static void describe(struct settlement *s, const struct reply *reply, const struct check *check)
{
	char text[sizeof(s->detail)];

	if (check->note[0])
		snprintf(text, sizeof(text), "%.390s", check->note);
	else
		snprintf(text, sizeof(text), "%s%s%s", reply->code, *reply->code && *reply->message ? ": " : "",
			 reply->message);
	utf8_copy(s->detail, sizeof(s->detail), text);
}

static void follow(struct worker *w, struct work *work, const struct verdict *verdict, const struct reply *reply,
		   const struct check *check, struct settlement *s)
{
	struct memo *memo = &work->memo;
	const struct candidate *candidate = work->candidate;
	nsec wait;

	work->prefer = NULL;
	s->provider = candidate->endpoint->name;
	s->model = *s->answered_model ? s->answered_model : candidate->model;
	switch (verdict->next) {
	case NEXT_ACCEPT:
		decide(s, work, "DONE", verdict->reason);
		s->unmeasured = verdict->unmeasured;
		s->confidence = check->finding.confidence;
		answer_with(s, check->answer, check->len, check->is_json);
		break;
	case NEXT_DEGRADE:
		decide(s, work, "DONE", verdict->reason);
		degrade(s, work);
		break;
	case NEXT_REPAIR:
		memo->repairs++;
		work->prefer = candidate;
		remember_for_repair(work, reply, check);
		keep(w, s, work, verdict->reason, 0);
		break;
	case NEXT_RETRY:
		wait = backoff_wait(&w->config->worker.unavailable, memo->transient, reply->retry_after,
				    random_next(&w->random));
		memo->transient++;
		work->prefer = candidate;
		keep(w, s, work, "backoff", wait);
		break;
	case NEXT_FALLBACK:
		memo_avoid(memo, candidate->endpoint->name, candidate->model);
		memo->transient = memo->repairs = 0;
		memo->signature[0] = '\0';
		forget_repair(work);
		keep(w, s, work, verdict->reason, 0);
		break;
	case NEXT_ESCALATE:
		forget_repair(work);
		move_on(w, s, work, higher_tier(w, work, 0), verdict->reason);
		break;
	case NEXT_WIDEN:
		if (has_larger_candidate(work)) {
			memo_avoid(memo, candidate->endpoint->name, candidate->model);
			keep(w, s, work, verdict->reason, 0);
		} else {
			move_on(w, s, work, higher_tier(w, work, larger_window(work)), verdict->reason);
		}
		break;
	case NEXT_WAIT:
		keep(w, s, work, verdict->reason, 0); /* the hold is on the target; another may be free */
		break;
	case NEXT_PARK:
		keep(w, s, work, verdict->reason, 0); /* the breaker is on the credential */
		break;
	case NEXT_DIE:
		decide(s, work, "DEAD", verdict->reason);
		describe(s, reply, check);
		break;
	}
}

static bool is_terminal(const char *state)
{
	return strcmp(state, "DONE") == 0 || strcmp(state, "DEAD") == 0 || strcmp(state, "CANCELLED") == 0;
}

void judge_reply(struct worker *w, struct work *work, struct reply *reply, struct settlement *s, nsec now)
{
	const struct task *task = config_task(w->config, work->job->task);
	struct cascade_policy policy = policy_of(w, work, task);
	struct cascade_history history;
	struct verdict verdict;
	struct check check;

	close_attempt(w, work, reply, s);
	check_reply(work, task, reply, &check);
	if (reply->kind != REPLY_THROTTLED)
		work->memo.attempts++;
	memo_spend(&work->memo, is_unknown(reply) ? work->intent.bound : s->cost, &reply->usage);
	history = history_of(w, work);
	verdict = cascade_judge(&policy, &history, &check.finding);
	s->verdict = next_step_name(verdict.next);
	s->purpose = is_unknown(reply) ? "unknown" : purpose_of(&verdict);
	memcpy(s->signature, check.finding.signature, sizeof(s->signature));

	if (reply->kind == REPLY_REFUSED)
		work->memo.refusals++;
	if (reply->kind == REPLY_ANSWER || reply->kind == REPLY_REFUSED || reply->kind == REPLY_TRUNCATED)
		work->memo.transient = 0;
	memcpy(work->memo.signature, check.finding.signature, sizeof(work->memo.signature));
	if (check.finding.valid && verdict.next != NEXT_ACCEPT && task->degraded_allowed)
		memo_keep(&work->memo, check.answer, check.len, check.is_json, check.finding.confidence,
			  work->candidate->endpoint->name, work->candidate->model);
	follow(w, work, &verdict, reply, &check, s);
	if (is_terminal(s->state))
		owe_outcome(w, s, work, now);
}

struct settlement *judge_end(struct worker *w, struct work *work, const char *state, const char *reason,
			     const char *detail, nsec wait, nsec now)
{
	const struct task *task = config_task(w->config, work->job->task);
	struct settlement *s = settlement_create();

	if (strcmp(state, "DEAD") == 0 && !work->doomed && task->degraded_allowed && work->memo.fallback) {
		decide(s, work, "DONE", reason);
		degrade(s, work);
	} else {
		decide(s, work, state, *reason ? reason : NULL);
		utf8_copy(s->detail, sizeof(s->detail), detail);
	}
	s->wait = wait;
	s->progress = memo_write(&work->memo);
	if (is_terminal(s->state))
		owe_outcome(w, s, work, now);
	return s;
}
