/*
 * sluice webhooks list, show, resend, secret: what was posted to whom, what came
 * of it, and what a receiver checks signatures with.
 */
#include <stdio.h>
#include <string.h>

#include "command.h"
#include "ids.h"
#include "session.h"
#include "webhook.h"

/* --- webhooks list --- */

struct list_wishes {
	struct arguments common;
	const char *unit;
	const char *fate;
	nsec since;
	int64_t limit;
	bool csv;
};

static const struct argument list_table[] = {
	ARGUMENT_TEXT(struct list_wishes, unit, "business-unit", 'u', "UNIT",
		      "of this business unit"),
	ARGUMENT_TEXT(struct list_wishes, fate, "fate", 'f', "FATE",
		      "only owed, waiting (for another try), delivered, exhausted, gone, refused "
		      "or disabled ones"),
	ARGUMENT_DURATION(struct list_wishes, since, "since", 's', "how far back (default 7d)"),
	ARGUMENT_COUNT(struct list_wishes, limit, "limit", 'n', "at most so many (default 100)", 1,
		       100000),
	ARGUMENT_FLAG(struct list_wishes, csv, "csv", 0, "print CSV"),
	{0},
};

static const struct argument_form list_form = {
	.usage = "",
	.summary = "List webhooks, newest first: on their way, delivered, or given up.",
	.details = "  sluice webhooks list --fate exhausted --since 1d\n"
		   "\n"
		   "A webhook is tried for a day. exhausted: the day is over; gone: the receiver "
		   "answered 410,\nand later ones for it are disabled; refused: an address that "
		   "webhooks do not go to\n(api.webhook_private).\n",
	.table = list_table,
};

static bool list_webhooks(const struct list_wishes *wishes, struct error *err)
{
	struct pg_args *args = pg_args_create();

	pg_string(args, wishes->unit);
	pg_string(args, wishes->fate);
	pg_double(args, (double)wishes->since / (double)NSEC_PER_SEC);
	pg_big(args, wishes->limit);
	return session_show(&wishes->common, wishes->csv, "webhooks_list", args, "no webhooks",
			    err);
}

static int run_list(int argc, char **argv)
{
	struct list_wishes wishes = {.since = 7 * 24 * 3600 * NSEC_PER_SEC, .limit = 100};
	int code = arguments_parse(&list_form, &wishes, argc, argv);
	struct error err;

	if (code >= 0)
		return code;
	return list_webhooks(&wishes, &err) ? COMMAND_OK : session_fail("webhooks list", &err);
}

const struct command command_webhooks_list = {
	.name = "webhooks list",
	.summary = "what was posted to whom",
	.group = COMMAND_OPERATE,
	.run = run_list,
	.form = &list_form,
};

/* --- webhooks show --- */

static const struct argument no_table[] = {{0}};

static const struct argument_form show_form = {
	.usage = "EVENT",
	.summary = "Show every try of a webhook. Its id is the webhook-id that the receiver saw.",
	.details = "",
	.table = no_table,
	.least_words = 1,
	.most_words = 1,
};

static bool show_webhook(const struct arguments *common, struct error *err)
{
	struct uuid id;
	struct pg_args *args;

	if (!session_read_id(common->words[0], &id, err))
		return false;
	args = pg_args_create();
	pg_uuid(args, &id);
	return session_show(common, false, "webhooks_show", args, "not tried yet, or not known",
			    err);
}

static int run_show(int argc, char **argv)
{
	struct arguments wishes = {0};
	int code = arguments_parse(&show_form, &wishes, argc, argv);
	struct error err;

	if (code >= 0)
		return code;
	return show_webhook(&wishes, &err) ? COMMAND_OK : session_fail("webhooks show", &err);
}

const struct command command_webhooks_show = {
	.name = "webhooks show",
	.summary = "every try of a webhook",
	.group = COMMAND_OPERATE,
	.run = run_show,
	.form = &show_form,
};

/* --- webhooks resend --- */

