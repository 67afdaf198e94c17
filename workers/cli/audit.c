/*
 * sluice audit: the promises, checked. Each file of sql/audit/ is one claim, in
 * its first line, and a query for what contradicts it.
 */
#include <stdio.h>
#include <string.h>

#include "bill.h"
#include "command.h"
#include "embedded.h"
#include "ensure.h"
#include "session.h"

#define MAX_FINDINGS 1000
#define SHOWN 20
#define AUDIT_PATH "sql/audit/"

struct wishes {
	struct arguments common;
	const char *bill;
	bool book;
	bool complete;
	bool list;
};

static const struct argument table[] = {
	ARGUMENT_TEXT(
		struct wishes, bill, "bill", 'b', "FILE",
		"compare the ledger with a provider's bill as well (JSON lines: id, amount in "
		"pico-dollars, and if known request, at, delivered)"),
	ARGUMENT_FLAG(struct wishes, book, "book", 0,
		      "book what the bill says differently as adjustments, then compare"),
	ARGUMENT_FLAG(
		struct wishes, complete, "complete", 0,
		"the bill holds every call there ever was; otherwise it covers the time from its "
		"first to its last"),
	ARGUMENT_FLAG(struct wishes, list, "list", 0, "only say what is checked"),
	{0},
};

static const struct argument_form form = {
	.usage = "[CHECK...]",
	.summary = "Check what Sluice promises against what is in Postgres: every job one outcome, "
		   "every\n"
		   "outcome paid, every payment announced, sums that are the ledger. Exits with 1 "
		   "when\n"
		   "anything contradicts a claim.",
	.details = "  sluice audit\n"
		   "  sluice audit --bill october.jsonl --book\n",
	.table = table,
	.most_words = 64,
};

/* "sql/audit/two_outcomes.sql" is the check "two_outcomes". */
static char *check_name(const struct embedded *file)
{
	const char *name = file->path + strlen(AUDIT_PATH);

	return xstrndup(name, strcspn(name, "."));
}

/* The first line, which is a comment. */
static char *check_claim(const struct embedded *file)
{
	const char *claim = file->text + strspn(file->text, "- ");

	return xstrndup(claim, strcspn(claim, "\n"));
}

static bool is_wanted(const struct embedded *file, const struct arguments *arguments)
{
	AUTO(xfree) char *name = NULL;

	if (strncmp(file->path, AUDIT_PATH, strlen(AUDIT_PATH)) != 0)
		return false;
	name = check_name(file);
	for (size_t i = 0; i < arguments->word_count; i++)
		if (strcmp(arguments->words[i], name) == 0)
			return true;
	return arguments->word_count == 0;
}

static bool check_words(const struct arguments *arguments, struct error *err)
{
	for (size_t i = 0; i < arguments->word_count; i++) {
		AUTO(xfree) char *path = xasprintf(AUDIT_PATH "%s.sql", arguments->words[i]);

		if (!embedded_find(path))
			return error_set(err, ERROR_REJECT,
					 "no check \"%.60s\"; `sluice audit --list` names them",
					 arguments->words[i]);
	}
	return true;
}

static void list_checks(const struct wishes *wishes)
{
	AUTO(table_destroy) struct table *out = table_create();
	AUTO_FINISH(buffer_finish) struct buffer text = {0};

	table_column(out, "check", TABLE_LEFT);
	table_column(out, "claim", TABLE_LEFT);
	for (const struct embedded *file = embedded_files; file->path; file++) {
		if (!is_wanted(file, &wishes->common))
			continue;
		AUTO(xfree) char *name = check_name(file), *claim = check_claim(file);
		table_cell(out, "%s", name);
		table_cell(out, "%s", claim);
	}
	table_render(out, session_format(wishes->common.json, false), &text);
	fwrite(text.data, 1, text.len, stdout);
}

/* --- running --- */

static struct pg_rows *run_check(struct session *session, const struct embedded *file,
				 struct error *err)
{
	AUTO(xfree)
	char *sql = xasprintf("SELECT * FROM (\n%s\n) audit LIMIT %d", file->text,
			      MAX_FINDINGS + 1);
	AUTO(xfree) char *name = check_name(file);
	struct pg_rows *rows = pg_ask(session->pg, sql, NULL, err);

	if (!rows)
		error_wrap(err, "check %s", name);
	return rows;
}

