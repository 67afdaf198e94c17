#include "routing_signals.h"

#include <math.h>
#include <string.h>

#include "compiler.h"

#define BYTES_PER_TOKEN 4.0
#define ATTACHMENT_BYTES 4000 /* a picture in a data URL counts about a thousand tokens */
#define DEEPEST 64	      /* of a schema; what lies below adds nothing */

/* 0 at or below `from`, 1 at or above `to`, straight in between. */
static double ramp(double value, double from, double to)
{
	double share = (value - from) / (to - from);

	return share > 0 ? (share < 1 ? share : 1) : 0;
}

/* Bytes of text in a value, names of members included. */
static size_t text_bytes(const json_t *value)
{
	const char *name;
	json_t *item;
	size_t bytes = 0;
	size_t i;

	if (json_is_string(value))
		return strncmp(json_string_value(value), "data:", 5) == 0
			       ? ATTACHMENT_BYTES
			       : json_string_length(value);
	json_array_foreach (value, i, item)
		bytes += text_bytes(item);
	json_object_foreach ((json_t *)value, name, item)
		bytes += strlen(name) + text_bytes(item);
	return bytes;
}

/* How much there is to get right in an output schema. */
struct shape {
	size_t fields;	/* properties, and alternatives of unions and enums */
	size_t deepest; /* nesting */
};

static void measure_schema(const json_t *schema, size_t depth, struct shape *shape);

static void measure_each(const json_t *schemas, size_t depth, struct shape *shape)
{
	const char *name;
	json_t *item;
	size_t i;

	shape->fields += json_object_size(schemas) + json_array_size(schemas);
	json_array_foreach (schemas, i, item)
		measure_schema(item, depth, shape);
	json_object_foreach ((json_t *)schemas, name, item)
		measure_schema(item, depth, shape);
}

static void measure_schema(const json_t *schema, size_t depth, struct shape *shape)
{
	static const char *const several[] = {"properties", "$defs", "anyOf",
					      "oneOf",	    "allOf", "prefixItems"};
	const json_t *items = json_object_get(schema, "items");

	if (!json_is_object(schema) || depth > DEEPEST)
		return;
	if (depth > shape->deepest)
		shape->deepest = depth;
	for (size_t i = 0; i < COUNT_OF(several); i++)
		measure_each(json_object_get(schema, several[i]), depth + 1, shape);
	shape->fields += json_array_size(json_object_get(schema, "enum")) / 4;
	if (items)
		measure_schema(items, depth + 1, shape);
}

static double schema_complexity(const json_t *schema)
{
	struct shape shape = {0};

	measure_schema(schema, 0, &shape);
	return 0.7 * ramp((double)shape.fields, 0, 40) + 0.3 * ramp((double)shape.deepest, 1, 6);
}

static double effort_complexity(const char *effort)
{
	static const struct {
		const char *name;
		double complexity;
	} efforts[] = {{"low", 0.3}, {"medium", 0.6}, {"high", 0.9}, {"xhigh", 1}, {"max", 1}};

	for (size_t i = 0; i < COUNT_OF(efforts); i++)
		if (strcmp(effort, efforts[i].name) == 0)
			return efforts[i].complexity;
	return 0;
}

/* An effort that was asked for says more than we can guess; it is a floor. */
static double complexity_of(const struct job *job, const json_t *schema)
{
	double tools = job->tools ? 0.5 + 0.5 * ramp((double)json_array_size(job->tools), 0, 10)
				  : 0;
	double turns = ramp((double)json_array_size(job->messages), 2, 12);
	double guess = 0.5 * schema_complexity(schema) + 0.3 * tools + 0.2 * turns;

	return fmax(guess, effort_complexity(job->reasoning_effort));
}

static double quality_of(const struct job *job)
{
	switch (job->quality) {
	case QUALITY_LOW:
		return 0;
	case QUALITY_HIGH:
		return 1;
	case QUALITY_NORMAL:
		break;
	}
	return 0.5;
}

static double latency_of(const struct job *job, nsec wall)
{
	double left = job->deadline > wall ? (double)((job->deadline - wall) / NSEC_PER_SEC) : 0;

	if (job->deadline == 0)
		return 0;
	return 1 - ramp(log10(left + 1), log10(11), log10(3601));
}

static double context_of(int64_t tokens)
{
	return ramp(log10((double)tokens + 1), 3, 5);
}

void routing_measure(const struct config *config, const struct job *job, nsec wall,
		     struct routing_decision *d)
{
	const struct task *task = config_task(config, job->task);
	const json_t *schema = job->output_schema ? job->output_schema : task->output_schema;
	size_t bytes = text_bytes(job->messages) + text_bytes(job->tools) + text_bytes(schema);

	d->tokens = (int64_t)ceil((double)bytes / BYTES_PER_TOKEN);
	d->signals[SIGNAL_COMPLEXITY] = complexity_of(job, schema);
	d->signals[SIGNAL_QUALITY] = quality_of(job);
	d->signals[SIGNAL_LATENCY] = latency_of(job, wall);
	d->signals[SIGNAL_CONTEXT] = context_of(d->tokens);
}
