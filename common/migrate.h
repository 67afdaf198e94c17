/*
 * Brings a database up to this binary's schema: the numbered files of sql/, in
 * order, each in a transaction of its own, under an advisory lock so that two
 * may run at once. A file that was applied must still be what it was.
 *
 *	struct migrate_report report;
 *	if (!migrate(pg, &report, err)) ...     -- err names the file
 */
#ifndef SLUICE_MIGRATE_H
#define SLUICE_MIGRATE_H

#include "error.h"
#include "pg.h"

struct migrate_report {
	int applied; /* by this call */
	int present; /* before it */
	char last[80];
};

/* Applies what is missing. `told`, if not NULL, hears of each file as it is applied. */
bool migrate(struct pg *pg, struct migrate_report *report, void (*told)(const char *file),
	     struct error *err) MUST_USE;

/* How many files are not applied yet; -1 with err when that can't be told. */
int migrate_missing(struct pg *pg, struct error *err) MUST_USE;

#endif
