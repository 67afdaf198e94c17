#include "json_writer.h"

#include <string.h>

#include "unit.h"

static struct buffer out;

static void start(size_t max)
{
	buffer_finish(&out);
	out = (struct buffer){.max = max};
}

START_TEST(commas_fall_where_they_belong)
{
	struct json_writer w = {.out = &out};

	start(0);
	json_open(&w, '{');
	json_key(&w, "a");
	json_open(&w, '[');
	json_open(&w, '{');
	json_close(&w, '}');
	json_put_integer(&w, -9223372036854775807 - 1);
	json_put_bool(&w, true);
	json_close(&w, ']');
	json_key(&w, "b");
	json_put_raw(&w, "null", 4);
	json_key(&w, "c");
	json_string_begin(&w);
	json_string_part(&w, "x", 1);
	json_string_part(&w, NULL, 0);
	json_string_part(&w, "y", 1);
	json_string_end(&w);
	json_close(&w, '}');
	ck_assert_str_eq(out.data,
			 "{\"a\":[{},-9223372036854775808,true],\"b\":null,\"c\":\"xy\"}");
}
END_TEST

START_TEST(strings_come_back_as_they_were)
{
	static const char odd[] = "\"\\\n\r\t\x01\x1f\0/\xc3\xa9\xf0\x9f\x99\x82";
	struct json_writer w = {.out = &out};
	struct error err;

	start(0);
	json_put_string(&w, odd, sizeof(odd) - 1);
	json_auto_t *back = json_read(out.data, out.len, JSON_FOREIGN, &err);
	ck_assert_msg(back != NULL, "%s", err.text);
	ck_assert_uint_eq(json_string_length(back), sizeof(odd) - 1);
	ck_assert_mem_eq(json_string_value(back), odd, sizeof(odd) - 1);
}
END_TEST

START_TEST(numbers_are_as_short_as_they_are_exact)
{
	struct json_writer w = {.out = &out};

	start(0);
	json_put_number(&w, 0.2);
	json_put_number(&w, 0);
	json_put_number(&w, 0.1 + 0.2);
	ck_assert_str_eq(out.data, "0.2,0,0.30000000000000004");
}
END_TEST

START_TEST(after_the_cap_nothing_more_is_written)
{
	struct json_writer w = {.out = &out};

	start(8);
	json_open(&w, '[');
	json_put_text(&w, "far too long for it");
	json_put_bool(&w, true);
	json_close(&w, ']');
	ck_assert(w.full);
	ck_assert_uint_le(out.len, 8);
	ck_assert_ptr_null(strstr(out.data, "true"));
}
END_TEST

START_TEST(trees_are_written_compactly)
{
	struct json_writer w = {.out = &out};
	json_auto_t *tree = json_pack("{s:[i,s,n]}", "k", 1, "\"");

	start(0);
	json_put_value(&w, tree);
	json_put_value(&w, tree);
	ck_assert_str_eq(out.data, "{\"k\":[1,\"\\\"\",null]},{\"k\":[1,\"\\\"\",null]}");
}
END_TEST

UNIT_TESTS(json_writer, commas_fall_where_they_belong, strings_come_back_as_they_were,
	   numbers_are_as_short_as_they_are_exact, after_the_cap_nothing_more_is_written,
	   trees_are_written_compactly)
