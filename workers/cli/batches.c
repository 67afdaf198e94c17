/*
 * sluice batches list, show, cancel, adopt, resubmit: what the batch lane is
 * about, and what only people can decide.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "command.h"
#include "ensure.h"
#include "session.h"

struct wishes {
	struct arguments common;
	const char *state;
	const char *provider;
	int64_t limit;
	bool all;
	bool csv;
};

#define WISHES ((struct wishes){.limit = 50})

/* --- batches list --- */

static const struct argument list_table[] = {
	ARGUMENT_TEXT(
		struct wishes, state, "state", 's', "STATE",
		"building, intended, uploaded, created, running, ended, imported, held or failed"),
	ARGUMENT_TEXT(struct wishes, provider, "provider", 'p', "NAME", "of this provider"),
	ARGUMENT_COUNT(struct wishes, limit, "limit", 'n', "at most so many (default 50)", 1,
		       100000),
	ARGUMENT_FLAG(struct wishes, all, "all", 'a', "closed ones too"),
	ARGUMENT_FLAG(struct wishes, csv, "csv", 0, "print CSV"),
	{0},
};

static const struct argument_form list_form = {
	.usage = "",
	.summary =
		"List providers' batches that are not closed: how far they are, how old, whether "
		"their jobs\n"
		"will be in time, what they have cost and saved. Jobs leave a batch for the "
		"normal lane when\n"
		"their deadline nears.",
	.details = "  sluice batches list --state held\n",
	.table = list_table,
};

static bool check_state(const char *state, struct error *err)
{
	static const char *const states[] = {"building", "intended", "uploaded",
					     "created",	 "running",  "ended",
					     "imported", "held",     "failed"};

	for (size_t i = 0; state && i < COUNT_OF(states); i++)
		if (strcmp(states[i], state) == 0)
			return true;
	return !state ||
	       error_set(err, ERROR_REJECT,
			 "no state \"%.40s\"; `sluice help batches list` names them", state);
}

static bool list_batches(const struct wishes *wishes, struct error *err)
{
	struct pg_args *args;

	if (!check_state(wishes->state, err))
		return false;
	args = pg_args_create();
	pg_string(args, wishes->state);
	pg_string(args, wishes->provider);
	pg_bool(args, wishes->all);
	pg_big(args, wishes->limit);
	return session_show(&wishes->common, wishes->csv, "batches_list", args, "no such batches",
			    err);
}

static int run_list(int argc, char **argv)
{
	struct wishes wishes = WISHES;
	int code = arguments_parse(&list_form, &wishes, argc, argv);
	struct error err;

	if (code >= 0)
		return code;
	return list_batches(&wishes, &err) ? COMMAND_OK : session_fail("batches list", &err);
}

const struct command command_batches_list = {
	.name = "batches list",
	.summary = "providers' batches and how far they are",
	.group = COMMAND_OPERATE,
	.run = run_list,
	.form = &list_form,
};

/* --- one batch --- */

static const struct argument no_table[] = {{0}};

static struct pg_args *batch_args(const struct uuid *id, const char *provider_id)
{
	struct pg_args *args = pg_args_create();

	pg_uuid(args, id);
	pg_string(args, provider_id);
	return args;
}

static bool read_batch(const char *text, struct uuid *id, struct error *err)
{
	return uuid_parse(text, id) ||
	       error_set(err, ERROR_REJECT,
			 "\"%.60s\" is no id of a batch; `sluice batches list` shows them", text);
}

static const struct argument_form show_form = {
	.usage = "BATCH",
	.summary = "Show one batch: its steps, its lines, what it cost and what the same would "
		   "have cost in the\n"
		   "sync lane.",
	.table = no_table,
	.least_words = 1,
	.most_words = 1,
};

static bool show(const struct wishes *wishes, struct error *err)
{
	AUTO_FINISH(session_finish) struct session session = {0};
	struct pg_args *args;
	struct uuid id;

	if (!read_batch(wishes->common.words[0], &id, err) ||
	    !session_open(&session, &wishes->common, err))
		return false;
	args = pg_args_create();
	pg_uuid(args, &id);
	AUTO(pg_rows_destroy)
	struct pg_rows *rows = session_ask(&session, "batches_show", args, err);
	if (!rows)
		return false;
	if (pg_count(rows) == 0)
		return error_set(err, ERROR_REJECT, "there is no batch %s",
				 wishes->common.words[0]);
	session_print(rows, session_format(wishes->common.json, false), "");
	return true;
}

