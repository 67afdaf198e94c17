#include "quota.h"

#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "breakers.h"
#include "ensure.h"
#include "log.h"
#include "metrics.h"
#include "utf8.h"
#include "worker.h"

#define IDLE_TURN (NSEC_PER_SEC / 2)	  /* with nothing to ask: is there anything new? */
#define SOONEST_TURN (25 * NSEC_PER_MSEC) /* for the first that is refused */
#define FORGET_AFTER (10 * NSEC_PER_SEC)  /* an allowance unused for so long is not asked for */
#define MOST_RULES 100000

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

struct quota *quota_create(struct worker *w)
{
	struct quota *q = xcalloc(1, sizeof(*q));

	q->target_count = targets_count(w->targets);
	q->targets = xcalloc(q->target_count, sizeof(*q->targets));
	q->version = -1;
	for (size_t i = 0; i < q->target_count; i++) {
		const struct target *target = targets_at(w->targets, i);
		struct model traits = model_lookup(target->account->endpoint->provider->dialect,
						   target->model);

		token_guess_init(&q->targets[i].input,
				 1 / (traits.bytes_per_token > 0 ? traits.bytes_per_token : 4));
		token_guess_init(&q->targets[i].output, 0.5);
	}
	return q;
}

void quota_destroy(struct quota *q)
{
	if (!q)
		return;
	for (size_t i = 0; i < q->count; i++) {
		for (size_t tag = 0; tag < TAG_COUNT; tag++)
			free(q->rules[i]->tags[tag]);
		free(q->rules[i]);
	}
	for (size_t i = 0; i < q->target_count; i++)
		free(q->targets[i].rates);
	free(q->targets);
	free(q->rules);
	free(q);
}

/* --- which allowances hold --- */

static bool is_balance(const struct rule *rule)
{
	return rule->share.kind == ALLOWANCE_BALANCE;
}

static bool fits(const char *wanted, const char *value)
{
	return !*wanted || strcmp(wanted, value) == 0;
}

static bool holds_for_job(const struct rule *rule, const struct job *job)
{
	return is_balance(rule) && !rule->gone && fits(rule->tags[TAG_UNIT], job->business_unit) &&
	       fits(rule->tags[TAG_FEATURE], job->feature) &&
	       fits(rule->tags[TAG_ENVIRONMENT], job->environment) &&
	       fits(rule->tags[TAG_USAGE_TIER], job->usage_tier) &&
	       fits(rule->tags[TAG_USER], job->user) &&
	       fits(rule->tags[TAG_PLAN], job->free_plan ? "free" : "paid") &&
	       fits(rule->tags[TAG_TASK], job->task);
}

static bool holds_for_all(const struct rule *rule)
{
	for (size_t tag = 0; tag < TAG_COUNT; tag++)
		if (*rule->tags[tag])
			return false;
	return !*rule->provider && !*rule->credential && !*rule->model;
}

/* A balance may be of one provider or model only. */
static bool holds_at(const struct rule *rule, const struct target *target)
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
		if (holds_for_job(q->rules[i], work->job))
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

		if (is_balance(rule) || rule->gone || !holds_at(rule, targets_at(w->targets, t)))
			continue;
		known->rates = xrealloc(known->rates, (known->count + 1) * sizeof(*known->rates));
		known->rates[known->count++] = rule;
	}
}

/* --- definitions --- */

static struct rule *rule_of(struct quota *q, int32_t id)
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
	struct rule *rule = rule_of(q, id);
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

static void read_definitions(struct worker *w, const struct pg_rows *rows)
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

/* --- turns --- */

static bool takes_part(const struct rule *rule, nsec now)
{
	return !rule->gone && ((rule->used_at > 0 && now - rule->used_at < FORGET_AFTER) ||
			       rule->share.least > 0 || rule->hit || rule->said_limit >= 0);
}

/* Calls that could start if there were enough. */
static size_t waiting(const struct worker *w)
{
	size_t calling = works_in(&w->works, WORK_CALLING) + works_in(&w->works, WORK_INTENDING);
	size_t slots = w->config->worker.max_in_flight > calling
			       ? w->config->worker.max_in_flight - calling
			       : 0;
	size_t jobs = works_in(&w->works, WORK_READY) + works_in(&w->works, WORK_WAITING) +
		      works_in(&w->works, WORK_CLAIMING);

	return jobs < slots ? jobs : slots;
}

