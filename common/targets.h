/*
 * Where calls can go, and whether they may go there now: every (endpoint,
 * model) of the config with its hold, its breaker and its calls in flight, and
 * every endpoint with the state of its credential. Chooses a candidate of a
 * tier for a job.
 *
 *	struct pick pick = targets_pick(targets, tier, &wish, now, random);
 *	if (!pick.target)
 *		wait pick.wait, for pick.reason
 *	pick.target->in_flight++ …
 *
 * Pure: time and chance are parameters.
 */
#ifndef SLUICE_TARGETS_H
#define SLUICE_TARGETS_H

#include <stdbool.h>
#include <stddef.h>

#include "breaker.h"
#include "clock.h"
#include "config.h"
#include "memo.h"

/* An endpoint with its credential. */
struct account {
	const struct endpoint *endpoint;
	struct breaker credential; /* bad key, no money */
	size_t in_flight;
};

struct target {
	struct account *account;
	const char *model;
	size_t number;	 /* of targets_at() */
	nsec held_until; /* throttled: nothing starts before */
	nsec dry_until;	 /* no allowance is left here until then */
	struct breaker breaker;
	size_t in_flight;
	nsec typical;  /* duration of a call, smoothed; 0: not measured */
	nsec answered; /* when the latest call left that was answered, by the wall clock */
	int64_t price; /* of a typical call, to compare; 0: not known */
};

struct targets;

struct targets *targets_create(const struct config *config);
void targets_destroy(struct targets *targets);

/* The state behind a candidate of the config. Never NULL. */
struct target *targets_of(struct targets *targets, const struct candidate *candidate);

/* What a job needs of a candidate. */
struct pick_wish {
	bool restricted;		/* self-hosted endpoints only */
	const char *only;		/* "provider/model", nothing else; NULL or "": any */
	int64_t min_window;		/* tokens of context it must have; 0: any */
	const struct memo *memo;	/* what to avoid; NULL: nothing */
	const struct candidate *prefer; /* taken if it may be called now; NULL: none */
	nsec patience;			/* the preferred one is waited for if it is free by then */
};

struct pick {
	const struct candidate *candidate; /* NULL: none now */
	struct target *target;
	nsec wait;	    /* until one may be free; 0 with no candidate: none will ever be */
	const char *reason; /* "rate_hold", "quota", "breaker", "credential", "connections",
			       "no_candidate" */
};

struct pick targets_pick(struct targets *targets, const struct tier *tier,
			 const struct pick_wish *wish, nsec now, uint64_t random);

/* Whether any candidate of the tier could take a call now: else its topics stay unread. */
bool targets_open(struct targets *targets, const struct tier *tier, nsec now);

/* Whether the breakers of all candidates that fit the wish are open: waiting a moment does not
 * help. */
bool targets_broken(struct targets *targets, const struct tier *tier, const struct pick_wish *wish,
		    nsec now);

/* Candidates of the tier that fit the wish, held or not. */
size_t targets_fitting(const struct tier *tier, const struct pick_wish *wish);

/* For metrics and status. */
size_t targets_count(const struct targets *targets);
struct target *targets_at(struct targets *targets, size_t i);
size_t targets_accounts(const struct targets *targets);
struct account *targets_account_at(struct targets *targets, size_t i);

#endif
