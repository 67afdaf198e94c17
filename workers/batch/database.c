/*
 * The connection that is asked and waited for. What fails for the moment costs
 * the connection and a second; every statement sent through it may be sent again.
 */
#include <stdio.h>

#include "batcher.h"
#include "embedded.h"
#include "ensure.h"
#include "log.h"
#include "metrics.h"

struct pg_args *batch_args(const struct batcher *w, const struct batch *batch)
{
	struct pg_args *args = pg_args_create();

	pg_uuid(args, &batch->id);
	pg_uuid(args, &w->id);
	pg_int(args, batch->fence);
	return args;
}

void database_lost(struct batcher *w, const struct error *err)
{
	if (err->kind == ERROR_FATAL) {
		batcher_fail(w, err);
		return;
	}
	log_warn("postgres_trouble", "why=%s", err->text);
	pg_destroy(TAKE(w->pg));
	w->pg_strays = true;
	w->pg_again = clock_now() + NSEC_PER_SEC;
}

/* A bad row is the caller's to sort out; everything else is handled here. */
struct pg_rows *database_ask(struct batcher *w, const char *name, struct pg_args *args,
			     struct error *err)
{
	char path[96];
	struct pg_rows *rows;

	if (!w->pg) {
		pg_args_destroy(args);
		error_set(err, ERROR_RETRY, "Postgres is away");
		return NULL;
	}
	snprintf(path, sizeof(path), "sql/%s.sql", name);
	rows = pg_ask(w->pg, embedded_text(path), args, err);
	if (rows)
		return rows;
	metrics_add(METRIC_transaction_errors_total, 1, LABELS(name, pg_sqlstate(w->pg)));
	error_wrap(err, "%s", name);
	if (err->kind != ERROR_REJECT)
		database_lost(w, err);
	return NULL;
}

static void connect(struct batcher *w, nsec now)
{
	struct pg_options options = {
		.url = w->config->postgres.url,
		.name = "sluice batch",
		.statement_timeout = w->config->postgres.statement_timeout,
		.lock_timeout = w->config->postgres.lock_timeout,
		.looks_up = true,
	};
	struct error err;

	if (now < w->pg_again)
		return;
	w->pg_again = now + NSEC_PER_SEC;
	w->pg = pg_connect(&options, &err);
	if (!w->pg && err.kind == ERROR_FATAL)
		batcher_fail(w, &err);
	else if (!w->pg)
		log_warn("postgres_away", "why=%s", err.text);
}

/* Jobs whose claim was answered to nobody go back at once, before anything new is claimed. */
static void give_back_strays(struct batcher *w)
{
	struct pg_args *args = pg_args_create();
	struct error err;

	pg_uuid(args, &w->id);
	AUTO(pg_rows_destroy) struct pg_rows *rows = database_ask(w, "batch/give_back", args, &err);
	if (!rows)
		return;
	w->pg_strays = false;
	if (pg_affected(rows) > 0)
		log_warn("strays_given_back", "jobs=%lld", (long long)pg_affected(rows));
}

void database_tend(struct batcher *w, nsec now)
{
	if (!w->pg)
		connect(w, now);
	if (w->pg && w->pg_strays && !w->pending)
		give_back_strays(w);
}
