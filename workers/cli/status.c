/*
 * sluice status: what waits, and why; who works; what is owed; what went wrong.
 */
#include <stdio.h>
#include <unistd.h>

#include "command.h"
#include "ensure.h"
#include "session.h"

struct wishes {
	struct arguments common;
	nsec within;
	nsec watch;
};

static const struct argument table[] = {
	ARGUMENT_DURATION(struct wishes, within, "within", 0,
			  "count what ended within this period (default 5m)"),
	ARGUMENT_DURATION(struct wishes, watch, "watch", 'w',
			  "show it again and again, this far apart"),
	{0},
};

static const struct argument_form form = {
	.usage = "",
	.summary = "Show the fleet at a glance: unfinished jobs by state and reason, workers, "
		   "events owed\n"
		   "to Kafka, what ended lately, open breakers, repairs. What still waits in "
		   "Kafka: `sluice "
		   "topics list`.",
	.details = "  sluice status --watch 2s\n"
		   "\n"
		   "With --json each line is a row, and its \"part\" says of which table.\n",
	.table = table,
};

/* --json lines of several tables must say which they are of. */
static void print_part_json(const char *part, const struct pg_rows *rows)
{
	AUTO(table_destroy) struct table *out = table_create();
	AUTO_FINISH(buffer_finish) struct buffer text = {0};

	table_column(out, "part", TABLE_LEFT);
	session_columns(out, rows);
	for (int row = 0; row < pg_count(rows); row++) {
		table_cell(out, "%s", part);
		session_cells(out, rows, row);
	}
	table_render(out, TABLE_JSON, &text);
	fwrite(text.data ? text.data : "", 1, text.len, stdout);
}

static bool print_part(struct session *session, const struct wishes *wishes, const char *title,
		       const char *part, const char *empty, struct error *err)
{
	AUTO(xfree) char *query = xasprintf("status_%s", part);
	struct pg_args *args = pg_args_create();

	if (part[0] == 'e') /* ended: the only one with a period */
		pg_double(args, (double)wishes->within / (double)NSEC_PER_SEC);
	AUTO(pg_rows_destroy) struct pg_rows *rows = session_ask(session, query, args, err);
	if (!rows)
		return error_wrap(err, "%s", part);
	if (wishes->common.json) {
		print_part_json(part, rows);
		return true;
	}
	printf("%s\n", title);
	session_print(rows, TABLE_TEXT, empty);
	putchar('\n');
	return true;
}

static bool print_status(struct session *session, const struct wishes *wishes, struct error *err)
{
	static const struct {
		const char *title;
		const char *part;
		const char *empty;
	} parts[] = {
		{"UNFINISHED JOBS", "jobs", "none"},
		{"WORKERS", "workers", "none alive: `sluice worker` starts one"},
		{"OWED TO KAFKA", "outbox", "nothing"},
		{"ENDED LATELY", "ended", "none"},
		{"OPEN BREAKERS", "breakers", "none"},
		{"REPAIRS OF THE LAST DAY", "repairs", "none were needed"},
	};

	for (size_t i = 0; i < COUNT_OF(parts); i++)
		if (!print_part(session, wishes, parts[i].title, parts[i].part, parts[i].empty,
				err))
			return false;
	return fflush(stdout) == 0 || error_set(err, ERROR_FATAL, "standard output is gone");
}

static bool watch(struct session *session, const struct wishes *wishes, struct error *err)
{
	do {
		if (wishes->watch > 0 && !wishes->common.json && isatty(STDOUT_FILENO))
			fputs("\x1b[H\x1b[J", stdout);
		if (!print_status(session, wishes, err))
			return false;
		if (wishes->watch > 0)
			usleep((useconds_t)(wishes->watch / NSEC_PER_USEC));
	} while (wishes->watch > 0);
	return true;
}

static int run(int argc, char **argv)
{
	AUTO_FINISH(session_finish) struct session session = {0};
	struct wishes wishes = {.within = 300 * NSEC_PER_SEC};
	int code = arguments_parse(&form, &wishes, argc, argv);
	struct error err;

	if (code >= 0)
		return code;
	if (session_open(&session, &wishes.common, &err) && watch(&session, &wishes, &err))
		return COMMAND_OK;
	return session_fail("status", &err);
}

const struct command command_status = {
	.name = "status",
	.summary = "what waits and why, who works, what is owed",
	.group = COMMAND_OPERATE,
	.run = run,
	.form = &form,
};
