/*
 * Postgres, by libpq, in binary. Arguments are built column by column, a group
 * of rows is one array per column; results are read by row and column.
 *
 *	struct pg_args *args = pg_args_create();
 *	pg_uuid(args, &owner);
 *	int ids = pg_array(args, PG_UUID);
 *	pg_push_uuid(args, ids, &job->id);
 *
 * Commands and tests ask and wait:
 *
 *	struct pg_rows *rows = pg_ask(pg, "SELECT … WHERE owner = $1", args, err);
 *	if (!rows) return false;
 *	for (int row = 0; row < pg_count(rows); row++)
 *		puts(pg_text(rows, row, 0));
 *	pg_rows_destroy(rows);
 *
 * A worker's loop sends and collects. Statements go out in pipeline mode with
 * a sync each, so each is its own transaction and no lock outlives it:
 *
 *	pg_pump(pg, now);                        -- connect, flush, read: never blocks
 *	if (pg_ready(pg)) pg_send(pg, statement_claim, args, group);
 *	while (pg_next(pg, &answer)) ...         -- in the order they were sent
 *
 * When the connection breaks every open statement is answered with a RETRY
 * error: its fate is unknown, so it must be one that can be sent again.
 */
#ifndef SLUICE_PG_H
#define SLUICE_PG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "buffer.h"
#include "clock.h"
#include "error.h"
#include "uuid.h"

struct pg;
struct pg_args;
struct pg_rows;

enum pg_type { PG_BOOL, PG_INT4, PG_INT8, PG_FLOAT8, PG_TEXT, PG_BYTES, PG_UUID, PG_TIME };

struct pg_options {
	const char *url;	/* libpq connection string or URI */
	const char *name;	/* shown as application_name */
	nsec statement_timeout; /* 0: 30 s */
	nsec lock_timeout;	/* 0: 10 s */
	bool looks_up;		/* only rows by their keys: one plan for all, by indexes */
};

/* Statements that are prepared once a connection and sent by name. */
struct pg_statement {
	const char *name;
	const char *sql; /* the caller's, for as long as the connection */
};

/* --- arguments; "takes" args below means: destroyed by the callee, also on failure --- */
struct pg_args *pg_args_create(void);
void pg_args_destroy(struct pg_args *args);
AUTO_DEFINE(struct pg_args, pg_args_destroy)

void pg_bool(struct pg_args *args, bool value);
void pg_int(struct pg_args *args, int32_t value);
void pg_big(struct pg_args *args, int64_t value);
void pg_double(struct pg_args *args, double value);
void pg_string(struct pg_args *args, const char *text); /* NULL: SQL NULL */
void pg_bytes(struct pg_args *args, const void *bytes, size_t len);
void pg_uuid(struct pg_args *args, const struct uuid *id); /* NULL: SQL NULL */
void pg_time(struct pg_args *args, nsec wall);		   /* 0: SQL NULL */

/* Starts an array argument; the number it returns names it in pg_push_…. */
int pg_array(struct pg_args *args, enum pg_type type);
void pg_push_null(struct pg_args *args, int array);
void pg_push_bool(struct pg_args *args, int array, bool value);
void pg_push_int(struct pg_args *args, int array, int32_t value);
void pg_push_big(struct pg_args *args, int array, int64_t value);
void pg_push_double(struct pg_args *args, int array, double value);	/* NAN: SQL NULL */
void pg_push_string(struct pg_args *args, int array, const char *text); /* NULL: SQL NULL */
void pg_push_bytes(struct pg_args *args, int array, const void *bytes, size_t len);
void pg_push_uuid(struct pg_args *args, int array, const struct uuid *id); /* NULL: SQL NULL */
void pg_push_time(struct pg_args *args, int array, nsec wall);		   /* 0: SQL NULL */

/* Arguments as bytes, to be kept on disk and read back. False: over the buffer's cap; NULL: not
 * such bytes. */
