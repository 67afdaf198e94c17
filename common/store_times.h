/*
 * The measured times of batches from their rows: the answer of
 * sql/statements/batch_times.sql.
 *
 *	store_times_read(answer.rows, &w->times);
 */
#ifndef SLUICE_STORE_TIMES_H
#define SLUICE_STORE_TIMES_H

#include "batch_times.h"
#include "pg.h"

/* Replaces what was known. */
void store_times_read(const struct pg_rows *rows, struct batch_times *times);

#endif
