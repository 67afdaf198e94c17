#include <math.h>
#include <string.h>

#include "config_read.h"
#include "config_tree.h"
#include "ensure.h"
#include "units.h"

/* The tree is complete and checked: a setting that is missing here is a bug. */
static const char *text(const json_t *object, const char *name)
{
	return json_text(object, name, "");
}

static int64_t count(const json_t *object, const char *name)
{
	return json_integer_or(object, name, 0);
}

static size_t size_of(const json_t *object, const char *name)
{
	size_t bytes;

	ENSURE(units_size(text(object, name), &bytes));
	return bytes;
}

static nsec duration(const json_t *object, const char *name)
{
	nsec period;

	ENSURE(units_duration(text(object, name), &period));
	return period;
}

static pico dollars(const json_t *object, const char *name)
{
	return (pico)llround(json_number_or(object, name, 0) * (double)PICO_PER_USD);
}

static void fill_kafka(struct kafka_settings *kafka, const json_t *from)
{
	kafka->brokers = text(from, "brokers");
	kafka->prefix = text(from, "prefix");
	kafka->group = text(from, "group");
	kafka->options = json_object_get(from, "options");
	kafka->reply_prefixes = json_object_get(from, "reply_prefixes");
	kafka->partitions = (int)count(from, "partitions");
	kafka->replication = (int)count(from, "replication");
	kafka->max_message_bytes = size_of(from, "max_message_bytes");
}

static void fill_postgres(struct postgres_settings *postgres, const json_t *from)
{
	postgres->url = text(from, "url");
	postgres->statement_timeout = duration(from, "statement_timeout");
	postgres->keep_days = (int)json_integer_or(from, "keep_days", 0);
	postgres->keep_tombstone_days = (int)json_integer_or(from, "keep_tombstone_days", 0);
	postgres->lock_timeout = duration(from, "lock_timeout");
}

static struct backoff_profile backoff(const json_t *from)
{
	return (struct backoff_profile){
		.first = duration(from, "first"),
		.longest = duration(from, "longest"),
		.max_tries = (int)count(from, "max_tries"),
	};
}

static void fill_breaker(struct worker_settings *worker, const json_t *from)
{
	worker->breaker_share = json_number_or(from, "share", 0);
	worker->breaker_window = duration(from, "window");
	worker->breaker_min_calls = (int)count(from, "min_calls");
	worker->breaker_probe_after = duration(from, "probe_after");
}

static void fill_worker(struct worker_settings *worker, const json_t *from)
{
	worker->max_in_flight = (size_t)count(from, "max_in_flight");
	worker->group_size = (size_t)count(from, "group_size");
	worker->linger = duration(from, "linger");
	worker->grace = duration(from, "grace");
	worker->park_rows_per_unit = (size_t)count(from, "park_rows_per_unit");
	worker->park_rows_total = (size_t)count(from, "park_rows_total");
	worker->longest_wait_in_memory = duration(from, "longest_wait_in_memory");
	worker->normal_share = (int)count(from, "normal_share");
	worker->max_hops = (int)count(from, "max_hops");
	worker->max_job_age = duration(from, "max_job_age");
	worker->spool_dir = text(from, "spool_dir");
	worker->listen = text(from, "listen");
	worker->listen_token = text(from, "listen_token");
	worker->throttled = backoff(json_object_get(from, "throttled"));
	worker->unavailable = backoff(json_object_get(from, "unavailable"));
	fill_breaker(worker, json_object_get(from, "breaker"));
}

static void fill_batch(struct batch_settings *batch, const json_t *from)
{
	batch->max_lines = (size_t)count(from, "max_lines");
	batch->max_bytes = size_of(from, "max_bytes");
	batch->max_age = duration(from, "max_age");
	batch->poll = duration(from, "poll");
	batch->retry = duration(from, "retry");
	batch->adopt_wait = duration(from, "adopt_wait");
	batch->adopt_looks = (int)count(from, "adopt_looks");
	batch->rescue_before = duration(from, "rescue_before");
	batch->max_enqueued_tokens = count(from, "max_enqueued_tokens");
	batch->dir = text(from, "dir");
	batch->listen = text(from, "listen");
}

static void fill_api(struct api_settings *api, const json_t *from)
{
	api->listen = text(from, "listen");
	api->max_connections = (size_t)count(from, "max_connections");
	api->max_per_address = (size_t)count(from, "max_per_address");
	api->idle_timeout = duration(from, "idle_timeout");
	api->max_body = size_of(from, "max_body");
	api->max_upload = size_of(from, "max_upload");
	api->cert_file = text(from, "cert_file");
	api->key_file = text(from, "key_file");
	api->models = json_object_get(from, "models");
	api->webhook_secrets = json_object_get(from, "webhook_secrets");
	api->webhook_private = json_bool_or(from, "webhook_private", false);
}

