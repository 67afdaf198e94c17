/*
 * What the fleet's breakers leave alone, as batch workers see it: they open none
 * (a batch tells nothing for hours), but prefer candidates that work, and send
 * nothing under a key that is refused.
 *
 *	broken_read(&w->broken, rows);          -- of breakers.sql, about once a second
 *	if (broken_has(&w->broken, candidate)) ...
 */
#ifndef BATCH_BROKEN_H
#define BATCH_BROKEN_H

#include <stdbool.h>
#include <stddef.h>

#include "config.h"
#include "pg.h"

struct broken {
	struct pg_rows *rows; /* NULL: not read yet, nothing is known to be broken */
};

void broken_read(struct broken *broken, struct pg_rows *rows); /* takes the rows */
void broken_finish(struct broken *broken);

bool broken_has(const struct broken *broken, const struct candidate *candidate);
bool broken_has_key(const struct broken *broken, const struct endpoint *endpoint);

#endif
