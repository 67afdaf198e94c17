/*
 * sluice limits|budgets list|set: what the fleet may ask of providers, and what
 * those who pay may spend; seen and changed while it runs.
 */
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "command.h"
#include "ensure.h"
#include "json.h"
#include "money.h"
#include "session.h"

struct wishes {
	struct arguments common;
	bool csv;
	/* limits set */
	const char *provider, *credential, *model;
	int64_t requests, input, output, tokens, requests_per_day, tokens_per_day;
	bool calibrate, fix;
	/* budgets set */
	struct words match;
	const char *per, *usd, *at_stop;
	int64_t calls;
	/* both */
	bool remove;
	const char *who;
};

#define MOST 1000000000000000

/* --- list --- */

static const struct argument list_table[] = {
	ARGUMENT_FLAG(struct wishes, csv, "csv", 0, "print CSV"),
	{0},
};

static const struct argument_form limits_list_form = {
	.usage = "",
	.summary = "List the providers' rate limits: what is in force, what we think is left, what "
		   "the provider says.",
	.details = "",
	.table = list_table,
};

static int run_limits_list(int argc, char **argv)
{
	struct wishes wishes = {0};
	int code = arguments_parse(&limits_list_form, &wishes, argc, argv);
	struct error err;

	if (code >= 0)
		return code;
	if (session_show(&wishes.common, wishes.csv, "limits_list", NULL,
			 "none: they are found when a provider tells of them", &err))
		return COMMAND_OK;
	return session_fail("limits list", &err);
}

static const struct argument_form budgets_list_form = {
	.usage = "",
	.summary = "List the budgets: what is charged and reserved in the present period.",
	.details = "",
	.table = list_table,
};

static int run_budgets_list(int argc, char **argv)
{
	struct wishes wishes = {0};
	int code = arguments_parse(&budgets_list_form, &wishes, argc, argv);
	struct error err;

	if (code >= 0)
		return code;
	if (session_show(&wishes.common, wishes.csv, "budgets_list", NULL,
			 "none: nothing is limited", &err))
		return COMMAND_OK;
	return session_fail("budgets list", &err);
}

/* --- set --- */

/* Whoever is named, else whoever asks; `name` holds the latter. */
static const char *who(const struct wishes *wishes, struct passwd *user, char *name, size_t size)
{
	struct passwd *found = NULL;

	if (wishes->who)
		return wishes->who;
	return getpwuid_r(getuid(), user, name, size, &found) == 0 && found ? found->pw_name
									    : "somebody";
}

struct change {
	const char *kind, *unit, *period;
	int64_t cap; /* below 0: as it is */
	const char *policy;
	int calibrate; /* below 0: as it is */
};

static bool set(struct session *session, const struct wishes *wishes, const json_t *scope,
		const struct change *change, struct error *err)
{
	struct passwd user;
	char name[1024];
	AUTO(xfree) char *text = json_write(scope);
	struct pg_args *args = pg_args_create();

	pg_string(args, change->kind);
	pg_string(args, change->unit);
	pg_string(args, change->period);
	pg_string(args, text);
	if (change->cap >= 0)
		pg_big(args, change->cap);
	else
		pg_string(args, NULL);
	pg_string(args, change->policy);
	if (change->calibrate >= 0)
		pg_bool(args, change->calibrate > 0);
	else
		pg_string(args, NULL);
	pg_bool(args, wishes->remove);
	pg_string(args, who(wishes, &user, name, sizeof(name)));
	AUTO(pg_rows_destroy)
	struct pg_rows *rows = session_ask(session, "allowance_set", args, err);
	if (!rows)
		return false;
	if (wishes->common.json)
		printf("{\"id\":%s,\"unit\":\"%s\",\"per\":\"%s\",\"scope\":%s,\"removed\":%s}\n",
		       pg_get_text(rows, 0, 0), change->unit, change->period, text,
		       wishes->remove ? "true" : "false");
	else
		printf("%s %s: %s per %s for %s\n", wishes->remove ? "removed" : "set",
		       pg_get_text(rows, 0, 0), change->unit, change->period, text);
	return true;
}

static const struct argument limits_set_table[] = {
	ARGUMENT_TEXT(struct wishes, provider, "provider", 'p', "NAME", "of this provider"),
	ARGUMENT_TEXT(struct wishes, credential, "credential", 0, "NAME", "of this key"),
	ARGUMENT_TEXT(struct wishes, model, "model", 'm', "GLOB",
		      "of this model, or of these together"),
	ARGUMENT_COUNT(struct wishes, requests, "requests-per-minute", 0, "calls", 1, MOST),
	ARGUMENT_COUNT(struct wishes, input, "input-tokens-per-minute", 0, "tokens read", 1, MOST),
	ARGUMENT_COUNT(struct wishes, output, "output-tokens-per-minute", 0, "tokens written", 1,
		       MOST),
	ARGUMENT_COUNT(struct wishes, tokens, "tokens-per-minute", 0, "both together", 1, MOST),
	ARGUMENT_COUNT(struct wishes, requests_per_day, "requests-per-day", 0, "calls", 1, MOST),
	ARGUMENT_COUNT(struct wishes, tokens_per_day, "tokens-per-day", 0,
		       "tokens read and written", 1, MOST),
	ARGUMENT_FLAG(struct wishes, calibrate, "calibrate", 0,
		      "believe headers that tell another limit (as a new one does)"),
	ARGUMENT_FLAG(struct wishes, fix, "fix", 0, "never go above it, whatever headers tell"),
	ARGUMENT_FLAG(struct wishes, remove, "remove", 0,
		      "end the limits named (their numbers don't matter)"),
	ARGUMENT_TEXT(struct wishes, who, "who", 0, "NAME", "who changes it (default: this user)"),
	{0},
};

