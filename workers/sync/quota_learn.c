#include <string.h>

#include "quota_rules.h"
#include "worker.h"

static bool names_rule(const struct limit_reading *reading, const struct rule *rule)
{
	if (strcmp(reading->name, "requests_per_day") == 0)
		return rule->unit == UNIT_REQUESTS && rule->by_day;
	return !rule->by_day && strcmp(reading->name, allowance_unit_name(rule->unit)) == 0;
}

/* What the provider told and nobody configured becomes an allowance by itself. */
static void discover(struct worker *w, const struct target *target, enum allowance_unit unit,
		     bool by_day, int64_t limit)
{
	struct target_quota *known = &w->quota->targets[target->number];
	const struct endpoint *endpoint = target->account->endpoint;

	if (known->discovered[unit] || !pg_ready(w->pgs[PG_QUOTA]))
		return;
	known->discovered[unit] = true;
	json_auto_t *scope = json_pack("{s:s,s:s,s:s}", "provider", endpoint->name, "credential",
				       endpoint->credential, "model", target->model);
	struct allowance_setting setting = {
		.kind = "rate",
		.unit = allowance_unit_name(unit),
		.period = by_day ? "day" : "minute",
		.scope = scope,
		.cap = limit > 0 ? limit : -1,
		.calibrate = true,
	};
	quota_bring(w, &setting, "provider", "a worker, from a reply");
}

static void note_reading(struct worker *w, const struct target *target,
			 const struct limit_reading *reading, nsec now)
{
	const struct target_quota *known = &w->quota->targets[target->number];
	bool by_day = strcmp(reading->name, "requests_per_day") == 0;
	enum allowance_unit unit;
	bool found = false;

	for (size_t i = 0; i < known->count; i++) {
		struct rule *rule = known->rates[i];

		if (!names_rule(reading, rule))
			continue;
		found = true;
		rule->said_limit = reading->limit;
		rule->said_left = reading->remaining;
		rule->said_at = now;
	}
	if (found || reading->limit <= 0)
		return;
	if (by_day)
		unit = UNIT_REQUESTS;
	else if (!allowance_unit_parse(reading->name, &unit) ||
		 (unit == UNIT_TOKENS && !quota_reserves_cap(target)))
		return; /* Anthropic's "tokens" is the tighter one of the other two */
	discover(w, target, unit, by_day, reading->limit);
}

/* Which rates a 429 was about: tokens if it says so, else requests, and all if there is no such. */
static bool is_about(const struct rule *rule, bool tokens)
{
	return (rule->unit != UNIT_REQUESTS) == tokens;
}

static void note_hold(struct worker *w, const struct target *target, const struct reply *reply,
		      nsec hold, nsec now)
{
	const struct target_quota *known = &w->quota->targets[target->number];
	bool tokens = strstr(reply->code, "token") || strstr(reply->message, "token");
	size_t about = 0;

	for (size_t i = 0; i < known->count; i++)
		about += is_about(known->rates[i], tokens);
	for (size_t i = 0; i < known->count; i++) {
		struct rule *rule = known->rates[i];

		if (about > 0 && !is_about(rule, tokens))
			continue;
		rule->hit = true;
		if (now + hold > rule->hold)
			rule->hold = now + hold;
		if (now + hold > rule->share.held_until)
			rule->share.held_until = now + hold;
	}
	if (known->count > 0)
		quota_hurry(w, now);
	else
		discover(w, target, UNIT_REQUESTS, false, 0);
}

/* A guess was too high or too low: the difference goes to the row, for everyone. */
static void settle_guess(struct work *work, const struct target *target, const struct usage *usage)
{
	struct call_size real = {
		.input = usage_prompt(usage),
		.cache_read = usage->cache_read,
		.output = usage->output,
		.output_cap = work->takes.size.output_cap,
	};

	for (size_t i = 0; i < work->takes.count; i++) {
		struct quota_take *take = &work->takes.items[i];

		if (!rule_is_balance(take->rule) && !take->rule->open)
			take->rule->credit += take->amount -
					      call_size_in(&real, take->rule->unit,
							   quota_reserves_cap(target));
	}
}

void quota_learn(struct worker *w, struct work *work, const struct reply *reply, nsec hold,
		 nsec now)
{
	const struct target *target = work->target;
	struct target_quota *known = &w->quota->targets[target->number];

	for (size_t i = 0; i < reply->reading_count; i++)
		note_reading(w, target, &reply->readings[i], now);
	if (reply->kind == REPLY_THROTTLED)
		note_hold(w, target, reply, hold, now);
	if (reply->usage.known) {
		token_guess_learn(&known->input, work->takes.bytes, usage_prompt(&reply->usage));
		token_guess_learn(&known->output, work->takes.size.output_cap, reply->usage.output);
		settle_guess(work, target, &reply->usage);
	}
	work->takes.count = 0;
}
