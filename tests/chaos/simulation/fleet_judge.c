/* From a reply to a decision: workers/sync/judge.c, with the product's cascade. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backoff.h"
#include "cascade.h"
#include "ensure.h"
#include "fleet.h"
#include "topic.h"

static struct pick_wish wish_of(const struct hold *hold)
{
	return (struct pick_wish){.memo = &hold->memo};
}

static const struct tier *higher_tier(const struct world *world, const struct hold *hold)
{
	size_t next = hold->tier->rank + 1;

	return next < world->config->tier_count ? &world->config->tiers[next] : NULL;
}

static bool has_next_candidate(const struct hold *hold)
{
	struct pick_wish wish = wish_of(hold);
	bool avoided = memo_avoids(&hold->memo, hold->candidate->endpoint->name,
				   hold->candidate->model);

	return targets_fitting(hold->tier, &wish) > (avoided ? 0 : 1);
}

static struct cascade_policy policy_of(const struct world *world, const struct hold *hold)
{
	const struct task *task = config_task(world->config, hold->message.task);

	return (struct cascade_policy){
		.min_confidence = task->min_confidence,
		.needs_confidence = task->needs_confidence,
		.max_repairs = task->max_repairs,
		.max_transient = world->config->worker.unavailable.max_tries,
		.max_attempts = task->max_attempts,
		.max_hops = world->config->worker.max_hops,
		.max_cost = task->max_cost,
		.refusal_escalates = task->refusal_escalates,
		.degraded_allowed = task->degraded_allowed,
	};
}

static struct cascade_history history_of(const struct world *world, const struct hold *hold)
{
	struct cascade_history history = {
		.attempts = hold->memo.attempts,
		.repairs = hold->memo.repairs,
		.hop = hold->hop,
		.refusals = hold->memo.refusals,
		.transient = hold->memo.transient,
		.spent = hold->memo.spent == PICO_UNPRICED ? 0 : hold->memo.spent,
		.past_deadline = hold->message.deadline > 0 && world->now > hold->message.deadline,
		.has_next_candidate = has_next_candidate(hold),
		.has_higher_tier = higher_tier(world, hold) != NULL,
		.has_larger_window = higher_tier(world, hold) != NULL,
		.has_fallback_answer = hold->memo.fallback != NULL,
	};

	memcpy(history.signature, hold->memo.signature, sizeof(history.signature));
	return history;
}

static struct cascade_finding finding_of(const struct reply *reply, bool valid)
{
	struct cascade_finding finding = {
		.kind = reply->kind,
		.valid = valid,
		.confidence = reply->confidence,
		.never_retry = reply->never_retry,
	};

	if (!valid)
		snprintf(finding.signature, sizeof(finding.signature), "%s",
			 reply->kind == REPLY_ANSWER ? "schema /a type"
						     : reply_kind_name(reply->kind));
	return finding;
}

static bool is_unknown(const struct reply *reply)
{
	return reply->kind == REPLY_LOST || (reply->billed && !reply->usage.known);
}

static const char *purpose_of(const struct verdict *verdict)
{
	if (verdict->next == NEXT_ACCEPT)
		return "accepted";
	return verdict->next == NEXT_DIE ? verdict->reason : next_step_name(verdict->next);
}

static pico cost_of(const struct world *world, const struct hold *hold, const struct reply *reply)
{
	const struct price *price = price_book_find(&world->prices, hold->candidate->endpoint->name,
						    "", hold->candidate->model, MODE_SYNC,
						    world->now);
	pico cost = price_cost(price, &reply->usage);

	if (world_is_mutated(world, MUTATION_FLOAT_MONEY))
		cost = (pico)((float)cost / (float)PICO_PER_USD * (float)PICO_PER_USD);
	return cost;
}

static void close_attempt(const struct world *world, const struct hold *hold,
			  const struct reply *reply, struct settlement *s)
{
	s->closes = true;
	s->attempt_id = hold->intent.attempt_id;
	s->reply = reply_kind_name(reply->kind);
	s->usage = reply->usage;
	s->billed = reply->billed && reply->usage.known;
	s->attempt_state = reply->kind == REPLY_THROTTLED ? "throttled"
			   : is_unknown(reply)		  ? "unknown"
							  : "closed";
	s->cost = s->billed ? cost_of(world, hold, reply) : 0;
}

static void decide(struct settlement *s, const struct hold *hold, const char *state,
		   const char *reason)
{
	s->decides = true;
	s->job_id = hold->message.id;
	s->epoch = hold->epoch;
	s->state = state;
	s->reason = reason;
	s->tier = hold->tier->name;
	s->attempts = hold->memo.attempts;
	s->spent = hold->memo.spent;
}

static bool is_terminal(const char *state)
{
	return strcmp(state, "DONE") == 0 || strcmp(state, "DEAD") == 0 ||
	       strcmp(state, "CANCELLED") == 0;
}

static void owe_outcome(struct settlement *s, const struct hold *hold)
{
	bool dead = strcmp(s->state, "DEAD") == 0;
	const char *kind = dead ? "dead" : "result",
		   *topic = dead ? "sluice.dead" : "sluice.results";
	struct uuid id = job_event_id(&hold->message.id, hold->run, hold->hop, kind, topic);
	char *body = xasprintf(
		"{\"job\":%d,\"run\":%d,\"outcome\":\"%s\",\"reason\":\"%s\",\"hop\":%d}",
		hold->number, (int)hold->run, s->state, s->reason ? s->reason : "", (int)hold->hop);

	settlement_owe(s, kind, &id, topic, "", xstrdup(""), body, strlen(body));
}

static void move_on(struct settlement *s, struct hold *hold, const struct tier *tier,
		    const char *reason)
{
	char topic[TOPIC_TEXT];
	struct uuid id;
	char *message;

	memo_forgive(&hold->memo);
	decide(s, hold, "QUEUED", reason);
	s->tier = tier->name;
	s->hop = hold->hop + 1;
	s->progress = memo_write(&hold->memo);
	topic_lane(topic, "sluice", tier->name, LANE_NORMAL);
	id = job_event_id(&hold->message.id, hold->run, s->hop, "move", topic);
	message = job_thin_message(&hold->message.id, hold->run, s->hop);
	settlement_owe(s, "move", &id, topic, "", xstrdup(""), message, strlen(message));
}

static void keep(struct world *world, struct settlement *s, struct hold *hold, const char *reason,
		 nsec wait)
{
	bool park = wait > world->config->worker.longest_wait_in_memory;

	decide(s, hold, park ? "PARKED" : "CLAIMED", park ? reason : NULL);
	s->wait = wait;
	s->progress = memo_write(&hold->memo);
	hold->wait_after = wait;
}

static void follow(struct world *world, struct hold *hold, const struct verdict *verdict,
		   const struct reply *reply, struct settlement *s)
{
	struct memo *memo = &hold->memo;
	const struct candidate *candidate = hold->candidate;
	nsec wait;

	hold->prefer = NULL;
	switch (verdict->next) {
	case NEXT_ACCEPT:
		decide(s, hold, "DONE", verdict->reason);
		break;
	case NEXT_DEGRADE:
		decide(s, hold, "DONE", verdict->reason);
		s->degraded = true;
		break;
	case NEXT_REPAIR:
		memo->repairs++;
		hold->prefer = candidate;
		keep(world, s, hold, verdict->reason, 0);
		break;
	case NEXT_RETRY:
		wait = backoff_wait(&world->config->worker.unavailable, memo->transient,
				    reply->retry_after, random_next(&world->random));
		memo->transient++;
		hold->prefer = candidate;
		keep(world, s, hold, "backoff", wait);
		break;
	case NEXT_FALLBACK:
		memo_avoid(memo, candidate->endpoint->name, candidate->model);
		memo->transient = memo->repairs = 0;
		memo->signature[0] = '\0';
		keep(world, s, hold, verdict->reason, 0);
		break;
	case NEXT_ESCALATE:
	case NEXT_WIDEN:
		move_on(s, hold, higher_tier(world, hold), verdict->reason);
		break;
	case NEXT_WAIT:
	case NEXT_PARK:
		keep(world, s, hold, verdict->reason, 0);
		break;
	case NEXT_DIE:
		decide(s, hold, "DEAD", verdict->reason);
		break;
	}
}

void judge_reply(struct world *world, struct worker *w, struct hold *hold, struct reply *reply,
		 bool valid, struct settlement *s)
{
	struct cascade_policy policy = policy_of(world, hold);
	struct cascade_finding finding = finding_of(reply, valid);
	struct cascade_history history;
	struct verdict verdict;

	(void)w;
	close_attempt(world, hold, reply, s);
	if (reply->kind != REPLY_THROTTLED)
		hold->memo.attempts++;
	memo_spend(&hold->memo, is_unknown(reply) ? hold->intent.bound : s->cost, &reply->usage);
	history = history_of(world, hold);
	verdict = cascade_judge(&policy, &history, &finding);
	s->verdict = next_step_name(verdict.next);
	s->purpose = is_unknown(reply) ? "unknown" : purpose_of(&verdict);
	if (reply->kind == REPLY_REFUSED)
		hold->memo.refusals++;
	if (reply->kind == REPLY_ANSWER || reply->kind == REPLY_REFUSED ||
	    reply->kind == REPLY_TRUNCATED)
		hold->memo.transient = 0;
	memcpy(hold->memo.signature, finding.signature, sizeof(hold->memo.signature));
	if (valid && verdict.next != NEXT_ACCEPT && policy.degraded_allowed)
		memo_keep(&hold->memo, "\"so so\"", 7, true, finding.confidence,
			  hold->candidate->endpoint->name, hold->candidate->model);
	follow(world, hold, &verdict, reply, s);
	if (is_terminal(s->state))
		owe_outcome(s, hold);
}

struct settlement *judge_end(struct world *world, struct hold *hold, const char *state,
			     const char *reason, nsec wait)
{
	const struct task *task = config_task(world->config, hold->message.task);
	struct settlement *s = world_settlement(world, settlement_create());

	if (strcmp(state, "DEAD") == 0 && task->degraded_allowed && hold->memo.fallback) {
		decide(s, hold, "DONE", reason);
		s->degraded = true;
	} else {
		decide(s, hold, state, *reason ? reason : NULL);
	}
	s->wait = wait;
	s->progress = memo_write(&hold->memo);
	if (is_terminal(s->state))
		owe_outcome(s, hold);
	return s;
}