bool pg_args_save(const struct pg_args *args, struct buffer *out);
struct pg_args *pg_args_load(const char *bytes, size_t len);
int pg_args_count(const struct pg_args *args);

/* --- results: getters abort on a wrong column type or number, which is a bug --- */
int pg_count(const struct pg_rows *rows);
int pg_columns(const struct pg_rows *rows);
const char *pg_column_name(const struct pg_rows *rows, int column);
int64_t pg_affected(const struct pg_rows *rows); /* rows a command without RETURNING touched */
bool pg_is_null(const struct pg_rows *rows, int row, int column);
bool pg_get_bool(const struct pg_rows *rows, int row, int column);
int64_t pg_get_int(const struct pg_rows *rows, int row,
		   int column); /* int2, int4, int8, date (days since 2000); NULL: 0 */
double pg_get_double(const struct pg_rows *rows, int row,
		     int column); /* float4, float8; NULL: NAN */
const char *pg_get_text(const struct pg_rows *rows, int row,
			int column); /* text, enums; NULL: "". Borrowed from rows */
const char *pg_get_bytes(const struct pg_rows *rows, int row, int column, size_t *len);
struct uuid pg_get_uuid(const struct pg_rows *rows, int row, int column); /* NULL: zero */
nsec pg_get_time(const struct pg_rows *rows, int row, int column);	  /* wall; NULL: 0 */
void pg_rows_destroy(struct pg_rows *rows);
AUTO_DEFINE(struct pg_rows, pg_rows_destroy)

/* --- ask and wait --- */

/* Connects and waits. NULL with err: RETRY when the server is away. */
struct pg *pg_connect(const struct pg_options *options, struct error *err) MUST_USE;

/*
 * One statement, waits for its rows. Takes args (NULL: none). Outside the
 * pipeline; several may be wrapped in BEGIN and COMMIT. Errors: RETRY for a
 * lost server, deadlock or time-out; REJECT for bad data (21, 22, 23); FATAL
 * for what only a programmer or operator can mend.
 */
struct pg_rows *pg_ask(struct pg *pg, const char *sql, struct pg_args *args,
		       struct error *err) MUST_USE;

/* Many statements in one text, without arguments: migrations. */
bool pg_run(struct pg *pg, const char *sql, struct error *err) MUST_USE;

/* The version of libpq this process runs with, as in 150009 for 15.9. */
int pg_library_version(void);

/* SQLSTATE of the last failure, "" if there was none; to tell bad rows from bad luck. */
const char *pg_sqlstate(const struct pg *pg);

/* --- send and collect --- */

/* A connection that comes up, and comes back, by itself as it is pumped. Never fails. */
struct pg *pg_create(const struct pg_options *options, const struct pg_statement *statements,
		     size_t statement_count);
void pg_destroy(struct pg *pg);
AUTO_DEFINE(struct pg, pg_destroy)

int pg_fd(const struct pg *pg); /* -1 while there is no socket */
bool pg_wants_write(const struct pg *pg);
void pg_pump(struct pg *pg, nsec now);
bool pg_ready(const struct pg *pg);   /* connected and prepared */
nsec pg_wake_at(const struct pg *pg); /* when to pump even if the socket is silent; 0: never */
unsigned pg_generation(const struct pg *pg); /* +1 with every new connection */
const char *pg_trouble(const struct pg *pg); /* why it is not ready; "" */

/*
 * Send a prepared statement. Takes args. Best asked for while pg_ready(): a statement whose
 * connection is away, or breaks between two sends, is answered with an ERROR_RETRY.
 */
void pg_send(struct pg *pg, const char *name, struct pg_args *args, void *token);
size_t pg_open(const struct pg *pg); /* statements sent and not answered */

/* Close the connection now: what was open is answered as lost. */
void pg_abandon(struct pg *pg);

struct pg_answer {
	void *token;
	struct pg_rows *rows; /* the caller's; NULL: failed */
	struct error error;
	char sqlstate[6]; /* "" when the connection broke */
};
bool pg_next(struct pg *pg, struct pg_answer *answer);

#endif
