/* What must hold between settings, and no schema can say. */
#include <stdio.h>
#include <string.h>

#include "config_read.h"
#include "config_tree.h"
#include "ensure.h"
#include "schema.h"

#define MAX_PATH 512

struct rules {
	const struct config *config;
	const struct yaml *doc;
	struct error *err;
};

static bool check_tier_names(const struct rules *r)
{
	const struct config *config = r->config;
	char path[64];

	for (size_t i = 0; i < config->tier_count; i++)
		for (size_t k = 0; k < i; k++) {
			if (strcmp(config->tiers[i].name, config->tiers[k].name) != 0)
				continue;
			snprintf(path, sizeof(path), "/tiers/%zu/name", i);
			return yaml_error(r->doc, path, r->err, "a second tier is named \"%s\"",
					  config->tiers[i].name);
		}
	return true;
}

static bool same_candidate(const struct candidate *a, const struct candidate *b)
{
	return a->endpoint == b->endpoint && !strcmp(a->model, b->model);
}

static bool check_candidates(const struct rules *r, const struct tier *tier)
{
	char path[64];

	for (size_t i = 0; i < tier->candidate_count; i++)
		for (size_t k = 0; k < i; k++) {
			const struct candidate *c = &tier->candidates[i];

			if (!same_candidate(c, &tier->candidates[k]))
				continue;
			snprintf(path, sizeof(path), "/tiers/%zu/candidates/%zu", tier->rank, i);
			return yaml_error(r->doc, path, r->err,
					  "%s of %s is already a candidate of this tier; raise its "
					  "weight instead",
					  c->model, c->endpoint->name);
		}
	return true;
}

static bool check_tiers(const struct rules *r)
{
	if (!check_tier_names(r))
		return false;
	for (size_t i = 0; i < r->config->tier_count; i++)
		if (!check_candidates(r, &r->config->tiers[i]))
			return false;
	return true;
}

static bool check_aliases(const struct rules *r)
{
	const json_t *aliases = json_object_get(r->config->tree, "aliases");
	const char *name;
	json_t *model;
	char path[MAX_PATH];

	json_object_foreach ((json_t *)aliases, name, model)
		if (json_object_get(aliases, json_string_value(model)))
			return yaml_error(r->doc,
					  config_path_join(path, sizeof(path), "/aliases", name),
					  r->err,
					  "\"%s\" is an alias itself; "
					  "name the model",
					  json_string_value(model));
	return true;
}

/* A member that names a tier, where it is there. */
static bool check_tier_named(const struct rules *r, const json_t *object, const char *parent,
			     const char *member)
{
	const char *name = json_text(object, member, "");
	char path[MAX_PATH];

	if (!*name || config_tier(r->config, name))
		return true;
	return yaml_error(r->doc, config_path_join(path, sizeof(path), parent, member), r->err,
			  "tier \"%s\" is not configured", name);
}

static bool check_static_answer(const struct rules *r, const struct task *task,
				const struct schema *schema, const char *parent)
{
	json_auto_t *answer = NULL;
	struct schema_errors errors = {0};
	struct error why;
	char path[MAX_PATH];

	if (!*task->static_answer)
		return true;
	config_path_join(path, sizeof(path), parent, "static_answer");
	answer = json_read(task->static_answer, strlen(task->static_answer), JSON_FOREIGN, &why);
	if (!answer)
		return yaml_error(r->doc, path, r->err, "%s does not fit the task's schema: %s",
				  path, why.text);
	if (schema_check(schema, answer, &errors))
		return true;
	return yaml_error(r->doc, path, r->err, "%s does not fit the task's schema: %s %s", path,
			  errors.list[0].path, errors.list[0].text);
}

static bool check_output_schema(const struct rules *r, const struct task *task, const char *parent)
{
	AUTO(schema_destroy) struct schema *schema = NULL;
	struct error why;
	char path[MAX_PATH];

	if (!task->output_schema)
		return true;
	schema = schema_compile(task->output_schema, &why);
	if (schema)
		return check_static_answer(r, task, schema, parent);
	config_path_join(path, sizeof(path), parent, "output_schema");
	return yaml_error(r->doc, path, r->err, "%s: %s", path, why.text);
}

static bool check_tasks(const struct rules *r)
{
	const json_t *tasks = json_object_get(r->config->tree, "tasks");
	char path[MAX_PATH];

	for (size_t i = 0; i < r->config->task_count; i++) {
		const struct task *task = &r->config->tasks[i];
		const json_t *tree = i == 0 ? json_object_get(r->config->tree, "defaults")
					    : json_object_get(tasks, task->name);

		if (i == 0)
			snprintf(path, sizeof(path), "/defaults");
		else
			config_path_join(path, sizeof(path), "/tasks", task->name);
		if (!check_tier_named(r, tree, path, "tier") || !check_output_schema(r, task, path))
			return false;
	}
	return true;
}