static const struct argument_form limits_set_form = {
	.usage = "",
	.summary = "Set rate limits for the whole fleet, within a second and without a restart.",
	.details = "  sluice limits set --provider openai --model 'gpt-4o*' --requests-per-minute "
		   "3000\n"
		   "\n"
		   "Who changed what and when is kept in the table allowance_changes.\n",
	.table = limits_set_table,
};

static bool set_limits(const struct wishes *wishes, struct error *err)
{
	AUTO_FINISH(session_finish) struct session session = {0};
	const struct change changes[] = {
		{"rate", "requests", "minute", wishes->requests, NULL, 0},
		{"rate", "input_tokens", "minute", wishes->input, NULL, 0},
		{"rate", "output_tokens", "minute", wishes->output, NULL, 0},
		{"rate", "tokens", "minute", wishes->tokens, NULL, 0},
		{"rate", "requests", "day", wishes->requests_per_day, NULL, 0},
		{"rate", "tokens", "day", wishes->tokens_per_day, NULL, 0},
	};
	json_auto_t *scope = json_object();
	size_t count = 0;

	if (!wishes->provider)
		return error_set(err, ERROR_REJECT, "whose limit? name it with --provider");
	if (!session_open(&session, &wishes->common, err))
		return false;
	if (!config_endpoint(session.config, wishes->provider))
		return error_set(err, ERROR_REJECT, "no provider \"%.60s\" is configured",
				 wishes->provider);
	json_object_set_new(scope, "provider", json_string(wishes->provider));
	if (wishes->credential)
		json_object_set_new(scope, "credential", json_string(wishes->credential));
	if (wishes->model)
		json_object_set_new(scope, "model", json_string(wishes->model));
	for (size_t i = 0; i < COUNT_OF(changes); i++) {
		struct change change = changes[i];

		if (change.cap == 0)
			continue;
		change.calibrate = wishes->fix ? 0 : wishes->calibrate ? 1 : -1;
		count++;
		if (!set(&session, wishes, scope, &change, err))
			return false;
	}
	return count > 0 || error_set(err, ERROR_REJECT,
				      "how much? name a limit, as in --requests-per-minute 3000");
}

static int run_limits_set(int argc, char **argv)
{
	struct wishes wishes = {0};
	int code = arguments_parse(&limits_set_form, &wishes, argc, argv);
	struct error err;

	if (code >= 0)
		return code;
	return set_limits(&wishes, &err) ? COMMAND_OK : session_fail("limits set", &err);
}

static const struct argument budgets_set_table[] = {
	ARGUMENT_LIST(
		struct wishes, match, "match", 'm', "TAG=VALUE",
		"for jobs with this tag: business_unit, feature, environment, usage_tier, user, "
		"plan, task, provider or model; several must match together; none: all jobs"),
	ARGUMENT_TEXT(struct wishes, per, "per", 0, "PERIOD",
		      "minute, hour, day or month (default)"),
	ARGUMENT_TEXT(struct wishes, usd, "usd", 0, "AMOUNT", "dollars"),
	ARGUMENT_COUNT(struct wishes, tokens, "tokens", 0, "tokens read and written", 0, MOST),
	ARGUMENT_COUNT(struct wishes, input, "input-tokens", 0, "tokens read", 0, MOST),
	ARGUMENT_COUNT(struct wishes, output, "output-tokens", 0, "tokens written", 0, MOST),
	ARGUMENT_COUNT(struct wishes, requests, "requests", 0, "calls that are answered", 0, MOST),
	ARGUMENT_COUNT(struct wishes, calls, "calls", 0, "calls at once, whatever the period", 1,
		       MOST),
	ARGUMENT_TEXT(
		struct wishes, at_stop, "at-stop", 0, "POLICY",
		"park (a new one's), degrade or dead: what becomes of jobs when it is used up"),
	ARGUMENT_FLAG(struct wishes, remove, "remove", 0,
		      "end the budgets named (their amounts don't matter)"),
	ARGUMENT_TEXT(struct wishes, who, "who", 0, "NAME", "who changes it (default: this user)"),
	{0},
};

