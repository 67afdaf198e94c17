#include "table.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ensure.h"
#include "quote.h"
#include "utf8.h"

#define MAX_COLUMNS 32
#define GAP 2

struct column {
	char *name;
	enum table_align align;
};

struct table {
	struct column columns[MAX_COLUMNS];
	size_t width;
	char **cells;
	size_t count;
	size_t capacity;
};

struct table *table_create(void)
{
	return xcalloc(1, sizeof(struct table));
}

void table_destroy(struct table *table)
{
	if (!table)
		return;
	for (size_t i = 0; i < table->width; i++)
		free(table->columns[i].name);
	for (size_t i = 0; i < table->count; i++)
		free(table->cells[i]);
	free(table->cells);
	free(table);
}

void table_column(struct table *table, const char *name, enum table_align align)
{
	ENSURE(table->width < MAX_COLUMNS && table->count == 0);
	table->columns[table->width++] = (struct column){.name = xstrdup(name), .align = align};
}

void table_cell(struct table *table, const char *fmt, ...)
{
	char *text = NULL;
	va_list args;

	va_start(args, fmt);
	ENSURE(vasprintf(&text, fmt, args) >= 0);
	va_end(args);
	if (table->count == table->capacity) {
		table->capacity = table->capacity ? table->capacity * 2 : 64;
		table->cells = xrealloc(table->cells, table->capacity * sizeof(*table->cells));
	}
	table->cells[table->count++] = text;
}

size_t table_rows(const struct table *table)
{
	return table->width > 0 ? table->count / table->width : 0;
}

/* --- aligned text --- */

static size_t text_width(const char *text)
{
	size_t width = 0, len = strlen(text);

	for (size_t at = 0; at < len;) {
		size_t step = utf8_step(text + at, len - at);
		int columns = step > 0 ? utf8_width(text + at, step) : -1;

		width += columns < 0 ? 1 : (size_t)columns;
		at += step > 0 ? step : 1;
	}
	return width;
}

static size_t column_width(const struct table *table, size_t column)
{
	size_t widest = text_width(table->columns[column].name);

	for (size_t i = column; i < table->count; i += table->width) {
		size_t width = text_width(table->cells[i]);

		widest = width > widest ? width : widest;
	}
	return widest;
}

static void append_padded(struct buffer *out, const char *text, size_t width,
			  enum table_align align, bool last)
{
	int pad = (int)(width - text_width(text));

	if (align == TABLE_NUMBER)
		buffer_printf(out, "%*s", pad, "");
	quote_terminal(out, text, strlen(text));
	if (last)
		buffer_byte(out, '\n');
	else
		buffer_printf(out, "%*s", (align == TABLE_NUMBER ? 0 : pad) + GAP, "");
}

static void render_text(const struct table *table, struct buffer *out)
{
	size_t widths[MAX_COLUMNS];

	for (size_t i = 0; i < table->width; i++) {
		widths[i] = column_width(table, i);
		append_padded(out, table->columns[i].name, widths[i], table->columns[i].align,
			      i + 1 == table->width);
	}
	for (size_t i = 0; i < table->count; i++) {
		size_t column = i % table->width;

		append_padded(out, table->cells[i], widths[column], table->columns[column].align,
			      column + 1 == table->width);
	}
}

/* --- CSV and JSON --- */

/* Programs get names without blanks. */
static char *machine_name(const struct column *column)
{
	char *name = xstrdup(column->name);

	for (char *p = name; *p; p++)
		if (*p == ' ')
			*p = '_';
	return name;
}

static void render_csv(const struct table *table, struct buffer *out)
{
	for (size_t i = 0; i < table->width; i++) {
		AUTO(xfree) char *name = machine_name(&table->columns[i]);

		quote_csv(out, name, strlen(name));
		buffer_text(out, i + 1 == table->width ? "\r\n" : ",");
	}
	for (size_t i = 0; i < table->count; i++) {
		quote_csv(out, table->cells[i], strlen(table->cells[i]));
		buffer_text(out, (i + 1) % table->width == 0 ? "\r\n" : ",");
	}
}

static void append_json_cell(struct buffer *out, const char *text, enum table_align align)
{
	size_t len = strlen(text);

	if (align == TABLE_NUMBER && len == 0)
		buffer_text(out, "null");
	else if (align == TABLE_NUMBER && quote_is_number(text, len))
		buffer_append(out, text, len);
	else
		quote_json(out, text, len);
}

static void render_json(const struct table *table, struct buffer *out)
{
	for (size_t i = 0; i < table->count; i++) {
		const struct column *column = &table->columns[i % table->width];
		AUTO(xfree) char *name = machine_name(column);

		buffer_byte(out, column == table->columns ? '{' : ',');
		quote_json(out, name, strlen(name));
		buffer_byte(out, ':');
		append_json_cell(out, table->cells[i], column->align);
		if ((i + 1) % table->width == 0)
			buffer_text(out, "}\n");
	}
}

void table_render(const struct table *table, enum table_format format, struct buffer *out)
{
	ENSURE(table->width > 0 && table->count % table->width == 0);
	if (format == TABLE_TEXT)
		render_text(table, out);
	else if (format == TABLE_CSV)
		render_csv(table, out);
	else
		render_json(table, out);
}
