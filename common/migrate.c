#include "migrate.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "digest.h"
#include "embedded.h"

static const char prepare[] = "CREATE SCHEMA IF NOT EXISTS sluice;"
			      "CREATE TABLE IF NOT EXISTS sluice.schema_migrations ("
			      " file text PRIMARY KEY, sha256 bytea NOT NULL, applied_at "
			      "timestamptz NOT NULL DEFAULT now())";

/* sql/0001_tables.sql and its like; queries, statements and checks lie in folders below. */
static bool is_migration(const char *path)
{
	return strncmp(path, "sql/", 4) == 0 && isdigit((unsigned char)path[4]) &&
	       !strchr(path + 4, '/');
}

/* 1: applied as it is here, 0: not applied, -1: another text was applied, or err. */
static int look_up(struct pg *pg, const struct embedded *file, const struct digest *digest,
		   struct error *err)
{
	struct pg_args *args = pg_args_create();
	size_t len;
	const char *stored;

	pg_string(args, file->path + 4);
	AUTO(pg_rows_destroy)
	struct pg_rows *rows = pg_ask(pg, "SELECT sha256 FROM schema_migrations WHERE file = $1",
				      args, err);
	if (!rows)
		return -1;
	if (pg_count(rows) == 0)
		return 0;
	stored = pg_get_bytes(rows, 0, 0, &len);
	if (len == sizeof(digest->bytes) && memcmp(stored, digest->bytes, len) == 0)
		return 1;
	error_set(err, ERROR_FATAL,
		  "%s was applied with another text: migrations are never edited, add a new one",
		  file->path);
	return -1;
}

static bool record(struct pg *pg, const struct embedded *file, const struct digest *digest,
		   struct error *err)
{
	struct pg_args *args = pg_args_create();

	pg_string(args, file->path + 4);
	pg_bytes(args, digest->bytes, sizeof(digest->bytes));
	AUTO(pg_rows_destroy)
	struct pg_rows *rows = pg_ask(
		pg, "INSERT INTO schema_migrations (file, sha256) VALUES ($1, $2)", args, err);
	return rows != NULL;
}

static bool apply(struct pg *pg, const struct embedded *file, const struct digest *digest,
		  struct error *err)
{
	if (!pg_run(pg, "BEGIN", err))
		return false;
	if (pg_run(pg, file->text, err) && record(pg, file, digest, err) &&
	    pg_run(pg, "COMMIT", err))
		return true;
	struct error ignored;
	if (!pg_run(pg, "ROLLBACK", &ignored))
		return error_wrap(err, "%s (and the connection is gone)", file->path);
	return error_wrap(err, "%s", file->path);
}

static bool apply_missing(struct pg *pg, struct migrate_report *report,
			  void (*told)(const char *file), struct error *err)
{
	for (const struct embedded *file = embedded_files; file->path; file++) {
		struct digest digest;
		int found;

		if (!is_migration(file->path))
			continue;
		digest = digest_of(file->text, file->len);
		found = look_up(pg, file, &digest, err);
		if (found < 0 || (found == 0 && !apply(pg, file, &digest, err)))
			return false;
		report->present += found;
		report->applied += !found;
		snprintf(report->last, sizeof(report->last), "%s", file->path + 4);
		if (!found && told)
			told(file->path + 4);
	}
	return true;
}

bool migrate(struct pg *pg, struct migrate_report *report, void (*told)(const char *file),
	     struct error *err)
{
	struct error ignored;
	bool done;

	*report = (struct migrate_report){0};
	if (!pg_run(pg,
		    "SET lock_timeout = '5min'; SET statement_timeout = '10min';"
		    "SELECT pg_advisory_lock(hashtext('sluice.migrate'))",
		    err))
		return false;
	done = pg_run(pg, prepare, err) && apply_missing(pg, report, told, err);
	if (!pg_run(pg, "SELECT pg_advisory_unlock(hashtext('sluice.migrate'))", &ignored))
		return done; /* the lock goes with the session */
	return done;
}

int migrate_missing(struct pg *pg, struct error *err)
{
	int missing = 0;

	for (const struct embedded *file = embedded_files; file->path; file++) {
		struct digest digest;
		int found;

		if (!is_migration(file->path))
			continue;
		digest = digest_of(file->text, file->len);
		found = look_up(pg, file, &digest, err);
		if (found < 0)
			return -1;
		missing += !found;
	}
	return missing;
}