static const struct argument_form budgets_set_form = {
	.usage = "",
	.summary = "Set budgets for the whole fleet, within a second and without a restart.",
	.details = "  sluice budgets set --match business_unit=search --per month --usd 500\n"
		   "  sluice budgets set --per hour --usd 50 --calls 200\n"
		   "\n"
		   "Jobs parked for a budget try again when it is set anew, or when its next "
		   "period begins.\n"
		   "Who changed what and when is kept in the table allowance_changes.\n",
	.table = budgets_set_table,
};

static bool read_match(const struct words *match, json_t *scope, struct error *err)
{
	static const char *const tags[] = {"business_unit", "feature",	"environment",
					   "usage_tier",    "user",	"plan",
					   "task",	    "provider", "model"};

	for (size_t i = 0; i < match->count; i++) {
		const char *equals = strchr(match->words[i], '=');
		size_t len = equals ? (size_t)(equals - match->words[i]) : 0, tag = 0;

		while (tag < COUNT_OF(tags) &&
		       (strlen(tags[tag]) != len || memcmp(tags[tag], match->words[i], len) != 0))
			tag++;
		if (tag == COUNT_OF(tags) || !equals || !equals[1])
			return error_set(
				err, ERROR_REJECT,
				"--match %.60s: write TAG=VALUE, as in business_unit=search",
				match->words[i]);
		json_object_set_new(scope, tags[tag], json_string(equals + 1));
	}
	return true;
}

static bool is_one_of(const char *word, const char *const *words)
{
	while (*words && strcmp(*words, word) != 0)
		words++;
	return *words != NULL;
}

static bool check_budget(const struct wishes *wishes, pico *usd, struct error *err)
{
	static const char *const periods[] = {"minute", "hour", "day", "month", NULL};
	static const char *const policies[] = {"park", "degrade", "dead", NULL};

	if (!is_one_of(wishes->per, periods))
		return error_set(err, ERROR_REJECT, "--per %.20s: write minute, hour, day or month",
				 wishes->per);
	if (wishes->at_stop && !is_one_of(wishes->at_stop, policies))
		return error_set(err, ERROR_REJECT, "--at-stop %.20s: write park, degrade or dead",
				 wishes->at_stop);
	if (wishes->usd && (!money_parse(wishes->usd, usd) || *usd < 0))
		return error_set(err, ERROR_REJECT, "--usd %.40s: write dollars, as in 49.50",
				 wishes->usd);
	return true;
}

static bool set_budgets(const struct wishes *wishes, struct error *err)
{
	AUTO_FINISH(session_finish) struct session session = {0};
	json_auto_t *scope = json_object();
	pico usd = -1;
	size_t count = 0;

	if (!check_budget(wishes, &usd, err) || !read_match(&wishes->match, scope, err) ||
	    !session_open(&session, &wishes->common, err))
		return false;
	const struct change changes[] = {
		{"balance", "usd", wishes->per, usd, wishes->at_stop, -1},
		{"balance", "tokens", wishes->per, wishes->tokens, wishes->at_stop, -1},
		{"balance", "input_tokens", wishes->per, wishes->input, wishes->at_stop, -1},
		{"balance", "output_tokens", wishes->per, wishes->output, wishes->at_stop, -1},
		{"balance", "requests", wishes->per, wishes->requests, wishes->at_stop, -1},
		{"balance", "calls", "none", wishes->calls, wishes->at_stop, -1},
	};
	for (size_t i = 0; i < COUNT_OF(changes); i++) {
		if (changes[i].cap < 0)
			continue;
		count++;
		if (!set(&session, wishes, scope, &changes[i], err))
			return false;
	}
	return count > 0 ||
	       error_set(err, ERROR_REJECT, "how much? name an amount, as in --usd 500");
}

static int run_budgets_set(int argc, char **argv)
{
	struct wishes wishes = {.per = "month",
				.tokens = -1,
				.input = -1,
				.output = -1,
				.requests = -1,
				.calls = -1};
	int code = arguments_parse(&budgets_set_form, &wishes, argc, argv);
	struct error err;

	if (code >= 0)
		return code;
	return set_budgets(&wishes, &err) ? COMMAND_OK : session_fail("budgets set", &err);
}

const struct command command_limits_list = {
	.name = "limits list",
	.summary = "the providers' rate limits, and how they stand",
	.group = COMMAND_MONEY,
	.run = run_limits_list,
	.form = &limits_list_form,
};

const struct command command_limits_set = {
	.name = "limits set",
	.summary = "change a rate limit for the whole fleet",
	.group = COMMAND_MONEY,
	.run = run_limits_set,
	.form = &limits_set_form,
};

const struct command command_budgets_list = {
	.name = "budgets list",
	.summary = "what may be spent, what is charged and reserved",
	.group = COMMAND_MONEY,
	.run = run_budgets_list,
	.form = &budgets_list_form,
};

const struct command command_budgets_set = {
	.name = "budgets set",
	.summary = "change what may be spent",
	.group = COMMAND_MONEY,
	.run = run_budgets_set,
	.form = &budgets_set_form,
};
