/* From jobs that are ours to calls, and back: workers/sync/starts.c and calls.c. */
#include <stdlib.h>
#include <string.h>

#include "backoff.h"
#include "ensure.h"
#include "fleet.h"
#include "oracle.h"

#define BEAT_TOO_OLD (10 * NSEC_PER_SEC)
#define POISON_CRASHES 4
#define GROUP_SIZE 8
#define LINGER (5 * NSEC_PER_MSEC)
#define MAX_INTENDS_OPEN 8
#define INPUT_BYTES 4000
#define OUTPUT_CAP 512

bool starts_allowed(const struct world *world, const struct worker *w)
{
	if (world_is_mutated(world, MUTATION_SEND_ON_OLD_BEAT))
		return w->beat_acked > 0;
	return w->beat_acked > 0 && world->now - w->beat_acked < BEAT_TOO_OLD;
}

enum readiness { START_GO, START_WAIT, START_END };

struct readiness_why {
	const char *state, *reason;
	nsec wait;
};

static enum readiness end(struct readiness_why *why, const char *state, const char *reason)
{
	*why = (struct readiness_why){.state = state, .reason = reason};
	return START_END;
}

static enum readiness may_live(const struct world *world, const struct hold *hold,
			       struct readiness_why *why)
{
	const struct task *task = config_task(world->config, hold->message.task);

	if (hold->cancel_requested && !world_is_mutated(world, MUTATION_IGNORE_CANCEL))
		return end(why, "CANCELLED", "cancelled");
	if (hold->crash_count >= POISON_CRASHES)
		return end(why, "DEAD", "poison");
	if (hold->message.deadline > 0 && world->now > hold->message.deadline)
		return end(why, "DEAD", "deadline");
	if (hold->memo.attempts >= task->max_attempts)
		return end(why, "DEAD", "max_attempts");
	if (hold->hop > world->config->worker.max_hops)
		return end(why, "DEAD", "max_hops");
	return START_GO;
}

static void make_intent(struct world *world, struct hold *hold, const struct pick *pick)
{
	const struct candidate *candidate = pick->candidate;
	const struct price *price = price_book_find(&world->prices, candidate->endpoint->name, "",
						    candidate->model, MODE_SYNC, world->now);
	struct uuid id = hold->intent.attempt_id;

	if (!world_is_mutated(world, MUTATION_REUSE_ATTEMPT) || uuid_is_zero(&id))
		id = world_uuid(world);
	hold->candidate = candidate;
	hold->target = pick->target;
	hold->intent = (struct intent){
		.attempt_id = id,
		.provider = candidate->endpoint->name,
		.model = candidate->model,
		.credential = candidate->endpoint->credential,
		.tier = hold->tier->name,
		.bound = price_bound(price, INPUT_BYTES, OUTPUT_CAP),
	};
	hold->is_probe = breaker_start(&pick->target->breaker, world->now);
	hold->is_credential_probe = breaker_start(&pick->target->account->credential, world->now);
	hold->counted = true;
	pick->target->in_flight++;
	pick->target->account->in_flight++;
	hold->prepared = true;
}

static enum readiness decide(struct world *world, struct worker *w, struct hold *hold,
			     struct readiness_why *why)
{
	struct pick_wish wish = {.memo = &hold->memo, .prefer = hold->prefer};
	struct pick pick;

	if (may_live(world, hold, why) != START_GO)
		return START_END;
	pick = targets_pick(w->targets, hold->tier, &wish, world->now, random_next(&world->random));
	if (!pick.candidate && pick.wait == 0 && hold->memo.avoided_count > 0) {
		memo_forgive(&hold->memo);
		pick = targets_pick(w->targets, hold->tier, &wish, world->now,
				    random_next(&world->random));
	}
	if (!pick.candidate && pick.wait == 0)
		return end(why, "DEAD", "no_candidate");
	if (!pick.candidate) {
		*why = (struct readiness_why){.reason = pick.reason, .wait = pick.wait};
		return START_WAIT;
	}
	make_intent(world, hold, &pick);
	return START_GO;
}

bool starts_prepare(struct world *world, struct worker *w, struct hold *hold)
{
	struct readiness_why why;

	return decide(world, w, hold, &why) == START_GO;
}

static void uncount(struct hold *hold)
{
	if (!hold->counted)
		return;
	hold->counted = false;
	hold->target->in_flight--;
	hold->target->account->in_flight--;
}

