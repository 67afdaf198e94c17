/*
 * Batches whose lines are jobs: how many of these have ended; and the end of
 * those that have not, when the batch is cancelled or its time is over.
 */
#include <stdlib.h>

#include "ensure.h"
#include "turns.h"

#define PAGE 1000 /* lines whose jobs are cancelled by one statement */

/* --- watch --- */

static void counted(struct turn *turn, const struct pg_rows *rows)
{
	turn_next(turn, rows);
}

static void watch(struct turn *turn)
{
	turn_ask(turn, API_SLOW, "batch_watch", turn_args(turn), counted);
}

const struct turn_step turn_watch = {"watch", NULL, watch, NULL};

/* --- cancel --- */

struct cancelling {
	int32_t behind; /* this line */
	bool all;
};

static void begin(struct turn *turn)
{
	turn->data = xcalloc(1, sizeof(struct cancelling));
}

static void drop(struct turn *turn)
{
	free(turn->data);
}

static void unwanted(struct turn *turn, const struct pg_rows *rows)
{
	struct cancelling *c = turn->data;

	if (!turn_holds(turn, rows))
		return;
	c->all = pg_is_null(rows, 0, 1);
	if (!c->all)
		c->behind = (int32_t)pg_get_int(rows, 0, 1);
}

static void run(struct turn *turn)
{
	struct cancelling *c = turn->data;
	struct pg_args *args;

	if (c->all) {
		turn_step_to(turn, "write");
		return;
	}
	args = turn_args(turn);
	pg_int(args, c->behind);
	pg_int(args, PAGE);
	turn_ask(turn, API_FILES, "batch_unwanted", args, unwanted);
}

const struct turn_step turn_cancel = {"cancel", begin, run, drop};
