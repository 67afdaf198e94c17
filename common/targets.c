#include "targets.h"

#include <stdlib.h>
#include <string.h>

#include "ensure.h"

struct targets {
	struct account *accounts; /* parallel to the config's endpoints */
	size_t account_count;
	struct target *list;
	size_t count;
};

static struct account *account_of(struct targets *targets, const struct endpoint *endpoint)
{
	size_t i = 0;

	while (i < targets->account_count && targets->accounts[i].endpoint != endpoint)
		i++;
	ENSURE(i < targets->account_count);
	return &targets->accounts[i];
}

static struct target *find(const struct targets *targets, const struct candidate *candidate)
{
	for (size_t i = 0; i < targets->count; i++) {
		struct target *target = &targets->list[i];

		if (target->account->endpoint == candidate->endpoint &&
		    strcmp(target->model, candidate->model) == 0)
			return target;
	}
	return NULL;
}

struct targets *targets_create(const struct config *config)
{
	const struct worker_settings *w = &config->worker;
	struct breaker_rules rules = {w->breaker_share, w->breaker_window, w->breaker_min_calls,
				      w->breaker_probe_after};
	struct targets *targets = xcalloc(1, sizeof(*targets));
	size_t most = 0;

	targets->account_count = config->endpoint_count;
	targets->accounts = xcalloc(config->endpoint_count, sizeof(*targets->accounts));
	for (size_t i = 0; i < config->endpoint_count; i++) {
		targets->accounts[i].endpoint = &config->endpoints[i];
		breaker_init(&targets->accounts[i].credential, &rules);
	}
	for (size_t t = 0; t < config->tier_count; t++)
		most += config->tiers[t].candidate_count;
	targets->list = xcalloc(most, sizeof(*targets->list));
	for (size_t t = 0; t < config->tier_count; t++) {
		for (size_t c = 0; c < config->tiers[t].candidate_count; c++) {
			const struct candidate *candidate = &config->tiers[t].candidates[c];

			if (find(targets, candidate))
				continue;
			targets->list[targets->count] = (struct target){
				.account = account_of(targets, candidate->endpoint),
				.model = candidate->model,
				.number = targets->count,
			};
			breaker_init(&targets->list[targets->count++].breaker, &rules);
		}
	}
	return targets;
}

void targets_destroy(struct targets *targets)
{
	if (!targets)
		return;
	free(targets->accounts);
	free(targets->list);
	free(targets);
}

struct target *targets_of(struct targets *targets, const struct candidate *candidate)
{
	struct target *target = find(targets, candidate);

	ENSURE(target);
	return target;
}

static bool fits(const struct candidate *candidate, const struct pick_wish *wish)
{
	if (wish->restricted && !candidate->endpoint->self_hosted)
		return false;
	if (wish->only && *wish->only && !candidate_is(candidate, wish->only))
		return false;
	if (wish->min_window > candidate->traits.context_window &&
	    candidate->traits.context_window > 0)
		return false;
	return !wish->memo || !memo_avoids(wish->memo, candidate->endpoint->name, candidate->model);
}

size_t targets_fitting(const struct tier *tier, const struct pick_wish *wish)
{
	size_t count = 0;

	for (size_t i = 0; i < tier->candidate_count; i++)
		count += fits(&tier->candidates[i], wish);
	return count;
}

/* How long until a call may start there, 0: now; and what stands in the way. */
static nsec obstacle(const struct target *target, nsec now, const char **reason)
{
	const struct account *account = target->account;

	if (!breaker_allows(&account->credential, now)) {
		*reason = "credential";
		return breaker_wait(&account->credential, now);
	}
	if (!breaker_allows(&target->breaker, now)) {
		*reason = "breaker";
		return breaker_wait(&target->breaker, now);
	}
	if (target->held_until > now) {
		*reason = "rate_hold";
		return target->held_until - now;
	}
	if (target->dry_until > now) {
		*reason = "quota";
		return target->dry_until - now;
	}
	if (account->endpoint->max_connections > 0 &&
	    account->in_flight >= account->endpoint->max_connections) {
		*reason = "connections";
		return 100 * NSEC_PER_MSEC;
	}
	return 0;
}

/* A price that nobody knows is the highest. */
static uint64_t price_of(const struct target *target)
{
	return target->price > 0 ? (uint64_t)target->price : UINT64_MAX;
}

/* Among equals the first of the configuration. */
static bool better(const struct tier *tier, const struct target *a, const struct target *best)
{
	if (!best)
		return true;
	if (strcmp(tier->pick, "fastest") == 0)
		return a->typical < best->typical; /* 0: to be measured first */
	return price_of(a) < price_of(best);
}

struct pick targets_pick(struct targets *targets, const struct tier *tier,
			 const struct pick_wish *wish, nsec now, uint64_t random)
{
	struct pick pick = {.reason = "no_candidate"};
	unsigned total = 0;
	bool weighted = strcmp(tier->pick, "weighted") == 0;

	for (size_t i = 0; i < tier->candidate_count; i++) {
		const struct candidate *candidate = &tier->candidates[i];
		struct target *target = targets_of(targets, candidate);
		const char *reason = NULL;
		nsec wait;

		if (!fits(candidate, wish))
			continue;
		wait = obstacle(target, now, &reason);
		if (wait > 0 || reason) {
			if (candidate == wish->prefer && wait <= wish->patience)
				return (struct pick){.wait = wait > 0 ? wait : NSEC_PER_MSEC,
						     .reason = reason};
			if (!pick.candidate && (pick.wait == 0 || wait < pick.wait)) {
				pick.wait = wait > 0 ? wait : NSEC_PER_MSEC;
				pick.reason = reason;
			}
			continue;
		}
		/* One pass of weighted choice: the i-th replaces the one before with its share. */
		total += candidate->weight;
		if (candidate == wish->prefer) {
			pick.candidate = candidate;
			pick.target = target;
			break;
		}
		if (weighted ? random % total < candidate->weight
			     : better(tier, target, pick.target)) {
			pick.candidate = candidate;
			pick.target = target;
		}
		random = random * 6364136223846793005u + 1442695040888963407u;
		random ^= random >> 33;
	}
	if (pick.candidate)
		pick.wait = 0;
	return pick;
}

bool targets_open(struct targets *targets, const struct tier *tier, nsec now)
{
	const char *reason;

	for (size_t i = 0; i < tier->candidate_count; i++) {
		reason = NULL;
		if (obstacle(targets_of(targets, &tier->candidates[i]), now, &reason) == 0 &&
		    !reason)
			return true;
	}
	return false;
}

bool targets_broken(struct targets *targets, const struct tier *tier, const struct pick_wish *wish,
		    nsec now)
{
	size_t broken = 0;

	for (size_t i = 0; i < tier->candidate_count; i++) {
		const struct target *target = targets_of(targets, &tier->candidates[i]);

		if (!fits(&tier->candidates[i], wish))
			continue;
		if (breaker_allows(&target->breaker, now) &&
		    breaker_allows(&target->account->credential, now))
			return false;
		broken++;
	}
	return broken > 0;
}

size_t targets_count(const struct targets *targets)
{
	return targets->count;
}

struct target *targets_at(struct targets *targets, size_t i)
{
	ENSURE(i < targets->count);
	return &targets->list[i];
}

size_t targets_accounts(const struct targets *targets)
{
	return targets->account_count;
}

struct account *targets_account_at(struct targets *targets, size_t i)
{
	ENSURE(i < targets->account_count);
	return &targets->accounts[i];
}
