#include "broken.h"

#include <string.h>

/* Columns of breakers.sql. */
enum { BROKEN_PROVIDER, BROKEN_CREDENTIAL, BROKEN_MODEL };

void broken_read(struct broken *broken, struct pg_rows *rows)
{
	pg_rows_destroy(broken->rows);
	broken->rows = rows;
}

void broken_finish(struct broken *broken)
{
	pg_rows_destroy(broken->rows);
	broken->rows = NULL;
}

static bool has(const struct broken *broken, const struct endpoint *endpoint, const char *model)
{
	for (int row = 0; broken->rows && row < pg_count(broken->rows); row++)
		if (strcmp(pg_get_text(broken->rows, row, BROKEN_PROVIDER), endpoint->name) == 0 &&
		    strcmp(pg_get_text(broken->rows, row, BROKEN_CREDENTIAL),
			   endpoint->credential) == 0 &&
		    strcmp(pg_get_text(broken->rows, row, BROKEN_MODEL), model) == 0)
			return true;
	return false;
}

bool broken_has_key(const struct broken *broken, const struct endpoint *endpoint)
{
	return has(broken, endpoint, "");
}

bool broken_has(const struct broken *broken, const struct candidate *candidate)
{
	return broken_has_key(broken, candidate->endpoint) ||
	       has(broken, candidate->endpoint, candidate->model);
}
