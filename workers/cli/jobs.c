/*
 * sluice jobs list, show: what is known of jobs. What changes them is in
 * jobs_change.c.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "command.h"
#include "ensure.h"
#include "jobs_tree.h"
#include "session.h"

/* --- jobs list --- */

struct list_wishes {
	struct arguments common;
	const char *state;
	const char *business_unit;
	const char *tier;
	const char *lane;
	const char *reason;
	const char *task;
	int64_t limit;
	bool csv;
};

static const struct argument list_table[] = {
	ARGUMENT_TEXT(struct list_wishes, state, "state", 's', "STATE",
		      "claimed, batched, parked, queued, done, dead or cancelled"),
	ARGUMENT_TEXT(struct list_wishes, business_unit, "business-unit", 'u', "UNIT",
		      "of this business unit"),
	ARGUMENT_TEXT(struct list_wishes, tier, "tier", 't', "TIER", "in this tier"),
	ARGUMENT_TEXT(struct list_wishes, lane, "lane", 'l', "LANE", "in this lane"),
	ARGUMENT_TEXT(struct list_wishes, reason, "reason", 'r', "CODE",
		      "parked or dead for this reason"),
	ARGUMENT_TEXT(struct list_wishes, task, "task", 0, "TASK", "of this task"),
	ARGUMENT_COUNT(struct list_wishes, limit, "limit", 'n', "at most so many (default 50)", 1,
		       100000),
	ARGUMENT_FLAG(struct list_wishes, csv, "csv", 0, "print CSV"),
	{0},
};

static const struct argument_form list_form = {
	.usage = "",
	.summary = "List jobs, newest first. Only jobs that a worker has claimed are known; what "
		   "still\n"
		   "waits in Kafka is counted by `sluice topics list`.",
	.details = "  sluice jobs list --state parked --business-unit search\n"
		   "  sluice jobs list --state dead --reason invalid_output --json\n",
	.table = list_table,
};

static bool is_one_of(const char *text, const char *const *words, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (strcmp(words[i], text) == 0)
			return true;
	return false;
}

static bool check_list_wishes(const struct list_wishes *wishes, struct error *err)
{
	static const char *const states[] = {"claimed", "batched", "parked",   "queued",
					     "done",	"dead",	   "cancelled"};
	static const char *const lanes[] = {"express", "normal", "batch"};

	if (wishes->state && !is_one_of(wishes->state, states, COUNT_OF(states)))
		return error_set(
			err, ERROR_REJECT,
			"no state \"%.40s\"; there are claimed, batched, parked, queued, done, "
			"dead, cancelled",
			wishes->state);
	if (wishes->lane && !is_one_of(wishes->lane, lanes, COUNT_OF(lanes)))
		return error_set(err, ERROR_REJECT,
				 "no lane \"%.40s\"; there are express, normal, batch",
				 wishes->lane);
	return true;
}

static struct pg_args *list_args(const struct list_wishes *wishes)
{
	struct pg_args *args = pg_args_create();

	pg_string(args, wishes->state);
	pg_string(args, wishes->business_unit);
	pg_string(args, wishes->tier);
	pg_string(args, wishes->lane);
	pg_string(args, wishes->reason);
	pg_string(args, wishes->task);
	pg_big(args, wishes->limit);
	return args;
}

static bool list_jobs(const struct list_wishes *wishes, struct error *err)
{
	AUTO_FINISH(session_finish) struct session session = {0};

	if (!check_list_wishes(wishes, err) || !session_open(&session, &wishes->common, err))
		return false;
	AUTO(pg_rows_destroy)
	struct pg_rows *rows = session_ask(&session, "jobs_list", list_args(wishes), err);
	if (!rows)
		return false;
	session_print(rows, session_format(wishes->common.json, wishes->csv), "no such jobs");
	if (pg_count(rows) == wishes->limit && !wishes->common.json && !wishes->csv)
		fprintf(stderr, "(the first %" PRId64 "; --limit shows more)\n", wishes->limit);
	return true;
}

