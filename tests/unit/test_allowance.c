#include "allowance.h"

#include <string.h>

#include "random.h"
#include "unit.h"

#define SECONDS(n) ((nsec)((n) * (double)NSEC_PER_SEC))
#define START SECONDS(1000)

static struct allowance holding(enum allowance_kind kind, int64_t amount)
{
	struct allowance a;

	allowance_init(&a, kind);
	allowance_refuse(&a, 1);
	allowance_ask(&a, 1, START);
	allowance_grant(&a, amount, START, START);
	return a;
}

START_TEST(nothing_is_had_before_it_is_granted)
{
	struct allowance a;

	allowance_init(&a, ALLOWANCE_BALANCE);
	ck_assert(!allowance_has(&a, 1, START));
	a = holding(ALLOWANCE_BALANCE, 10);
	ck_assert(allowance_has(&a, 10, START));
	ck_assert(!allowance_has(&a, 11, START));
}
END_TEST

START_TEST(a_lease_ends_two_seconds_after_it_was_asked_for)
{
	struct allowance a = holding(ALLOWANCE_BALANCE, 10);

	ck_assert(allowance_has(&a, 1, START + ALLOWANCE_LEASE - 1));
	ck_assert(!allowance_has(&a, 1, START + ALLOWANCE_LEASE));
	allowance_grant(&a, 3, START + ALLOWANCE_LEASE, START + ALLOWANCE_LEASE);
	ck_assert_int_eq(a.left, 3);
}
END_TEST

START_TEST(a_rate_is_spread_over_its_turn)
{
	struct allowance a = holding(ALLOWANCE_RATE, 10);
	int early = 0, all = 0;

	for (nsec now = START; now < START + ALLOWANCE_TURN; now += NSEC_PER_MSEC)
		while (allowance_has(&a, 1, now)) {
			allowance_take(&a, 1, now);
			early += now < START + ALLOWANCE_TURN / 2;
			all++;
		}
	ck_assert_int_eq(all, 10);
	ck_assert_int_ge(early, 4);
	ck_assert_int_le(early, 6);
}
END_TEST

START_TEST(a_balance_is_had_at_once)
{
	struct allowance a = holding(ALLOWANCE_BALANCE, 10);

	for (int i = 0; i < 10; i++) {
		ck_assert(allowance_has(&a, 1, START));
		allowance_take(&a, 1, START);
	}
	ck_assert(!allowance_has(&a, 1, START));
}
END_TEST

START_TEST(a_hold_outlasts_what_is_left)
{
	struct allowance a = holding(ALLOWANCE_RATE, 10);

	a.held_until = START + SECONDS(1);
	ck_assert(!allowance_has(&a, 1, START));
	ck_assert_uint_eq(allowance_wait(&a, START), SECONDS(1));
	ck_assert(allowance_has(&a, 1, START + SECONDS(1)));
}
END_TEST

START_TEST(what_was_refused_is_asked_for)
{
	struct allowance a;
	struct allowance_ask ask;

	allowance_init(&a, ALLOWANCE_RATE);
	ask = allowance_ask(&a, 100, START);
	ck_assert_int_eq(ask.want, 0);
	allowance_refuse(&a, 500);
	allowance_refuse(&a, 300);
	ask = allowance_ask(&a, 10, START + ALLOWANCE_TURN);
	ck_assert_int_eq(ask.need, 300);
	ck_assert_int_eq(ask.want, 3000);
}
END_TEST

START_TEST(a_steady_pace_is_asked_for_ahead)
{
	struct allowance a = holding(ALLOWANCE_RATE, 1000);
	nsec now = START;

	for (int turn = 0; turn < 40; turn++) {
		struct allowance_ask ask;

		for (int i = 0; i < 25; i++)
			if (a.left > 0)
				allowance_take(&a, 1, now);
		now += ALLOWANCE_TURN;
		ask = allowance_ask(&a, 0, now);
		allowance_grant(&a, ask.want, now, now);
	}
	ck_assert_int_ge(a.left, 25);
	ck_assert_int_le(a.left, 50);
}
END_TEST

START_TEST(more_than_the_period_has_left_is_out_of_reach)
{
	struct allowance a = holding(ALLOWANCE_BALANCE, 10);

	ck_assert(!allowance_is_out_of_reach(&a, INT64_MAX));
	a.most = 99;
	ck_assert(!allowance_is_out_of_reach(&a, 99));
	ck_assert(allowance_is_out_of_reach(&a, 100));
}
END_TEST

/* --- a fleet against a row, in virtual time: the rules of sql allow_turn() --- */

struct row {
	double per_second, level;      /* rate */
	double cap, charged, reserved; /* balance */
	nsec at;
};