static void print_findings(const char *name, const char *claim, const struct pg_rows *rows)
{
	AUTO(table_destroy) struct table *out = table_create();
	AUTO_FINISH(buffer_finish) struct buffer text = {0};
	int shown = pg_count(rows) < SHOWN ? pg_count(rows) : SHOWN;

	session_columns(out, rows);
	for (int row = 0; row < shown; row++)
		session_cells(out, rows, row);
	table_render(out, TABLE_TEXT, &text);
	printf("\n%s: %s\nBut:\n%s", name, claim, text.data);
	if (pg_count(rows) > shown)
		printf("... and %d more\n", pg_count(rows) - shown);
}

/* One snapshot for all checks, so that work going on cannot look like a contradiction. */
static bool begin(struct session *session, struct error *err)
{
	return pg_run(
		session->pg,
		"SET statement_timeout = '30min'; SET idle_in_transaction_session_timeout = 0; "
		"BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY",
		err);
}

static bool run_checks(struct session *session, const struct wishes *wishes, size_t *contradicted,
		       struct error *err)
{
	AUTO(table_destroy) struct table *out = table_create();
	AUTO_FINISH(buffer_finish) struct buffer text = {0};

	table_column(out, "check", TABLE_LEFT);
	table_column(out, "findings", TABLE_NUMBER);
	table_column(out, "claim", TABLE_LEFT);
	for (const struct embedded *file = embedded_files; file->path; file++) {
		if (!is_wanted(file, &wishes->common))
			continue;
		AUTO(xfree) char *name = check_name(file), *claim = check_claim(file);
		AUTO(pg_rows_destroy) struct pg_rows *rows = run_check(session, file, err);
		if (!rows)
			return false;
		*contradicted += pg_count(rows) > 0;
		table_cell(out, "%s", name);
		table_cell(out, "%d", pg_count(rows));
		table_cell(out, "%s", claim);
		if (pg_count(rows) > 0 && !wishes->common.json)
			print_findings(name, claim, rows);
	}
	table_render(out, session_format(wishes->common.json, false), &text);
	printf("%s%s", *contradicted && !wishes->common.json ? "\n" : "",
	       text.data ? text.data : "");
	return true;
}

static bool audit_tables(struct session *session, const struct wishes *wishes, size_t *contradicted,
			 struct error *err)
{
	return begin(session, err) && run_checks(session, wishes, contradicted, err) &&
	       pg_run(session->pg, "COMMIT", err);
}

static bool audit_bill(struct session *session, const struct wishes *wishes, size_t *contradicted,
		       struct error *err)
{
	enum table_format format = session_format(wishes->common.json, false);
	size_t findings;

	if (!bill_load(session, wishes->bill, err))
		return false;
	if (!wishes->common.json)
		puts("\nTHE BILL");
	if (wishes->book && !bill_book(session, wishes->complete, format, err))
		return false;
	if (!bill_compare(session, wishes->complete, format, &findings, err))
		return false;
	*contradicted += findings > 0;
	return true;
}

static bool audit(const struct wishes *wishes, size_t *contradicted, struct error *err)
{
	AUTO_FINISH(session_finish) struct session session = {0};

	if (!check_words(&wishes->common, err))
		return false;
	if (wishes->list) {
		list_checks(wishes);
		return true;
	}
	if (wishes->book && !wishes->bill)
		return error_set(err, ERROR_REJECT, "--book needs --bill FILE");
	if (!session_open(&session, &wishes->common, err) ||
	    !audit_tables(&session, wishes, contradicted, err))
		return false;
	return !wishes->bill || audit_bill(&session, wishes, contradicted, err);
}

static int run(int argc, char **argv)
{
	struct wishes wishes = {0};
	int code = arguments_parse(&form, &wishes, argc, argv);
	size_t contradicted = 0;
	struct error err;

	if (code >= 0)
		return code;
	if (!audit(&wishes, &contradicted, &err))
		return session_fail("audit", &err);
	if (contradicted > 0)
		fprintf(stderr, "sluice audit: %zu of the claims do not hold\n", contradicted);
	return contradicted > 0 ? COMMAND_FAILED : COMMAND_OK;
}

const struct command command_audit = {
	.name = "audit",
	.summary = "check the promises: one outcome each, ledger = bill",
	.group = COMMAND_MONEY,
	.run = run,
	.form = &form,
};
