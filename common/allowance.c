#include "allowance.h"

#include <math.h>
#include <string.h>

#include "ensure.h"

#define PACE_WEIGHT 0.3
#define MEAN_WEIGHT 0.05
#define LOOK_AGAIN (50 * NSEC_PER_MSEC)

static const char *const unit_names[] = {
#define ALLOWANCE_UNIT(name, text) text,
	ALLOWANCE_UNITS(ALLOWANCE_UNIT)
#undef ALLOWANCE_UNIT
};

const char *allowance_unit_name(enum allowance_unit unit)
{
	ENSURE(unit < UNIT_COUNT);
	return unit_names[unit];
}

bool allowance_unit_parse(const char *name, enum allowance_unit *unit)
{
	for (size_t i = 0; i < UNIT_COUNT; i++)
		if (strcmp(unit_names[i], name) == 0) {
			*unit = (enum allowance_unit)i;
			return true;
		}
	return false;
}

void allowance_init(struct allowance *a, enum allowance_kind kind)
{
	*a = (struct allowance){.kind = kind, .most = INT64_MAX};
}

/* --- spending --- */

/* After a hold as well: who waited goes on one by one, for the next refusal may be near. */
static nsec spread_from(const struct allowance *a)
{
	return a->held_until > a->chunk_at ? a->held_until : a->chunk_at;
}

/* A chunk is spread over the turn: no more may be gone of it than time has passed. */
static bool is_due(const struct allowance *a, nsec now)
{
	nsec from = spread_from(a);
	double passed = now > from ? (double)(now - from) / (double)ALLOWANCE_TURN : 0;

	return a->kind == ALLOWANCE_BALANCE || passed >= 1 ||
	       (double)a->taken <= (double)a->chunk * passed;
}

bool allowance_has(const struct allowance *a, int64_t amount, nsec now)
{
	return now >= a->held_until && now < a->until && a->left >= amount && is_due(a, now);
}

void allowance_take(struct allowance *a, int64_t amount, nsec now)
{
	ENSURE(amount >= 0 && a->left >= amount && now < a->until);
	a->left -= amount;
	a->taken += amount;
	a->spent += amount;
	a->mean = a->mean > 0 ? a->mean + MEAN_WEIGHT * ((double)amount - a->mean) : (double)amount;
}

void allowance_give_back(struct allowance *a, int64_t amount)
{
	a->left += amount;
	a->taken -= amount < a->taken ? amount : a->taken;
	a->spent -= amount < a->spent ? amount : a->spent;
}

void allowance_refuse(struct allowance *a, int64_t amount)
{
	if (a->least == 0 || amount < a->least)
		a->least = amount;
}

nsec allowance_wait(const struct allowance *a, nsec now)
{
	nsec turn = a->asked_at + ALLOWANCE_TURN;

	if (a->held_until > now)
		return a->held_until - now;
	if (a->left > 0 && a->chunk > 0 && !is_due(a, now)) {
		nsec due = spread_from(a) +
			   (nsec)((double)ALLOWANCE_TURN * (double)a->taken / (double)a->chunk);

		return due > now + NSEC_PER_MSEC ? due - now : NSEC_PER_MSEC;
	}
	return turn > now + LOOK_AGAIN ? turn - now : LOOK_AGAIN;
}

bool allowance_is_out_of_reach(const struct allowance *a, int64_t amount)
{
	return a->kind == ALLOWANCE_BALANCE && amount > a->most;
}

/* --- asking --- */

static void measure_pace(struct allowance *a, nsec now)
{
	double seconds = (double)(now - a->asked_at) / (double)NSEC_PER_SEC;

	if (a->asked_at == 0 || seconds > 10)
		a->pace = 0;
	else if (seconds > 0)
		a->pace += PACE_WEIGHT * ((double)a->spent / seconds - a->pace);
	a->spent = 0;
	a->asked_at = now;
}

struct allowance_ask allowance_ask(struct allowance *a, size_t waiting, nsec now)
{
	struct allowance_ask ask = {0};
	double call, want;

	measure_pace(a, now);
	if (now >= a->until)
		a->left = 0;
	call = a->mean > 0 ? a->mean : (double)a->least;
	if (call < (double)a->least)
		call = (double)a->least;
	/* As much as was spent lately, half as much again for a rise, and what those who wait could
	 * use. */
	want = 1.5 * a->pace * (double)ALLOWANCE_TURN / (double)NSEC_PER_SEC;
	if (a->least > 0 && want < (double)waiting * call)
		want = (double)waiting * call;
	want = ceil(want) - (double)a->left;
	ask.need = a->least > a->left ? a->least - a->left : a->least > 0 ? 1 : 0;
	if (want > 9e18)
		want = 9e18;
	ask.want = want > (double)ask.need ? (int64_t)want : ask.need;
	if (ask.need == 0 && ask.want > 0)
		ask.need = call < 1 ? 1 : (int64_t)call;
	if (ask.need > ask.want)
		ask.need = ask.want;
	return ask;
}

void allowance_grant(struct allowance *a, int64_t amount, nsec sent_at, nsec now)
{
	if (now >= a->until)
		a->left = 0;
	a->left += amount;
	a->until = sent_at + ALLOWANCE_LEASE;
	a->chunk = a->left;
	a->chunk_at = now;
	a->taken = 0;
	a->least = 0;
}

/* --- guessing tokens --- */

#define GUESS_WEIGHT 0.05
#define FIRST_SCATTER 0.15 /* of the ratio, before anything was observed */

void token_guess_init(struct token_guess *g, double ratio)
{
	*g = (struct token_guess){.ratio = ratio, .scatter = ratio * FIRST_SCATTER};
}

void token_guess_learn(struct token_guess *g, int64_t bytes, int64_t tokens)
{
	double ratio, weight;

	if (bytes <= 0 || tokens <= 0)
		return;
	ratio = (double)tokens / (double)bytes;
	g->seen++;
	weight = 1.0 / g->seen > GUESS_WEIGHT ? 1.0 / g->seen : GUESS_WEIGHT;
	g->scatter += GUESS_WEIGHT * (fabs(ratio - g->ratio) - g->scatter);
	g->ratio += weight * (ratio - g->ratio);
}

int64_t token_guess(const struct token_guess *g, int64_t bytes)
{
	return (int64_t)ceil((double)bytes * (g->ratio + 2 * g->scatter));
}

/* --- what a call takes --- */

static int64_t larger(int64_t a, int64_t b)
{
	return a > b ? a : b;
}

int64_t call_size_in(const struct call_size *size, enum allowance_unit unit, bool reserves_cap)
{
	int64_t read = reserves_cap ? size->input : size->input - size->cache_read;

	switch (unit) {
	case UNIT_REQUESTS:
	case UNIT_CALLS:
		return 1;
	case UNIT_INPUT_TOKENS:
		return read;
	case UNIT_OUTPUT_TOKENS:
		return reserves_cap ? larger(size->output_cap, size->output) : size->output;
	case UNIT_TOKENS:
		return reserves_cap ? larger(size->output_cap, size->input) : read + size->output;
	case UNIT_USD:
	case UNIT_ENQUEUED_TOKENS:
	case UNIT_COUNT:
		break;
	}
	return 0;
}
