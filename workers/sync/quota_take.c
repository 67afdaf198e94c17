#include <string.h>

#include "log.h"
#include "quota_rules.h"
#include "worker.h"

#define WANTED_FOR (2 * NSEC_PER_SEC) /* who asked for a scarce balance is waited for so long */

static int64_t of_balance(enum allowance_unit unit, const struct quota_bound *bound)
{
	switch (unit) {
	case UNIT_USD:
		return bound->usd;
	case UNIT_INPUT_TOKENS:
		return bound->input;
	case UNIT_OUTPUT_TOKENS:
		return bound->output;
	case UNIT_TOKENS:
		return bound->input + bound->output;
	case UNIT_REQUESTS:
	case UNIT_CALLS:
		return 1;
	case UNIT_ENQUEUED_TOKENS:
	case UNIT_COUNT:
		break;
	}
	return 0;
}

bool quota_reserves_cap(const struct target *target)
{
	return strcmp(target->account->endpoint->provider->dialect, "openai") == 0;
}

static void guess(struct quota_takes *takes, const struct target_quota *known, int64_t bytes,
		  int64_t cap)
{
	int64_t output = token_guess(&known->output, cap);

	takes->count = 0;
	takes->bytes = bytes;
	takes->size = (struct call_size){
		.input = token_guess(&known->input, bytes),
		.output = output < cap ? output : cap,
		.output_cap = cap,
	};
}

static bool rate_has(const struct rule *rule, int64_t amount, nsec now)
{
	if (rule->open)
		return now >= rule->share.held_until && now < rule->share.until;
	return allowance_has(&rule->share, amount, now);
}

static void add(struct quota_takes *takes, struct rule *rule, int64_t amount)
{
	takes->items[takes->count++] = (struct quota_take){rule, rule->lease_id, amount};
}

static nsec until_period_ends(const struct rule *rule, nsec now)
{
	return rule->period_ends > now ? rule->period_ends - now + NSEC_PER_SEC : 60 * NSEC_PER_SEC;
}

static enum quota_answer stop(const struct rule *rule, nsec now, struct quota_refusal *refusal)
{
	*refusal = (struct quota_refusal){
		.reason = "budget", .policy = rule->policy, .wait = until_period_ends(rule, now)};
	return QUOTA_STOP;
}

/* All rates first: then only balances can say no, and they say it for good or for a moment. */
static enum quota_answer find_rates(struct worker *w, struct work *work,
				    const struct target *target, nsec now,
				    struct quota_refusal *refusal)
{
	struct target_quota *known = &w->quota->targets[target->number];

	for (size_t i = 0; i < known->count && work->takes.count < MAX_QUOTA_TAKES; i++) {
		struct rule *rule = known->rates[i];
		int64_t amount = call_size_in(&work->takes.size, rule->unit,
					      quota_reserves_cap(target));

		rule->used_at = now;
		if (!rate_has(rule, amount, now)) {
			allowance_refuse(&rule->share, amount);
			*refusal = (struct quota_refusal){
				.reason = "quota",
				.policy = "",
				.wait = allowance_wait(&rule->share, now),
			};
			if (now < rule->share.until)
				return QUOTA_DRY;
			/* Not asked for lately: a moment's wait beats a dearer candidate. */
			refusal->wait = 2 * SOONEST_TURN;
			refusal->everyone = true;
			quota_hurry(w, now);
			return QUOTA_WAIT;
		}
		add(&work->takes, rule, rule->open ? 0 : amount);
	}
	return QUOTA_GO;
}

/* Express before normal, and in each paid before free. */
static int rank_of(const struct work *work)
{
	return 2 * (int)work->lane + work->job->free_plan;
}

int rule_first_here(const struct rule *rule, nsec now)
{
	int rank = 0;

	while (rank < RANKS &&
	       (rule->asked_at[rank] == 0 || now - rule->asked_at[rank] > WANTED_FOR))
		rank++;
	return rank;
}

/* Of a balance that is nearly used up the rest is for those who are before us, while they ask for
 * it. */
static bool yields(const struct worker *w, struct rule *rule, const struct work *work, nsec now,
		   struct quota_refusal *refusal)
{
	int rank = rank_of(work);

	if (!rule_is_used_up(rule))
		return false;
	rule->asked_at[rank] = now;
	if (!rule->scarce || (rule->first >= rank && rule_first_here(rule, now) >= rank))
		return false;
	/* Not in memory: those who are waited for want the room. */
	*refusal = (struct quota_refusal){.reason = "budget",
					  .policy = "",
					  .wait = w->config->worker.longest_wait_in_memory +
						  NSEC_PER_SEC};
	return true;
}

/* A balance that a call of the job there is paid from. */
static bool pays(const struct rule *rule, const struct work *work, const struct target *target)
{
	return rule_pays_for(rule, work->job) && rule_holds_at(rule, target);
}

/* The call needs more than there will be of it in this period. */
static bool falls_short(const struct rule *rule, const struct quota_bound *bound)
{
	return allowance_is_out_of_reach(&rule->share, of_balance(rule->unit, bound));
}

