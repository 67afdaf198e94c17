/*
 * From debts to webhooks: what is due is taken, signed, posted, and what came of
 * it recorded. Each try leaves under the same webhook-id; a worker that dies in
 * between leaves the row to whoever takes it half a minute later. Calls of their own
 * and few, so that a slow receiver never takes a connection from a provider.
 * The alerts are looked after here too: most of them become webhooks.
 */
#include "hooks.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ensure.h"
#include "failpoint.h"
#include "log.h"
#include "metrics.h"
#include "retry_hint.h"
#include "webhook.h"

#define MOST_AT_ONCE 32
#define MOST_OF_ONE 8 /* endpoint */
#define LOOK_EVERY NSEC_PER_SEC
#define ALERTS_EVERY (3 * NSEC_PER_SEC)
#define REPLY_BYTES ((size_t)16 << 10)

static const struct http_timeouts timeouts = {
	.connect = 5 * NSEC_PER_SEC,
	.first_byte = 15 * NSEC_PER_SEC,
	.idle = 5 * NSEC_PER_SEC,
	.total = 20 * NSEC_PER_SEC,
};

/* One try. */
struct hook {
	struct uuid id;
	int number;
	nsec age;
	char *url;
	char *body;
	size_t len;
	long status;
	char failure[sizeof(((struct error *)0)->text)];
	nsec hint;
	nsec took;
	struct webhook_verdict verdict;
};

struct hook_list {
	struct hook *hooks[MOST_AT_ONCE];
	size_t count;
};

struct hooks {
	struct worker *w;
	struct http *http;
	struct hook_list flying;
	struct hook_list told; /* ended, not yet recorded */
	size_t recording;      /* the first of them are on their way */
	bool taking;
	nsec take_at;
	bool alerting;
	nsec alerts_at;
};

/* --- hooks --- */

static void hook_destroy(struct hook *hook)
{
	free(hook->url);
	free(hook->body);
	free(hook);
}

static void list_add(struct hook_list *list, struct hook *hook)
{
	ENSURE(list->count < MOST_AT_ONCE);
	list->hooks[list->count++] = hook;
}

static void list_drop(struct hook_list *list, const struct hook *hook)
{
	size_t i = 0;

	while (list->hooks[i] != hook)
		i++;
	list->hooks[i] = list->hooks[--list->count];
}

static size_t room(const struct hooks *hooks)
{
	return MOST_AT_ONCE - hooks->flying.count - hooks->told.count;
}

/* --- ends of tries --- */

static void tell(struct hooks *hooks, struct hook *hook, bool forbidden)
{
	static const char *const results[] = {
		[WEBHOOK_DELIVERED] = "delivered", [WEBHOOK_RETRY] = "failed",
		[WEBHOOK_EXHAUSTED] = "exhausted", [WEBHOOK_GONE] = "gone",
		[WEBHOOK_REFUSED] = "refused",
	};
	struct webhook_answer answer = {
		.status = hook->status,
		.forbidden = forbidden,
		.tries = hook->number,
		.hint = hook->hint,
		.age = hook->age,
	};
	char id[UUID_TEXT];

	hook->verdict = webhook_judge(&answer, random_next(&hooks->w->random));
	metrics_add(METRIC_webhook_deliveries_total, 1, LABELS(results[hook->verdict.fate]));
	log_info("webhook", "event_id=%s try=%d fate=%s status=%ld ms=%llu why=%s",
		 uuid_format(id, &hook->id), hook->number, webhook_fate_name(hook->verdict.fate),
		 hook->status, (unsigned long long)(hook->took / NSEC_PER_MSEC), hook->failure);
	list_add(&hooks->told, hook);
}

/* Words that may hold bytes of the receiver's, on their way into a row. */
static void make_plain(char *text)
{
	for (; *text; text++)
		if (*text < ' ' || *text > '~')
			*text = '?';
}

static void finish(struct hooks *hooks, struct hook *hook, const struct http_reply *reply)
{
	const char *after = header_find(reply->headers, reply->header_count, "retry-after");

	hook->status = reply->status;
	hook->took = reply->total;
	if (reply->failure != HTTP_NONE)
		snprintf(hook->failure, sizeof(hook->failure), "%s: %s",
			 http_failure_name(reply->failure), reply->text);
	make_plain(hook->failure);
	if (after)
		(void)!retry_hint_after(after, clock_wall(), &hook->hint);
	list_drop(&hooks->flying, hook);
	hooks->take_at = 0; /* there is room for another */
	tell(hooks, hook, reply->failure == HTTP_FORBIDDEN);
}

static void collect(struct hooks *hooks)
{
	struct http_reply *reply;

	http_wait(hooks->http, NULL, 0, 0);
	while ((reply = http_finished(hooks->http))) {
		FAILPOINT("W01");
		finish(hooks, reply->owner, reply);
		http_reply_release(hooks->http, reply);
	}
}

