/*
 * sluice wait: until jobs have ended.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "command.h"
#include "duration.h"
#include "ensure.h"
#include "ids.h"
#include "money.h"
#include "progress.h"
#include "session.h"

#define GROUP 5000
#define SHOWN 20

struct wishes {
	struct arguments common;
	const char *file;
	nsec timeout;
	nsec every;
};

static const struct argument table[] = {
	ARGUMENT_TEXT(struct wishes, file, "file", 'f', "FILE",
		      "read ids from it, one per line (\"-\": standard input)"),
	ARGUMENT_DURATION(struct wishes, timeout, "timeout", 't',
			  "give up after this period (default: never)"),
	ARGUMENT_DURATION(struct wishes, every, "every", 0, "look this often (default 500ms)"),
	{0},
};

static const struct argument_form form = {
	.usage = "[JOB...]",
	.summary = "Wait until jobs have ended, whatever the outcome. Ids come as words, from a "
		   "file, or from\n"
		   "standard input, as `sluice submit` prints them. Exits with 1 unless all are "
		   "done.\n"
		   "With --json every job is printed as it ends.",
	.details = "  sluice submit jobs.jsonl | sluice wait --timeout 10m\n",
	.table = table,
	.most_words = 100000,
};

struct waiting {
	const struct wishes *wishes;
	struct session session;
	struct ids ids; /* those that have not ended, in front */
	size_t total;
	size_t done;
	size_t dead;
	size_t cancelled;
	double spent; /* pico-dollars */
	struct progress progress;
};

enum { ENDED_ID, ENDED_OUTCOME, ENDED_REASON, ENDED_MODEL, ENDED_PICO, ENDED_USD };

static size_t ended_count(const struct waiting *w)
{
	return w->done + w->dead + w->cancelled;
}

static void print_ended(const struct pg_rows *rows, int row)
{
	AUTO_FINISH(buffer_finish) struct buffer line = {0};
	AUTO(table_destroy) struct table *out = table_create();
	struct uuid id = pg_get_uuid(rows, row, ENDED_ID);
	char text[UUID_TEXT];

	table_column(out, "job_id", TABLE_LEFT);
	for (int column = ENDED_OUTCOME; column <= ENDED_MODEL; column++)
		table_column(out, pg_column_name(rows, column), TABLE_LEFT);
	table_column(out, "usd", TABLE_NUMBER);
	table_cell(out, "%s", uuid_format(text, &id));
	for (int column = ENDED_OUTCOME; column <= ENDED_MODEL; column++)
		table_cell(out, "%s", pg_get_text(rows, row, column));
	table_cell(out, "%s", pg_get_text(rows, row, ENDED_USD));
	table_render(out, TABLE_JSON, &line);
	fwrite(line.data, 1, line.len, stdout);
}

/* Those that did not end well are named, the first of them. */
static void tell_failure(const struct waiting *w, const struct pg_rows *rows, int row)
{
	struct uuid id = pg_get_uuid(rows, row, ENDED_ID);
	char text[UUID_TEXT];

	if (w->dead + w->cancelled <= SHOWN)
		fprintf(stderr, "%s%s  %s: %s\n", w->progress.terminal ? "\r\x1b[K" : "",
			uuid_format(text, &id), pg_get_text(rows, row, ENDED_OUTCOME),
			pg_get_text(rows, row, ENDED_REASON));
}

static void count_ended(struct waiting *w, const struct pg_rows *rows, int row)
{
	const char *outcome = pg_get_text(rows, row, ENDED_OUTCOME);
	bool done = strcmp(outcome, "done") == 0;

	w->done += done;
	w->dead += strcmp(outcome, "dead") == 0;
	w->cancelled += strcmp(outcome, "cancelled") == 0;
	w->spent += pg_get_double(rows, row, ENDED_PICO);
	if (w->wishes->common.json)
		print_ended(rows, row);
	else if (!done)
		tell_failure(w, rows, row);
}

static int compare_ids(const void *a, const void *b)
{
	return uuid_compare(a, b);
}

