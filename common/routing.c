#include "routing.h"

#include <fnmatch.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "ensure.h"
#include "json_writer.h"
#include "routing_signals.h"

/* What the rules that match a job say together. */
struct ruling {
	double complexity; /* NAN: nothing */
	double add;
	const struct tier *tier; /* NULL: nothing, and so below */
	const struct tier *min_tier;
	const struct tier *max_tier;
	enum lane lane; /* LANE_AUTO: nothing */
};

static PRINTF(2, 3) void note(struct routing_decision *d, const char *fmt, ...)
{
	va_list args;

	if (d->reason_count == ROUTING_REASONS)
		return;
	va_start(args, fmt);
	vsnprintf(d->reasons[d->reason_count++], sizeof(d->reasons[0]), fmt, args);
	va_end(args);
}

/* What the job has under the name of a rule's match. NULL: no rule may name that. */
static const char *job_value(const struct job *job, const char *name)
{
	if (strcmp(name, "task") == 0)
		return job->task;
	if (strcmp(name, "feature") == 0)
		return job->feature;
	if (strcmp(name, "business_unit") == 0)
		return job->business_unit;
	if (strcmp(name, "environment") == 0)
		return job->environment;
	if (strcmp(name, "plan") == 0)
		return job->free_plan ? "free" : "paid";
	return NULL;
}

static bool rule_matches(const json_t *rule, const struct job *job)
{
	json_t *match = json_object_get(rule, "match");
	const char *name;
	json_t *wanted;

	json_object_foreach (match, name, wanted) {
		const char *value = job_value(job, name);

		if (!value || !json_is_string(wanted) ||
		    fnmatch(json_string_value(wanted), value, 0) != 0)
			return false;
	}
	return true;
}

/* The tier a rule names under `member`; where it names none, the one there was. */
static const struct tier *rule_tier(const struct config *config, const json_t *rule,
				    const char *member, const struct tier *before)
{
	const struct tier *tier = config_tier(config, json_text(rule, member, ""));

	return tier ? tier : before;
}

static const struct tier *higher(const struct tier *a, const struct tier *b)
{
	return !a || (b && b->rank > a->rank) ? b : a;
}

static const struct tier *lower(const struct tier *a, const struct tier *b)
{
	return !a || (b && b->rank < a->rank) ? b : a;
}

static void apply_rule(const struct config *config, const json_t *rule, struct ruling *ruling)
{
	ruling->complexity = json_number_or(rule, "complexity", ruling->complexity);
	ruling->add += json_number_or(rule, "add", 0);
	ruling->tier = rule_tier(config, rule, "tier", ruling->tier);
	ruling->min_tier = higher(ruling->min_tier, rule_tier(config, rule, "min_tier", NULL));
	ruling->max_tier = lower(ruling->max_tier, rule_tier(config, rule, "max_tier", NULL));
	(void)lane_parse(json_text(rule, "lane", lane_name(ruling->lane)), &ruling->lane);
}

static struct ruling rule(const struct config *config, const struct job *job,
			  struct routing_decision *d)
{
	struct ruling ruling = {.complexity = NAN, .lane = LANE_AUTO};
	json_t *rules = json_object_get(config->routing, "rules");
	json_t *one;
	size_t i;

	json_array_foreach (rules, i, one) {
		if (!rule_matches(one, job))
			continue;
		apply_rule(config, one, &ruling);
		note(d, "rule %zu matches", i + 1);
	}
	return ruling;
}

static double clamp(double value)
{
	return value > 0 ? (value < 1 ? value : 1) : 0;
}

static double weight_of(const struct config *config, enum routing_signal signal)
{
	static const double usual[SIGNAL_COUNT] = {
		[SIGNAL_COMPLEXITY] = 0.4,
		[SIGNAL_QUALITY] = 0.3,
		[SIGNAL_LATENCY] = 0.1,
		[SIGNAL_CONTEXT] = 0.2,
	};

	return json_number_or(json_object_get(config->routing, "weights"),
			      routing_signal_name(signal), usual[signal]);
}