struct columns {
	int id, lease, want, need, credit, limit, left, age, hold, hit;
};

static void push_rule(struct pg_args *args, const struct columns *to, struct rule *rule,
		      size_t calls, nsec now)
{
	struct allowance_ask ask = allowance_ask(&rule->share, calls, now);
	nsec hold = rule->hold > now ? rule->hold - now : 0;

	pg_push_int(args, to->id, rule->id);
	pg_push_uuid(args, to->lease, &rule->lease_id);
	pg_push_big(args, to->want, ask.want);
	pg_push_big(args, to->need, ask.need);
	pg_push_big(args, to->credit, rule->credit);
	pg_push_big(args, to->limit, rule->said_limit);
	pg_push_big(args, to->left, rule->said_left);
	pg_push_int(args, to->age, (int32_t)((now - rule->said_at) / NSEC_PER_MSEC));
	pg_push_int(args, to->hold, (int32_t)(hold / NSEC_PER_MSEC));
	pg_push_bool(args, to->hit, rule->hit);
	rule->credit = 0;
	rule->said_limit = rule->said_left = -1;
	rule->said_at = now;
	rule->hit = false;
	rule->hold = 0;
}

static void send_turn(struct worker *w, nsec now)
{
	struct quota *q = w->quota;
	struct pg_args *args = pg_args_create();
	size_t calls = waiting(w), asked = 0;

	pg_uuid(args, &w->id);
	pg_int(args, w->alive > 0 ? w->alive : 1);
	struct columns to = {
		.id = pg_array(args, PG_INT4),
		.lease = pg_array(args, PG_UUID),
		.want = pg_array(args, PG_INT8),
		.need = pg_array(args, PG_INT8),
		.credit = pg_array(args, PG_INT8),
		.limit = pg_array(args, PG_INT8),
		.left = pg_array(args, PG_INT8),
		.age = pg_array(args, PG_INT4),
		.hold = pg_array(args, PG_INT4),
		.hit = pg_array(args, PG_BOOL),
	};
	for (size_t i = 0; i < q->count; i++) {
		if (!takes_part(q->rules[i], now))
			continue;
		push_rule(args, &to, q->rules[i], calls, now);
		asked++;
	}
	breakers_push(w, args, now);
	q->turning = true;
	q->turned_at = now;
	q->turn_at = now + (asked > 0 ? ALLOWANCE_TURN - ALLOWANCE_TURN / 8 +
						random_below(&w->random, ALLOWANCE_TURN / 4)
				      : IDLE_TURN);
	worker_send(w, request_create(REQUEST_TURN, PG_QUOTA), "turn", args);
}

/* A default: it stands only where nobody has set another. */
static void bring(struct worker *w, const struct allowance_setting *setting, const char *source,
		  const char *who)
{
	struct pg_args *args = pg_args_create();
	AUTO(xfree) char *scope = json_write(setting->scope);

	pg_string(args, setting->kind);
	pg_string(args, setting->unit);
	pg_string(args, setting->period);
	pg_string(args, scope);
	if (setting->cap >= 0)
		pg_big(args, setting->cap);
	else
		pg_string(args, NULL);
	pg_string(args, setting->policy);
	pg_bool(args, setting->calibrate);
	pg_string(args, source);
	pg_string(args, who);
	worker_send(w, request_create(REQUEST_ALLOWANCE_SET, PG_QUOTA), "allowance_set", args);
}

void quota_run(struct worker *w, nsec now)
{
	struct quota *q = w->quota;

	if (!pg_ready(w->pgs[PG_QUOTA]) || !w->registered || w->ended)
		return;
	if (!q->seeded) {
		q->seeded = true;
		for (size_t i = 0; i < w->config->allowance_count; i++)
			bring(w, &w->config->allowances[i], "config", "the configuration");
	}
	if ((q->stale || q->version < 0) && !q->loading) {
		q->loading = true;
		worker_send(w, request_create(REQUEST_ALLOWANCES, PG_QUOTA), "allowances", NULL);
	}
	if (!q->turning && now >= q->turn_at)
		send_turn(w, now);
}

