#include "router_door.h"

#include <stdlib.h>
#include <string.h>

#include "ensure.h"
#include "metrics.h"

struct router_door {
	struct web *web;
	const struct kafka_consumer *consumer;
};

static void reply_metrics(struct web_request *request)
{
	AUTO_FINISH(buffer_finish) struct buffer out = {0};

	metrics_render(&out);
	web_reply(request, 200, METRICS_CONTENT_TYPE, out.data, out.len, NULL, 0);
}

static void on_request(void *context, struct web_request *request)
{
	const struct router_door *door = context;
	const char *trouble = kafka_consumer_trouble(door->consumer);

	metrics_set(METRIC_ready, !trouble, NO_LABELS);
	if (strcmp(request->path, "/healthz") == 0)
		web_reply_text(request, 200, "ok\n");
	else if (strcmp(request->path, "/readyz") == 0)
		web_reply_text(request, trouble ? 503 : 200, trouble ? trouble : "ok\n");
	else if (strcmp(request->path, "/metrics") == 0)
		reply_metrics(request);
	else
		web_reply_text(request, 404, "try /metrics, /healthz or /readyz\n");
}

struct router_door *router_door_create(const char *listen, const char *token,
				       const struct kafka_consumer *consumer, struct error *err)
{
	AUTO(router_door_destroy) struct router_door *door = xcalloc(1, sizeof(*door));
	struct web_settings settings = {
		.listen = listen, .max_connections = 64, .max_body = 1024, .token = token};

	door->consumer = consumer;
	door->web = web_create(&settings, on_request, door, err);
	if (!door->web) {
		error_wrap(err, "listen on %s", listen);
		return NULL;
	}
	return TAKE(door);
}

void router_door_destroy(struct router_door *door)
{
	if (!door)
		return;
	web_destroy(door->web);
	free(door);
}

struct web *router_door_web(struct router_door *door)
{
	return door->web;
}
