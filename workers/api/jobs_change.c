/*
 * What can be done to a job: cancel it, run it again, ask why it waits. Each
 * looks first whose job it is; what is another unit's is as good as unknown.
 */
#include <stdlib.h>
#include <string.h>

#include "ensure.h"
#include "json_writer.h"
#include "routes.h"
#include "store_change.h"
#include "wait_reason.h"

enum { JOB_UNIT = 7 }; /* of job.sql */

static struct pg_args *one_id(const struct exchange *x)
{
	struct pg_args *args = pg_args_create();

	pg_push_uuid(args, pg_array(args, PG_UUID), &x->job_id);
	return args;
}

static bool is_ours(struct exchange *x, const struct pg_rows *rows)
{
	if (pg_count(rows) > 0 && exchange_sees(x, pg_get_text(rows, 0, JOB_UNIT)))
		return true;
	exchange_problem(x, 404, "not_found", "job %.60s is not known to this key", x->words[0]);
	return false;
}

static void reply_word(struct exchange *x, const char *name, const char *word)
{
	AUTO_FINISH(buffer_finish) struct buffer body = {0};
	struct json_writer w = {.out = &body};
	char id[UUID_TEXT];

	json_open(&w, '{');
	json_key(&w, "job_id");
	json_put_text(&w, uuid_format(id, &x->job_id));
	json_key(&w, name);
	json_put_text(&w, word);
	json_close(&w, '}');
	exchange_json(x, 202, &body, NULL, 0);
}

/* --- cancel --- */

static void cancelled(struct exchange *x, const struct pg_rows *rows)
{
	if (pg_count(rows) > 0)
		reply_word(x, "cancel", "requested");
	else
		exchange_problem(x, 409, "ended", "job %s has ended; its outcome stands",
				 x->words[0]);
}

static void may_cancel(struct exchange *x, const struct pg_rows *rows)
{
	struct pg_args *args;

	if (!is_ours(x, rows))
		return;
	args = pg_args_create();
	pg_uuid(args, &x->job_id);
	exchange_ask(x, API_WRITES, "cancel", args, cancelled);
}

void jobs_cancel(struct exchange *x)
{
	if (exchange_job(x))
		exchange_ask(x, API_READS, "job", one_id(x), may_cancel);
}

/* --- run again --- */

/* The sweep of a worker publishes the message within seconds. */
static void queued(struct exchange *x, const struct pg_rows *rows)
{
	if (pg_affected(rows) > 0)
		reply_word(x, "retry", "queued");
	else
		exchange_problem(x, 409, "changed", "job %s was run again by somebody else",
				 x->words[0]);
}

static void looked(struct exchange *x, const struct pg_rows *rows)
{
	if (pg_count(rows) > 0)
		exchange_ask(x, API_WRITES, "rerun",
			     store_rerun_args(x->api->config->kafka.prefix, rows), queued);
	else
		exchange_problem(x, 409, "not_ended",
				 "job %s has not ended, or its payload is gone with retention",
				 x->words[0]);
}

static void may_retry(struct exchange *x, const struct pg_rows *rows)
{
	if (is_ours(x, rows))
		exchange_ask(x, API_WRITES, "rerun_look", one_id(x), looked);
}

void jobs_retry(struct exchange *x)
{
	if (exchange_job(x))
		exchange_ask(x, API_READS, "job", one_id(x), may_retry);
}

/* --- explain --- */

static void leave_out_costs(json_t *list)
{
	json_t *item;
	size_t i;

	json_array_foreach (list, i, item) {
		json_object_del(item, "usd");
		json_object_del(item, "unpriced");
	}
}

static void add_words(json_t *waits)
{
	json_t *wait;
	size_t i;

	json_array_foreach (waits, i, wait)
		json_object_set_new(wait, "words",
				    json_string(wait_reason_words(json_text(wait, "reason", ""))));
}

static void explained(struct exchange *x, const struct pg_rows *rows)
{
	const char *text = pg_count(rows) > 0 ? pg_get_text(rows, 0, 0) : "{}";
	AUTO_FINISH(buffer_finish) struct buffer body = {0};
	struct error err;
	json_auto_t *job = json_read(text, strlen(text), JSON_FOREIGN, &err);
	const char *words = wait_reason_now(json_text(job, "state", ""),
					    json_text(job, "reason", ""));

	ENSURE(job); /* Postgres made it */
	if (!(x->key->rights & RIGHT_COSTS)) {
		leave_out_costs(json_object_get(job, "attempts"));
		leave_out_costs(json_object_get(job, "results"));
		json_object_del(job, "shared_usd");
	}
	if (words)
		json_object_set_new(job, "waits_for", json_string(words));
	add_words(json_object_get(job, "waits"));
	AUTO(xfree) char *json = json_write(job);
	buffer_text(&body, json);
	exchange_json(x, 200, &body, NULL, 0);
}

static void may_explain(struct exchange *x, const struct pg_rows *rows)
{
	struct pg_args *args;

	if (!is_ours(x, rows))
		return;
	args = pg_args_create();
	pg_uuid(args, &x->job_id);
	pg_bool(args, false);
	pg_bool(args, false);
	exchange_ask(x, API_SLOW, "explain", args, explained);
}

void jobs_explain(struct exchange *x)
{
	if (exchange_job(x))
		exchange_ask(x, API_READS, "job", one_id(x), may_explain);
}
