/*
 * What the api tells of itself: /metrics, /healthz, /readyz, /openapi.json.
 */
#include "routes.h"

#include <string.h>

#include "embedded.h"
#include "ensure.h"
#include "json.h"
#include "metrics.h"

static void reply_text(struct exchange *x, unsigned status, const char *text)
{
	exchange_bytes(x, status, "text/plain; charset=utf-8", text, strlen(text), NULL, 0);
}

void door_health(struct exchange *x)
{
	reply_text(x, 200, "ok\n");
}

void door_ready(struct exchange *x)
{
	const char *trouble = api_trouble(x->api);
	AUTO(xfree) char *text = xasprintf("%s\n", trouble ? trouble : "ok");

	reply_text(x, trouble ? 503 : 200, text);
}

void door_metrics(struct exchange *x)
{
	AUTO_FINISH(buffer_finish) struct buffer out = {0};

	metrics_set(METRIC_ready, !api_trouble(x->api), NO_LABELS);
	metrics_render(&out);
	exchange_bytes(x, 200, METRICS_CONTENT_TYPE, out.data, out.len, NULL, 0);
}

static json_t *read_schema(const char *path)
{
	const struct embedded *file = embedded_find(path);
	struct error err;
	json_t *schema = json_read(file->text, file->len, JSON_OURS, &err);

	ENSURE(schema);
	return schema;
}

/* With the contract of jobs as it is, so that there are not two of them. */
static char *describe(void)
{
	json_auto_t *document = read_schema("schemas/openapi.json");
	json_t *components = json_object_get(document, "components");

	json_object_set_new(json_object_get(components, "schemas"), "Job",
			    read_schema("schemas/job.json"));
	return json_write(document);
}

void door_openapi(struct exchange *x)
{
	AUTO(xfree) char *text = describe();

	exchange_bytes(x, 200, "application/json", text, strlen(text), NULL, 0);
}
