#include "table.h"

#include <locale.h>

#include "unit.h"

static struct buffer shown;

static const char *render(const struct table *table, enum table_format format)
{
	buffer_clear(&shown);
	table_render(table, format, &shown);
	return shown.data;
}

static struct table *models(void)
{
	struct table *table = table_create();

	setlocale(LC_CTYPE, "C.UTF-8");
	table_column(table, "model", TABLE_LEFT);
	table_column(table, "calls", TABLE_NUMBER);
	table_column(table, "note", TABLE_LEFT);
	return table;
}

START_TEST(columns_line_up_and_numbers_lean_right)
{
	AUTO(table_destroy) struct table *table = models();

	table_cell(table, "gpt");
	table_cell(table, "%d", 7);
	table_cell(table, "x");
	table_cell(table, "claude-haiku");
	table_cell(table, "%d", 12345);
	table_cell(table, "y");
	ck_assert_str_eq(render(table, TABLE_TEXT), "model         calls  note\n"
						    "gpt               7  x\n"
						    "claude-haiku  12345  y\n");
}
END_TEST

START_TEST(wide_characters_take_two_columns_and_accents_none)
{
	AUTO(table_destroy) struct table *table = models();

	table_cell(table, "日本");
	table_cell(table, "1");
	table_cell(table, "a");
	table_cell(table, "e\xcc\x81tude");
	table_cell(table, "2");
	table_cell(table, "b");
	ck_assert_str_eq(render(table, TABLE_TEXT), "model  calls  note\n"
						    "日本       1  a\n"
						    "e\xcc\x81tude      2  b\n");
}
END_TEST

START_TEST(a_cell_cannot_steer_the_terminal)
{
	AUTO(table_destroy) struct table *table = models();

	table_cell(table, "\x1b[31m");
	table_cell(table, "\n");
	table_cell(table, "\xff");
	ck_assert_str_eq(render(table, TABLE_TEXT),
			 "model  calls  note\n"
			 "\xef\xbf\xbd[31m      \xef\xbf\xbd  \xef\xbf\xbd\n");
}
END_TEST

START_TEST(csv_quotes_what_needs_it_and_disarms_formulas)
{
	AUTO(table_destroy) struct table *table = models();

	table_cell(table, "a,\"b\"");
	table_cell(table, "-1.5");
	table_cell(table, "=cmd()");
	ck_assert_str_eq(render(table, TABLE_CSV),
			 "model,calls,note\r\n\"a,\"\"b\"\"\",-1.5,'=cmd()\r\n");
}
END_TEST

START_TEST(json_rows_have_numbers_nulls_and_text)
{
	AUTO(table_destroy) struct table *table = models();

	table_cell(table, "7");
	table_cell(table, "12345678901234567890.000000000001");
	table_cell(table, "a\"b");
	table_cell(table, "m");
	table_cell(table, "%s", "");
	table_cell(table, "%s", "");
	ck_assert_str_eq(render(table, TABLE_JSON),
			 "{\"model\":\"7\",\"calls\":12345678901234567890.000000000001,\"note\":"
			 "\"a\\\"b\"}\n"
			 "{\"model\":\"m\",\"calls\":null,\"note\":\"\"}\n");
}
END_TEST

START_TEST(names_for_programs_have_no_blanks)
{
	AUTO(table_destroy) struct table *table = table_create();

	table_column(table, "usd not accepted", TABLE_NUMBER);
	table_cell(table, "1");
	ck_assert_str_eq(render(table, TABLE_CSV), "usd_not_accepted\r\n1\r\n");
	ck_assert_str_eq(render(table, TABLE_JSON), "{\"usd_not_accepted\":1}\n");
}
END_TEST

START_TEST(a_table_without_rows_is_its_head)
{
	AUTO(table_destroy) struct table *table = models();

	ck_assert_uint_eq(table_rows(table), 0);
	ck_assert_str_eq(render(table, TABLE_TEXT), "model  calls  note\n");
}
END_TEST

UNIT_TESTS(table, columns_line_up_and_numbers_lean_right,
	   wide_characters_take_two_columns_and_accents_none, a_cell_cannot_steer_the_terminal,
	   csv_quotes_what_needs_it_and_disarms_formulas, json_rows_have_numbers_nulls_and_text,
	   names_for_programs_have_no_blanks, a_table_without_rows_is_its_head)