/* Those of the group that have not ended move up behind the ones kept before. */
static void keep_unended(struct ids *ids, size_t from, size_t count, size_t *kept,
			 const struct pg_rows *rows)
{
	size_t ended_count = (size_t)pg_count(rows);
	AUTO(xfree) struct uuid *ended = xcalloc(ended_count + 1, sizeof(*ended));

	for (size_t i = 0; i < ended_count; i++)
		ended[i] = pg_get_uuid(rows, (int)i, ENDED_ID);
	qsort(ended, ended_count, sizeof(*ended), compare_ids);
	for (size_t i = from; i < from + count; i++)
		if (!bsearch(&ids->ids[i], ended, ended_count, sizeof(*ended), compare_ids))
			ids->ids[(*kept)++] = ids->ids[i];
}

static bool look_at_group(struct waiting *w, size_t from, size_t count, size_t *kept,
			  struct error *err)
{
	struct pg_args *args = pg_args_create();
	int array = pg_array(args, PG_UUID);

	for (size_t i = 0; i < count; i++)
		pg_push_uuid(args, array, &w->ids.ids[from + i]);
	AUTO(pg_rows_destroy) struct pg_rows *rows = session_ask(&w->session, "wait", args, err);
	if (!rows)
		return false;
	for (int row = 0; row < pg_count(rows); row++)
		count_ended(w, rows, row);
	keep_unended(&w->ids, from, count, kept, rows);
	return true;
}

static bool look_at_all(struct waiting *w, struct error *err)
{
	char money[MONEY_TEXT];
	size_t kept = 0;

	for (size_t from = 0; from < w->ids.count; from += GROUP) {
		size_t count = w->ids.count - from < GROUP ? w->ids.count - from : GROUP;

		if (!look_at_group(w, from, count, &kept, err))
			return false;
		progress_update(&w->progress, ended_count(w), clock_now(), "%s%s",
				money_format(money, (pico)w->spent),
				w->dead > 0 ? "  (some died)" : "");
	}
	w->ids.count = kept;
	return fflush(stdout) == 0 || error_set(err, ERROR_FATAL, "standard output is gone");
}

static void drop_repeated(struct ids *ids)
{
	size_t kept = 0;

	qsort(ids->ids, ids->count, sizeof(*ids->ids), compare_ids);
	for (size_t i = 0; i < ids->count; i++)
		if (kept == 0 || !uuid_equal(&ids->ids[i], &ids->ids[kept - 1]))
			ids->ids[kept++] = ids->ids[i];
	ids->count = kept;
}

static bool wait_for_all(struct waiting *w, struct error *err)
{
	nsec started = clock_now();
	char text[DURATION_TEXT];

	while (look_at_all(w, err)) {
		if (w->ids.count == 0)
			return true;
		if (w->wishes->timeout > 0 && clock_now() - started >= w->wishes->timeout)
			return error_set(err, ERROR_RETRY,
					 "%zu of %zu jobs have not ended within %s", w->ids.count,
					 w->total, duration_format(text, w->wishes->timeout));
		usleep((useconds_t)(w->wishes->every / NSEC_PER_USEC));
	}
	return false;
}

static bool wait_for_jobs(struct waiting *w, struct error *err)
{
	char money[MONEY_TEXT];

	if (!ids_read(&w->ids, &w->wishes->common, w->wishes->file, err))
		return false;
	if (w->ids.count == 0)
		return error_set(err, ERROR_REJECT, "there are no ids in the input");
	if (!session_open(&w->session, &w->wishes->common, err))
		return false;
	drop_repeated(&w->ids);
	w->total = w->ids.count;
	progress_start(&w->progress, "waiting", w->total, clock_now());
	if (!wait_for_all(w, err))
		return false;
	progress_finish(&w->progress, ended_count(w), clock_now(),
			"%s  %zu done, %zu dead, %zu cancelled",
			money_format(money, (pico)w->spent), w->done, w->dead, w->cancelled);
	return true;
}

static int run(int argc, char **argv)
{
	struct wishes wishes = {.every = 500 * NSEC_PER_MSEC};
	struct waiting w = {.wishes = &wishes};
	int code = arguments_parse(&form, &wishes, argc, argv);
	struct error err;

	if (code >= 0)
		return code;
	if (!wait_for_jobs(&w, &err))
		code = session_fail("wait", &err);
	else
		code = w.done == w.total ? COMMAND_OK : COMMAND_FAILED;
	session_finish(&w.session);
	ids_finish(&w.ids);
	return code;
}

const struct command command_wait = {
	.name = "wait",
	.summary = "until jobs have ended; what they cost meanwhile",
	.group = COMMAND_JOBS,
	.run = run,
	.form = &form,
};
