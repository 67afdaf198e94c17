/*
 * sluice cache list, purge: the answers that are given again to exactly the
 * same question, and how to forget them.
 */
#include <string.h>

#include "command.h"
#include "digest.h"
#include "session.h"

#define MOST_TAG 128

struct wishes {
	struct arguments common;
	const char *unit;
	const char *task;
	const char *prompt; /* NAME or NAME@VERSION */
	const char *key;
	int64_t limit;
	bool all;
	bool csv;
};

/* Which answers are meant; NULL: any. */
struct selection {
	char name[MOST_TAG + 1];
	bool by_name;
	const char *version;
};

static bool read_prompt(const char *prompt, struct selection *selection, struct error *err)
{
	const char *at = prompt ? strrchr(prompt, '@') : NULL;
	size_t len = at ? (size_t)(at - prompt) : prompt ? strlen(prompt) : 0;

	*selection = (struct selection){0};
	if (!prompt)
		return true;
	if (len > MOST_TAG)
		return error_set(err, ERROR_REJECT, "--prompt %.40s…: names are shorter", prompt);
	memcpy(selection->name, prompt, len);
	selection->by_name = true;
	selection->version = at ? at + 1 : NULL;
	return true;
}

static struct pg_args *select_args(const struct wishes *wishes, const struct selection *selection)
{
	struct pg_args *args = pg_args_create();

	pg_string(args, wishes->unit);
	pg_string(args, wishes->task);
	pg_string(args, selection->by_name ? selection->name : NULL);
	pg_string(args, selection->version);
	return args;
}

/* --- cache list --- */

static const struct argument list_table[] = {
	ARGUMENT_TEXT(struct wishes, unit, "business-unit", 'u', "UNIT", "of this business unit"),
	ARGUMENT_TEXT(struct wishes, task, "task", 't', "TASK", "of this task"),
	ARGUMENT_TEXT(struct wishes, prompt, "prompt", 'p', "NAME[@VERSION]",
		      "of this prompt, or of one version of it"),
	ARGUMENT_COUNT(struct wishes, limit, "limit", 'n', "at most so many (default 100)", 1,
		       100000),
	ARGUMENT_FLAG(struct wishes, csv, "csv", 0, "print CSV"),
	{0},
};

static const struct argument_form list_form = {
	.usage = "",
	.summary = "List the answers that are kept, newest first; none of them is shown.",
	.details =
		"  sluice cache list --task classify --prompt spam@3\n"
		"\n"
		"A task with cache_ttl keeps its accepted answers for so long. A job that asks "
		"exactly the same\n(business unit, task, prompt with name and version, parameters, "
		"schema, models) is done at once,\nwithout a call and at no cost; its reason is "
		"\"cached\".\n",
	.table = list_table,
};

static bool list_answers(const struct wishes *wishes, struct error *err)
{
	struct selection selection;
	struct pg_args *args;

	if (!read_prompt(wishes->prompt, &selection, err))
		return false;
	args = select_args(wishes, &selection);
	pg_big(args, wishes->limit);
	return session_show(&wishes->common, wishes->csv, "cache_list", args, "no answers are kept",
			    err);
}

static int run_list(int argc, char **argv)
{
	struct wishes wishes = {.limit = 100};
	int code = arguments_parse(&list_form, &wishes, argc, argv);
	struct error err;

	if (code >= 0)
		return code;
	return list_answers(&wishes, &err) ? COMMAND_OK : session_fail("cache list", &err);
}

const struct command command_cache_list = {
	.name = "cache list",
	.summary = "answers that are given again",
	.group = COMMAND_OPERATE,
	.run = run_list,
	.form = &list_form,
};

/* --- cache purge --- */

static const struct argument purge_table[] = {
	ARGUMENT_TEXT(struct wishes, unit, "business-unit", 'u', "UNIT", "of this business unit"),
	ARGUMENT_TEXT(struct wishes, task, "task", 't', "TASK", "of this task"),
	ARGUMENT_TEXT(struct wishes, prompt, "prompt", 'p', "NAME[@VERSION]",
		      "of this prompt, or of one version of it"),
	ARGUMENT_TEXT(struct wishes, key, "key", 'k', "KEY", "this one, as the list calls it"),
	ARGUMENT_FLAG(struct wishes, all, "all", 0, "every answer there is"),
	{0},
};

static const struct argument_form purge_form = {
	.usage = "",
	.summary = "Forget answers: who asks next is called for.",
	.details = "  sluice cache purge --prompt spam@3\n"
		   "  sluice cache purge --task classify --business-unit search\n"
		   "  sluice cache purge --key 5d41402abc4b2a76b9719d911017c592…\n"
		   "\n"
		   "Answers that fit all that is named are forgotten. A call that is under way is "
		   "kept when it\nanswers: purge again after it, or change the prompt's version "
		   "instead, which asks anew at once.\n",
	.table = purge_table,
};

static bool purge(const struct wishes *wishes, struct error *err)
{
	AUTO_FINISH(session_finish) struct session session = {0};
	struct selection selection;
	struct digest key;
	struct pg_args *args;

	if (!read_prompt(wishes->prompt, &selection, err))
		return false;
	if (wishes->key && !digest_parse(wishes->key, &key))
		return error_set(err, ERROR_REJECT,
				 "--key %.70s: write the 64 digits that `sluice cache list` shows",
				 wishes->key);
	if (!session_open(&session, &wishes->common, err))
		return false;
	args = select_args(wishes, &selection);
	pg_string(args, wishes->key);
	AUTO(pg_rows_destroy)
	struct pg_rows *rows = session_ask(&session, "cache_purge", args, err);
	if (!rows)
		return false;
	session_print(rows, session_format(wishes->common.json, false), NULL);
	return true;
}

static int run_purge(int argc, char **argv)
{
	struct wishes wishes = {0};
	int code = arguments_parse(&purge_form, &wishes, argc, argv);
	bool names = wishes.unit || wishes.task || wishes.prompt || wishes.key;
	struct error err;

	if (code >= 0)
		return code;
	if (names == wishes.all) {
		error_set(&err, ERROR_REJECT, "name what to forget, or say --all");
		session_fail("cache purge", &err);
		return COMMAND_USAGE;
	}
	return purge(&wishes, &err) ? COMMAND_OK : session_fail("cache purge", &err);
}

const struct command command_cache_purge = {
	.name = "cache purge",
	.summary = "forget answers",
	.group = COMMAND_OPERATE,
	.run = run_purge,
	.form = &purge_form,
};
