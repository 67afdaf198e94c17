/*
 * The allowances as one worker knows them, for the files of quota.h alone: rules
 * are read and matched in quota_rules.c, asked for in quota.c, taken from in
 * quota_take.c, and corrected by what replies tell in quota_learn.c.
 *
 *	if (rule_pays_for(rule, job) && rule_holds_at(rule, target)) ...
 */
#ifndef SYNC_QUOTA_RULES_H
#define SYNC_QUOTA_RULES_H

#include "allowance.h"
#include "clock.h"
#include "config.h"
#include "job.h"
#include "pg.h"
#include "quota.h"
#include "uuid.h"

#define SOONEST_TURN (25 * NSEC_PER_MSEC) /* for the first that is refused */
#define RANKS (2 * LANE_AUTO)		  /* lanes, in each paid before free */

/* The tags of a job that a balance may name, in the order of the columns of allowances.sql. */
enum tag {
	TAG_UNIT,
	TAG_FEATURE,
	TAG_ENVIRONMENT,
	TAG_USAGE_TIER,
	TAG_USER,
	TAG_PLAN,
	TAG_TASK,
	TAG_COUNT
};

/* An allowance, as this worker knows it. */
struct rule {
	int32_t id;
	int64_t version;
	bool gone; /* not in force any more; kept for those who hold of it */
	enum allowance_unit unit;
	bool by_day;
	bool open; /* a rate whose limit nobody knows: only holds count */
	char policy[12];
	char provider[64], credential[64], model[128]; /* "" : any; model is a glob */
	char *tags[TAG_COUNT];			       /* "" : any; owned */
	struct allowance share;
	struct uuid lease_id;
	nsec used_at;
	nsec period_ends; /* balance; monotonic, 0: not known */
	bool scarce;
	int first;	      /* of the ranks that ask for it, in the fleet; RANKS: none */
	nsec asked_at[RANKS]; /* here; 0: never */

	/* To be told at the next turn. */
	int64_t credit;
	int64_t said_limit, said_left; /* -1: not told */
	nsec said_at;
	nsec hold;
	bool hit;
};

/* What is known of a target: the rates that hold there, and how its calls are sized. */
struct target_quota {
	struct rule **rates;
	size_t count;
	struct token_guess input;  /* tokens per byte */
	struct token_guess output; /* tokens per token of the cap */
	bool discovered[UNIT_COUNT];
};

struct quota {
	struct rule **rules; /* by id; never freed before the end, for works point to them */
	size_t count;
	size_t balances;
	int64_t version; /* of the definitions we have */
	int64_t newest;	 /* that there are, as of the last turn */
	bool loading;
	bool seeded; /* with what the configuration says */
	bool stale;  /* there are newer ones */
	bool turning;
	nsec turn_at;
	nsec turned_at;
	struct target_quota *targets;
	size_t target_count;
};

bool rule_is_balance(const struct rule *rule);

/* A balance that calls use up, unlike one that they give back as they end. */
bool rule_is_used_up(const struct rule *rule);

/* A balance that holds for the job, at one provider or model at least. */
bool rule_pays_for(const struct rule *rule, const struct job *job);

/* A balance may be of one provider or model only; a rate always is. */
bool rule_holds_at(const struct rule *rule, const struct target *target);

bool rule_is_of_all(const struct rule *rule);

/* NULL: there is none with that id. */
struct rule *rules_find(const struct quota *quota, int32_t id);

/* The answer of allowances.sql: what holds from now on. */
void rules_read(struct worker *w, const struct pg_rows *rows);

/* A default: it stands only where nobody has set another. `source` and `who` are kept with it. */
void quota_bring(struct worker *w, const struct allowance_setting *setting, const char *source,
		 const char *who);

/* The first of the ranks that asked here lately; RANKS: none did. */
int rule_first_here(const struct rule *rule, nsec now);

/* Whether the provider counts a call's cap of output when it comes in (call_size_in). */
bool quota_reserves_cap(const struct target *target);

#endif
