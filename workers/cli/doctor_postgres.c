#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "doctor.h"
#include "duration.h"
#include "ensure.h"
#include "migrate.h"

#define OLDEST_SERVER 140000
#define MAX_SKEW (2 * NSEC_PER_SEC)

/* Asks; what goes wrong is a finding itself. */
static struct pg_rows *ask(struct findings *findings, struct session *session, const char *query,
			   struct pg_args *args)
{
	struct error err;
	struct pg_rows *rows = session_ask(session, query, args, &err);

	if (!rows)
		findings_add(findings, FINDING_FAIL, "postgres", "%s", err.text);
	return rows;
}

enum {
	VERSION,
	VERSION_NUMBER,
	SYNCHRONOUS_COMMIT,
	FSYNC,
	FULL_PAGE_WRITES,
	AUTOVACUUM,
	MAX_CONNECTIONS,
	CONNECTIONS,
	ISOLATION,
	REPLICA,
	SIZE
};

static void want_setting(struct findings *findings, const struct pg_rows *rows, int column,
			 const char *wanted, enum finding otherwise, const char *why)
{
	const char *value = pg_get_text(rows, 0, column);

	if (strcmp(value, wanted) != 0)
		findings_add(findings, otherwise, "postgres", "%s is %s: %s",
			     pg_column_name(rows, column), value, why);
}

static void look_at_settings(struct findings *findings, const struct pg_rows *rows)
{
	want_setting(
		findings, rows, SYNCHRONOUS_COMMIT, "on", FINDING_WARN,
		"a crash may forget what was decided and paid; on is wanted (or remote_apply)");
	want_setting(findings, rows, FSYNC, "on", FINDING_FAIL, "a crash can ruin the database");
	want_setting(findings, rows, FULL_PAGE_WRITES, "on", FINDING_WARN,
		     "a crash can ruin pages");
	want_setting(findings, rows, AUTOVACUUM, "on", FINDING_FAIL,
		     "the hot tables bloat without it");
	want_setting(findings, rows, ISOLATION, "read committed", FINDING_FAIL,
		     "claims would fail with serialisation errors");
	want_setting(findings, rows, REPLICA, "false", FINDING_FAIL,
		     "this is a standby, which cannot be written");
}

static void look_at_connections(struct findings *findings, const struct pg_rows *rows)
{
	long used = atol(pg_get_text(rows, 0, CONNECTIONS)),
	     most = atol(pg_get_text(rows, 0, MAX_CONNECTIONS));

	if (used * 10 > most * 8)
		findings_add(findings, FINDING_WARN, "postgres",
			     "%ld of %ld connections are used; each worker needs three", used,
			     most);
	else
		findings_add(findings, FINDING_OK, "postgres", "%ld of %ld connections are used",
			     used, most);
}

static void look_at_server(struct findings *findings, struct session *session)
{
	AUTO(pg_rows_destroy)
	struct pg_rows *rows = ask(findings, session, "doctor_postgres", NULL);
	bool old;

	if (!rows)
		return;
	old = atol(pg_get_text(rows, 0, VERSION_NUMBER)) < OLDEST_SERVER;
	findings_add(findings, old ? FINDING_FAIL : FINDING_OK, "postgres", "version %s, %s%s",
		     pg_get_text(rows, 0, VERSION), pg_get_text(rows, 0, SIZE),
		     old ? "; 14 or newer is needed" : "");
	look_at_settings(findings, rows);
	look_at_connections(findings, rows);
}

static void look_at_clock(struct findings *findings, struct session *session)
{
	nsec before = clock_wall(), after, there, here, skew;
	char text[DURATION_TEXT];
	AUTO(pg_rows_destroy) struct pg_rows *rows = ask(findings, session, "doctor_clock", NULL);

	if (!rows)
		return;
	after = clock_wall();
	there = pg_get_time(rows, 0, 0);
	here = before + (after - before) / 2;
	skew = there > here ? there - here : here - there;
	findings_add(findings, skew > MAX_SKEW ? FINDING_WARN : FINDING_OK, "clock",
		     "the database's clock is %s %s ours%s", duration_format(text, skew),
		     there > here ? "ahead of" : "behind",
		     skew > MAX_SKEW ? "; deadlines and logs will look odd: is NTP running?" : "");
}

static bool look_at_schema(struct findings *findings, struct session *session)
{
	struct error err;
	int missing = migrate_missing(session->pg, &err);

	if (missing < 0)
		findings_add(findings, FINDING_FAIL, "schema", "%s; have you run `sluice migrate`?",
			     err.text);
	else if (missing > 0)
		findings_add(findings, FINDING_FAIL, "schema",
			     "%d migrations are missing: run `sluice migrate`", missing);
	else
		findings_add(findings, FINDING_OK, "schema", "up to date");
	return missing == 0;
}

