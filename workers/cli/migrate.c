/*
 * sluice migrate: brings the database up to this binary's schema.
 */
#include <stdio.h>

#include "command.h"
#include "compiler.h"
#include "config.h"
#include "migrate.h"

struct wishes {
	struct arguments common;
	bool dry_run;
};

static const struct argument table[] = {
	ARGUMENT_FLAG(struct wishes, dry_run, "dry-run", 'n',
		      "only say how many migrations are missing"),
	{0},
};

static const struct argument_form form = {
	.usage = "",
	.summary = "Apply the migrations this database lacks.",
	.details = "Needs a role that may create the schema \"sluice\" and roles. Safe to run "
		   "again, and by two at\n"
		   "once: an advisory lock makes the second wait and find nothing to do.\n",
	.table = table,
};

static void told(const char *file)
{
	printf("applied %s\n", file);
}

static int report(const struct migrate_report *report, bool json)
{
	if (json)
		printf("{\"applied\":%d,\"present\":%d,\"last\":\"%s\"}\n", report->applied,
		       report->present, report->last);
	else
		printf("%d applied, %d already there; the schema is at %s\n", report->applied,
		       report->present, report->last);
	return COMMAND_OK;
}

static int failed(const struct error *err)
{
	fprintf(stderr, "sluice migrate: %s\n", err->text);
	return COMMAND_FAILED;
}

static int run(int argc, char **argv)
{
	struct wishes wishes = {0};
	int code = arguments_parse(&form, &wishes, argc, argv);
	struct migrate_report done;
	struct error err;

	if (code >= 0)
		return code;
	AUTO(config_destroy) struct config *config = config_load(wishes.common.config, &err);
	if (!config)
		return failed(&err);
	struct pg_options options = {.url = config->postgres.url, .name = "sluice migrate"};
	AUTO(pg_destroy) struct pg *pg = pg_connect(&options, &err);
	if (!pg)
		return failed(&err);
	if (wishes.dry_run) {
		int missing = migrate_missing(pg, &err);

		if (missing < 0)
			return failed(&err);
		printf(wishes.common.json ? "{\"missing\":%d}\n" : "%d migrations are missing\n",
		       missing);
		return COMMAND_OK;
	}
	if (!migrate(pg, &done, wishes.common.json ? NULL : told, &err))
		return failed(&err);
	return report(&done, wishes.common.json);
}

const struct command command_migrate = {
	.name = "migrate",
	.summary = "create or upgrade the tables in Postgres",
	.run = run,
	.group = COMMAND_OPERATE,
	.form = &form,
};
