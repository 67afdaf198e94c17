/*
 * How jobs stand, looked up together: whoever asks while a look is under way
 * goes with the next one, a statement for up to a hundred of them.
 *
 *	looks_ask(looks, x, shown);     -- for x->job_id
 *
 *	static void shown(struct exchange *x, const struct pg_rows *rows, int row)
 *	{
 *		if (row < 0)
 *			...             -- there is no such job
 *	}
 */
#ifndef API_LOOKS_H
#define API_LOOKS_H

#include "exchange.h"

typedef void looks_then(struct exchange *x, const struct pg_rows *rows, int row);

struct looks;

struct looks *looks_create(struct api *api);
void looks_destroy(struct looks *looks);

/* `then` is called from the loop, with the columns of job.sql; troubles are replied to here. */
void looks_ask(struct looks *looks, struct exchange *x, looks_then *then);
void looks_run(struct looks *looks);

#endif
