#include "toll.h"

#include <math.h>
#include <stdlib.h>

#include "ensure.h"
#include "exchange.h"

/*
 * A turn is one statement for all keys somebody waits for or that are in debt;
 * there is one at a time, and those who come meanwhile have the next.
 */
struct payer {
	struct exchange *x;
	enum purse_unit unit;
	double amount;
	toll_paid *paid;
};

struct payers {
	struct payer *items;
	size_t count;
};

struct debtor {
	struct api_key *key; /* held */
	enum purse_unit unit;
};

struct debtors {
	struct debtor *items;
	size_t count;
};

struct toll {
	struct api *api;
	struct payers waiting;
	struct debtors due;  /* those of the next turn … */
	struct debtors sent; /* … and of the one that is under way, in the order of its arrays */
	struct payers asked; /* who waits for that one */
	bool asking;
};

struct toll *toll_create(struct api *api)
{
	struct toll *toll = xcalloc(1, sizeof(*toll));

	toll->api = api;
	return toll;
}

static void release(struct debtors *debtors)
{
	for (size_t i = 0; i < debtors->count; i++)
		keyring_release(debtors->items[i].key);
	free(debtors->items);
	*debtors = (struct debtors){0};
}

void toll_destroy(struct toll *toll)
{
	if (!toll)
		return;
	release(&toll->due);
	release(&toll->sent);
	free(toll->waiting.items);
	free(toll->asked.items);
	free(toll);
}

const char *purse_name(enum purse_unit unit)
{
	return unit == PURSE_TOKENS ? "tokens" : "requests";
}

double purse_shows(const struct purse *purse, nsec now)
{
	double seconds = (double)(now - purse->level_at) / (double)NSEC_PER_SEC;
	double level = fmin(purse->per_minute, purse->level + seconds * purse->per_minute / 60);

	return fmax(0, floor(level + purse->left));
}

unsigned purse_wait(const struct purse *purse, nsec now)
{
	double seconds = (double)(now - purse->level_at) / (double)NSEC_PER_SEC;
	double lacks = 1 - purse->left - purse->level - seconds * purse->per_minute / 60;

	return lacks <= 0 ? 1 : (unsigned)fmin(86400, ceil(lacks * 60 / purse->per_minute));
}

/* --- who waits, who owes --- */

static void note(struct toll *toll, struct api_key *key, enum purse_unit unit)
{
	struct debtors *due = &toll->due;

	for (size_t i = 0; i < due->count; i++)
		if (due->items[i].key == key && due->items[i].unit == unit)
			return;
	due->items = xrealloc(due->items, (due->count + 1) * sizeof(*due->items));
	due->items[due->count++] = (struct debtor){key, unit};
	key->users++;
}

static void wait_for_turn(struct toll *toll, const struct payer *payer)
{
	struct payers *waiting = &toll->waiting;

	waiting->items = xrealloc(waiting->items, (waiting->count + 1) * sizeof(*waiting->items));
	waiting->items[waiting->count++] = *payer;
	note(toll, payer->x->key, payer->unit);
}

static bool spend(const struct payer *payer)
{
	struct purse *purse = &payer->x->key->purses[payer->unit];

	if (purse->left < payer->amount)
		return false;
	purse->left -= payer->amount;
	return true;
}

void toll_pay(struct toll *toll, struct exchange *x, enum purse_unit unit, double amount,
	      toll_paid *paid)
{
	struct payer payer = {x, unit, amount, paid};

	if (x->key->purses[unit].per_minute <= 0 || amount <= 0 || spend(&payer))
		paid(x);
	else
		wait_for_turn(toll, &payer);
}

void toll_charge(struct toll *toll, struct api_key *key, enum purse_unit unit, double amount)
{
	struct purse *purse = &key->purses[unit];

	if (purse->per_minute <= 0 || amount <= 0)
		return;
	purse->left -= amount;
	if (purse->left < 0)
		note(toll, key, unit);
}

/* --- turns --- */

static struct purse *purse_of(const struct debtor *debtor)
{
	return &debtor->key->purses[debtor->unit];
}

