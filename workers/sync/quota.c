#include "quota.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "breakers.h"
#include "ensure.h"
#include "log.h"
#include "metrics.h"
#include "quota_rules.h"
#include "worker.h"

#define IDLE_TURN (NSEC_PER_SEC / 2)	 /* with nothing to ask: is there anything new? */
#define FORGET_AFTER (10 * NSEC_PER_SEC) /* an allowance unused for so long is not asked for */
#define SCARCE 0.9			 /* of a balance is used: who is behind yields */

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
	int id, lease, want, need, credit, limit, left, age, hold, hit, rank;
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
	pg_push_int(args, to->rank, rule_first_here(rule, now));
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
		.rank = pg_array(args, PG_INT4),
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

void quota_bring(struct worker *w, const struct allowance_setting *setting, const char *source,
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

/* Whether anything can be asked for at all. */
static bool is_heard(const struct worker *w)
{
	return pg_ready(w->pgs[PG_QUOTA]) && w->registered && !w->ended;
}

void quota_run(struct worker *w, nsec now)
{
	struct quota *q = w->quota;

	if (!is_heard(w))
		return;
	if (!q->seeded) {
		q->seeded = true;
		for (size_t i = 0; i < w->config->allowance_count; i++)
			quota_bring(w, &w->config->allowances[i], "config", "the configuration");
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
	return w->quota->turning || !is_heard(w) ? 0 : w->quota->turn_at;
}

/* Somebody was refused who need not wait for the next round. */
void quota_hurry(struct worker *w, nsec now)
{
	struct quota *q = w->quota;
	nsec soonest = q->turned_at + SOONEST_TURN > now ? q->turned_at + SOONEST_TURN : now;

	if (soonest < q->turn_at)
		q->turn_at = soonest;
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
	TURN_FIRST,
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
	if (rule_is_balance(rule)) {
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
	struct rule *rule = rules_find(w->quota, (int32_t)pg_get_int(rows, row, TURN_ID));
	struct uuid lease_id = pg_get_uuid(rows, row, TURN_LEASE);
	nsec held = (nsec)pg_get_int(rows, row, TURN_HELD) * NSEC_PER_MSEC;
	nsec period = (nsec)pg_get_int(rows, row, TURN_PERIOD) * NSEC_PER_MSEC;

	if (!rule)
		return;
	if (rule_is_balance(rule) && !uuid_equal(&lease_id, &rule->lease_id))
		rule->share.left = 0; /* what was left was of another lease */
	rule->lease_id = lease_id;
	allowance_grant(&rule->share, pg_get_int(rows, row, TURN_GRANTED), sent_at, now);
	rule->open = !rule_is_balance(rule) && pg_is_null(rows, row, TURN_THINKS);
	rule->share.most = pg_get_int(rows, row, TURN_MOST);
	rule->period_ends = period > 0 ? now + period : 0;
	rule->scarce = rule_is_used_up(rule) && pg_get_double(rows, row, TURN_USED) >= SCARCE;
	rule->first = (int)pg_get_int(rows, row, TURN_FIRST);
	if (held > 0 && now + held > rule->share.held_until)
		rule->share.held_until = now + held;
	tell(rule, rows, row);
	moisten(w, rule);
}

/* Grants that were lost on the way expire by themselves; of balances we ask for new leases. */
static void lose_leases(struct quota *q)
{
	for (size_t i = 0; i < q->count; i++)
		if (rule_is_balance(q->rules[i])) {
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
			rules_read(w, answer->rows);
		break;
	default:
		break;
	}
	request_destroy(request);
}
