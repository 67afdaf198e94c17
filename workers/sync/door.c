/*
 * The worker's own door: /metrics for Prometheus, /healthz (is it alive) and
 * /readyz (does it get on), all without a line in the log.
 */
#include <stdlib.h>
#include <string.h>

#include "ensure.h"
#include "metrics.h"
#include "web.h"
#include "worker.h"

struct door {
	struct web *web;
	struct worker *worker;
};

/* Why it does not get on; NULL: it does. */
static const char *trouble(const struct worker *w, nsec now)
{
	for (int i = 0; i < PG_COUNT; i++)
		if (!pg_ready(w->pgs[i]))
			return *pg_trouble(w->pgs[i]) ? pg_trouble(w->pgs[i])
						      : "connecting to postgres";
	if (w->stop_at)
		return "stopping";
	if (!w->has_prices)
		return "the prices are not read yet";
	if (!starts_allowed(w, now))
		return "no beat acknowledged for 10 s";
	return kafka_consumer_trouble(w->consumer);
}

static void measure_breaker(const struct account *account, const char *model,
			    const struct breaker *breaker)
{
	if (breaker->state != BREAKER_CLOSED)
		metrics_set(METRIC_breaker_open, 1,
			    LABELS(account->endpoint->name, account->endpoint->credential, model));
}

static void measure_breakers(const struct worker *w)
{
	metrics_zero(METRIC_breaker_open);
	for (size_t i = 0; i < targets_accounts(w->targets); i++) {
		const struct account *account = targets_account_at(w->targets, i);

		measure_breaker(account, "", &account->credential);
	}
	for (size_t i = 0; i < targets_count(w->targets); i++) {
		const struct target *target = targets_at(w->targets, i);

		measure_breaker(target->account, target->model, &target->breaker);
	}
}

static void measure(const struct worker *w)
{
	for (int state = 0; state < WORK_STATE_COUNT; state++)
		metrics_set(METRIC_jobs_held, (double)works_in(&w->works, (enum work_state)state),
			    LABELS(work_state_name((enum work_state)state)));
	measure_breakers(w);
}

static const char *what_blocks(const char *reason)
{
	if (strcmp(reason, "breaker") == 0)
		return "the candidates (all are out of order) of jobs";
	return strcmp(reason, "share") == 0 ? "the turn" : "the budget";
}

/* The caller's. */
static char *readiness(const struct worker *w, const char *why)
{
	const char *reason = "";
	const char *unit = readahead_blocker(w, &reason);

	if (!unit)
		return xasprintf("%s\n", why ? why : "ok");
	return xasprintf("%s\na partition waits for %s of %s\n", why ? why : "ok",
			 what_blocks(reason), unit);
}

static void on_request(void *context, struct web_request *request)
{
	const struct door *door = context;
	const char *why = trouble(door->worker, clock_now());

	if (strcmp(request->path, "/healthz") == 0) {
		web_reply_text(request, 200, "ok\n");
	} else if (strcmp(request->path, "/readyz") == 0) {
		AUTO(xfree) char *text = readiness(door->worker, why);

		web_reply_text(request, why ? 503 : 200, text);
	} else if (strcmp(request->path, "/metrics") == 0) {
		struct buffer out = {0};

		measure(door->worker);
		metrics_set(METRIC_ready, !why, NO_LABELS);
		metrics_render(&out);
		web_reply(request, 200, METRICS_CONTENT_TYPE, out.data, out.len, NULL, 0);
		buffer_finish(&out);
	} else {
		web_reply_text(request, 404, "try /metrics, /healthz or /readyz\n");
	}
}

struct door *door_create(struct worker *w, struct error *err)
{
	struct web_settings settings = {
		.listen = w->config->worker.listen,
		.max_connections = 64,
		.max_body = 1024,
		.token = w->config->worker.listen_token,
	};
	struct door *door = xcalloc(1, sizeof(*door));

	door->worker = w;
	door->web = web_create(&settings, on_request, door, err);
	if (door->web)
		return door;
	free(door);
	error_wrap(err, "worker.listen %s", settings.listen);
	return NULL;
}

void door_destroy(struct door *door)
{
	if (!door)
		return;
	web_destroy(door->web);
	free(door);
}

struct http_descriptor door_descriptor(const struct door *door)
{
	return (struct http_descriptor){.fd = web_fd(door->web), .wants = HTTP_READ};
}

nsec door_run(struct door *door, nsec now)
{
	(void)now;
	web_run(door->web);
	return web_nap(door->web);
}