/* --- posting --- */

static bool send_off(struct hooks *hooks, struct hook *hook, const struct webhook_headers *headers,
		     bool public_only, nsec now)
{
	struct http_request request = {
		.url = hook->url,
		.headers = (const char *const *)headers->lines,
		.header_count = headers->count,
		.body = hook->body,
		.len = hook->len,
		.timeouts = timeouts,
		.max_reply_bytes = REPLY_BYTES,
		.public_only = public_only,
	};
	struct error err;

	FAILPOINT("W03");
	if (http_start(hooks->http, &request, hook, now, &err))
		return true;
	snprintf(hook->failure, sizeof(hook->failure), "%s", err.text);
	return false;
}

/* The alerts' address is the operator's own word; only jobs' are not to be trusted. */
static void post(struct hooks *hooks, struct hook *hook, const char *unit, const char *wished,
		 nsec now)
{
	const struct api_settings *api = &hooks->w->config->api;
	struct webhook_message message = {hook->id, clock_wall(), wished, hook->body, hook->len};
	AUTO_FINISH(webhook_headers_finish) struct webhook_headers headers = {0};

	if (!webhook_sign(&headers, api->webhook_secrets, unit, &message)) {
		snprintf(hook->failure, sizeof(hook->failure),
			 "not sent: api.webhook_secrets has nothing to sign with");
		tell(hooks, hook, false);
	} else if (send_off(hooks, hook, &headers, *unit && !api->webhook_private, now)) {
		list_add(&hooks->flying, hook);
	} else {
		tell(hooks, hook, true);
	}
}

static void post_taken(struct hooks *hooks, const struct pg_rows *rows, nsec now)
{
	for (int row = 0; row < pg_count(rows); row++) {
		struct hook *hook = xcalloc(1, sizeof(*hook));
		const char *body = pg_get_bytes(rows, row, 4, &hook->len);

		hook->id = pg_get_uuid(rows, row, 0);
		hook->url = xstrdup(pg_get_text(rows, row, 1));
		hook->body = xmemdup(body, hook->len);
		hook->number = (int)pg_get_int(rows, row, 5);
		hook->age = (nsec)pg_get_int(rows, row, 6) * NSEC_PER_MSEC;
		post(hooks, hook, pg_get_text(rows, row, 2), pg_get_text(rows, row, 3), now);
	}
}

/* --- statements --- */

static size_t open_at(const struct hook_list *flying, const char *url)
{
	size_t count = 0;

	for (size_t i = 0; i < flying->count; i++)
		count += strcmp(flying->hooks[i]->url, url) == 0;
	return count;
}

static void send_take(struct hooks *hooks, nsec now)
{
	struct pg_args *args = pg_args_create();
	int busy;

	pg_int(args, (int32_t)(room(hooks) < MOST_OF_ONE ? room(hooks) : MOST_OF_ONE));
	busy = pg_array(args, PG_TEXT);
	for (size_t i = 0; i < hooks->flying.count; i++)
		if (open_at(&hooks->flying, hooks->flying.hooks[i]->url) >= MOST_OF_ONE)
			pg_push_string(args, busy, hooks->flying.hooks[i]->url);
	hooks->taking = true;
	hooks->take_at = now + LOOK_EVERY / 2 + random_below(&hooks->w->random, LOOK_EVERY);
	worker_send(hooks->w, request_create(REQUEST_HOOKS_TAKE, PG_SWEEP), "webhook_take", args);
}

static void send_record(struct hooks *hooks)
{
	struct pg_args *args = pg_args_create();
	int ids = pg_array(args, PG_UUID), numbers = pg_array(args, PG_INT4),
	    fates = pg_array(args, PG_TEXT), statuses = pg_array(args, PG_INT4),
	    failures = pg_array(args, PG_TEXT), waits = pg_array(args, PG_INT8),
	    hints = pg_array(args, PG_INT8), times = pg_array(args, PG_INT4);

	for (size_t i = 0; i < hooks->told.count; i++) {
		const struct hook *hook = hooks->told.hooks[i];

		pg_push_uuid(args, ids, &hook->id);
		pg_push_int(args, numbers, hook->number);
		pg_push_string(args, fates, webhook_fate_name(hook->verdict.fate));
		pg_push_int(args, statuses, (int32_t)hook->status);
		pg_push_string(args, failures, hook->failure);
		pg_push_big(args, waits, (int64_t)(hook->verdict.wait / NSEC_PER_MSEC));
		pg_push_big(args, hints, (int64_t)(hook->hint / NSEC_PER_MSEC));
		pg_push_int(args, times, (int32_t)(hook->took / NSEC_PER_MSEC));
	}
	hooks->recording = hooks->told.count;
	worker_send(hooks->w, request_create(REQUEST_HOOKS_RECORD, PG_SWEEP), "webhook_record",
		    args);
}

