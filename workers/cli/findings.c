#include "findings.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "ensure.h"

void findings_init(struct findings *findings)
{
	*findings = (struct findings){.table = table_create()};
	table_column(findings->table, "state", TABLE_LEFT);
	table_column(findings->table, "about", TABLE_LEFT);
	table_column(findings->table, "finding", TABLE_LEFT);
}

void findings_finish(struct findings *findings)
{
	table_destroy(findings->table);
}

void findings_add(struct findings *findings, enum finding finding, const char *about,
		  const char *fmt, ...)
{
	static const char *const names[] = {"ok", "warn", "FAIL"};
	char *text = NULL;
	va_list args;

	va_start(args, fmt);
	ENSURE(vasprintf(&text, fmt, args) >= 0);
	va_end(args);
	findings->counts[finding]++;
	table_cell(findings->table, "%s", names[finding]);
	table_cell(findings->table, "%s", about);
	table_cell(findings->table, "%s", text);
	free(text);
}
