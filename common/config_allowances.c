/* The sections `limits` and `budgets`: each says several allowances at once. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "config_read.h"
#include "config_tree.h"
#include "ensure.h"

static const struct {
	const char *setting;
	const char *unit;
	const char *period;
} rates[] = {
	{"requests_per_minute", "requests", "minute"},
	{"input_tokens_per_minute", "input_tokens", "minute"},
	{"output_tokens_per_minute", "output_tokens", "minute"},
	{"tokens_per_minute", "tokens", "minute"},
	{"requests_per_day", "requests", "day"},
	{"tokens_per_day", "tokens", "day"},
};

static const char *const balances[] = {"usd",		"tokens",   "input_tokens",
				       "output_tokens", "requests", "calls"};

static struct allowance_setting *add(struct config *config)
{
	config->allowances = xrealloc(config->allowances,
				      (config->allowance_count + 1) * sizeof(*config->allowances));
	return &config->allowances[config->allowance_count++];
}

/* The same members in the same order mean the same row. */
static json_t *scope_of(const json_t *from, const char *const *names, size_t count)
{
	json_t *scope = json_object();

	for (size_t i = 0; i < count; i++) {
		const char *value = json_text(from, names[i], "");

		if (*value)
			json_object_set_new(scope, names[i], json_string(value));
	}
	return scope;
}

static bool fill_limit(struct config *config, const json_t *from, size_t number,
		       const struct yaml *doc, struct error *err)
{
	static const char *const names[] = {"provider", "credential", "model"};
	json_auto_t *scope = scope_of(from, names, COUNT_OF(names));
	char path[64];

	snprintf(path, sizeof(path), "/limits/%zu/provider", number);
	if (!config_endpoint(config, json_text(from, "provider", "")))
		return yaml_error(doc, path, err,
				  "provider \"%s\" is not configured; name one that stands under "
				  "providers",
				  json_text(from, "provider", ""));
	for (size_t i = 0; i < COUNT_OF(rates); i++) {
		int64_t cap = json_integer_or(from, rates[i].setting, 0);

		if (cap == 0)
			continue;
		*add(config) = (struct allowance_setting){
			.kind = "rate",
			.unit = rates[i].unit,
			.period = rates[i].period,
			.scope = json_incref(scope),
			.cap = cap,
			.policy = "park",
			.calibrate = json_bool_or(from, "calibrate", true),
		};
	}
	return true;
}

static int64_t cap_of(const json_t *from, const char *unit)
{
	if (strcmp(unit, "usd") != 0)
		return json_integer_or(from, unit, -1);
	if (!json_object_get(from, unit))
		return -1;
	return (int64_t)llround(json_number_or(from, unit, 0) * (double)PICO_PER_USD);
}

static void fill_budget(struct config *config, const json_t *from)
{
	static const char *const names[] = {"business_unit", "feature",	 "environment",
					    "usage_tier",    "user",	 "plan",
					    "task",	     "provider", "model"};
	json_auto_t *scope = scope_of(json_object_get(from, "match"), names, COUNT_OF(names));

	for (size_t i = 0; i < COUNT_OF(balances); i++) {
		int64_t cap = cap_of(from, balances[i]);

		if (cap < 0)
			continue;
		*add(config) = (struct allowance_setting){
			.kind = "balance",
			.unit = balances[i],
			.period = strcmp(balances[i], "calls") == 0 ? "none"
								    : json_text(from, "per", ""),
			.scope = json_incref(scope),
			.cap = cap,
			.policy = json_text(from, "at_stop", ""),
			.calibrate = true,
		};
	}
}

bool config_fill_allowances(struct config *config, const struct yaml *doc, struct error *err)
{
	const json_t *limits = json_object_get(config->tree, "limits");
	const json_t *budgets = json_object_get(config->tree, "budgets");

	for (size_t i = 0; i < json_array_size(limits); i++)
		if (!fill_limit(config, json_array_get(limits, i), i, doc, err))
			return false;
	for (size_t i = 0; i < json_array_size(budgets); i++)
		fill_budget(config, json_array_get(budgets, i));
	return true;
}

void config_finish_allowances(struct config *config)
{
	for (size_t i = 0; i < config->allowance_count; i++)
		json_decref(config->allowances[i].scope);
	free(config->allowances);
}