void starts_unprepare(struct world *world, struct hold *hold)
{
	if (!hold->prepared)
		return;
	breaker_release(&hold->target->breaker, hold->is_probe, world->now);
	breaker_release(&hold->target->account->credential, hold->is_credential_probe, world->now);
	uncount(hold);
	hold->prepared = false;
}

/* --- READY and WAITING --- */

static void start(struct world *world, struct worker *w, struct hold *hold)
{
	struct readiness_why why;

	switch (decide(world, w, hold, &why)) {
	case START_GO:
		if (w->to_intend_count == 0)
			w->intend_at = world->now;
		w->to_intend[w->to_intend_count++] = hold;
		hold->state = HOLD_INTENDING;
		break;
	case START_WAIT:
		if (why.wait > world->config->worker.longest_wait_in_memory) {
			settles_add(world, w, hold,
				    judge_end(world, hold, "PARKED", why.reason, why.wait));
			break;
		}
		hold->wake_at = world->now + why.wait +
				random_below(&world->random, why.wait / 4 + NSEC_PER_MSEC);
		hold->state = HOLD_WAITING;
		break;
	case START_END:
		settles_add(world, w, hold, judge_end(world, hold, why.state, why.reason, 0));
		break;
	}
}

static int by_job_id(const void *a, const void *b)
{
	return uuid_compare(&(*(struct hold *const *)a)->message.id,
			    &(*(struct hold *const *)b)->message.id);
}

static void flush(struct world *world, struct worker *w)
{
	size_t count = w->to_intend_count;
	struct request *r;

	if (count == 0 || !fleet_conn_ready(world, w, CONN_CLAIM) ||
	    w->conns[CONN_CLAIM].open_count >= MAX_INTENDS_OPEN)
		return;
	if (count < GROUP_SIZE && world->now < w->intend_at + LINGER)
		return;
	qsort(w->to_intend, count, sizeof(struct hold *), by_job_id);
	r = fleet_request(world, w, REQUEST_INTEND, CONN_CLAIM, count);
	r->holds = world_keep(world, count * sizeof(struct hold *));
	r->intends = world_keep(world, count * sizeof(*r->intends));
	for (size_t i = 0; i < count; i++) {
		struct hold *hold = w->to_intend[i];
		struct intent *intent = world_keep(world, sizeof(*intent));

		*intent = hold->intent;
		r->holds[i] = hold;
		r->intends[i] = (struct intend_row){
			.job_id = hold->message.id, .epoch = hold->epoch, .intent = intent};
	}
	w->to_intend_count = 0;
	fleet_send(world, w, r);
	for (size_t i = 0; i < count && world_is_mutated(world, MUTATION_CALL_BEFORE_INTENT); i++)
		starts_send(world, w, r->holds[i]);
}

void starts_run(struct world *world, struct worker *w)
{
	for (struct hold *hold = w->holds; hold; hold = hold->next)
		if (hold->state == HOLD_WAITING && hold->wake_at <= world->now)
			hold->state = HOLD_READY;
	if (w->stop_at || !starts_allowed(world, w) || !fleet_conn_ready(world, w, CONN_CLAIM))
		return;
	for (struct hold *hold = w->holds; hold && w->to_intend_count < GROUP_SIZE;
	     hold = hold->next)
		if (hold->state == HOLD_READY)
			start(world, w, hold);
	flush(world, w);
}

static void close_unsent(struct settlement *s, const struct hold *hold)
{
	s->closes = true;
	s->attempt_id = hold->intent.attempt_id;
	s->attempt_state = "throttled";
	s->verdict = s->purpose = s->reply = "not_sent";
}

/* not_ours() of starts.c; "leave-intent" is what it once did, and left an open attempt behind. */
static void not_ours(struct world *world, struct worker *w, struct hold *hold)
{
	struct settlement *s = judge_end(world, hold, "CLAIMED", "", 0);

	if (!world_is_mutated(world, MUTATION_LEAVE_INTENT))
		close_unsent(s, hold);
	starts_unprepare(world, hold);
	settles_add(world, w, hold, s);
}

void starts_answer(struct world *world, struct worker *w, struct sending *sending)
{
	struct request *r = sending->request;

	for (size_t i = 0; i < r->count; i++) {
		struct hold *hold = r->holds[i];
		bool written = false;

		for (size_t k = 0; k < sending->count; k++)
			written |= uuid_equal(&sending->ids[k], &r->intends[i].intent->attempt_id);
		if (hold->state != HOLD_INTENDING)
			continue; /* only a mutated worker */
		if (written)
			starts_send(world, w, hold);
		else
			not_ours(world, w, hold);
	}
}