static int run_show(int argc, char **argv)
{
	struct wishes wishes = WISHES;
	int code = arguments_parse(&show_form, &wishes, argc, argv);
	struct error err;

	if (code >= 0)
		return code;
	return show(&wishes, &err) ? COMMAND_OK : session_fail("batches show", &err);
}

const struct command command_batches_show = {
	.name = "batches show",
	.summary = "one batch: steps, lines, cost, saving",
	.group = COMMAND_OPERATE,
	.run = run_show,
	.form = &show_form,
};

/* --- what people decide --- */

/* A query that says what state the batch is in and whether it was done. */
static bool change(const struct wishes *wishes, const char *query, const char *provider_id,
		   const char *said, const char *wanted, struct error *err)
{
	AUTO_FINISH(session_finish) struct session session = {0};
	const char *text = wishes->common.words[0];
	struct uuid id;

	if (!read_batch(text, &id, err) || !session_open(&session, &wishes->common, err))
		return false;
	AUTO(pg_rows_destroy)
	struct pg_rows *rows = session_ask(&session, query, batch_args(&id, provider_id), err);
	if (!rows)
		return false;
	if (pg_count(rows) == 0)
		return error_set(err, ERROR_REJECT, "there is no batch %s", text);
	if (!pg_get_bool(rows, 0, 1))
		return error_set(err, ERROR_REJECT, "batch %s is %s; %s", text,
				 pg_get_text(rows, 0, 0), wanted);
	printf(wishes->common.json ? "{\"batch\":\"%s\",\"done\":\"%s\"}\n" : "%s  %s\n", text,
	       said);
	return true;
}

static const struct argument_form cancel_form = {
	.usage = "BATCH",
	.summary = "Cancel a batch at its provider. What it has finished is returned, billed and "
		   "settled; its other\n"
		   "jobs go on in another batch. (To cancel jobs: `sluice jobs cancel`.)",
	.table = no_table,
	.least_words = 1,
	.most_words = 1,
};

static int run_cancel(int argc, char **argv)
{
	struct wishes wishes = WISHES;
	int code = arguments_parse(&cancel_form, &wishes, argc, argv);
	struct error err;

	if (code >= 0)
		return code;
	if (change(&wishes, "batches_cancel", NULL, "cancel requested",
		   "only one that is created or running can be cancelled", &err))
		return COMMAND_OK;
	return session_fail("batches cancel", &err);
}

const struct command command_batches_cancel = {
	.name = "batches cancel",
	.summary = "end a batch at its provider",
	.group = COMMAND_OPERATE,
	.run = run_cancel,
	.form = &cancel_form,
};

static const struct argument_form adopt_form = {
	.usage = "BATCH PROVIDERS_ID",
	.summary = "Say which of the provider's batches a held one is. Its results are settled as "
		   "if nothing had\n"
		   "happened; should they be of another's lines, it is held again.",
	.details = "  sluice batches adopt 01890a5d-ac96-774b-bcce-b302099a8057 "
		   "msgbatch_013Zva2CMHLNnXjNJJKqJ2EF\n",
	.table = no_table,
	.least_words = 2,
	.most_words = 2,
};

static int run_adopt(int argc, char **argv)
{
	struct wishes wishes = WISHES;
	int code = arguments_parse(&adopt_form, &wishes, argc, argv);
	struct error err;

	if (code >= 0)
		return code;
	if (change(&wishes, "batches_adopt", wishes.common.words[1], "adopted",
		   "only one that is held, or looked for, can be adopted", &err))
		return COMMAND_OK;
	return session_fail("batches adopt", &err);
}

const struct command command_batches_adopt = {
	.name = "batches adopt",
	.summary = "say which of the provider's batches it is",
	.group = COMMAND_OPERATE,
	.run = run_adopt,
	.form = &adopt_form,
};

static const struct argument_form resubmit_form = {
	.usage = "BATCH",
	.summary = "Submit a held batch once more. Only when the provider surely has none of it: "
		   "otherwise it is\n"
		   "paid twice.",
	.table = no_table,
	.least_words = 1,
	.most_words = 1,
};

static int run_resubmit(int argc, char **argv)
{
	struct wishes wishes = WISHES;
	int code = arguments_parse(&resubmit_form, &wishes, argc, argv);
	struct error err;

	if (code >= 0)
		return code;
	if (change(&wishes, "batches_resubmit", NULL, "is submitted again",
		   "only one that is held can be", &err))
		return COMMAND_OK;
	return session_fail("batches resubmit", &err);
}

const struct command command_batches_resubmit = {
	.name = "batches resubmit",
	.summary = "submit a held batch once more",
	.group = COMMAND_OPERATE,
	.run = run_resubmit,
	.form = &resubmit_form,
};