static void look_at_partitions(struct findings *findings, struct session *session)
{
	AUTO(pg_rows_destroy)
	struct pg_rows *rows = ask(findings, session, "doctor_partitions", NULL);

	if (rows && strcmp(pg_get_text(rows, 0, 0), "true") != 0)
		findings_add(findings, FINDING_FAIL, "schema",
			     "tomorrow has no partitions: a worker makes them; `sluice migrate` "
			     "does as well");
}

static bool is_priced(struct findings *findings, struct session *session,
		      const struct candidate *candidate)
{
	struct pg_args *args = pg_args_create();

	pg_string(args, candidate->endpoint->name);
	pg_string(args, candidate->model);
	AUTO(pg_rows_destroy) struct pg_rows *rows = ask(findings, session, "doctor_price", args);
	return !rows || pg_get_bool(rows, 0, 0);
}

static void look_at_prices(struct findings *findings, struct session *session)
{
	const struct config *config = session->config;

	for (size_t i = 0; i < config->tier_count; i++) {
		for (size_t j = 0; j < config->tiers[i].candidate_count; j++) {
			const struct candidate *candidate = &config->tiers[i].candidates[j];

			if (!is_priced(findings, session, candidate))
				findings_add(findings, FINDING_WARN, "prices",
					     "%s/%s has no price: its calls are booked as unpriced "
					     "and reserve the "
					     "worst case",
					     candidate->endpoint->name, candidate->model);
		}
	}
}

void doctor_postgres(struct findings *findings, struct session *session)
{
	look_at_server(findings, session);
	look_at_clock(findings, session);
	if (!look_at_schema(findings, session))
		return;
	look_at_partitions(findings, session);
	look_at_prices(findings, session);
}

enum { ALIVE, VERSIONS, BLOCKING, ALL_FULL, STALE_DEBTS };

static void tell_blocking(struct findings *findings, const struct pg_rows *rows)
{
	if (*pg_get_text(rows, 0, BLOCKING))
		findings_add(findings, FINDING_WARN, "fleet",
			     "read-ahead is at its bound for %s: their partitions wait "
			     "(worker.park_rows_per_unit); "
			     "`sluice status` says why they are parked",
			     pg_get_text(rows, 0, BLOCKING));
	if (strcmp(pg_get_text(rows, 0, ALL_FULL), "true") == 0)
		findings_add(findings, FINDING_WARN, "fleet",
			     "read-ahead of all units together is at its bound "
			     "(worker.park_rows_total): nothing new "
			     "is read");
}

/* Columns of status_breakers.sql. */
enum { BREAKER_PROVIDER, BREAKER_CREDENTIAL, BREAKER_MODEL, BREAKER_WHY, BREAKER_SINCE };

/* One of a model passes by itself; one of a credential wants people. */
static void tell_breakers(struct findings *findings, struct session *session)
{
	struct error err;
	AUTO(pg_rows_destroy)
	struct pg_rows *rows = session_ask(session, "status_breakers", NULL, &err);

	for (int row = 0; rows && row < pg_count(rows); row++) {
		const char *model = pg_get_text(rows, row, BREAKER_MODEL);
		bool credential = *model == '(';

		findings_add(findings, credential ? FINDING_FAIL : FINDING_WARN, "breakers",
			     "%s/%s %s has been left alone since %s: %s%s",
			     pg_get_text(rows, row, BREAKER_PROVIDER),
			     pg_get_text(rows, row, BREAKER_CREDENTIAL), model,
			     pg_get_text(rows, row, BREAKER_SINCE),
			     pg_get_text(rows, row, BREAKER_WHY),
			     credential ? "; look at its key and its bill" : "");
	}
}

void doctor_fleet(struct findings *findings, struct session *session)
{
	const struct worker_settings *worker = &session->config->worker;
	struct pg_args *args = pg_args_create();
	struct error err;

	pg_big(args, (int64_t)worker->park_rows_per_unit);
	pg_big(args, (int64_t)worker->park_rows_total);
	AUTO(pg_rows_destroy)
	struct pg_rows *rows = session_ask(session, "doctor_fleet", args, &err);
	if (!rows)
		return; /* the missing schema has been told */
	if (strcmp(pg_get_text(rows, 0, ALIVE), "0") == 0)
		findings_add(findings, FINDING_WARN, "fleet",
			     "no worker is alive: `sluice worker` starts one");
	else
		findings_add(findings, FINDING_OK, "fleet", "%s workers are alive",
			     pg_get_text(rows, 0, ALIVE));
	if (atol(pg_get_text(rows, 0, VERSIONS)) > 1)
		findings_add(findings, FINDING_WARN, "fleet", "workers of %s versions are running",
			     pg_get_text(rows, 0, VERSIONS));
	if (strcmp(pg_get_text(rows, 0, STALE_DEBTS), "0") != 0)
		findings_add(findings, FINDING_WARN, "fleet",
			     "%s events have been owed to Kafka for over 5 minutes",
			     pg_get_text(rows, 0, STALE_DEBTS));
	tell_blocking(findings, rows);
	tell_breakers(findings, session);
}