struct member {
	struct allowance a;
	double leased; /* balance: unspent part of its lease, as the row knows it */
	nsec last, next;
	bool asks;
};

#define FLEET 8

static int wanting(const struct member *fleet, nsec now)
{
	int count = 0;

	for (int i = 0; i < FLEET; i++)
		count += fleet[i].last + ALLOWANCE_LEASE > now && fleet[i].asks;
	return count ? count : 1;
}

static int64_t grant_rate(struct row *row, struct member *m, struct member *fleet,
			  struct allowance_ask ask, nsec now)
{
	double passed = (double)(now - m->last) / 1e9, share, entitled;
	int n;

	m->asks = true;
	if (passed > 2)
		passed = 2;
	m->last = now;
	n = wanting(fleet, now);
	row->level += row->per_second * (double)(now - row->at) / 1e9;
	row->at = now;
	if (row->level > 2 * row->per_second)
		row->level = 2 * row->per_second;
	entitled = row->per_second * passed / n;
	share = entitled > row->level / (2 * n) ? entitled : row->level / (2 * n);
	if (share > (double)ask.want)
		share = (double)ask.want;
	if (share > row->level)
		share = row->level;
	if (ask.want == 0 || row->level <= 0)
		return 0;
	share = (int64_t)share < ask.need ? (double)ask.need : (double)(int64_t)share;
	row->level -= share;
	return (int64_t)share;
}

static void fleet_init(struct member *fleet, enum allowance_kind kind)
{
	for (int i = 0; i < FLEET; i++) {
		memset(&fleet[i], 0, sizeof(fleet[i]));
		allowance_init(&fleet[i].a, kind);
		fleet[i].next = START + (nsec)i * 31 * NSEC_PER_MSEC;
	}
}

static double run_rate(double per_minute, int64_t amount, double seconds)
{
	struct member fleet[FLEET];
	struct row row = {.per_second = per_minute / 60, .at = START};
	double spent = 0;

	fleet_init(fleet, ALLOWANCE_RATE);
	for (nsec now = START; now < START + SECONDS(seconds); now += NSEC_PER_MSEC)
		for (int i = 0; i < FLEET; i++) {
			struct member *m = &fleet[i];

			while (allowance_has(&m->a, amount, now)) {
				allowance_take(&m->a, amount, now);
				if (now >= START + SECONDS(10))
					spent += (double)amount;
			}
			allowance_refuse(&m->a, amount);
			if (now >= m->next) {
				struct allowance_ask ask = allowance_ask(&m->a, 100, now);

				m->next = now + ALLOWANCE_TURN;
				allowance_grant(&m->a, grant_rate(&row, m, fleet, ask, now), now,
						now);
			}
		}
	return spent / (row.per_second * (seconds - 10));
}

START_TEST(a_fleet_uses_a_rate_up)
{
	double requests = run_rate(3000, 1, 70), tokens = run_rate(200000, 700, 70),
	       slow = run_rate(60, 1, 190), large = run_rate(100000, 40000, 610);

	ck_assert_double_ge(requests, 0.98);
	ck_assert_double_le(requests, 1.01);
	ck_assert_double_ge(tokens, 0.98);
	ck_assert_double_le(tokens, 1.01);
	ck_assert_double_ge(slow, 0.98);
	ck_assert_double_le(slow, 1.01);
	ck_assert_double_ge(large, 0.95); /* a few calls more or less */
	ck_assert_double_le(large, 1.05);
}
END_TEST

static double grant_balance(struct row *row, struct member *m, struct allowance_ask ask)
{
	double available = row->cap - row->charged - row->reserved;
	double grant = (double)(int64_t)(available / (2 * FLEET));

	if (grant > (double)ask.want)
		grant = (double)ask.want;
	if (grant < (double)ask.need)
		grant = available >= (double)ask.need ? (double)ask.need : 0;
	row->reserved += grant;
	m->leased += grant;
	return grant;
}

static void expire(struct row *row, struct member *m, nsec now)
{
	if (m->a.until <= now) {
		row->reserved -= m->leased;
		m->leased = 0;
		m->a.left = 0;
	}
}

