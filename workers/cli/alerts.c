/*
 * sluice alerts list: budgets that ran low, breakers that opened, spending that
 * is not what it was.
 */
#include "command.h"
#include "session.h"

struct wishes {
	struct arguments common;
	const char *kind;
	nsec since;
	int64_t limit;
	bool csv;
};

static const struct argument list_table[] = {
	ARGUMENT_TEXT(struct wishes, kind, "kind", 'k', "KIND",
		      "only these: budget, breaker, batch, retention, hour, burst, request, share"),
	ARGUMENT_DURATION(struct wishes, since, "since", 's', "how far back (default 7d)"),
	ARGUMENT_COUNT(struct wishes, limit, "limit", 'n', "at most so many (default 100)", 1,
		       100000),
	ARGUMENT_FLAG(struct wishes, csv, "csv", 0, "print CSV"),
	{0},
};

static const struct argument_form list_form = {
	.usage = "",
	.summary = "List alerts, newest first: budgets at 80 % and 100 %, breakers of credentials, "
		   "anomalies of spending.",
	.details = "  sluice alerts list --since 1d --kind budget\n"
		   "\n"
		   "Each is raised once per period. With alerts.webhook in the configuration each "
		   "is\nposted there once as well, signed.\n",
	.table = list_table,
};

static bool list_alerts(const struct wishes *wishes, struct error *err)
{
	struct pg_args *args = pg_args_create();

	pg_string(args, wishes->kind);
	pg_double(args, (double)wishes->since / (double)NSEC_PER_SEC);
	pg_big(args, wishes->limit);
	return session_show(&wishes->common, wishes->csv, "alerts_list", args, "no alerts", err);
}

static int run_list(int argc, char **argv)
{
	struct wishes wishes = {.since = 7 * 24 * 3600 * NSEC_PER_SEC, .limit = 100};
	int code = arguments_parse(&list_form, &wishes, argc, argv);
	struct error err;

	if (code >= 0)
		return code;
	return list_alerts(&wishes, &err) ? COMMAND_OK : session_fail("alerts list", &err);
}

const struct command command_alerts_list = {
	.name = "alerts list",
	.summary = "budgets, breakers and anomalies",
	.group = COMMAND_MONEY,
	.run = run_list,
	.form = &list_form,
};