/* --- the call --- */

static void not_sent(struct world *world, struct worker *w, struct hold *hold)
{
	struct settlement *s = judge_end(world, hold, "CLAIMED", "", NSEC_PER_SEC);

	close_unsent(s, hold);
	starts_unprepare(world, hold);
	hold->wait_after = NSEC_PER_SEC;
	settles_add(world, w, hold, s);
}

void starts_send(struct world *world, struct worker *w, struct hold *hold)
{
	struct phone_call_event *wire;
	struct event event = {.worker = w->slot, .life = w->life};
	nsec way = world_between(world, NSEC_PER_MSEC, 40 * NSEC_PER_MSEC);

	ENSURE(hold->prepared);
	if (!starts_allowed(world, w) || w->stop_at) {
		not_sent(world, w, hold);
		return;
	}
	wire = world_keep(world, sizeof(*wire));
	wire->hold = hold;
	wire->call = (struct phone_call){
		.attempt_id = hold->intent.attempt_id,
		.job = hold->number,
		.run = hold->run,
		.hop = hold->hop,
		.candidate = hold->candidate,
		.most_input = INPUT_BYTES,
		.most_output = OUTPUT_CAP,
		.attempts = hold->memo.attempts,
	};
	vendor_draw(world, &wire->call);
	hold->call = &wire->call;
	hold->state = HOLD_CALLING;
	TRACE(world, "w%d calls for job %d run %d hop %d: %d", w->slot, hold->number,
	      (int)hold->run, (int)hold->hop, (int)wire->call.how);
	event.data = wire;
	if (wire->call.how != VENDOR_NEVER_SENT) {
		oracle_sent(world, &wire->call.attempt_id);
		event.kind = EVENT_ARRIVE;
		event.at = world->now + way;
		agenda_add(&world->agenda, event);
	}
	event.kind = EVENT_REPLY;
	event.at = world->now + way + vendor_latency(world, &wire->call);
	agenda_add(&world->agenda, event);
}

/* learn() of calls.c */
static void learn(struct world *world, struct hold *hold, const struct reply *reply)
{
	struct target *target = hold->target;
	struct breaker *credential = &target->account->credential;
	bool fault = reply->kind == REPLY_UNAVAILABLE || reply->kind == REPLY_LOST ||
		     reply->kind == REPLY_GARBLED || reply->kind == REPLY_UNKNOWN_MODEL;
	nsec wait;

	if (reply->kind == REPLY_CREDENTIAL) {
		breaker_release(&target->breaker, hold->is_probe, world->now);
		breaker_trip(credential, world->now);
		return;
	}
	if (hold->is_credential_probe)
		breaker_record(credential, true, false, world->now);
	if (reply->kind == REPLY_THROTTLED) {
		breaker_release(&target->breaker, hold->is_probe, world->now);
		wait = backoff_wait(&world->config->worker.throttled, hold->memo.transient,
				    reply->retry_after, random_next(&world->random));
		if (world->now + wait > target->held_until)
			target->held_until = world->now + wait;
		return;
	}
	breaker_record(&target->breaker, hold->is_probe, fault, world->now);
}

void calls_finish(struct world *world, struct worker *w, struct phone_call *call, struct hold *hold)
{
	struct settlement *s;
	struct reply reply;
	bool valid;

	if (hold->call != call || hold->state != HOLD_CALLING)
		return; /* given up */
	hold->call = NULL;
	vendor_reply(world, call, &reply, &valid);
	learn(world, hold, &reply);
	uncount(hold);
	hold->prepared = false;
	s = world_settlement(world, settlement_create());
	judge_reply(world, w, hold, &reply, valid, s);
	TRACE(world, "w%d judges job %d: %s, %s", w->slot, hold->number, s->verdict, s->state);
	settles_add(world, w, hold, s);
}

void calls_give_up(struct world *world, struct worker *w)
{
	for (struct hold *hold = w->holds; hold; hold = hold->next) {
		struct settlement *s;

		if (hold->state != HOLD_CALLING)
			continue;
		s = judge_end(world, hold, "PARKED", "shutdown", 0);
		hold->call = NULL;
		s->closes = true;
		s->attempt_id = hold->intent.attempt_id;
		s->attempt_state = "unknown";
		s->verdict = s->purpose = "unknown";
		s->reply = "lost";
		starts_unprepare(world, hold);
		settles_add(world, w, hold, s);
	}
}
