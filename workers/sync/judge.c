/*
 * From a reply to a decision: the hearing says what it means; how a job that
 * keeps its tier goes on with this worker is said here.
 */
#include <stdlib.h>

#include "ensure.h"
#include "hearing.h"
#include "worker.h"

/* A repair quotes what this model said: another would be asked about words that are not its own. */
#define SAME_MODEL_PATIENCE (5 * NSEC_PER_SEC)

static struct court court_of(const struct worker *w)
{
	return (struct court){
		.config = w->config,
		.prices = &w->prices,
		.mode = MODE_SYNC,
		.results_topic = w->results_topic,
		.dead_topic = w->dead_topic,
	};
}

/* Its breakers have heard of the reply by now. */
static bool is_outage(const struct work *work)
{
	return work->is_probe || work->is_credential_probe ||
	       (work->target && work->target->breaker.state != BREAKER_CLOSED);
}

static struct hearing hearing_of(struct worker *w, struct work *work, nsec now)
{
	return (struct hearing){
		.job = work->job,
		.headers = work->headers,
		.contract = work->contract,
		.tier = work->tier,
		.lane = work->lane,
		.epoch = work->epoch,
		.memo = &work->memo,
		.doomed = work->doomed,
		.queued = work->queued,
		.calling = work->calling,
		.total = work->queued + (now - work->claimed_at),
		.intent = &work->intent,
		.attempt_day = work->attempt_day,
		.candidate = work->candidate,
		.left = clock_wall() - (now - work->sent_at),
		.answered = work->target ? work->target->answered : 0,
		.is_outage = is_outage(work),
		.random = random_next(&w->random),
		.answer_key = work->has_key ? &work->answer_key : NULL,
		.leads = work->leads,
	};
}

static void keep(struct worker *w, struct settlement *s, struct work *work,
		 const struct hearing *hearing, const struct sequel *sequel)
{
	bool park = sequel->wait > w->config->worker.longest_wait_in_memory;

	hearing_decide(hearing, s, park ? "PARKED" : "CLAIMED", park ? sequel->reason : NULL);
	s->wait = sequel->wait;
	s->progress = memo_write(&work->memo);
	work->wait_after = sequel->wait;
	if (sequel->wait > 0)
		work_waits(work, sequel->reason, sequel->wait);
}

static void remember_for_repair(struct work *work, const struct reply *reply,
				const struct sequel *sequel)
{
	if (!sequel->quotes && !sequel->forgets)
		return;
	free(TAKE(work->repair_answer));
	free(TAKE(work->repair_note));
	work->repair_len = 0;
	if (!sequel->quotes)
		return;
	work->repair_answer = xmemdup(reply->text, reply->len);
	work->repair_len = reply->len;
	work->repair_note = xstrdup(sequel->note);
}

void judge_reply(struct worker *w, struct work *work, struct reply *reply, struct settlement *s,
		 nsec now)
{
	struct court court = court_of(w);
	struct hearing hearing = hearing_of(w, work, now);
	struct sequel sequel;

	hearing_judge(&court, &hearing, reply, s, &sequel);
	work->prefer = sequel.same_candidate ? work->candidate : NULL;
	work->prefer_until = now + sequel.wait + SAME_MODEL_PATIENCE;
	remember_for_repair(work, reply, &sequel);
	if (sequel.keeps)
		keep(w, s, work, &hearing, &sequel);
	hearing_tell(&court, &hearing, s);
}

bool judge_has_static(struct worker *w, struct work *work, nsec now)
{
	struct court court = court_of(w);
	struct hearing hearing = hearing_of(w, work, now);

	return hearing_has_static(&court, &hearing);
}

struct settlement *judge_end(struct worker *w, struct work *work, const char *state,
			     const char *reason, const char *detail, nsec wait, nsec now)
{
	struct court court = court_of(w);
	struct hearing hearing = hearing_of(w, work, now);
	struct settlement *s = settlement_create();

	hearing_end(&court, &hearing, s, state, reason, detail, wait);
	hearing_tell(&court, &hearing, s);
	return s;
}

struct settlement *judge_recall(struct worker *w, struct work *work, const struct recalled *answer,
				nsec now)
{
	struct court court = court_of(w);
	struct hearing hearing = hearing_of(w, work, now);
	struct settlement *s = settlement_create();

	hearing_recall(&court, &hearing, s, answer);
	hearing_tell(&court, &hearing, s);
	return s;
}

struct settlement *judge_move(struct worker *w, struct work *work, const struct tier *tier,
			      const char *reason, nsec now)
{
	struct court court = court_of(w);
	struct hearing hearing = hearing_of(w, work, now);
	struct settlement *s = settlement_create();

	hearing_move(&court, &hearing, s, tier, work->lane, reason);
	hearing_tell(&court, &hearing, s);
	return s;
}
