/*
 * The second step of a batch: its lines become jobs, a group at a time, as fast
 * as the key's limits allow. A group that was admitted before is admitted again
 * without effect, because its jobs have the same ids.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "admit.h"
#include "batch_job.h"
#include "ensure.h"
#include "estimate.h"
#include "keyring.h"
#include "utf8.h"

#define GROUP 100
#define SLICE 25
#define LOOK_AGAIN NSEC_PER_SEC /* at a key that has used up its limit */

struct entry {
	struct admission admission; /* first: told() gets a pointer to it */
	struct turn *turn;
	int32_t number;
};

struct admitting {
	struct entry entries[GROUP];
	size_t count;
	size_t untold;
	int32_t last; /* line of the group */
	bool all;     /* lines were read */
	bool failed;  /* some of the group are not admitted */
};

static void begin(struct turn *turn)
{
	turn->data = xcalloc(1, sizeof(struct admitting));
}

static void empty(struct admitting *a)
{
	for (size_t i = 0; i < a->count; i++)
		parcel_finish(&a->entries[i].admission.parcel);
	a->count = 0;
}

static void drop(struct turn *turn)
{
	empty(turn->data);
	free(turn->data);
}

/* --- a group --- */

static void kept(struct turn *turn, const struct pg_rows *rows)
{
	turn_holds(turn, rows);
}

static void keep(struct turn *turn)
{
	struct pg_args *args = turn_args(turn);

	pg_int(args, turn->admitted);
	turn_ask(turn, API_FILES, "batch_keep", args, kept);
}

/* What can't be stored is told in the error file. */
static void note_problem(struct turn *turn, const struct entry *e)
{
	struct pg_args *args = pg_args_create();
	char why[sizeof(e->admission.err.text)];

	pg_uuid(args, &turn->batch);
	pg_int(args, e->number);
	pg_string(args, utf8_copy(why, sizeof(why), e->admission.err.text));
	turn_ask(turn, API_FILES, "batch_problem", args, NULL);
}

static void group_done(struct turn *turn)
{
	struct admitting *a = turn->data;

	empty(a);
	if (a->failed) {
		turn_end(turn); /* it is taken again, and so is this group */
		return;
	}
	turn->admitted = a->last;
	keep(turn);
}

/* Other results are as good: what stands under the id is this job, or it was cancelled. */
static void told(struct admission *admission)
{
	struct entry *e = (struct entry *)admission;
	struct turn *turn = e->turn;
	struct admitting *a = turn->data;

	turn->open--;
	if (admission->result == ADMISSION_FAILED && admission->err.kind == ERROR_REJECT)
		note_problem(turn, e);
	else if (admission->result == ADMISSION_FAILED)
		a->failed = true;
	if (--a->untold == 0 && !turn->over)
		group_done(turn);
}

/* --- the key's limits --- */

/* A quarter of a limit is left to requests, so that who waits for a batch may ask for it. */
static bool has_room(const struct purse *purse, double amount)
{
	double quarter = purse->per_minute / 4;

	return purse->per_minute <= 0 ||
	       purse_shows(purse, clock_now()) >= fmin(amount, 2 * quarter) + quarter;
}

static double tokens_of(const struct turn *turn, const struct api_key *key)
{
	const struct admitting *a = turn->data;
	double tokens = 0;

	for (size_t i = 0; i < a->count && key->purses[PURSE_TOKENS].per_minute > 0; i++)
		tokens += (double)estimate_tokens(turn->api, &a->entries[i].admission.parcel,
						  clock_wall());
	return tokens;
}

static bool charge(const struct turn *turn, struct api_key *key)
{
	const struct admitting *a = turn->data;
	double requests = (double)a->count, tokens = tokens_of(turn, key);

	if (!has_room(&key->purses[PURSE_REQUESTS], requests) ||
	    !has_room(&key->purses[PURSE_TOKENS], tokens))
		return false;
	toll_charge(turn->api->toll, key, PURSE_REQUESTS, requests);
	toll_charge(turn->api->toll, key, PURSE_TOKENS, tokens);
	return true;
}

/* Batches are not refused for a limit, but wait for it; a key that was revoked has none. */
static bool pay(const struct turn *turn)
{
	struct api_key *key = keyring_named(turn->api->keyring, turn->key);
	bool paid = !key || charge(turn, key);

	keyring_release(key);
	return paid;
}

/* So that a group of a key with a small limit has its turn before long. */
static size_t group_size(const struct turn *turn)
{
	struct api_key *key = keyring_named(turn->api->keyring, turn->key);
	double per_minute = key ? key->purses[PURSE_REQUESTS].per_minute : 0;

	keyring_release(key);
	return per_minute > 0 ? (size_t)fmax(1, fmin(GROUP, per_minute / 4)) : GROUP;
}

static void send_group(struct turn *turn, struct admitting *a)
{
	if (!pay(turn)) {
		turn->wake_at = clock_now() + LOOK_AGAIN;
		keep(turn);
		return;
	}
	a->untold = a->count;
	turn->open += a->count;
	for (size_t i = 0; i < a->count; i++)
		admit_add(turn->api->admit, &a->entries[i].admission);
}

/* --- lines --- */

/* A line was good when it was checked; what the configuration of today refuses is told likewise. */
static void take_line(struct turn *turn, struct admitting *a, const char *bytes, size_t len)
{
	struct entry *e = &a->entries[a->count];
	int32_t number = turn->lines.number;
	struct batch_job job;
	bool good = batch_job_make(turn, number, bytes, len, &job);

	*e = (struct entry){.turn = turn, .number = number};
	a->last = number;
	if (good) {
		e->admission.parcel = job.parcel;
		job.parcel = (struct parcel){0};
		e->admission.headers = "";
		e->admission.told = told;
		a->count++;
	} else {
		error_set(&e->admission.err, ERROR_REJECT, "%s", job.problem.message);
		note_problem(turn, e);
	}
	batch_job_finish(&job);
}

static bool step(struct turn *turn, struct admitting *a)
{
	const char *bytes;
	size_t len;

	switch (file_lines_next(&turn->lines, &bytes, &len)) {
	case LINE_GOT:
		if (turn->lines.number > turn->admitted)
			take_line(turn, a, bytes, len);
		break;
	case LINE_TOO_LONG:
		break;
	case LINE_WANTS_MORE:
		turn_want_piece(turn);
		return false;
	case LINE_NO_MORE:
		a->all = true;
		return false;
	}
	return true;
}

static void run(struct turn *turn)
{
	struct admitting *a = turn->data;
	size_t enough = group_size(turn);

	for (int i = 0; i < SLICE && a->count < enough && !a->all; i++)
		if (!step(turn, a))
			break;
	if (turn->open > 0 || turn->over)
		return;
	if (a->count >= enough || (a->all && a->count > 0))
		send_group(turn, a);
	else if (a->all)
		turn_step_to(turn, "watch");
}

const struct turn_step turn_admit = {"admit", begin, run, drop};
