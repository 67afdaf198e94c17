/*
 * From replies to verdicts: what came off the wire is read by the provider's
 * adapter, teaches the target's breaker and holds, and is judged.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "backoff.h"
#include "ensure.h"
#include "failpoint.h"
#include "log.h"
#include "metrics.h"
#include "provider.h"
#include "worker.h"

void calls_uncount(struct work *work)
{
	if (!work->counted)
		return;
	work->counted = false;
	work->target->in_flight--;
	work->target->account->in_flight--;
}

/* No whole reply came. Only what surely did not reach the provider is free of charge. */
static void read_failure(const struct http_reply *http, struct reply *reply)
{
	*reply = (struct reply){
		.kind = http->maybe_sent ? REPLY_LOST : REPLY_UNAVAILABLE,
		.status = http->status,
		.text = xstrdup(""),
		.confidence = NAN,
	};
	snprintf(reply->code, sizeof(reply->code), "%s", http_failure_name(http->failure));
	snprintf(reply->message, sizeof(reply->message), "%s", http->text);
}

static void read_reply(const struct work *work, const struct http_reply *http, struct reply *reply)
{
	struct raw_reply raw = {
		.status = http->status,
		.body = http->body,
		.len = http->len,
		.headers = http->headers,
		.header_count = http->header_count,
		.wall = clock_wall(),
	};

	if (http->failure == HTTP_NONE)
		work->candidate->endpoint->provider->read(&raw, reply);
	else
		read_failure(http, reply);
}

/* --- what a reply teaches about the place it came from --- */

static bool is_fault(enum reply_kind kind)
{
	return kind == REPLY_UNAVAILABLE || kind == REPLY_LOST || kind == REPLY_GARBLED ||
	       kind == REPLY_UNKNOWN_MODEL;
}

static void hold(struct worker *w, struct target *target, const struct reply *reply, int tries,
		 nsec now)
{
	nsec wait = backoff_wait(&w->config->worker.throttled, tries, reply->retry_after,
				 random_next(&w->random));

	if (now + wait > target->held_until)
		target->held_until = now + wait;
	metrics_add(METRIC_throttled_total, 1, LABELS(target->model));
}

/* The kind and a code, never the provider's words: they can quote a part of the key. */
static void explain(struct breaker *b, const struct reply *reply)
{
	snprintf(b->why, sizeof(b->why), "%s %ld %.30s", reply_kind_name(reply->kind),
		 reply->status, reply->code);
}

/* A credential that a probe found accepted: an outage meanwhile says nothing of it. */
static void clear_credential(struct breaker *credential, const struct work *work,
			     const struct reply *reply, nsec now)
{
	if (reply->kind == REPLY_UNAVAILABLE || reply->kind == REPLY_LOST)
		breaker_release(credential, work->is_credential_probe, now);
	else if (work->is_credential_probe)
		breaker_record(credential, true, false, now);
}

/* A failure can be quick: that is not what is meant by fast. */
static void note_answer(struct target *target, nsec duration)
{
	nsec left = clock_wall() - duration;

	target->typical = target->typical ? (7 * target->typical + duration) / 8 : duration;
	if (left > target->answered)
		target->answered = left;
}

static void learn_of(struct worker *w, struct work *work, const struct reply *reply, nsec duration,
		     nsec now)
{
	struct target *target = work->target;
	struct breaker *credential = &target->account->credential;

	if (reply->kind == REPLY_CREDENTIAL) {
		breaker_release(&target->breaker, work->is_probe, now);
		explain(credential, reply);
		breaker_trip(credential, now);
		log_error("credential_broken", "provider=%s credential=%s code=%s message=%s",
			  target->account->endpoint->name, target->account->endpoint->credential,
			  reply->code, reply->message);
		return;
	}
	clear_credential(credential, work, reply, now);
	if (reply->kind == REPLY_THROTTLED) {
		breaker_release(&target->breaker, work->is_probe, now);
		hold(w, target, reply, work->memo.transient, now);
		return;
	}
	if (is_fault(reply->kind))
		explain(&target->breaker, reply);
	else
		note_answer(target, duration);
	breaker_record(&target->breaker, work->is_probe, is_fault(reply->kind), now);
}

/* What opens or closes a breaker here is news for the fleet. */
static void learn(struct worker *w, struct work *work, const struct reply *reply, nsec duration,
		  nsec now)
{
	const struct target *target = work->target;
	enum breaker_state before = target->breaker.state,
			   key_before = target->account->credential.state;

	learn_of(w, work, reply, duration, now);
	if (target->breaker.state != before || target->account->credential.state != key_before)
		quota_hurry(w, now);
}

