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

/* References within job.json, told where its definitions lie in ours. */
static void move_references(json_t *node)
{
	const char *key, *to = json_text(node, "$ref", NULL);
	json_t *child;
	size_t i;

	if (to && strncmp(to, "#/$defs/", 8) == 0) {
		AUTO(xfree) char *moved = xasprintf("#/components/schemas/Job.%s", to + 8);

		json_object_set_new(node, "$ref", json_string(moved));
	}
	json_object_foreach (node, key, child)
		move_references(child);
	json_array_foreach (node, i, child)
		move_references(child);
}

/* What only the router writes, and what a request may leave out. */
static void relax(json_t *job)
{
	json_object_del(json_object_get(job, "properties"), "routed");
	json_object_set_new(job, "required", json_pack("[s]", "prompt"));
}

/* The contract of jobs as it is, so that there are not two of them. */
static void put_jobs(json_t *schemas)
{
	json_auto_t *contract = read_schema("schemas/job.json");
	const char *name;
	json_t *definition;

	move_references(contract);
	json_object_foreach (json_object_get(contract, "$defs"), name, definition) {
		bool whole = strcmp(name, "job") == 0;
		AUTO(xfree) char *ours = whole ? xstrdup("Job") : xasprintf("Job.%s", name);

		if (whole)
			relax(definition);
		if (strcmp(name, "thin") != 0 && strcmp(name, "routed") != 0)
			json_object_set(schemas, ours, definition);
	}
}

static char *describe(void)
{
	json_auto_t *document = read_schema("schemas/openapi.json");

	put_jobs(json_object_get(json_object_get(document, "components"), "schemas"));
	return json_write(document);
}

void door_openapi(struct exchange *x)
{
	struct api *api = x->api;

	if (!api->description)
		api->description = describe();
	exchange_bytes(x, 200, "application/json", api->description, strlen(api->description), NULL,
		       0);
}