nsec quota_wake_at(const struct worker *w)
{
	return w->quota->turning ? 0 : w->quota->turn_at;
}

/* Somebody was refused who need not wait for the next round. */
static void hurry(struct quota *q, nsec now)
{
	nsec soonest = q->turned_at + SOONEST_TURN > now ? q->turned_at + SOONEST_TURN : now;

	if (soonest < q->turn_at)
		q->turn_at = soonest;
}

void quota_hurry(struct worker *w, nsec now)
{
	hurry(w->quota, now);
}

/* --- answers --- */

/* Columns of turn.sql. */
enum {
	TURN_VERSION,
	TURN_ID,
	TURN_GRANTED,
	TURN_LEASE,
	TURN_MOST,
	TURN_HELD,
	TURN_PERIOD,
	TURN_SAYS,
	TURN_THINKS,
	TURN_USED,
	TURN_BREAKERS
};

static void moisten(struct worker *w, const struct rule *rule)
{
	struct quota *q = w->quota;

	for (size_t t = 0; t < q->target_count; t++)
		for (size_t i = 0; i < q->targets[t].count; i++)
			if (q->targets[t].rates[i] == rule)
				targets_at(w->targets, t)->dry_until = 0;
}

static void tell(const struct rule *rule, const struct pg_rows *rows, int row)
{
	char name[200];

	snprintf(name, sizeof(name), "%d %.60s%s%.100s %s", (int)rule->id, rule->provider,
		 *rule->model ? "/" : "", rule->model, allowance_unit_name(rule->unit));
	if (is_balance(rule)) {
		metrics_set(METRIC_allowance_used, pg_get_double(rows, row, TURN_USED),
			    LABELS(name));
		return;
	}
	if (!pg_is_null(rows, row, TURN_THINKS))
		metrics_set(METRIC_allowance_left, pg_get_double(rows, row, TURN_THINKS),
			    LABELS(name));
	if (pg_is_null(rows, row, TURN_SAYS))
		return;
	metrics_set(METRIC_allowance_says, pg_get_double(rows, row, TURN_SAYS), LABELS(name));
	metrics_set(METRIC_allowance_gap,
		    pg_get_double(rows, row, TURN_SAYS) - pg_get_double(rows, row, TURN_THINKS),
		    LABELS(name));
}

static void read_grant(struct worker *w, const struct pg_rows *rows, int row, nsec sent_at,
		       nsec now)
{
	struct rule *rule = rule_of(w->quota, (int32_t)pg_get_int(rows, row, TURN_ID));
	struct uuid lease_id = pg_get_uuid(rows, row, TURN_LEASE);
	nsec held = (nsec)pg_get_int(rows, row, TURN_HELD) * NSEC_PER_MSEC;
	nsec period = (nsec)pg_get_int(rows, row, TURN_PERIOD) * NSEC_PER_MSEC;

	if (!rule)
		return;
	if (is_balance(rule) && !uuid_equal(&lease_id, &rule->lease_id))
		rule->share.left = 0; /* what was left was of another lease */
	rule->lease_id = lease_id;
	allowance_grant(&rule->share, pg_get_int(rows, row, TURN_GRANTED), sent_at, now);
	rule->open = !is_balance(rule) && pg_is_null(rows, row, TURN_THINKS);
	rule->share.most = pg_get_int(rows, row, TURN_MOST);
	rule->period_ends = period > 0 ? now + period : 0;
	if (held > 0 && now + held > rule->share.held_until)
		rule->share.held_until = now + held;
	tell(rule, rows, row);
	moisten(w, rule);
}

/* Grants that were lost on the way expire by themselves; of balances we ask for new leases. */
static void lose_leases(struct quota *q)
{
	for (size_t i = 0; i < q->count; i++)
		if (is_balance(q->rules[i])) {
			q->rules[i]->share.left = 0;
			q->rules[i]->share.until = 0;
			memset(&q->rules[i]->lease_id, 0, sizeof(q->rules[i]->lease_id));
		}
}