START_TEST(a_fleet_never_passes_a_cap_and_gets_near_it)
{
	for (uint64_t seed = 0; seed < 20; seed++) {
		struct member fleet[FLEET];
		struct row row = {.cap = 100000};
		struct random random;

		random_seed(&random, seed);
		fleet_init(fleet, ALLOWANCE_BALANCE);
		for (nsec now = START; now < START + SECONDS(60); now += 5 * NSEC_PER_MSEC)
			for (int i = 0; i < FLEET; i++) {
				struct member *m = &fleet[i];
				int64_t bound = 50 + (int64_t)random_below(&random, 50);

				expire(&row, m, now);
				if (allowance_has(&m->a, bound, now)) {
					allowance_take(&m->a, bound, now);
					m->leased -= (double)bound;
					row.reserved -=
						(double)bound; /* settled at once, for half of it */
					row.charged += (double)(bound / 2);
				} else {
					allowance_refuse(&m->a, bound);
				}
				if (now >= m->next) {
					struct allowance_ask ask = allowance_ask(&m->a, 10, now);

					m->next = now + ALLOWANCE_TURN;
					allowance_grant(&m->a, (int64_t)grant_balance(&row, m, ask),
							now, now);
				}
				ck_assert_double_le(row.charged + row.reserved, row.cap);
				ck_assert_double_ge(row.reserved, 0);
			}
		ck_assert_double_ge(row.charged, row.cap - 100);
	}
}
END_TEST

/* --- guesses --- */

START_TEST(a_guess_learns_and_stays_above)
{
	struct token_guess g;
	struct random random;
	int below = 0;

	random_seed(&random, 7);
	token_guess_init(&g, 0.25);
	for (int i = 0; i < 1000; i++) {
		int64_t bytes = 500 + (int64_t)random_below(&random, 4000);
		int64_t tokens = (int64_t)((double)bytes * (0.18 + 0.04 * random_unit(&random)));

		if (i >= 100)
			below += token_guess(&g, bytes) < tokens;
		token_guess_learn(&g, bytes, tokens);
	}
	ck_assert_double_eq_tol(g.ratio, 0.20, 0.01);
	ck_assert_int_le(below, 45); /* 5 % */
	ck_assert_int_le(token_guess(&g, 1000), 240);
	token_guess_learn(&g, 0, 5);
	token_guess_learn(&g, 5, -1);
	ck_assert_double_eq_tol(g.ratio, 0.20, 0.01);
}
END_TEST

START_TEST(providers_count_a_call_in_their_own_way)
{
	struct call_size size = {.input = 1000, .cache_read = 400, .output = 50, .output_cap = 300};

	ck_assert_int_eq(call_size_in(&size, UNIT_REQUESTS, true), 1);
	ck_assert_int_eq(call_size_in(&size, UNIT_TOKENS, true), 1000);
	ck_assert_int_eq(call_size_in(&size, UNIT_INPUT_TOKENS, false), 600);
	ck_assert_int_eq(call_size_in(&size, UNIT_OUTPUT_TOKENS, false), 50);
	ck_assert_int_eq(call_size_in(&size, UNIT_TOKENS, false), 650);
	size.output_cap = 4000;
	ck_assert_int_eq(call_size_in(&size, UNIT_TOKENS, true), 4000);
}
END_TEST

START_TEST(units_have_names)
{
	enum allowance_unit unit;

	for (size_t i = 0; i < UNIT_COUNT; i++) {
		ck_assert(allowance_unit_parse(allowance_unit_name((enum allowance_unit)i), &unit));
		ck_assert_int_eq(unit, i);
	}
	ck_assert(!allowance_unit_parse("pounds", &unit));
}
END_TEST

START_TEST(after_a_hold_calls_go_on_one_by_one)
{
	struct allowance a;
	nsec now = NSEC_PER_SEC;
	int started = 0;

	allowance_init(&a, ALLOWANCE_RATE);
	allowance_grant(&a, 10, now, now);
	a.held_until = now + NSEC_PER_SEC;
	ck_assert(!allowance_has(&a, 1, now + ALLOWANCE_TURN));
	now = a.held_until;
	while (allowance_has(&a, 1, now) && started < 10) {
		allowance_take(&a, 1, now);
		started++;
	}
	ck_assert_int_eq(started, 1);
	ck_assert_uint_eq(allowance_wait(&a, now), ALLOWANCE_TURN / 10);
	ck_assert(allowance_has(&a, 1, now + ALLOWANCE_TURN / 10));
}
END_TEST

UNIT_TESTS(allowance, after_a_hold_calls_go_on_one_by_one, nothing_is_had_before_it_is_granted,
	   a_lease_ends_two_seconds_after_it_was_asked_for, a_rate_is_spread_over_its_turn,
	   a_balance_is_had_at_once, a_hold_outlasts_what_is_left, what_was_refused_is_asked_for,
	   a_steady_pace_is_asked_for_ahead, more_than_the_period_has_left_is_out_of_reach,
	   a_fleet_uses_a_rate_up, a_fleet_never_passes_a_cap_and_gets_near_it,
	   a_guess_learns_and_stays_above, providers_count_a_call_in_their_own_way,
	   units_have_names)