static void fill_alerts(struct alert_settings *alerts, const json_t *from)
{
	const json_t *anomalies = json_object_get(from, "anomalies");

	alerts->webhook = text(from, "webhook");
	alerts->hour_factor = json_number_or(anomalies, "hour_factor", 0);
	alerts->burst_factor = json_number_or(anomalies, "burst_factor", 0);
	alerts->request_usd = json_number_or(anomalies, "request_usd", 0);
	alerts->share_factor = json_number_or(anomalies, "share_factor", 0);
	alerts->min_usd = json_number_or(anomalies, "min_usd", 0);
	alerts->min_calls = count(anomalies, "min_calls");
}

static void fill_endpoint(struct endpoint *endpoint, const char *name, const json_t *from)
{
	endpoint->name = name;
	endpoint->provider = provider_find(text(from, "dialect"));
	ENSURE(endpoint->provider); /* the schema names those that there are */
	endpoint->base_url = text(from, "base_url");
	endpoint->credential = text(from, "credential");
	endpoint->key = text(from, "key");
	endpoint->self_hosted = json_bool_or(from, "self_hosted", false);
	endpoint->staging = json_bool_or(from, "staging", false);
	endpoint->sends_limits = json_bool_or(from, "sends_limits", false);
	endpoint->supports_batch = json_bool_or(from, "supports_batch", false);
	endpoint->connect_timeout = duration(from, "connect_timeout");
	endpoint->first_byte_timeout = duration(from, "first_byte_timeout");
	endpoint->idle_timeout = duration(from, "idle_timeout");
	endpoint->total_timeout = duration(from, "total_timeout");
	endpoint->max_connections = (size_t)count(from, "max_connections");
	endpoint->ca_file = text(from, "ca_file");
}

/* The base URL is followed by paths that begin with a slash. */
static void trim_slashes(json_t *provider)
{
	const char *url = text(provider, "base_url");
	size_t len = strlen(url);

	while (len > 0 && url[len - 1] == '/')
		len--;
	if (url[len])
		json_object_set_new(provider, "base_url", json_stringn(url, len));
}

static void fill_endpoints(struct config *config, json_t *from)
{
	const char *name;
	json_t *provider;

	config->endpoints = xcalloc(json_object_size(from), sizeof(*config->endpoints));
	json_object_foreach (from, name, provider) {
		trim_slashes(provider);
		fill_endpoint(&config->endpoints[config->endpoint_count++], name, provider);
	}
}

static enum output_dialect output_dialect_named(const char *name)
{
	static const char *const names[] = {
		[OUTPUT_NONE] = "none",
		[OUTPUT_JSON_OBJECT] = "json_object",
		[OUTPUT_OPENAI_SCHEMA] = "openai_schema",
		[OUTPUT_ANTHROPIC_FORMAT] = "anthropic_format",
		[OUTPUT_ANTHROPIC_TOOL] = "anthropic_tool",
	};
	size_t i = 0;

	while (i < COUNT_OF(names) && strcmp(names[i], name) != 0)
		i++;
	ENSURE(i < COUNT_OF(names)); /* the schema names those that there are */
	return (enum output_dialect)i;
}

/* What the file says of a model overrules what is built in. */
static struct model overruled(struct model traits, const json_t *by)
{
	const char *output = json_text(by, "output", NULL);

	traits.known = traits.known || json_object_size(by) > 0;
	if (output)
		traits.output = output_dialect_named(output);
	traits.context_window = json_integer_or(by, "context_window", traits.context_window);
	traits.max_output = json_integer_or(by, "max_output", traits.max_output);
	traits.takes_temperature = json_bool_or(by, "takes_temperature", traits.takes_temperature);
	traits.takes_top_p = json_bool_or(by, "takes_top_p", traits.takes_top_p);
	traits.takes_stop = json_bool_or(by, "takes_stop", traits.takes_stop);
	traits.takes_seed = json_bool_or(by, "takes_seed", traits.takes_seed);
	traits.gives_logprobs = json_bool_or(by, "gives_logprobs", traits.gives_logprobs);
	traits.completion_cap = json_bool_or(by, "completion_cap", traits.completion_cap);
	traits.reasons = json_bool_or(by, "reasons", traits.reasons);
	traits.cache_min_tokens = json_integer_or(by, "cache_min_tokens", traits.cache_min_tokens);
	traits.explicit_cache = json_bool_or(by, "explicit_cache", traits.explicit_cache);
	traits.bytes_per_token = json_number_or(by, "bytes_per_token", traits.bytes_per_token);
	return traits;
}