/* A balance that cannot pay for the call in this period. NULL: all can. Who is stopped by one asks
 * for none. */
static const struct rule *find_stop(struct worker *w, const struct work *work,
				    const struct target *target, const struct quota_bound *bound,
				    nsec now)
{
	struct quota *q = w->quota;

	for (size_t i = 0; q->balances > 0 && i < q->count; i++) {
		struct rule *rule = q->rules[i];

		if (!pays(rule, work, target))
			continue;
		rule->used_at = now;
		if (now < rule->share.until && falls_short(rule, bound))
			return rule;
	}
	return NULL;
}

static enum quota_answer find_balances(struct worker *w, struct work *work,
				       const struct target *target, const struct quota_bound *bound,
				       nsec now, struct quota_refusal *refusal)
{
	struct quota *q = w->quota;
	const struct rule *stopping = find_stop(w, work, target, bound, now);

	if (stopping)
		return stop(stopping, now, refusal);
	for (size_t i = 0; q->balances > 0 && i < q->count; i++) {
		struct rule *rule = q->rules[i];
		int64_t amount = of_balance(rule->unit, bound);

		if (!pays(rule, work, target))
			continue;
		if (work->takes.count == MAX_QUOTA_TAKES) {
			log_error("too_many_allowances", "unit=%s most=%d",
				  work->job->business_unit, MAX_QUOTA_TAKES);
			*refusal = (struct quota_refusal){
				.reason = "quota", .policy = "", .wait = 60 * NSEC_PER_SEC};
			return QUOTA_WAIT;
		}
		if (yields(w, rule, work, now, refusal))
			return QUOTA_WAIT;
		if (!allowance_has(&rule->share, amount, now)) {
			allowance_refuse(&rule->share, amount);
			quota_hurry(w, now);
			*refusal = (struct quota_refusal){
				.reason = "budget",
				.policy = "",
				.wait = allowance_wait(&rule->share, now),
				.everyone = rule_is_of_all(rule),
			};
			return QUOTA_WAIT;
		}
		add(&work->takes, rule, amount);
	}
	return QUOTA_GO;
}

enum quota_answer quota_take(struct worker *w, struct work *work, const struct target *target,
			     int64_t bytes, int64_t output_cap, const struct quota_bound *bound,
			     nsec now, struct quota_refusal *refusal)
{
	enum quota_answer answer;

	work->takes.count = 0;
	if (w->quota->version < 0) { /* a budget may hold that we have not read */
		*refusal = (struct quota_refusal){.reason = "quota",
						  .policy = "",
						  .wait = 50 * NSEC_PER_MSEC,
						  .everyone = true};
		return QUOTA_WAIT;
	}
	guess(&work->takes, &w->quota->targets[target->number], bytes, output_cap);
	answer = find_rates(w, work, target, now, refusal);
	if (answer == QUOTA_GO)
		answer = find_balances(w, work, target, bound, now, refusal);
	if (answer != QUOTA_GO) {
		work->takes.count = 0;
		return answer;
	}
	for (size_t i = 0; i < work->takes.count; i++)
		allowance_take(&work->takes.items[i].rule->share, work->takes.items[i].amount, now);
	return QUOTA_GO;
}

bool quota_is_out(const struct worker *w, const struct work *work, const struct target *target,
		  const struct quota_bound *bound, nsec now, struct quota_refusal *refusal)
{
	const struct quota *q = w->quota;

	for (size_t i = 0; q->balances > 0 && i < q->count; i++) {
		const struct rule *rule = q->rules[i];

		if (!pays(rule, work, target) || now >= rule->period_ends ||
		    !falls_short(rule, bound))
			continue;
		stop(rule, now, refusal);
		return true;
	}
	return false;
}

void quota_give_back(struct work *work)
{
	for (size_t i = 0; i < work->takes.count; i++) {
		const struct quota_take *take = &work->takes.items[i];

		if (!rule_is_balance(take->rule) ||
		    uuid_equal(&take->lease_id, &take->rule->lease_id))
			allowance_give_back(&take->rule->share, take->amount);
	}
	work->takes.count = 0;
}

void quota_doubt(struct work *work)
{
	for (size_t i = 0; i < work->takes.count; i++) {
		struct rule *rule = work->takes.items[i].rule;

		if (!rule_is_balance(rule) ||
		    !uuid_equal(&work->takes.items[i].lease_id, &rule->lease_id))
			continue;
		rule->share.left = 0;
		rule->share.until = 0;
		memset(&rule->lease_id, 0, sizeof(rule->lease_id));
	}
	quota_give_back(work);
}

size_t quota_leases(const struct work *work, struct intent_take takes[MAX_QUOTA_TAKES])
{
	size_t count = 0;

	for (size_t i = 0; i < work->takes.count; i++)
		if (rule_is_balance(work->takes.items[i].rule))
			takes[count++] = (struct intent_take){work->takes.items[i].lease_id,
							      work->takes.items[i].amount};
	return count;
}