static int run_list(int argc, char **argv)
{
	struct list_wishes wishes = {.limit = 50};
	int code = arguments_parse(&list_form, &wishes, argc, argv);
	struct error err;

	if (code >= 0)
		return code;
	return list_jobs(&wishes, &err) ? COMMAND_OK : session_fail("jobs list", &err);
}

const struct command command_jobs_list = {
	.name = "jobs list",
	.summary = "claimed jobs by state, unit, tier, reason",
	.group = COMMAND_JOBS,
	.run = run_list,
	.form = &list_form,
};

/* --- jobs show --- */

struct show_wishes {
	struct arguments common;
	bool prompt;
	bool output;
};

static const struct argument show_table[] = {
	ARGUMENT_FLAG(struct show_wishes, prompt, "prompt", 0,
		      "with the message as it was submitted"),
	ARGUMENT_FLAG(struct show_wishes, output, "output", 0, "with the model's answer"),
	{0},
};

static const struct argument_form show_form = {
	.usage = "JOB...",
	.summary = "Show what became of jobs: their tags, every attempt as a tree of run, hop and "
		   "attempt,\n"
		   "what it cost, and how they ended. Prompts and answers are shown only when "
		   "asked for.",
	.details = "  sluice jobs show 01890a5d-ac96-774b-bcce-b302099a8057 --output\n",
	.table = show_table,
	.least_words = 1,
	.most_words = 1000,
};

typedef bool printer(const char *json, struct error *err);

static bool show_job(struct session *session, const struct show_wishes *wishes, const char *word,
		     printer *print, struct error *err)
{
	struct pg_args *args = pg_args_create();
	struct uuid id;

	if (!session_read_id(word, &id, err)) {
		pg_args_destroy(args);
		return false;
	}
	pg_uuid(args, &id);
	pg_bool(args, wishes->prompt);
	pg_bool(args, wishes->output);
	AUTO(pg_rows_destroy) struct pg_rows *rows = session_ask(session, "jobs_show", args, err);
	if (!rows)
		return false;
	if (pg_count(rows) == 0)
		return error_set(err, ERROR_REJECT,
				 "job %s is not known: it still waits in Kafka, or was never sent",
				 word);
	if (wishes->common.json) {
		puts(pg_get_text(rows, 0, 0));
		return true;
	}
	return print(pg_get_text(rows, 0, 0), err);
}

static int show_jobs(const struct show_wishes *wishes, const char *command, printer *print)
{
	AUTO_FINISH(session_finish) struct session session = {0};
	int code = COMMAND_OK;
	struct error err;

	if (!session_open(&session, &wishes->common, &err))
		return session_fail(command, &err);
	for (size_t i = 0; i < wishes->common.word_count; i++)
		if (!show_job(&session, wishes, wishes->common.words[i], print, &err))
			code = session_fail(command, &err);
	return code;
}

static int run_show(int argc, char **argv)
{
	struct show_wishes wishes = {0};
	int code = arguments_parse(&show_form, &wishes, argc, argv);

	return code >= 0 ? code : show_jobs(&wishes, "jobs show", jobs_tree_print);
}

const struct command command_jobs_show = {
	.name = "jobs show",
	.summary = "one job: its attempts, what they cost, how it ended",
	.group = COMMAND_JOBS,
	.run = run_show,
	.form = &show_form,
};

/* --- explain --- */

static const struct argument explain_table[] = {{0}};

static const struct argument_form explain_form = {
	.usage = "JOB...",
	.summary = "Why jobs wait, and what they have waited for before: each wait with its "
		   "reason, since\n"
		   "when and for how long. What a worker holds for less than a tenth of a second "
		   "is not told.",
	.details = "  sluice explain 01890a5d-ac96-774b-bcce-b302099a8057\n",
	.table = explain_table,
	.least_words = 1,
	.most_words = 1000,
};

static int run_explain(int argc, char **argv)
{
	struct show_wishes wishes = {0};
	int code = arguments_parse(&explain_form, &wishes, argc, argv);

	return code >= 0 ? code : show_jobs(&wishes, "explain", jobs_tree_explain);
}

const struct command command_explain = {
	.name = "explain",
	.summary = "why a job waits, and what it has waited for",
	.group = COMMAND_JOBS,
	.run = run_explain,
	.form = &explain_form,
};