static bool fill_candidate(const struct config *config, struct candidate *candidate,
			   const json_t *from, const char *path, const struct yaml *doc,
			   struct error *err)
{
	const json_t *aliases = json_object_get(config->tree, "aliases");
	const char *model = text(from, "model");
	char at[256];

	candidate->endpoint = config_endpoint(config, text(from, "provider"));
	if (!candidate->endpoint)
		return yaml_error(doc, config_path_join(at, sizeof(at), path, "provider"), err,
				  "provider \"%s\" is not configured; name one that stands under "
				  "providers",
				  text(from, "provider"));
	candidate->model = json_text(aliases, model, model);
	candidate->traits = overruled(
		model_lookup(candidate->endpoint->provider->dialect, candidate->model),
		json_object_get(from, "traits"));
	candidate->weight = (unsigned)count(from, "weight");
	return true;
}

static bool fill_tier(struct config *config, const json_t *from, size_t rank,
		      const struct yaml *doc, struct error *err)
{
	const json_t *candidates = json_object_get(from, "candidates");
	struct tier *tier = &config->tiers[rank];
	char path[64];

	tier->name = text(from, "name");
	tier->rank = rank;
	tier->pick = text(from, "pick");
	tier->candidates = xcalloc(json_array_size(candidates), sizeof(*tier->candidates));
	config->tier_count++;
	for (size_t i = 0; i < json_array_size(candidates); i++) {
		snprintf(path, sizeof(path), "/tiers/%zu/candidates/%zu", rank, i);
		if (!fill_candidate(config, &tier->candidates[i], json_array_get(candidates, i),
				    path, doc, err))
			return false;
		tier->candidate_count++;
	}
	return true;
}

static bool fill_tiers(struct config *config, const json_t *from, const struct yaml *doc,
		       struct error *err)
{
	size_t tiers = json_array_size(from);

	config->tiers = xcalloc(tiers, sizeof(*config->tiers));
	for (size_t rank = 0; rank < tiers; rank++)
		if (!fill_tier(config, json_array_get(from, rank), rank, doc, err))
			return false;
	return true;
}

static void fill_task(struct task *task, const char *name, const json_t *from)
{
	task->name = name;
	task->tier = text(from, "tier");
	task->output_schema = json_object_get(from, "output_schema");
	task->min_confidence = json_number_or(from, "min_confidence", 0);
	task->confidence_field = text(from, "confidence_field");
	task->needs_confidence = json_bool_or(from, "needs_confidence", false);
	task->max_output_tokens = count(from, "max_output_tokens");
	task->max_cost = dollars(from, "max_cost_usd");
	task->max_repairs = (int)count(from, "max_repairs");
	task->max_attempts = (int)count(from, "max_attempts");
	task->refusal_escalates = json_bool_or(from, "refusal_escalates", false);
	task->degraded_allowed = json_bool_or(from, "degraded_allowed", false);
	task->cheaper_allowed = json_bool_or(from, "cheaper_allowed", false);
	task->static_answer = text(from, "static_answer");
	task->cache_ttl = duration(from, "cache_ttl");
}

/* A task says only how it differs from the defaults. */
static void fill_tasks(struct config *config, json_t *defaults, json_t *tasks)
{
	const char *name;
	json_t *task;

	config->tasks = xcalloc(1 + json_object_size(tasks), sizeof(*config->tasks));
	fill_task(&config->tasks[config->task_count++], "", defaults);
	json_object_foreach (tasks, name, task) {
		json_object_update_missing(task, defaults);
		fill_task(&config->tasks[config->task_count++], name, task);
	}
}

bool config_fill(struct config *config, const struct yaml *doc, struct error *err)
{
	json_t *tree = config->tree;

	fill_kafka(&config->kafka, json_object_get(tree, "kafka"));
	fill_postgres(&config->postgres, json_object_get(tree, "postgres"));
	fill_worker(&config->worker, json_object_get(tree, "worker"));
	fill_batch(&config->batch, json_object_get(tree, "batch"));
	fill_api(&config->api, json_object_get(tree, "api"));
	fill_alerts(&config->alerts, json_object_get(tree, "alerts"));
	fill_endpoints(config, json_object_get(tree, "providers"));
	if (!fill_tiers(config, json_object_get(tree, "tiers"), doc, err))
		return false;
	fill_tasks(config, json_object_get(tree, "defaults"), json_object_get(tree, "tasks"));
	config->routing = json_object_get(tree, "routing");
	return config_fill_allowances(config, doc, err);
}
