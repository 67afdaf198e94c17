/*
 * The files that travel inside the binary: everything under sql/ and schemas/,
 * so that one executable is a whole installation.
 *
 *	const struct embedded *claim = embedded_find("sql/statements/claim.sql");
 *
 * The table is made at build time and sorted by path (natural order).
 */
#ifndef SLUICE_EMBEDDED_H
#define SLUICE_EMBEDDED_H

#include <stddef.h>

struct embedded {
	const char *path; /* from the root of the source tree; NULL ends the table */
	const char *text; /* ends with a zero byte that len does not count */
	size_t len;
};

extern const struct embedded embedded_files[];

/* The file of that path; NULL if there is none. */
const struct embedded *embedded_find(const char *path);

/* The text of a file that must be there: a missing one is a bug. */
const char *embedded_text(const char *path);

#endif