static bool check_weights(const struct rules *r, const json_t *weights)
{
	const char *name;
	json_t *weight;
	double sum = 0;

	json_object_foreach ((json_t *)weights, name, weight)
		sum += json_number_value(weight);
	if (sum > 0)
		return true;
	return yaml_error(r->doc, "/routing/weights", r->err,
			  "the weights of the signals are all 0; at least one must count");
}

/* Thresholds rise with the tiers, else a tier could never be chosen. */
static bool check_thresholds(const struct rules *r, const json_t *thresholds)
{
	const char *name, *before = NULL;
	json_t *threshold;
	double least = 0;
	char path[MAX_PATH];

	json_object_foreach ((json_t *)thresholds, name, threshold)
		if (!config_tier(r->config, name))
			return yaml_error(
				r->doc,
				config_path_join(path, sizeof(path), "/routing/thresholds", name),
				r->err, "tier \"%s\" is not configured", name);
	for (size_t i = 0; i < r->config->tier_count; i++) {
		name = r->config->tiers[i].name;
		threshold = json_object_get(thresholds, name);
		if (!threshold)
			continue;
		if (before && json_number_value(threshold) <= least)
			return yaml_error(
				r->doc,
				config_path_join(path, sizeof(path), "/routing/thresholds", name),
				r->err, "must be above that of tier \"%s\"", before);
		least = json_number_value(threshold);
		before = name;
	}
	return true;
}

static bool check_rules(const struct rules *r, const json_t *rules)
{
	static const char *const members[] = {"tier", "min_tier", "max_tier"};
	char path[64];

	for (size_t i = 0; i < json_array_size(rules); i++) {
		snprintf(path, sizeof(path), "/routing/rules/%zu", i);
		for (size_t k = 0; k < COUNT_OF(members); k++)
			if (!check_tier_named(r, json_array_get(rules, i), path, members[k]))
				return false;
	}
	return true;
}

static bool check_routing(const struct rules *r)
{
	const json_t *routing = r->config->routing;

	return check_weights(r, json_object_get(routing, "weights")) &&
	       check_thresholds(r, json_object_get(routing, "thresholds")) &&
	       check_rules(r, json_object_get(routing, "rules"));
}

static bool begins_with(const char *text, const char *prefix)
{
	return !strncmp(text, prefix, strlen(prefix));
}

/* One of our own topics that a reply prefix would open to jobs; NULL: none. */
static const char *topic_within(const struct config *config, const char *prefix, char *topic,
				size_t size)
{
	static const char *const fixed[] = {"intake", "results", "dead"};

	for (size_t i = 0; i < COUNT_OF(fixed); i++) {
		snprintf(topic, size, "%s.%s", config->kafka.prefix, fixed[i]);
		if (begins_with(topic, prefix))
			return topic;
	}
	for (size_t i = 0; i < config->tier_count; i++)
		for (enum lane lane = 0; lane < LANE_AUTO; lane++) {
			snprintf(topic, size, "%s.%s.%s", config->kafka.prefix,
				 config->tiers[i].name, lane_name(lane));
			if (begins_with(topic, prefix))
				return topic;
		}
	return NULL;
}

static bool check_reply_prefixes(const struct rules *r)
{
	const json_t *prefixes = r->config->kafka.reply_prefixes;
	char path[64], topic[256];

	for (size_t i = 0; i < json_array_size(prefixes); i++) {
		const char *prefix = json_string_value(json_array_get(prefixes, i));

		if (!topic_within(r->config, prefix, topic, sizeof(topic)))
			continue;
		snprintf(path, sizeof(path), "/kafka/reply_prefixes/%zu", i);
		return yaml_error(
			r->doc, path, r->err,
			"prefix \"%s\" would let a job reply to our own topic %s; make it "
			"longer",
			prefix, topic);
	}
	return true;
}

static bool is_loopback(const char *listen)
{
	return begins_with(listen, "127.") || begins_with(listen, "localhost:") ||
	       begins_with(listen, "[::1]:");
}