/* Weights are shares of their sum, so that the score stays within 0 and 1. */
static void weigh(const struct config *config, double add, struct routing_decision *d)
{
	double sum = 0;
	double score = add;

	for (int s = 0; s < SIGNAL_COUNT; s++)
		sum += weight_of(config, (enum routing_signal)s);
	for (int s = 0; s < SIGNAL_COUNT; s++) {
		double weight = weight_of(config, (enum routing_signal)s);

		d->parts[s] = sum > 0 ? d->signals[s] * weight / sum : 0;
		score += d->parts[s];
	}
	d->add = add;
	d->score = clamp(score);
}

/* Tiers without a threshold share the range evenly; the cheapest one is always open. */
static double threshold_of(const struct config *config, const struct tier *tier)
{
	return json_number_or(json_object_get(config->routing, "thresholds"), tier->name,
			      (double)tier->rank / (double)config->tier_count);
}

static const struct tier *tier_by_score(const struct config *config, double score)
{
	size_t chosen = 0;

	for (size_t i = 1; i < config->tier_count; i++)
		if (score >= threshold_of(config, &config->tiers[i]))
			chosen = i;
	return &config->tiers[chosen];
}

static bool is_named(const char *tier)
{
	return *tier && strcmp(tier, "auto") != 0;
}

static bool find_tier(const struct config *config, const char *member, const char *name,
		      const struct tier **tier, struct error *err)
{
	*tier = is_named(name) ? config_tier(config, name) : NULL;
	if (*tier || !is_named(name))
		return true;
	return error_set(err, ERROR_REJECT,
			 "%s: tier \"%.64s\" is not configured; use \"auto\" or one that is",
			 member, name);
}

/* Who names the tier, in the order of the header, and what rules want at least. */
static const struct tier *wanted_tier(const struct config *config, const struct job *job,
				      const struct tier *own, const struct ruling *ruling,
				      struct routing_decision *d)
{
	const char *by_task = config_task(config, job->task)->tier;
	const struct tier *tier = is_named(by_task) ? config_tier(config, by_task) : NULL;

	if (own) {
		note(d, "the job asks for tier %s", own->name);
		return own;
	}
	if (ruling->tier) {
		tier = ruling->tier;
		note(d, "a rule says tier %s", tier->name);
	} else if (tier) {
		note(d, "the task says tier %s", tier->name);
	} else {
		tier = tier_by_score(config, d->score);
		note(d, "score %.3f reaches tier %s", d->score, tier->name);
	}
	if (ruling->min_tier && ruling->min_tier->rank > tier->rank) {
		tier = ruling->min_tier;
		note(d, "a rule raises to tier %s", tier->name);
	}
	return tier;
}

static const struct tier *capped(const struct tier *tier, const struct tier *cap, const char *who,
				 struct routing_decision *d)
{
	if (!cap || cap->rank >= tier->rank)
		return tier;
	note(d, "%s lowers to tier %s", who, cap->name);
	return cap;
}

/* May a candidate of the tier be called for the job, and hold as many tokens? */
static bool tier_suits(const struct tier *tier, const struct job *job, int64_t tokens)
{
	for (size_t i = 0; i < tier->candidate_count; i++) {
		const struct candidate *c = &tier->candidates[i];
		int64_t window = c->traits.context_window;

		if (routing_may_call(c, job) && (window <= 0 || tokens <= window))
			return true;
	}
	return false;
}

/* The nearest tier that suits: this one, then those above up to the cap, then those below. */
static const struct tier *nearest(const struct config *config, const struct tier *tier,
				  const struct tier *cap, const struct job *job, int64_t tokens)
{
	size_t top = cap ? cap->rank : config->tier_count - 1;

	for (size_t i = tier->rank; i <= top; i++)
		if (tier_suits(&config->tiers[i], job, tokens))
			return &config->tiers[i];
	for (size_t i = tier->rank; i-- > 0;)
		if (tier_suits(&config->tiers[i], job, tokens))
			return &config->tiers[i];
	return NULL;
}

/*
 * Our count of tokens is a guess: it moves no job that names its tier, and a
 * prompt that fits nowhere goes to where it was wanted; the provider's word counts.
 */
static bool settle_tier(const struct config *config, const struct job *job,
			const struct tier *wanted, const struct tier *cap,
			struct routing_decision *d, struct error *err)
{
	bool named = is_named(job->tier) || *job->candidate;
	int64_t room = named ? 0 : d->tokens + job->max_output_tokens;

