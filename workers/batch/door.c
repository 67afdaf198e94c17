/*
 * The batch worker's own door: /metrics for Prometheus, /healthz (is it alive)
 * and /readyz (does it get on), all without a line in the log.
 */
#include <stdlib.h>
#include <string.h>

#include "batcher.h"
#include "ensure.h"
#include "metrics.h"
#include "web.h"

struct batch_door {
	struct web *web;
	const struct batcher *worker;
};

/* Why it does not get on; NULL: it does. */
static const char *trouble(const struct batcher *w, nsec now)
{
	for (int i = 0; i < PG_KEPT; i++)
		if (!pg_ready(w->kept[i]))
			return *pg_trouble(w->kept[i]) ? pg_trouble(w->kept[i])
						       : "connecting to postgres";
	if (!w->pg)
		return "postgres is away";
	if (w->stopping)
		return "stopping";
	if (w->prices_at == 0)
		return "the prices are not read yet";
	if (!batcher_may_spend(w, now))
		return "no beat acknowledged for 10 s";
	return kafka_consumer_trouble(w->consumer);
}

static void reply_metrics(struct web_request *request, bool ready)
{
	AUTO_FINISH(buffer_finish) struct buffer out = {0};

	metrics_set(METRIC_ready, ready, NO_LABELS);
	metrics_render(&out);
	web_reply(request, 200, METRICS_CONTENT_TYPE, out.data, out.len, NULL, 0);
}

static void on_request(void *context, struct web_request *request)
{
	const struct batch_door *door = context;
	const char *why = trouble(door->worker, clock_now());

	if (strcmp(request->path, "/healthz") == 0) {
		web_reply_text(request, 200, "ok\n");
	} else if (strcmp(request->path, "/readyz") == 0) {
		AUTO(xfree) char *text = xasprintf("%s\n", why ? why : "ok");

		web_reply_text(request, why ? 503 : 200, text);
	} else if (strcmp(request->path, "/metrics") == 0) {
		reply_metrics(request, !why);
	} else {
		web_reply_text(request, 404, "try /metrics, /healthz or /readyz\n");
	}
}

struct batch_door *batch_door_create(const struct batcher *w, struct error *err)
{
	struct web_settings settings = {
		.listen = w->config->batch.listen,
		.max_connections = 64,
		.max_body = 1024,
		.token = w->config->worker.listen_token,
	};
	AUTO(batch_door_destroy) struct batch_door *door = xcalloc(1, sizeof(*door));

	door->worker = w;
	door->web = web_create(&settings, on_request, door, err);
	if (!door->web) {
		error_wrap(err, "batch.listen %s", settings.listen);
		return NULL;
	}
	return TAKE(door);
}

void batch_door_destroy(struct batch_door *door)
{
	if (!door)
		return;
	web_destroy(door->web);
	free(door);
}

struct http_descriptor batch_door_descriptor(const struct batch_door *door)
{
	return (struct http_descriptor){.fd = web_fd(door->web), .wants = HTTP_READ};
}

nsec batch_door_run(struct batch_door *door)
{
	web_run(door->web);
	return web_nap(door->web);
}