/* --- what is told of it --- */

static const char *trace_of(const struct work *work)
{
	const char *at = strstr(work->headers, "\"traceparent\":\"");

	return at ? at + strlen("\"traceparent\":\"") + 3 : "";
}

static void tell(const struct work *work, const struct reply *reply, const struct http_reply *http,
		 const struct settlement *s)
{
	char job[UUID_TEXT], attempt[UUID_TEXT];
	const char *trace = trace_of(work);
	const char *model = *reply->model ? reply->model : work->candidate->model;

	log_info("call",
		 "job=%s run=%d hop=%d attempt=%s trace=%.32s user=%s provider=%s model=%s "
		 "status=%d reply=%s verdict=%s "
		 "input_tokens=%lld cached_tokens=%lld output_tokens=%lld ttfb_ms=%d total_ms=%d "
		 "number=%d "
		 "fallback=%s reason=%s code=%s",
		 uuid_format(job, &work->job->id), (int)work->job->run, (int)work->job->hop,
		 uuid_format(attempt, &s->attempt_id), trace, work->job->user,
		 work->candidate->endpoint->name, model, s->status, s->reply, s->verdict,
		 (long long)usage_prompt(&reply->usage), (long long)reply->usage.cache_read,
		 (long long)reply->usage.output, s->ttfb_ms, s->total_ms, work->memo.attempts,
		 work->memo.avoided_count > 0 ? "yes" : "no", s->reason ? s->reason : "",
		 reply->code);
	metrics_add(METRIC_attempts_total, 1, LABELS(work->tier->name, model, s->reply));
	metrics_observe_time(METRIC_call_seconds, http->total, LABELS(model));
	if (http->first_byte > 0)
		metrics_observe_time(METRIC_call_first_byte_seconds, http->first_byte,
				     LABELS(model));
	metrics_add(METRIC_tokens_total, (double)reply->usage.input, LABELS(model, "input"));
	metrics_add(METRIC_tokens_total, (double)reply->usage.cache_read,
		    LABELS(model, "cache_read"));
	metrics_add(METRIC_tokens_total,
		    (double)(reply->usage.cache_write + reply->usage.cache_write_1h),
		    LABELS(model, "cache_write"));
	metrics_add(METRIC_tokens_total, (double)reply->usage.output, LABELS(model, "output"));
	metrics_add(METRIC_verdicts_total, 1,
		    LABELS(work->tier->name, s->verdict, s->reason ? s->reason : ""));
}

static void finish_one(struct worker *w, struct work *work, const struct http_reply *http, nsec now)
{
	struct settlement *s = settlement_create();
	struct reply reply;

	FAILPOINT("K09");
	work->call = NULL;
	free(TAKE(work->body));
	read_reply(work, http, &reply);
	work->calling += http->total;
	learn(w, work, &reply, http->total, now);
	quota_learn(w, work, &reply,
		    work->target->held_until > now ? work->target->held_until - now : 0, now);
	calls_uncount(work);
	work->prepared = false;
	s->ttfb_ms = (int)(http->first_byte / NSEC_PER_MSEC);
	s->total_ms = (int)(http->total / NSEC_PER_MSEC);
	judge_reply(w, work, &reply, s, now);
	tell(work, &reply, http, s);
	reply_finish(&reply);
	w->progress_at = now;
	settles_add(w, work, s, now);
}

void calls_finish(struct worker *w, nsec now)
{
	struct http_reply *http;

	while ((http = http_finished(w->http))) {
		finish_one(w, http->owner, http, now);
		http_reply_release(w->http, http);
	}
}

/* Calls that outlast the grace period: their answers are lost to us, their bounds become unknown
 * spend. */
void calls_give_up(struct worker *w, nsec now)
{
	struct work *work;

	while ((work = w->works.lists[WORK_CALLING].first)) {
		static const struct usage none;
		struct settlement *s;

		work->memo.attempts++;
		memo_spend(&work->memo, work->intent.bound, &none);
		s = judge_end(w, work, "PARKED", "shutdown", "", 0, now);
		http_cancel(w->http, work->call);
		work->call = NULL;
		free(TAKE(work->body));
		s->closes = true;
		s->attempt_id = work->intent.attempt_id;
		s->attempt_day = work->attempt_day;
		s->attempt_state = "unknown";
		s->verdict = s->purpose = "unknown";
		s->reply = "lost";
		work->takes.count = 0; /* the settlement keeps what it holds of balances */
		starts_unprepare(work);
		settles_add(w, work, s, now);
	}
}