static bool check_listen_at(const struct rules *r, const char *path, const char *listen)
{
	const char *colon = strrchr(listen, ':');

	if (!*listen)
		return true;
	if (!colon || colon == listen || !colon[1] ||
	    strspn(colon + 1, "0123456789") != strlen(colon + 1) || strlen(colon + 1) > 5)
		return yaml_error(r->doc, path, r->err,
				  "%s must be host:port, such as 127.0.0.1:9464", path);
	if (is_loopback(listen) || *r->config->worker.listen_token)
		return true;
	return yaml_error(r->doc, path, r->err,
			  "%s is open to the network; set listen_token of the worker as well, or "
			  "listen on 127.0.0.1",
			  path);
}

static bool check_listen(const struct rules *r)
{
	return check_listen_at(r, "/worker/listen", r->config->worker.listen) &&
	       check_listen_at(r, "/batch/listen", r->config->batch.listen);
}

static bool check_backoff(const struct rules *r, const struct backoff_profile *profile,
			  const char *path)
{
	if (profile->first > 0 && profile->first <= profile->longest)
		return true;
	return yaml_error(r->doc, path, r->err, "%s: first must be above 0 and at most longest",
			  path);
}

static bool check_above_zero(const struct rules *r, nsec value, const char *path)
{
	return value > 0 || yaml_error(r->doc, path, r->err, "%s must be above 0", path);
}

static bool check_worker(const struct rules *r)
{
	const struct worker_settings *worker = &r->config->worker;

	if (worker->park_rows_per_unit > worker->park_rows_total)
		return yaml_error(
			r->doc, "/worker/park_rows_per_unit", r->err,
			"/worker/park_rows_per_unit must be at most park_rows_total (%zu)",
			worker->park_rows_total);
	return check_listen(r) && check_backoff(r, &worker->throttled, "/worker/throttled") &&
	       check_backoff(r, &worker->unavailable, "/worker/unavailable") &&
	       check_above_zero(r, worker->breaker_window, "/worker/breaker/window") &&
	       check_above_zero(r, worker->breaker_probe_after, "/worker/breaker/probe_after") &&
	       check_above_zero(r, r->config->postgres.statement_timeout,
				"/postgres/statement_timeout") &&
	       check_above_zero(r, r->config->postgres.lock_timeout, "/postgres/lock_timeout") &&
	       check_above_zero(r, r->config->kafka.max_message_bytes, "/kafka/max_message_bytes");
}

static bool check_endpoint(const struct rules *r, const struct endpoint *endpoint)
{
	const struct {
		const char *name;
		nsec value;
	} timeouts[] = {
		{"connect_timeout", endpoint->connect_timeout},
		{"first_byte_timeout", endpoint->first_byte_timeout},
		{"idle_timeout", endpoint->idle_timeout},
		{"total_timeout", endpoint->total_timeout},
	};
	char parent[MAX_PATH], path[MAX_PATH];

	config_path_join(parent, sizeof(parent), "/providers", endpoint->name);
	if (!begins_with(endpoint->base_url, "https://") &&
	    !begins_with(endpoint->base_url, "http://"))
		return yaml_error(r->doc, config_path_join(path, sizeof(path), parent, "base_url"),
				  r->err, "%s must begin with https:// or http://", path);
	for (size_t i = 0; i < COUNT_OF(timeouts); i++)
		if (!check_above_zero(
			    r, timeouts[i].value,
			    config_path_join(path, sizeof(path), parent, timeouts[i].name)))
			return false;
	return true;
}

static bool check_endpoints(const struct rules *r)
{
	for (size_t i = 0; i < r->config->endpoint_count; i++)
		if (!check_endpoint(r, &r->config->endpoints[i]))
			return false;
	return true;
}

static bool check_models(const struct rules *r)
{
	const char *model;
	json_t *place;
	char path[MAX_PATH];

	json_object_foreach ((json_t *)r->config->api.models, model, place) {
		const char *name = json_string_value(place);

		if (config_tier(r->config, name) || config_candidate_tier(r->config, name))
			continue;
		config_path_join(path, sizeof(path), "/api/models", model);
		return yaml_error(r->doc, path, r->err,
				  strchr(name, '/')
					  ? "%s: no tier has the candidate \"%s\" (provider/model)"
					  : "%s: tier \"%s\" is not configured",
				  path, name);
	}
	return true;
}

bool config_check(const struct config *config, const struct yaml *doc, struct error *err)
{
	const struct rules r = {.config = config, .doc = doc, .err = err};

	return check_endpoints(&r) && check_tiers(&r) && check_aliases(&r) && check_tasks(&r) &&
	       check_routing(&r) && check_reply_prefixes(&r) && check_worker(&r) &&
	       check_models(&r);
}
