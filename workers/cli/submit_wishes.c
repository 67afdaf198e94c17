#include "submit_wishes.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "buffer.h"
#include "ensure.h"
#include "timestamp.h"

#define MAX_SCHEMA_BYTES (4 * 1024 * 1024)

static const struct argument table[] = {
	ARGUMENT_TEXT(struct submit_wishes, prompt, "prompt", 'p', "TEXT",
		      "submit this one prompt, instead of lines"),
	ARGUMENT_TEXT(struct submit_wishes, system, "system", 0, "TEXT",
		      "with --prompt: what the model is told first"),
	ARGUMENT_TEXT(struct submit_wishes, idempotency_key, "idempotency-key", 'k', "KEY",
		      "with --prompt: the same key of the same unit is the same job"),
	ARGUMENT_TEXT(struct submit_wishes, business_unit, "business-unit", 'u', "UNIT",
		      "who pays"),
	ARGUMENT_TEXT(struct submit_wishes, feature, "feature", 0, "TAG",
		      "the product feature it is for"),
	ARGUMENT_TEXT(struct submit_wishes, environment, "environment", 0, "TAG",
		      "production, staging ..."),
	ARGUMENT_TEXT(struct submit_wishes, usage_tier, "usage-tier", 0, "TAG",
		      "class of customer to book under"),
	ARGUMENT_TEXT(struct submit_wishes, user, "user", 0, "TAG",
		      "the end user, as an opaque id"),
	ARGUMENT_FLAG(struct submit_wishes, free_plan, "free", 0,
		      "of the free plan: yields to paid work"),
	ARGUMENT_TEXT(struct submit_wishes, task, "task", 't', "TASK",
		      "a task of the configuration"),
	ARGUMENT_TEXT(struct submit_wishes, schema, "schema", 's', "FILE",
		      "a JSON Schema every answer must fit"),
	ARGUMENT_TEXT(struct submit_wishes, tier, "tier", 'T', "TIER",
		      "where to start (default auto: the router decides)"),
	ARGUMENT_TEXT(struct submit_wishes, max_tier, "max-tier", 0, "TIER", "escalate no higher"),
	ARGUMENT_TEXT(struct submit_wishes, candidate, "candidate", 0, "NAME",
		      "only this one may answer, as PROVIDER/MODEL"),
	ARGUMENT_TEXT(struct submit_wishes, lane, "lane", 'l', "LANE",
		      "auto, express, normal or batch"),
	ARGUMENT_TEXT(struct submit_wishes, quality, "quality", 'q', "WISH", "low, normal or high"),
	ARGUMENT_TEXT(struct submit_wishes, data_class, "data-class", 0, "CLASS",
		      "public, internal or restricted"),
	ARGUMENT_DURATION(struct submit_wishes, deadline, "deadline", 'd',
			  "worthless after this period"),
	ARGUMENT_NUMBER(struct submit_wishes, max_cost, "max-cost", 0,
			"the most one run may cost, in dollars"),
	ARGUMENT_COUNT(struct submit_wishes, max_output_tokens, "max-output-tokens", 0,
		       "the longest answer", 1, 10000000),
	ARGUMENT_NUMBER(struct submit_wishes, temperature, "temperature", 0, "randomness, 0 to 2"),
	ARGUMENT_TEXT(struct submit_wishes, reply_topic, "reply-topic", 0, "TOPIC",
		      "gets a copy of the outcome"),
	ARGUMENT_TEXT(struct submit_wishes, webhook, "webhook", 0, "URL",
		      "gets the outcome by POST"),
	ARGUMENT_LIST(struct submit_wishes, metadata, "metadata", 'm', "KEY=VALUE",
		      "handed back in the outcome; may be repeated"),
	ARGUMENT_FLAG(
		struct submit_wishes, route, "route", 'r',
		"decide tier and lane here instead of in the router, where the job says auto"),
	ARGUMENT_FLAG(struct submit_wishes, skip_bad, "skip-bad", 0,
		      "send the good lines even if others are bad"),
	ARGUMENT_FLAG(struct submit_wishes, dry_run, "dry-run", 'n',
		      "check everything, send nothing"),
	{0},
};

const struct argument_form submit_form = {
	.usage = "[FILE]",
	.summary =
		"Submit jobs: one JSON envelope per line of FILE or standard input, or one prompt "
		"by\n"
		"options. Every line is checked before anything is sent, and nothing is sent "
		"unless all\n"
		"are good. Options fill in what lines leave out. Prints the ids of the jobs sent.",
	.details = "  sluice submit jobs.jsonl --business-unit search --tier economy\n"
		   "  sluice submit -p 'Is this spam? ...' -u mail --schema spam.json --route | "
		   "sluice wait\n"
		   "\n"
		   "A line is what schemas/job.json says; \"version\", \"job_id\" and whatever the "
		   "options\n"
		   "give may be left out. The least: "
		   "{\"prompt\":{\"messages\":[{\"role\":\"user\",\"content\":\"Hi\"}]}}\n",
	.table = table,
	.most_words = 1,
};

static void set_text(json_t *object, const char *name, const char *text)
{
	if (text)
		json_object_set_new(object, name, json_lenient_string(text, strlen(text)));
}

