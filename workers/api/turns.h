/*
 * Batches of OpenAI's shape on their way: whichever process has time takes one
 * that wants to be looked at, and with it a turn, which is its fence; it works
 * at one step of it and lets go. If it dies, another takes it again a while
 * later and goes on where the rows stand; every step can be done twice.
 *
 *	check   every line is read (turn_check.c): all good, or none is run
 *	admit   the lines become jobs (turn_admit.c), the same ones whoever does it
 *	watch   how many have ended (turn_watch.c)
 *	cancel  what has not ended shall not succeed any more (turn_watch.c)
 *	write   how all ended, into two files (turn_write.c)
 *
 *	turns_run(turns, now);          -- slices of all that are in hand
 */
#ifndef API_TURNS_H
#define API_TURNS_H

#include "api.h"
#include "file_lines.h"

struct turn;

typedef void turn_then(struct turn *turn, const struct pg_rows *rows);

struct turn_step {
	const char *name;
	void (*begin)(struct turn *turn); /* NULL: nothing to prepare */
	void (*run)(struct turn *turn);	  /* a slice; while no statement of it is open */
	void (*drop)(struct turn *turn);  /* frees data; NULL: there is none */
};

extern const struct turn_step turn_check, turn_admit, turn_watch, turn_cancel, turn_write;

struct turn {
	struct api *api;
	const struct turn_step *step;
	struct uuid batch;
	int32_t number; /* the fence */
	struct uuid input;
	int32_t admitted, total;
	char *unit, *key, *feature, *environment, *usage_tier, *task, *lane; /* owned */
	nsec expires_at;						     /* wall clock */
	bool cancelling; /* somebody asked for it */
	struct file_lines lines;
	void *data; /* of the step */
	size_t open;
	turn_then *then;
	nsec wake_at;
	bool over;
	struct turn *next;
};

struct turns *turns_create(struct api *api);
void turns_destroy(struct turns *turns);
void turns_run(struct turns *turns, nsec now);
nsec turns_wake_at(const struct turns *turns); /* 0: at once */
void turns_hurry(struct turns *turns);	       /* there is a batch to be taken */

/* --- for the steps --- */

/* Ask; the answer goes to `then` unless the turn is over by then, trouble ends the turn. One at a
 * time, but for those without a `then`. Takes args. */
void turn_ask(struct turn *turn, int which, const char *statement, struct pg_args *args,
	      turn_then *then);

/* Arguments that begin with the batch and the turn. */
struct pg_args *turn_args(const struct turn *turn);

/* Whether the answer's first column says that the turn is still ours; else it is over. */
bool turn_holds(struct turn *turn, const struct pg_rows *rows);

void turn_end(struct turn *turn);			       /* let go of it */
void turn_next(struct turn *turn, const struct pg_rows *rows); /* let go: the next step is due */
void turn_step_to(struct turn *turn, const char *to);	       /* to another step, and let go */
void turn_want_piece(struct turn *turn);		       /* of the input, into its lines */

#endif
