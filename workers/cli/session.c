#include "session.h"

#include <stdio.h>
#include <string.h>

#include "command.h"
#include "embedded.h"
#include "ensure.h"

bool session_configure(struct session *session, const struct arguments *arguments,
		       struct error *err)
{
	session->config = config_load(arguments->config, err);
	return session->config != NULL;
}

bool session_connect(struct session *session, struct error *err)
{
	const struct postgres_settings *postgres = &session->config->postgres;
	struct pg_options options = {.url = postgres->url,
				     .name = "sluice cli",
				     .statement_timeout = postgres->statement_timeout,
				     .lock_timeout = postgres->lock_timeout};

	session->pg = pg_connect(&options, err);
	return session->pg || error_wrap(err, "connect to Postgres (postgres.url)");
}

bool session_open(struct session *session, const struct arguments *arguments, struct error *err)
{
	return session_configure(session, arguments, err) && session_connect(session, err);
}

void session_finish(struct session *session)
{
	pg_destroy(session->pg);
	config_destroy(session->config);
	*session = (struct session){0};
}

struct pg_rows *session_ask(struct session *session, const char *query, struct pg_args *args,
			    struct error *err)
{
	AUTO(xfree) char *path = xasprintf("sql/queries/%s.sql", query);
	struct pg_rows *rows = pg_ask(session->pg, embedded_text(path), args, err);

	if (!rows && strcmp(pg_sqlstate(session->pg), "42P01") == 0)
		error_set(err, ERROR_FATAL, "the tables are not there; run `sluice migrate` first");
	return rows;
}

static void add_column(struct table *table, const char *name)
{
	AUTO(xfree) char *shown = xstrdup(name);
	size_t len = strlen(shown);
	bool number = len > 0 && shown[len - 1] == '#';

	if (number)
		shown[len - 1] = '\0';
	table_column(table, shown, number ? TABLE_NUMBER : TABLE_LEFT);
}

void session_columns(struct table *table, const struct pg_rows *rows)
{
	for (int column = 0; column < pg_columns(rows); column++)
		add_column(table, pg_column_name(rows, column));
}

void session_cells(struct table *table, const struct pg_rows *rows, int row)
{
	for (int column = 0; column < pg_columns(rows); column++)
		table_cell(table, "%s", pg_get_text(rows, row, column));
}

void session_print(const struct pg_rows *rows, enum table_format format, const char *empty)
{
	AUTO(table_destroy) struct table *table = table_create();
	AUTO_FINISH(buffer_finish) struct buffer out = {0};

	if (pg_count(rows) == 0 && format == TABLE_TEXT && empty) {
		puts(empty);
		return;
	}
	session_columns(table, rows);
	for (int row = 0; row < pg_count(rows); row++)
		session_cells(table, rows, row);
	table_render(table, format, &out);
	fwrite(out.data ? out.data : "", 1, out.len, stdout);
}

enum table_format session_format(bool json, bool csv)
{
	return csv ? TABLE_CSV : json ? TABLE_JSON : TABLE_TEXT;
}

bool session_show(const struct arguments *arguments, bool csv, const char *query,
		  struct pg_args *args, const char *empty, struct error *err)
{
	AUTO_FINISH(session_finish) struct session session = {0};
	AUTO(pg_args_destroy) struct pg_args *asked = args;

	if (!session_open(&session, arguments, err))
		return false;
	AUTO(pg_rows_destroy) struct pg_rows *rows = session_ask(&session, query, TAKE(asked), err);
	if (!rows)
		return false;
	session_print(rows, session_format(arguments->json, csv), empty);
	return true;
}

int session_fail(const char *command, const struct error *err)
{
	fflush(stdout);
	fprintf(stderr, "sluice %s: %s\n", command, err->text);
	return COMMAND_FAILED;
}

bool session_read_id(const char *text, struct uuid *id, struct error *err)
{
	return uuid_parse(text, id) ||
	       error_set(err, ERROR_REJECT, "\"%.60s\" is not the id of a job (a UUID)", text);
}
