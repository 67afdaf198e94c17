#include "quota_rules.h"

#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>

#include "ensure.h"
#include "log.h"
#include "utf8.h"
#include "worker.h"

#define MOST_RULES 100000

/* --- which allowances hold --- */

bool rule_is_balance(const struct rule *rule)
{
	return rule->share.kind == ALLOWANCE_BALANCE;
}

bool rule_is_used_up(const struct rule *rule)
{
	return rule_is_balance(rule) && rule->unit != UNIT_CALLS &&
	       rule->unit != UNIT_ENQUEUED_TOKENS;
}

static bool fits(const char *wanted, const char *value)
{
	return !*wanted || strcmp(wanted, value) == 0;
}

bool rule_pays_for(const struct rule *rule, const struct job *job)
{
	return rule_is_balance(rule) && !rule->gone &&
	       fits(rule->tags[TAG_UNIT], job->business_unit) &&
	       fits(rule->tags[TAG_FEATURE], job->feature) &&
	       fits(rule->tags[TAG_ENVIRONMENT], job->environment) &&
	       fits(rule->tags[TAG_USAGE_TIER], job->usage_tier) &&
	       fits(rule->tags[TAG_USER], job->user) &&
	       fits(rule->tags[TAG_PLAN], job->free_plan ? "free" : "paid") &&
	       fits(rule->tags[TAG_TASK], job->task);
}

bool rule_is_of_all(const struct rule *rule)
{
	for (size_t tag = 0; tag < TAG_COUNT; tag++)
		if (*rule->tags[tag])
			return false;
	return !*rule->provider && !*rule->credential && !*rule->model;
}

bool rule_holds_at(const struct rule *rule, const struct target *target)
{
	const struct endpoint *endpoint = target->account->endpoint;

	return fits(rule->provider, endpoint->name) &&
	       fits(rule->credential, endpoint->credential) &&
	       (!*rule->model || fnmatch(rule->model, target->model, 0) == 0);
}

bool quota_pays(const struct worker *w, const struct work *work)
{
	const struct quota *q = w->quota;

	for (size_t i = 0; q->balances > 0 && i < q->count; i++)
		if (rule_pays_for(q->rules[i], work->job))
			return true;
	return false;
}

static void list_rates(struct worker *w, size_t t)
{
	struct quota *q = w->quota;
	struct target_quota *known = &q->targets[t];

	known->count = 0;
	for (size_t i = 0; i < q->count; i++) {
		struct rule *rule = q->rules[i];

		if (rule_is_balance(rule) || rule->gone ||
		    !rule_holds_at(rule, targets_at(w->targets, t)))
			continue;
		known->rates = xrealloc(known->rates, (known->count + 1) * sizeof(*known->rates));
		known->rates[known->count++] = rule;
	}
}

/* --- definitions --- */

struct rule *rules_find(const struct quota *q, int32_t id)
{
	for (size_t i = 0; i < q->count; i++)
		if (q->rules[i]->id == id)
			return q->rules[i];
	return NULL;
}

static struct rule *rule_add(struct quota *q, int32_t id, enum allowance_kind kind)
{
	struct rule *rule = xcalloc(1, sizeof(*rule));

	rule->id = id;
	rule->said_limit = rule->said_left = -1;
	allowance_init(&rule->share, kind);
	q->rules = xrealloc(q->rules, (q->count + 1) * sizeof(*q->rules));
	q->rules[q->count++] = rule;
	return rule;
}

/* Columns of allowances.sql. */
enum {
	COLUMN_ID,
	COLUMN_KIND,
	COLUMN_UNIT,
	COLUMN_PERIOD,
	COLUMN_POLICY,
	COLUMN_PROVIDER,
	COLUMN_CREDENTIAL,
	COLUMN_MODEL,
	COLUMN_TAGS,
	COLUMN_VERSION = COLUMN_TAGS + TAG_COUNT,
	COLUMN_OWN_VERSION
};

static void read_definition(struct quota *q, const struct pg_rows *rows, int row)
{
	int32_t id = (int32_t)pg_get_int(rows, row, COLUMN_ID);
	struct rule *rule = rules_find(q, id);
	bool balance = strcmp(pg_get_text(rows, row, COLUMN_KIND), "balance") == 0;
	int64_t version = pg_get_int(rows, row, COLUMN_VERSION);

	if (!rule)
		rule = rule_add(q, id, balance ? ALLOWANCE_BALANCE : ALLOWANCE_RATE);
	rule->gone = !allowance_unit_parse(pg_get_text(rows, row, COLUMN_UNIT), &rule->unit);
	rule->by_day = strcmp(pg_get_text(rows, row, COLUMN_PERIOD), "day") == 0;
	if (rule->version != pg_get_int(rows, row, COLUMN_OWN_VERSION))
		rule->share.most = INT64_MAX; /* the cap may be another now */
	rule->version = pg_get_int(rows, row, COLUMN_OWN_VERSION);
	utf8_copy(rule->policy, sizeof(rule->policy), pg_get_text(rows, row, COLUMN_POLICY));
	utf8_copy(rule->provider, sizeof(rule->provider), pg_get_text(rows, row, COLUMN_PROVIDER));
	utf8_copy(rule->credential, sizeof(rule->credential),
		  pg_get_text(rows, row, COLUMN_CREDENTIAL));
	utf8_copy(rule->model, sizeof(rule->model), pg_get_text(rows, row, COLUMN_MODEL));
	for (int tag = 0; tag < TAG_COUNT; tag++) {
		free(rule->tags[tag]);
		rule->tags[tag] = xstrdup(pg_get_text(rows, row, COLUMN_TAGS + tag));
	}
	q->balances += balance && !rule->gone;
	if (version > q->version)
		q->version = version;
}

void rules_read(struct worker *w, const struct pg_rows *rows)
{
	struct quota *q = w->quota;

	q->balances = 0;
	for (size_t i = 0; i < q->count; i++)
		q->rules[i]->gone = true;
	for (int row = 0; row < pg_count(rows) && row < MOST_RULES; row++)
		read_definition(q, rows, row);
	for (size_t t = 0; t < q->target_count; t++)
		list_rates(w, t);
	q->stale = false;
	if (q->version < q->newest)
		q->version = q->newest;
	log_info("allowances_read", "count=%d balances=%zu", pg_count(rows), q->balances);
}
