#include "hearing.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backoff.h"
#include "ensure.h"
#include "event.h"
#include "schema.h"
#include "targets.h"
#include "utf8.h"

#define MOST_CALLS 128 /* as schemas/result.json says */

/* What the check of one reply found, beside the cascade's own finding. */
struct check {
	struct cascade_finding finding;
	const char *answer; /* in the reply's text: the JSON in it, or all of it */
	size_t len;
	bool is_json;
	const json_t *calls;	 /* of the job's tools, which are an answer; NULL: none */
	char note[HEARING_NOTE]; /* what is wrong, to be quoted to the model */
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

static void check_json(const struct schema *schema, const struct task *task,
		       const struct reply *reply, struct check *check)
{
	struct schema_errors errors;
	struct error err;
	json_auto_t *value = NULL;

	check->is_json = true;
	value = cascade_extract_json(reply->text, reply->len, &check->answer, &check->len, &err);
	if (!value) {
		snprintf(check->note, sizeof(check->note), "The answer is not valid JSON: %.500s",
			 err.text);
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

static bool is_offered(const struct job *job, const char *name)
{
	json_t *tool;
	size_t i;

	json_array_foreach ((json_t *)job->tools, i, tool)
		if (strcmp(json_text(json_object_get(tool, "function"), "name", ""), name) == 0)
			return true;
	return false;
}

static bool is_object(const char *text)
{
	struct error err;
	json_auto_t *value = json_read(text, strlen(text), JSON_OURS, &err);

	return json_is_object(value);
}

/* A call that can be made; whether the arguments suit the tool is the tool's to say. */
static bool check_call(const struct job *job, const json_t *call, struct check *check)
{
	const json_t *function = json_object_get(call, "function");
	const char *name = json_text(function, "name", "");
	bool known = is_offered(job, name);

	if (known && is_object(json_text(function, "arguments", "")))
		return true;
	snprintf(check->finding.signature, sizeof(check->finding.signature), "%s",
		 known ? "tool_arguments" : "unknown_tool");
	snprintf(check->note, sizeof(check->note),
		 known ? "The arguments of the tool \"%.64s\" are not a JSON object."
		       : "There is no tool \"%.64s\".",
		 name);
	return false;
}

/*
 * The job's contract is that of its last answer: a call for a tool is a step on
 * the way there, and so is what is said beside it.
 */
static void check_calls(const struct job *job, const json_t *calls, struct check *check)
{
	json_t *call;
	size_t i;

	json_array_foreach ((json_t *)calls, i, call)
		if (!check_call(job, call, check))
			return;
	if (json_array_size(calls) > MOST_CALLS) {
		snprintf(check->finding.signature, sizeof(check->finding.signature),
			 "too_many_calls");
		snprintf(check->note, sizeof(check->note), "These are more than %d calls of tools.",
			 MOST_CALLS);
		return;
	}
	check->finding.valid = true;
	check->calls = calls;
}

/* Calls for tools that nobody offered are no answer. */
static void check_answer(const struct hearing *h, const struct task *task,
			 const struct reply *reply, struct check *check)
{
	if (h->job->tools && reply->tool_calls)
		check_calls(h->job, reply->tool_calls, check);
	else if (h->contract)
		check_json(h->contract->schema, task, reply, check);
	else
		check->finding.valid = reply->len > 0;
	if (!check->finding.valid && !check->note[0]) {
		snprintf(check->finding.signature, sizeof(check->finding.signature), "empty");
		snprintf(check->note, sizeof(check->note), "The answer was empty.");
	}
}

static void check_reply(const struct hearing *h, const struct task *task, const struct reply *reply,
			struct check *check)
{
	*check = (struct check){.finding = {.kind = reply->kind,
					    .confidence = reply->confidence,
					    .never_retry = reply->never_retry},
				.answer = reply->text,
				.len = reply->len};
	if (reply->kind == REPLY_TRUNCATED) {
		snprintf(check->finding.signature, sizeof(check->finding.signature), "truncated");
		snprintf(check->note, sizeof(check->note),
			 "The answer was cut off by the limit on its length. Answer more briefly.");
	} else if (reply->kind == REPLY_GARBLED) {
		snprintf(check->finding.signature, sizeof(check->finding.signature), "garbled");
	} else if (reply->kind == REPLY_ANSWER) {
		check_answer(h, task, reply, check);
	}
}

/* --- what the cascade may choose from --- */

static struct pick_wish wish_of(const struct hearing *h)
{
	return (struct pick_wish){.restricted = h->job->data_class == DATA_RESTRICTED,
				  .only = h->job->candidate,
				  .memo = h->memo};
}

/* The next tier this job may go to that has somewhere to go. NULL: none. */
static const struct tier *higher_tier(const struct court *court, const struct hearing *h,
				      int64_t min_window)
{
	const struct config *config = court->config;
	const struct tier *highest = *h->job->max_tier ? config_tier(config, h->job->max_tier)
						       : NULL;
	struct pick_wish wish = {.restricted = h->job->data_class == DATA_RESTRICTED,
				 .min_window = min_window};

	for (size_t i = h->tier->rank + 1; i < config->tier_count; i++) {
		if (*h->job->candidate || (highest && i > highest->rank))
			return NULL;
		if (targets_fitting(&config->tiers[i], &wish) > 0)
			return &config->tiers[i];
	}
	return NULL;
}

static bool has_next_candidate(const struct hearing *h)
{
	struct pick_wish wish = wish_of(h);
	size_t fitting = targets_fitting(h->tier, &wish);

	return fitting >
	       (memo_avoids(h->memo, h->candidate->endpoint->name, h->candidate->model) ? 0 : 1);
}

static int64_t larger_window(const struct hearing *h)
{
	return h->candidate->traits.context_window + 1;
}

static bool has_larger_candidate(const struct hearing *h)
{
	struct pick_wish wish = wish_of(h);

	wish.min_window = larger_window(h);
	return targets_fitting(h->tier, &wish) > 0;
}

static struct cascade_policy policy_of(const struct court *court, const struct hearing *h,
				       const struct task *task)
{
	pico cap = h->job->max_cost > 0 ? h->job->max_cost : task->max_cost;

	return (struct cascade_policy){
		.min_confidence = task->min_confidence,
		.needs_confidence = task->needs_confidence,
		.max_repairs = task->max_repairs,
		.max_transient = court->config->worker.unavailable.max_tries,
		.max_attempts = task->max_attempts,
		.max_hops = court->config->worker.max_hops,
		.max_cost = cap,
		.refusal_escalates = task->refusal_escalates,
		.degraded_allowed = task->degraded_allowed,
	};
}

static nsec since(nsec then, nsec now)
{
	return then > 0 && now > then ? now - then : 0;
}

static struct cascade_history history_of(const struct court *court, const struct hearing *h)
{
	const struct job *job = h->job;
	nsec now = clock_wall();
	struct cascade_history history = {
		.attempts = h->memo->attempts,
		.repairs = h->memo->repairs,
		.hop = job->hop,
		.refusals = h->memo->refusals,
		.transient = h->memo->transient,
		.uncounted = h->memo->uncounted,
		.failing = since(h->memo->failing_since, now),
		.spent = h->memo->spent == PICO_UNPRICED ? 0 : h->memo->spent,
		.past_deadline = job->deadline > 0 && now > job->deadline,
		.has_next_candidate = has_next_candidate(h),
		.has_higher_tier = higher_tier(court, h, 0) != NULL,
		.has_larger_window = has_larger_candidate(h) ||
				     higher_tier(court, h, larger_window(h)),
		.has_fallback_answer = h->memo->fallback != NULL,
	};

	memcpy(history.signature, h->memo->signature, sizeof(history.signature));
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

/* A lost answer, or one without a usage, may have been billed: its bound stands until it is known.
 */
static bool is_unknown(const struct reply *reply)
{
	return reply->kind == REPLY_LOST || (reply->billed && !reply->usage.known);
}

static void close_attempt(const struct court *court, const struct hearing *h,
			  const struct reply *reply, struct settlement *s)
{
	const struct candidate *candidate = h->candidate;
	const struct price *price = price_book_find(court->prices, candidate->endpoint->name,
						    reply->model, candidate->model, court->mode,
						    uuid_time(&h->intent->attempt_id));

	s->closes = true;
	s->attempt_id = h->intent->attempt_id;
	s->attempt_day = h->attempt_day;
	s->reply = reply_kind_name(reply->kind);
	s->status = (int)reply->status;
	s->usage = reply->usage;
	s->confidence = reply->confidence;
	s->billed = reply->billed && reply->usage.known;
	s->attempt_state = reply->kind == REPLY_THROTTLED ? "throttled"
			   : is_unknown(reply)		  ? "unknown"
							  : "closed";
	s->cost = s->billed ? price_cost(price, &reply->usage) : 0;
	s->cache_saving = s->billed ? price_cache_saving(price, &reply->usage) : 0;
	utf8_copy(s->answered_model, sizeof(s->answered_model), reply->model);
	utf8_copy(s->request_id, sizeof(s->request_id), reply->request_id);
	if (*reply->code || *reply->message) {
		char text[400];

		snprintf(text, sizeof(text), "%s: %s", reply->code, reply->message);
		utf8_copy(s->error, sizeof(s->error), text);
	}
}

/* --- the decision --- */

void hearing_decide(const struct hearing *h, struct settlement *s, const char *state,
		    const char *reason)
{
	s->decides = true;
	s->job_id = h->job->id;
	s->epoch = h->epoch;
	s->state = state;
	s->reason = reason;
	s->tier = h->tier->name;
	s->attempts = h->memo->attempts;
	s->spent = h->memo->spent;
	if (h->answer_key && h->leads && strcmp(state, "CLAIMED") != 0) {
		s->has_key = true;
		s->answer_key = *h->answer_key;
	}
}

static char *event_headers(const struct hearing *h, const struct uuid *event_id, const char *kind)
{
	char text[UUID_TEXT];
	struct buffer json = {0};

	buffer_printf(&json,
		      "{\"sluice-event-id\":\"%s\",\"sluice-event\":\"%s\",\"sluice-run\":\"%d\","
		      "\"sluice-hop\":\"%d\"",
		      uuid_format(text, event_id), kind, (int)h->job->run, (int)h->job->hop);
	if (*h->headers)
		buffer_printf(&json, ",%s", h->headers + 1); /* its members and its closing brace */
	else
		buffer_byte(&json, '}');
	return buffer_take(&json);
}

static void owe(struct settlement *s, const struct hearing *h, const struct event *facts,
		const char *kind, const char *topic,
		void (*write)(const struct event *event, struct buffer *out))
{
	struct event event = *facts;
	struct buffer body = {0};
	char key[UUID_TEXT];
	size_t len;

	event.event_id = job_event_id(&h->job->id, h->job->run, h->job->hop, kind, topic);
	write(&event, &body);
	len = body.len;
	settlement_owe(s, kind, &event.event_id, topic, uuid_format(key, &h->job->id),
		       event_headers(h, &event.event_id, kind), buffer_take(&body), len);
}

/* Whatever the outcome: the result as it is on its topic. Its headers are those the job wishes. */
static void owe_webhook(struct settlement *s, const struct hearing *h, const struct event *facts)
{
	const char *url = json_string_value(json_object_get(h->job->callback, "url"));
	json_t *wished = json_object_get(h->job->callback, "headers");
	struct event event = *facts;
	struct buffer body = {0};
	size_t len;

	if (!url)
		return;
	event.event_id = job_event_id(&h->job->id, h->job->run, h->job->hop, "webhook", url);
	event_result(&event, &body);
	len = body.len;
	settlement_owe(s, "webhook", &event.event_id, url, h->job->business_unit,
		       wished ? json_write(wished) : xstrdup(""), buffer_take(&body), len);
}

static const char *outcome_name(const char *state)
{
	return strcmp(state, "DONE") == 0   ? "done"
	       : strcmp(state, "DEAD") == 0 ? "dead"
					    : "cancelled";
}

/* A terminal decision is told to the outside: once to results or dead, once to the reply topic. */
static void owe_outcome(const struct court *court, struct settlement *s, const struct hearing *h)
{
	bool dead = strcmp(s->state, "DEAD") == 0;
	struct event event = {
		.job = h->job,
		.run = h->job->run,
		.hop = h->job->hop,
		.outcome = outcome_name(s->state),
		.reason = s->reason,
		.detail = s->detail,
		.degraded = s->degraded,
		.output = s->output,
		.output_len = s->output_len,
		.is_json = s->is_json,
		.tool_calls = s->tool_calls,
		.confidence = s->confidence,
		.tier = h->tier->name,
		.lane = lane_name(h->lane),
		.provider = s->provider,
		.model = s->model,
		.attempts = h->memo->attempts,
		.usage = h->memo->usage,
		.cost = h->memo->spent,
		.queued = h->queued,
		.calling = h->calling,
		.total = h->total,
		.finished_at = clock_wall(),
	};

	if (dead)
		owe(s, h, &event, "dead", court->dead_topic, event_dead_letter);
	else
		owe(s, h, &event, "result", court->results_topic, event_result);
	if (*h->job->reply_topic && !(h->doomed && strcmp(h->doomed, "reply_topic") == 0))
		owe(s, h, &event, "reply", h->job->reply_topic, event_result);
	owe_webhook(s, h, &event);
}

static void answer_with(struct settlement *s, const char *answer, size_t len, bool is_json)
{
	s->output = xmemdup(answer, len);
	s->output_len = len;
	s->is_json = is_json;
}

static void degrade(struct settlement *s, const struct hearing *h)
{
	answer_with(s, h->memo->fallback, h->memo->fallback_len, h->memo->fallback_is_json);
	s->degraded = true;
	s->confidence = h->memo->fallback_confidence;
	s->provider = h->memo->fallback_provider;
	s->model = h->memo->fallback_model;
}

static bool fits_contract(const struct hearing *h, const char *answer)
{
	struct schema_errors errors;
	struct error err;
	json_auto_t *value = NULL;

	if (!h->contract)
		return true;
	value = json_read(answer, strlen(answer), JSON_OURS, &err);
	return value && schema_check(h->contract->schema, value, &errors);
}

/* The task has an answer for want of another; not for a job that wants one of another form. */
static bool has_static(const struct hearing *h, const struct task *task)
{
	return *task->static_answer && !h->doomed && fits_contract(h, task->static_answer);
}

static bool answer_statically(const struct hearing *h, const struct task *task,
			      struct settlement *s, const char *reason)
{
	if (!has_static(h, task))
		return false;
	hearing_decide(h, s, "DONE", reason);
	answer_with(s, task->static_answer, strlen(task->static_answer), h->contract != NULL);
	s->degraded = true;
	s->confidence = NAN;
	s->provider = s->model = NULL; /* nobody's */
	return true;
}

void hearing_move(const struct court *court, const struct hearing *h, struct settlement *s,
		  const struct tier *tier, enum lane lane, const char *reason)
{
	struct uuid event_id;
	char key[UUID_TEXT];
	char *message;

	ENSURE(tier); /* whoever escalates has looked for one */
	AUTO(xfree)
	char *topic = xasprintf("%s.%s.%s", court->config->kafka.prefix, tier->name,
				lane_name(lane));

	hearing_decide(h, s, "QUEUED", reason);
	s->tier = tier->name;
	s->lane = lane_name(lane);
	s->hop = h->job->hop + 1;
	s->progress = memo_write(h->memo);
	event_id = job_event_id(&h->job->id, h->job->run, s->hop, "move", topic);
	message = job_thin_message(&h->job->id, h->job->run, s->hop);
	settlement_owe(s, "move", &event_id, topic, uuid_format(key, &h->job->id),
		       event_headers(h, &event_id, "move"), message, strlen(message));
}

static void move_up(const struct court *court, const struct hearing *h, struct settlement *s,
		    const struct tier *tier, const char *reason)
{
	memo_forgive(h->memo);
	hearing_move(court, h, s, tier, h->lane, reason);
}

/* --- what follows --- */

static void describe(struct settlement *s, const struct reply *reply, const struct check *check)
{
	char text[sizeof(s->detail)];

	if (check->note[0])
		snprintf(text, sizeof(text), "%.390s", check->note);
	else
		snprintf(text, sizeof(text), "%s%s%s", reply->code,
			 *reply->code && *reply->message ? ": " : "", reply->message);
	utf8_copy(s->detail, sizeof(s->detail), text);
}

static void describe_outage(struct settlement *s, const struct hearing *h,
			    const struct reply *reply)
{
	nsec failing = since(h->memo->failing_since, clock_wall());
	char text[sizeof(s->detail)];

	snprintf(text, sizeof(text),
		 "the provider failed it %d times in %d h, beside the attempts; the last: %s%s%s",
		 h->memo->uncounted, (int)(failing / (3600 * NSEC_PER_SEC)), reply->code,
		 *reply->code && *reply->message ? ": " : "", reply->message);
	utf8_copy(s->detail, sizeof(s->detail), text);
}

static void die(const struct hearing *h, const struct task *task, const struct verdict *verdict,
		const struct reply *reply, const struct check *check, struct settlement *s)
{
	if (!answer_statically(h, task, s, verdict->reason))
		hearing_decide(h, s, "DEAD", verdict->reason);
	if (strcmp(verdict->reason, "max_attempts") == 0 && h->memo->attempts < task->max_attempts)
		describe_outage(s, h, reply);
	else
		describe(s, reply, check);
}

static void accept(const struct court *court, const struct hearing *h,
		   const struct verdict *verdict, const struct check *check, struct settlement *s)
{
	hearing_decide(h, s, "DONE", verdict->reason);
	s->unmeasured = verdict->unmeasured;
	s->confidence = check->finding.confidence;
	if (check->calls)
		s->tool_calls = json_write(check->calls);
	if (!check->calls || check->len > 0)
		answer_with(s, check->answer, check->len, check->is_json);
	if (h->answer_key) {
		s->has_key = true;
		s->answer_key = *h->answer_key;
		s->keep_for = config_task(court->config, h->job->task)->cache_ttl;
	}
}

void hearing_recall(const struct court *court, const struct hearing *h, struct settlement *s,
		    const struct recalled *answer)
{
	const struct endpoint *endpoint = config_endpoint(court->config, answer->provider);

	hearing_decide(h, s, "DONE", "cached");
	s->unmeasured = answer->unmeasured;
	s->confidence = answer->confidence;
	answer_with(s, answer->output, answer->len, answer->is_json);
	utf8_copy(s->answered_model, sizeof(s->answered_model), answer->model);
	s->provider = endpoint ? endpoint->name : NULL;
	s->model = s->answered_model;
}

static void keep(struct sequel *sequel, const char *reason, nsec wait)
{
	sequel->keeps = true;
	sequel->reason = reason;
	sequel->wait = wait;
}

static void ask_again(const struct hearing *h, const struct verdict *verdict,
		      const struct check *check, struct sequel *sequel)
{
	h->memo->repairs++;
	sequel->same_candidate = true;
	sequel->quotes = true;
	memcpy(sequel->note, check->note, sizeof(sequel->note));
	keep(sequel, verdict->reason, 0);
}

static void back_off(const struct court *court, const struct hearing *h, const struct reply *reply,
		     struct sequel *sequel)
{
	nsec wait = backoff_wait(&court->config->worker.unavailable, h->memo->transient,
				 reply->retry_after, h->random);

	h->memo->transient++;
	sequel->same_candidate = true;
	keep(sequel, "backoff", wait);
}

static void try_next(const struct hearing *h, const struct verdict *verdict, struct sequel *sequel)
{
	memo_avoid(h->memo, h->candidate->endpoint->name, h->candidate->model);
	h->memo->transient = h->memo->repairs = 0;
	h->memo->signature[0] = '\0';
	sequel->forgets = true;
	keep(sequel, verdict->reason, 0);
}

static void widen(const struct court *court, const struct hearing *h, const struct verdict *verdict,
		  struct settlement *s, struct sequel *sequel)
{
	if (!has_larger_candidate(h)) {
		move_up(court, h, s, higher_tier(court, h, larger_window(h)), verdict->reason);
		return;
	}
	memo_avoid(h->memo, h->candidate->endpoint->name, h->candidate->model);
	keep(sequel, verdict->reason, 0);
}

static void follow(const struct court *court, const struct hearing *h,
		   const struct verdict *verdict, const struct reply *reply,
		   const struct check *check, struct settlement *s, struct sequel *sequel)
{
	s->provider = h->candidate->endpoint->name;
	s->model = *s->answered_model ? s->answered_model : h->candidate->model;
	switch (verdict->next) {
	case NEXT_ACCEPT:
		accept(court, h, verdict, check, s);
		break;
	case NEXT_DEGRADE:
		hearing_decide(h, s, "DONE", verdict->reason);
		degrade(s, h);
		break;
	case NEXT_REPAIR:
		ask_again(h, verdict, check, sequel);
		break;
	case NEXT_RETRY:
		back_off(court, h, reply, sequel);
		break;
	case NEXT_FALLBACK:
		try_next(h, verdict, sequel);
		break;
	case NEXT_ESCALATE:
		sequel->forgets = true;
		move_up(court, h, s, higher_tier(court, h, 0), verdict->reason);
		break;
	case NEXT_WIDEN:
		widen(court, h, verdict, s, sequel);
		break;
	case NEXT_WAIT: /* the hold is on the target; another may be free */
	case NEXT_PARK: /* the breaker is on the credential */
		keep(sequel, verdict->reason, 0);
		break;
	case NEXT_DIE:
		die(h, config_task(court->config, h->job->task), verdict, reply, check, s);
		break;
	}
}

/* The candidate works for others: since it failed this job before, or since this call left, it has
 * answered a call that left later. */
static bool works_for_others(const struct hearing *h)
{
	return h->answered > (h->memo->failed_at > 0 ? h->memo->failed_at : h->left);
}

/* Whether the reply uses up an attempt: not where it tells nothing of the job. */
static bool is_attempt(const struct hearing *h, const struct reply *reply)
{
	switch (reply->kind) {
	case REPLY_THROTTLED:
	case REPLY_CREDENTIAL:
		return false;
	case REPLY_UNAVAILABLE:
		return !h->is_outage && works_for_others(h);
	case REPLY_LOST:
	case REPLY_GARBLED:
	case REPLY_UNKNOWN_MODEL:
		return !h->is_outage;
	default:
		return true;
	}
}

static bool is_failure(const struct reply *reply)
{
	return reply->kind == REPLY_UNAVAILABLE || reply->kind == REPLY_LOST;
}

/* The model has said something, whatever it is worth. */
static bool is_word(const struct reply *reply)
{
	return reply->kind == REPLY_ANSWER || reply->kind == REPLY_REFUSED ||
	       reply->kind == REPLY_TRUNCATED;
}

/* What the run has been through, this reply included. */
static void remember(const struct hearing *h, const struct reply *reply, const struct settlement *s)
{
	bool attempt = is_attempt(h, reply);

	h->memo->attempts += attempt;
	if (is_failure(reply))
		memo_fail(h->memo, attempt, clock_wall());
	else if (is_word(reply))
		memo_hear(h->memo);
	memo_spend(h->memo, is_unknown(reply) ? h->intent->bound : s->cost, &reply->usage);
}

static void learn(const struct hearing *h, const struct task *task, const struct reply *reply,
		  const struct verdict *verdict, const struct check *check)
{
	struct memo *memo = h->memo;

	if (reply->kind == REPLY_REFUSED)
		memo->refusals++;
	if (is_word(reply))
		memo->transient = 0;
	memcpy(memo->signature, check->finding.signature, sizeof(memo->signature));
	if (check->finding.valid && verdict->next != NEXT_ACCEPT && task->degraded_allowed &&
	    !check->calls)
		memo_keep(memo, check->answer, check->len, check->is_json,
			  check->finding.confidence, h->candidate->endpoint->name,
			  h->candidate->model);
}

void hearing_judge(const struct court *court, const struct hearing *h, const struct reply *reply,
		   struct settlement *s, struct sequel *sequel)
{
	const struct task *task = config_task(court->config, h->job->task);
	struct cascade_policy policy = policy_of(court, h, task);
	struct cascade_history history;
	struct verdict verdict;
	struct check check;

	*sequel = (struct sequel){0};
	close_attempt(court, h, reply, s);
	check_reply(h, task, reply, &check);
	remember(h, reply, s);
	history = history_of(court, h);
	verdict = cascade_judge(&policy, &history, &check.finding);
	s->verdict = next_step_name(verdict.next);
	s->purpose = is_unknown(reply) ? "unknown" : purpose_of(&verdict);
	memcpy(s->signature, check.finding.signature, sizeof(s->signature));
	learn(h, task, reply, &verdict, &check);
	follow(court, h, &verdict, reply, &check, s, sequel);
}

bool hearing_has_static(const struct court *court, const struct hearing *h)
{
	return has_static(h, config_task(court->config, h->job->task));
}

void hearing_end(const struct court *court, const struct hearing *h, struct settlement *s,
		 const char *state, const char *reason, const char *detail, nsec wait)
{
	const struct task *task = config_task(court->config, h->job->task);

	if (strcmp(state, "DEAD") == 0 && !h->doomed && task->degraded_allowed &&
	    h->memo->fallback) {
		hearing_decide(h, s, "DONE", reason);
		degrade(s, h);
	} else if (strcmp(state, "DEAD") != 0 || !answer_statically(h, task, s, reason)) {
		hearing_decide(h, s, state, *reason ? reason : NULL);
	}
	if (!s->degraded || !s->provider) /* all but a model's own answer, which explains itself */
		utf8_copy(s->detail, sizeof(s->detail), detail);
	s->wait = wait;
	s->progress = memo_write(h->memo);
}

static bool is_terminal(const char *state)
{
	return strcmp(state, "DONE") == 0 || strcmp(state, "DEAD") == 0 ||
	       strcmp(state, "CANCELLED") == 0;
}

void hearing_tell(const struct court *court, const struct hearing *h, struct settlement *s)
{
	if (s->decides && is_terminal(s->state))
		owe_outcome(court, s, h);
}