/* The first one's need is met even if it is more than a minute's worth: the level goes below 0. */
static void settle_turn(struct toll *toll, const struct pg_rows *rows, nsec now)
{
	for (int row = 0; row < pg_count(rows); row++) {
		size_t place = (size_t)pg_get_int(rows, row, 0) - 1;
		struct purse *purse;

		ENSURE(place < toll->sent.count);
		purse = purse_of(&toll->sent.items[place]);
		purse->left += pg_get_double(rows, row, 1);
		purse->level = pg_get_double(rows, row, 2);
		purse->level_at = now;
		purse->used = 0;
	}
}

/* What was used is still owed where the statement failed. */
static void keep_debts(struct toll *toll)
{
	for (size_t i = 0; i < toll->sent.count; i++) {
		struct debtor *debtor = &toll->sent.items[i];
		struct purse *purse = purse_of(debtor);

		purse->left -= purse->used;
		purse->used = 0;
		if (purse->left < 0)
			note(toll, debtor->key, debtor->unit);
	}
}

static void let_go(const struct payer *payer, const struct pg_answer *answer)
{
	if (!answer->rows)
		exchange_trouble(payer->x, &answer->error);
	else if (payer->x->key->purses[payer->unit].per_minute <= 0 || spend(payer))
		payer->paid(payer->x);
	else
		exchange_limited(payer->x, payer->unit);
}

static void told(struct api *api, void *owner, struct pg_answer *answer)
{
	struct toll *toll = owner;
	struct payers asked = toll->asked;

	(void)api;
	toll->asking = false;
	toll->asked = (struct payers){0};
	if (answer->rows)
		settle_turn(toll, answer->rows, clock_now());
	else
		keep_debts(toll);
	release(&toll->sent);
	for (size_t i = 0; i < asked.count; i++)
		let_go(&asked.items[i], answer);
	free(asked.items);
}

static void sum_up(struct toll *toll)
{
	for (size_t i = 0; i < toll->due.count; i++) {
		struct purse *purse = purse_of(&toll->due.items[i]);

		purse->short_of = purse->first = 0;
		purse->used = purse->left < 0 ? -purse->left : 0;
		purse->left += purse->used;
	}
	for (size_t i = 0; i < toll->waiting.count; i++) {
		struct payer *payer = &toll->waiting.items[i];
		struct purse *purse = &payer->x->key->purses[payer->unit];

		if (purse->short_of <= 0)
			purse->first = fmax(0, payer->amount - purse->left);
		purse->short_of += payer->amount;
	}
}

static struct pg_args *turn_args(const struct toll *toll)
{
	struct pg_args *args = pg_args_create();
	int ids = pg_array(args, PG_TEXT), units = pg_array(args, PG_TEXT),
	    used = pg_array(args, PG_FLOAT8), needs = pg_array(args, PG_FLOAT8),
	    wants = pg_array(args, PG_FLOAT8);

	for (size_t i = 0; i < toll->due.count; i++) {
		const struct debtor *debtor = &toll->due.items[i];
		const struct purse *purse = purse_of(debtor);
		double ahead = purse->short_of > 0 ? floor(purse->per_minute / 60) : 0;

		pg_push_string(args, ids, debtor->key->id);
		pg_push_string(args, units, purse_name(debtor->unit));
		pg_push_double(args, used, purse->used);
		pg_push_double(args, needs, purse->first);
		pg_push_double(args, wants, fmax(0, purse->short_of - purse->left) + ahead);
	}
	return args;
}

void toll_run(struct toll *toll)
{
	struct error away;

	if (toll->asking || toll->due.count == 0)
		return;
	sum_up(toll);
	toll->asking = api_ask(toll->api, API_READS, "toll", turn_args(toll), told, toll);
	toll->sent = toll->due;
	toll->asked = toll->waiting;
	toll->due = (struct debtors){0};
	toll->waiting = (struct payers){0};
	if (toll->asking)
		return;
	error_set(&away, ERROR_RETRY, "the database is away");
	told(toll->api, toll, &(struct pg_answer){.error = away});
}
