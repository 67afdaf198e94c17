/*
 * Rows for people and for programs: the same cells as aligned columns, as CSV
 * or as JSON lines.
 *
 *	AUTO(table_destroy) struct table *table = table_create();
 *	table_column(table, "model", TABLE_LEFT);
 *	table_column(table, "calls", TABLE_NUMBER);
 *	table_cell(table, "%s", model);
 *	table_cell(table, "%" PRId64, calls);           -- the row is full: the next one begins
 *	table_render(table, TABLE_TEXT, &out);
 *
 * Text cells may come from strangers: control characters are made harmless,
 * and columns line up by what a terminal shows. In JSON a NUMBER cell is a
 * number when it is spelled as one, an empty one is null, the rest is text.
 * In CSV and JSON a blank in a column's name is an underscore.
 */
#ifndef SLUICE_TABLE_H
#define SLUICE_TABLE_H

#include <stddef.h>

#include "buffer.h"
#include "compiler.h"

enum table_align { TABLE_LEFT, TABLE_NUMBER };
enum table_format { TABLE_TEXT, TABLE_CSV, TABLE_JSON };

struct table;

struct table *table_create(void);
void table_destroy(struct table *table);
AUTO_DEFINE(struct table, table_destroy)

/* All columns first, then cells, row by row. */
void table_column(struct table *table, const char *name, enum table_align align);
void table_cell(struct table *table, const char *fmt, ...) PRINTF(2, 3);
size_t table_rows(const struct table *table);

/* The last row must be full. */
void table_render(const struct table *table, enum table_format format, struct buffer *out);

#endif