static void set_if_filled(json_t *object, const char *name, json_t *member)
{
	if (json_object_size(member) > 0)
		json_object_set_new(object, name, member);
	else
		json_decref(member);
}

static json_t *routing_of(const struct submit_wishes *wishes, nsec wall)
{
	json_t *routing = json_object();
	char text[TIMESTAMP_TEXT];

	set_text(routing, "tier", wishes->tier);
	set_text(routing, "max_tier", wishes->max_tier);
	set_text(routing, "candidate", wishes->candidate);
	set_text(routing, "lane", wishes->lane);
	set_text(routing, "quality", wishes->quality);
	set_text(routing, "data_class", wishes->data_class);
	if (wishes->deadline > 0)
		set_text(routing, "deadline", timestamp_format(text, wall + wishes->deadline));
	if (wishes->max_cost > 0)
		json_object_set_new(routing, "max_cost_usd", json_real(wishes->max_cost));
	return routing;
}

static json_t *parameters_of(const struct submit_wishes *wishes)
{
	json_t *parameters = json_object();

	if (wishes->max_output_tokens > 0)
		json_object_set_new(parameters, "max_output_tokens",
				    json_integer(wishes->max_output_tokens));
	if (!isnan(wishes->temperature))
		json_object_set_new(parameters, "temperature", json_real(wishes->temperature));
	return parameters;
}

static json_t *metadata_of(const struct submit_wishes *wishes, struct error *err)
{
	json_auto_t *metadata = json_object();

	for (size_t i = 0; i < wishes->metadata.count; i++) {
		const char *word = wishes->metadata.words[i], *equals = strchr(word, '=');
		AUTO(xfree) char *name = xstrndup(word, strcspn(word, "="));

		if (!equals || !*name) {
			error_set(err, ERROR_REJECT, "--metadata: \"%.60s\" is not KEY=VALUE",
				  word);
			return NULL;
		}
		set_text(metadata, name, equals + 1);
	}
	return TAKE(metadata);
}

static bool read_whole(const char *path, struct buffer *bytes, struct error *err)
{
	FILE *file = fopen(path, "re");
	char piece[65536];
	bool fits = true;
	size_t got;

	if (!file)
		return error_set(err, ERROR_REJECT, "%s: %s", path, strerror(errno));
	while (fits && (got = fread(piece, 1, sizeof(piece), file)) > 0)
		fits = buffer_append(bytes, piece, got);
	if (ferror(file))
		error_set(err, ERROR_REJECT, "%s: %s", path, strerror(errno));
	else if (!fits)
		error_set(err, ERROR_REJECT, "%s is over %zu bytes", path, bytes->max);
	fits = fits && !ferror(file);
	fclose(file);
	return fits;
}

static bool set_output(json_t *defaults, const char *path, struct error *err)
{
	AUTO_FINISH(buffer_finish) struct buffer bytes = {.max = MAX_SCHEMA_BYTES};
	json_t *schema;

	if (!path)
		return true;
	if (!read_whole(path, &bytes, err))
		return error_wrap(err, "--schema");
	schema = json_read(bytes.data ? bytes.data : "", bytes.len, JSON_OURS, err);
	if (!schema)
		return error_wrap(err, "--schema %s", path);
	json_object_set_new(defaults, "output",
			    json_pack("{s:s, s:o}", "type", "json_schema", "schema", schema));
	return true;
}

json_t *submit_defaults(const struct submit_wishes *wishes, nsec wall, struct error *err)
{
	json_auto_t *defaults = json_pack("{s:i}", "version", 1);
	json_t *metadata = metadata_of(wishes, err);

	if (!metadata)
		return NULL;
	set_if_filled(defaults, "metadata", metadata);
	set_text(defaults, "business_unit", wishes->business_unit);
	set_text(defaults, "feature", wishes->feature);
	set_text(defaults, "environment", wishes->environment);
	set_text(defaults, "usage_tier", wishes->usage_tier);
	set_text(defaults, "user", wishes->user);
	set_text(defaults, "task", wishes->task);
	set_text(defaults, "plan", wishes->free_plan ? "free" : NULL);
	set_text(defaults, "reply_topic", wishes->reply_topic);
	if (wishes->webhook)
		json_object_set_new(defaults, "callback",
				    json_pack("{s:s}", "url", wishes->webhook));
	set_if_filled(defaults, "routing", routing_of(wishes, wall));
	set_if_filled(defaults, "parameters", parameters_of(wishes));
	return set_output(defaults, wishes->schema, err) ? TAKE(defaults) : NULL;
}

static json_t *message(const char *role, const char *text)
{
	return json_pack("{s:s, s:o}", "role", role, "content",
			 json_lenient_string(text, strlen(text)));
}

json_t *submit_single(const struct submit_wishes *wishes)
{
	json_t *messages = json_array(), *job;

	if (wishes->system)
		json_array_append_new(messages, message("system", wishes->system));
	json_array_append_new(messages, message("user", wishes->prompt));
	job = json_pack("{s:{s:o}}", "prompt", "messages", messages);
	set_text(job, "idempotency_key", wishes->idempotency_key);
	return job;
}