static const struct argument_form resend_form = {
	.usage = "EVENT_OR_JOB...",
	.summary = "Post webhooks again, delivered or not, under the same webhook-id and with a "
		   "day of tries "
		   "before them. An endpoint that was gone has another chance.",
	.details = "",
	.table = no_table,
	.least_words = 1,
	.most_words = 1000,
};

static bool resend_webhooks(const struct arguments *common, struct error *err)
{
	AUTO_FINISH(session_finish) struct session session = {0};
	AUTO_FINISH(ids_finish) struct ids ids = {0};
	struct pg_args *args;
	int array;

	if (!ids_read(&ids, common, NULL, err) || !session_open(&session, common, err))
		return false;
	args = pg_args_create();
	array = pg_array(args, PG_UUID);
	for (size_t i = 0; i < ids.count; i++)
		pg_push_uuid(args, array, &ids.ids[i]);
	AUTO(pg_rows_destroy)
	struct pg_rows *rows = session_ask(&session, "webhooks_resend", args, err);
	if (!rows)
		return false;
	session_print(rows, session_format(common->json, false), NULL);
	return pg_count(rows) > 0 ||
	       error_set(err, ERROR_REJECT,
			 "no webhook of these events or jobs is kept, or they are on the wire");
}

static int run_resend(int argc, char **argv)
{
	struct arguments wishes = {0};
	int code = arguments_parse(&resend_form, &wishes, argc, argv);
	struct error err;

	if (code >= 0)
		return code;
	return resend_webhooks(&wishes, &err) ? COMMAND_OK : session_fail("webhooks resend", &err);
}

const struct command command_webhooks_resend = {
	.name = "webhooks resend",
	.summary = "post webhooks again",
	.group = COMMAND_OPERATE,
	.run = run_resend,
	.form = &resend_form,
};

/* --- webhooks secret --- */

struct secret_wishes {
	struct arguments common;
	bool alerts;
};

static const struct argument secret_table[] = {
	ARGUMENT_FLAG(struct secret_wishes, alerts, "alerts", 0,
		      "what signs alerts (alerts.webhook)"),
	{0},
};

static const struct argument_form secret_form = {
	.usage = "[UNIT]",
	.summary = "Print what a receiver checks the webhooks of a business unit with, the current "
		   "one first.",
	.details =
		"  sluice webhooks secret search\n"
		"\n"
		"Derived from api.webhook_secrets. To change them, put a new one before the old: "
		"both sign\nuntil the old is taken away.\n",
	.table = secret_table,
	.most_words = 1,
};

static bool print_secrets(const struct secret_wishes *wishes, struct error *err)
{
	AUTO_FINISH(session_finish) struct session session = {0};
	const char *unit = wishes->alerts ? "" : wishes->common.words[0];
	const json_t *masters;

	if (!session_configure(&session, &wishes->common, err))
		return false;
	masters = session.config->api.webhook_secrets;
	if (json_array_size(masters) == 0)
		return error_set(err, ERROR_REJECT,
				 "api.webhook_secrets is empty: put a long random text there, and "
				 "webhooks are signed with secrets derived from it");
	for (size_t i = 0; i < json_array_size(masters); i++) {
		char text[WEBHOOK_SECRET_TEXT];

		puts(webhook_secret(text, json_string_value(json_array_get(masters, i)), unit));
	}
	return true;
}

static int run_secret(int argc, char **argv)
{
	struct secret_wishes wishes = {0};
	int code = arguments_parse(&secret_form, &wishes, argc, argv);
	struct error err;

	if (code >= 0)
		return code;
	if (wishes.alerts == (wishes.common.word_count > 0) ||
	    (!wishes.alerts && !*wishes.common.words[0])) {
		error_set(&err, ERROR_REJECT, "name a business unit, or say --alerts");
		session_fail("webhooks secret", &err);
		return COMMAND_USAGE;
	}
	return print_secrets(&wishes, &err) ? COMMAND_OK : session_fail("webhooks secret", &err);
}

const struct command command_webhooks_secret = {
	.name = "webhooks secret",
	.summary = "what a receiver checks signatures with",
	.group = COMMAND_OPERATE,
	.run = run_secret,
	.form = &secret_form,
};