static void read_turn(struct worker *w, const struct request *request, const struct pg_rows *rows,
		      nsec now)
{
	struct quota *q = w->quota;

	breakers_read(w, pg_get_text(rows, 0, TURN_BREAKERS), request->sent_at, now);
	for (int row = 0; row < pg_count(rows); row++) {
		q->newest = pg_get_int(rows, row, TURN_VERSION);
		q->stale |= q->newest > q->version;
		if (!pg_is_null(rows, row, TURN_ID))
			read_grant(w, rows, row, request->sent_at, now);
	}
	works_resume(&w->works, now);
}

void quota_answer(struct worker *w, struct request *request, struct pg_answer *answer, nsec now)
{
	struct quota *q = w->quota;

	if (!answer->rows) {
		log_warn("turn_failed", "why=%s", answer->error.text);
		if (answer->error.kind == ERROR_FATAL)
			worker_fail(w, &answer->error);
	}
	switch (request->kind) {
	case REQUEST_TURN:
		q->turning = false;
		metrics_observe_time(METRIC_transaction_seconds, now - request->sent_at,
				     LABELS("turn"));
		if (answer->rows)
			read_turn(w, request, answer->rows, now);
		else
			lose_leases(q);
		break;
	case REQUEST_ALLOWANCES:
		q->loading = false;
		if (answer->rows)
			read_definitions(w, answer->rows);
		break;
	default:
		break;
	}
	request_destroy(request);
}

/* --- taking --- */

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

static bool reserves_cap(const struct target *target)
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
		int64_t amount = call_size_in(&work->takes.size, rule->unit, reserves_cap(target));

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
			hurry(w->quota, now);
			return QUOTA_WAIT;
		}
		add(&work->takes, rule, rule->open ? 0 : amount);
	}
	return QUOTA_GO;
}

static enum quota_answer find_balances(struct worker *w, struct work *work,
				       const struct target *target, const struct quota_bound *bound,
				       nsec now, struct quota_refusal *refusal)
{
	struct quota *q = w->quota;

	for (size_t i = 0; q->balances > 0 && i < q->count; i++) {
		struct rule *rule = q->rules[i];
		int64_t amount = of_balance(rule->unit, bound);

		if (!holds_for_job(rule, work->job) || !holds_at(rule, target))
			continue;
		if (work->takes.count == MAX_QUOTA_TAKES) {
			log_error("too_many_allowances", "unit=%s most=%d",
				  work->job->business_unit, MAX_QUOTA_TAKES);
			*refusal = (struct quota_refusal){
				.reason = "quota", .policy = "", .wait = 60 * NSEC_PER_SEC};
			return QUOTA_WAIT;
		}
		rule->used_at = now;
		if (allowance_is_out_of_reach(&rule->share, amount) && now < rule->share.until)
			return stop(rule, now, refusal);
		if (!allowance_has(&rule->share, amount, now)) {
			allowance_refuse(&rule->share, amount);
			hurry(q, now);
			*refusal = (struct quota_refusal){
				.reason = "budget",
				.policy = "",
				.wait = allowance_wait(&rule->share, now),
				.everyone = holds_for_all(rule),
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

		if (!holds_for_job(rule, work->job) || !holds_at(rule, target) ||
		    now >= rule->period_ends ||
		    !allowance_is_out_of_reach(&rule->share, of_balance(rule->unit, bound)))
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

		if (!is_balance(take->rule) || uuid_equal(&take->lease_id, &take->rule->lease_id))
			allowance_give_back(&take->rule->share, take->amount);
	}
	work->takes.count = 0;
}

void quota_doubt(struct work *work)
{
	for (size_t i = 0; i < work->takes.count; i++) {
		struct rule *rule = work->takes.items[i].rule;

		if (!is_balance(rule) ||
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
		if (is_balance(work->takes.items[i].rule))
			takes[count++] = (struct intent_take){work->takes.items[i].lease_id,
							      work->takes.items[i].amount};
	return count;
}

/* --- learning --- */

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
	bring(w, &setting, "provider", "a worker, from a reply");
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
		 (unit == UNIT_TOKENS && !reserves_cap(target)))
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
		hurry(w->quota, now);
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

		if (!is_balance(take->rule) && !take->rule->open)
			take->rule->credit += take->amount - call_size_in(&real, take->rule->unit,
									  reserves_cap(target));
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
