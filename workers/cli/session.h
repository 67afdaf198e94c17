/*
 * What a command works with: the configuration, Postgres, and a way to say what
 * it found or what went wrong.
 *
 *	AUTO_FINISH(session_finish) struct session session = {0};
 *	if (!session_open(&session, &wishes.common, &err))
 *		return session_fail("jobs list", &err);
 *	AUTO(pg_rows_destroy) struct pg_rows *rows = session_ask(&session, "jobs_list", args, &err);
 *	session_print(rows, TABLE_TEXT);
 *
 * Queries live in sql/queries/NAME.sql. Those whose rows are printed give every
 * column as text, and name it as it is to be shown; a name that ends in "#" is
 * a column of numbers.
 */
#ifndef SLUICE_CLI_SESSION_H
#define SLUICE_CLI_SESSION_H

#include <stdbool.h>

#include "arguments.h"
#include "config.h"
#include "error.h"
#include "pg.h"
#include "table.h"

struct session {
	struct config *config;
	struct pg *pg; /* NULL until session_open() or session_connect() */
};

bool session_configure(struct session *session, const struct arguments *arguments,
		       struct error *err) MUST_USE;
bool session_connect(struct session *session, struct error *err) MUST_USE;
/* Both of them. */
bool session_open(struct session *session, const struct arguments *arguments,
		  struct error *err) MUST_USE;
void session_finish(struct session *session);

/* Rows of sql/queries/<query>.sql. Takes args. */
struct pg_rows *session_ask(struct session *session, const char *query, struct pg_args *args,
			    struct error *err) MUST_USE;

/* Prints rows of text; with `empty` in place of an empty table for people. */
void session_print(const struct pg_rows *rows, enum table_format format, const char *empty);

/*
 * All of it, for a command that prints the rows of one query: opens, asks, prints
 * as --json and csv say. Takes args.
 */
bool session_show(const struct arguments *arguments, bool csv, const char *query,
		  struct pg_args *args, const char *empty, struct error *err) MUST_USE;

/* The printing in two steps, where a table has columns of its own before them. */
void session_columns(struct table *table, const struct pg_rows *rows);
void session_cells(struct table *table, const struct pg_rows *rows, int row);

enum table_format session_format(bool json, bool csv);

/* "sluice jobs list: what went wrong" on standard error; returns the exit code. */
int session_fail(const char *command, const struct error *err);

/* Reads the id of a job. */
bool session_read_id(const char *text, struct uuid *id, struct error *err) MUST_USE;

#endif