	d->tier = nearest(config, wanted, cap, job, room);
	if (!d->tier) {
		d->tier = nearest(config, wanted, cap, job, 0);
		note(d, "no tier allowed has a window of %lld tokens", (long long)room);
	}
	if (!d->tier && *job->candidate)
		return error_set(err, ERROR_REJECT,
				 "/candidate: no tier that the job may go to has \"%.100s\", or it "
				 "is not self-hosted, which data of class restricted needs",
				 job->candidate);
	if (!d->tier)
		return error_set(err, ERROR_REJECT,
				 "/data_class: no tier has a self-hosted candidate, which data of "
				 "class restricted needs");
	if (d->tier != wanted)
		note(d, "tier %s is the nearest that suits the job", d->tier->name);
	return true;
}

static void settle_lane(const struct config *config, const struct job *job,
			const struct routing_news *news, enum lane by_rule, nsec wall,
			struct routing_decision *d)
{
	if (job->lane != LANE_AUTO) {
		d->lane = job->lane;
		note(d, "the job asks for lane %s", lane_name(d->lane));
	} else if (by_rule != LANE_AUTO) {
		d->lane = by_rule;
		note(d, "a rule says lane %s", lane_name(d->lane));
	} else {
		struct lane_choice choice = routing_lane(config, d->tier, job, news, wall);

		d->lane = choice.lane;
		note(d, "%s", choice.why);
	}
	if (d->lane == LANE_BATCH && !routing_has_batch(d->tier, job)) {
		d->lane = LANE_NORMAL;
		note(d, "tier %s has no batch API: lane normal", d->tier->name);
	}
}

bool routing_decide(const struct config *config, const struct job *job,
		    const struct routing_news *news, nsec wall, struct routing_decision *decision,
		    struct error *err)
{
	const struct tier *own;
	const struct tier *cap;
	const struct tier *tier;
	struct ruling ruling;

	ENSURE(config->tier_count > 0);
	*decision = (struct routing_decision){0};
	if (!find_tier(config, "/tier", job->tier, &own, err) ||
	    !find_tier(config, "/max_tier", job->max_tier, &cap, err))
		return false;
	ruling = rule(config, job, decision);
	routing_measure(config, job, wall, decision);
	if (!isnan(ruling.complexity))
		decision->signals[SIGNAL_COMPLEXITY] = clamp(ruling.complexity);
	weigh(config, ruling.add, decision);
	tier = wanted_tier(config, job, own, &ruling, decision);
	tier = capped(tier, cap, "the job's max_tier", decision);
	tier = capped(tier, ruling.max_tier, "a rule", decision);
	if (!settle_tier(config, job, tier, lower(cap, ruling.max_tier), decision, err))
		return false;
	settle_lane(config, job, news, ruling.lane, wall, decision);
	return true;
}

static double rounded(double value)
{
	return round(value * 1000) / 1000;
}

void routing_write(const struct routing_decision *d, struct buffer *out)
{
	struct json_writer w = {.out = out};

	json_open(&w, '{');
	json_key(&w, "tier");
	json_put_text(&w, d->tier->name);
	json_key(&w, "lane");
	json_put_text(&w, lane_name(d->lane));
	json_key(&w, "score");
	json_put_number(&w, rounded(d->score));
	json_key(&w, "signals");
	json_open(&w, '{');
	for (int s = 0; s < SIGNAL_COUNT; s++) {
		json_key(&w, routing_signal_name((enum routing_signal)s));
		json_put_number(&w, rounded(d->signals[s]));
	}
	json_close(&w, '}');
	json_key(&w, "tokens");
	json_put_integer(&w, d->tokens);
	json_key(&w, "reasons");
	json_open(&w, '[');
	for (size_t i = 0; i < d->reason_count; i++)
		json_put_text(&w, d->reasons[i]);
	json_close(&w, ']');
	json_close(&w, '}');
}

json_t *routing_to_json(const struct routing_decision *d)
{
	AUTO_FINISH(buffer_finish) struct buffer text = {0};
	struct error err;
	json_t *routed;

	routing_write(d, &text);
	routed = json_read(text.data, text.len, JSON_OURS, &err);
	ENSURE(routed);
	return routed;
}

const char *routing_signal_name(enum routing_signal signal)
{
	static const char *const names[] = {
#define SIGNAL_TEXT(name, text) [SIGNAL_##name] = text,
		ROUTING_SIGNALS(SIGNAL_TEXT)
#undef SIGNAL_TEXT
	};

	return names[signal];
}