static void send_alerts(struct hooks *hooks, nsec now)
{
	const struct alert_settings *alerts = &hooks->w->config->alerts;
	struct pg_args *args = pg_args_create();

	pg_string(args, alerts->webhook);
	pg_double(args, alerts->hour_factor);
	pg_double(args, alerts->burst_factor);
	pg_double(args, alerts->request_usd);
	pg_double(args, alerts->share_factor);
	pg_double(args, alerts->min_usd);
	pg_big(args, alerts->min_calls);
	hooks->alerting = true;
	hooks->alerts_at = now + ALERTS_EVERY / 2 + random_below(&hooks->w->random, ALERTS_EVERY);
	worker_send(hooks->w, request_create(REQUEST_ALERTS, PG_SWEEP), "alerts", args);
}

/* --- answers --- */

static void forget_recorded(struct hooks *hooks)
{
	size_t left = hooks->told.count - hooks->recording;

	for (size_t i = 0; i < hooks->recording; i++) {
		if (hooks->told.hooks[i]->verdict.fate != WEBHOOK_DELIVERED)
			FAILPOINT("W02");
		hook_destroy(hooks->told.hooks[i]);
	}
	memmove(hooks->told.hooks, hooks->told.hooks + hooks->recording,
		left * sizeof(struct hook *));
	hooks->told.count = left;
}

void hooks_answer(struct hooks *hooks, struct request *request, struct pg_answer *answer, nsec now)
{
	if (!answer->rows && answer->error.kind == ERROR_FATAL)
		worker_fail(hooks->w, &answer->error);
	else if (!answer->rows)
		log_warn("webhooks_failed", "sqlstate=%s why=%s", answer->sqlstate,
			 answer->error.text);
	switch (request->kind) {
	case REQUEST_HOOKS_TAKE:
		hooks->taking = false;
		if (answer->rows)
			post_taken(hooks, answer->rows, now);
		if (answer->rows && pg_count(answer->rows) > 0)
			hooks->take_at = now; /* there may be more */
		break;
	case REQUEST_HOOKS_RECORD:
		/* What can't be recorded is tried again when its time is over; else it is said
		 * again. */
		if (answer->rows || answer->error.kind == ERROR_REJECT)
			forget_recorded(hooks);
		hooks->recording = 0;
		break;
	default:
		hooks->alerting = false;
		if (answer->rows && pg_get_int(answer->rows, 0, 1) > 0)
			hooks->take_at = now;
		break;
	}
	request_destroy(request);
}

/* --- the worker's step --- */

void hooks_hurry(struct hooks *hooks, nsec now)
{
	hooks->take_at = now;
}

bool hooks_idle(const struct hooks *hooks)
{
	return hooks->flying.count == 0 && hooks->told.count == 0 && !hooks->taking;
}

void hooks_run(struct hooks *hooks, nsec now)
{
	struct worker *w = hooks->w;

	collect(hooks);
	if (!pg_ready(w->pgs[PG_SWEEP]))
		return;
	if (hooks->told.count > 0 && hooks->recording == 0)
		send_record(hooks);
	if (w->stop_at || !w->registered)
		return;
	if (now >= hooks->take_at && !hooks->taking && room(hooks) > 0)
		send_take(hooks, now);
	if (now >= hooks->alerts_at && !hooks->alerting)
		send_alerts(hooks, now);
}

struct http_descriptor hooks_descriptor(const struct hooks *hooks)
{
	return (struct http_descriptor){.fd = http_fd(hooks->http), .wants = HTTP_READ};
}

nsec hooks_nap(const struct hooks *hooks, nsec now, nsec longest)
{
	return http_nap(hooks->http, now, longest);
}

/* --- birth and death --- */

struct hooks *hooks_create(struct worker *w, struct error *err)
{
	struct http_settings settings = {.max_in_flight = MOST_AT_ONCE};
	struct hooks *hooks = xcalloc(1, sizeof(*hooks));

	hooks->w = w;
	hooks->http = http_create(&settings, err);
	if (!hooks->http) {
		free(hooks);
		return NULL;
	}
	return hooks;
}

void hooks_destroy(struct hooks *hooks)
{
	if (!hooks)
		return;
	http_destroy(hooks->http);
	for (size_t i = 0; i < hooks->flying.count; i++)
		hook_destroy(hooks->flying.hooks[i]);
	for (size_t i = 0; i < hooks->told.count; i++)
		hook_destroy(hooks->told.hooks[i]);
	free(hooks);
}
