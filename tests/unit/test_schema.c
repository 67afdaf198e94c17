/*
 * Our own vectors, keyword by keyword: tests/data/schema/<case>/ holds a schema,
 * values that are valid, and values that are not with the first error's place
 * and keyword; tests/data/schema-refused/ holds schemas that are none. After
 * them come what strangers may send to wear us out, and the texts of errors.
 */
#include "schema.h"

#include <dirent.h>
#include <string.h>

#include "ensure.h"
#include "unit.h"

static struct error err;

static json_t *load(const char *path)
{
	json_error_t why;
	json_t *value = json_load_file(path, JSON_DECODE_ANY | JSON_ALLOW_NUL, &why);

	ck_assert_msg(value, "%s: %s", path, why.text);
	return value;
}

static json_t *load_part(const char *name, const char *part)
{
	AUTO(xfree) char *path = xasprintf(TEST_DATA "/schema/%s/%s.json", name, part);

	return load(path);
}

static json_t *parse(const char *text)
{
	json_t *value = json_loads(text, JSON_DECODE_ANY, NULL);

	ck_assert_msg(value, "%s", text);
	return value;
}

static struct schema *compile(const char *text)
{
	json_auto_t *document = parse(text);
	struct schema *schema = schema_compile(document, &err);

	ck_assert_msg(schema, "%s: %s", text, err.text);
	return schema;
}

static size_t each_entry(const char *folder, void (*visit)(const char *name))
{
	DIR *dir = opendir(folder);
	size_t count = 0;

	ck_assert_msg(dir, "%s is missing", folder);
	for (struct dirent *entry; (entry = readdir(dir));) {
		if (entry->d_name[0] == '.')
			continue;
		visit(entry->d_name);
		count++;
	}
	closedir(dir);
	return count;
}

static void check_invalid(const char *name, const struct schema *schema, const json_t *row)
{
	const json_t *value = json_object_get(row, "value");
	AUTO(xfree) char *text = json_write(value);
	struct schema_errors errors;

	ck_assert_msg(!schema_check(schema, value, NULL), "%s: %s is valid", name, text);
	ck_assert_msg(!schema_check(schema, value, &errors), "%s: %s is valid", name, text);
	ck_assert_msg(errors.count > 0, "%s: %s: no error", name, text);
	ck_assert_msg(strcmp(errors.list[0].path, json_text(row, "path", "?")) == 0 &&
			      strcmp(errors.list[0].keyword, json_text(row, "keyword", "?")) == 0,
		      "%s: %s: \"%s\" \"%s\": %s", name, text, errors.list[0].path,
		      errors.list[0].keyword, errors.list[0].text);
}

static void check_case(const char *name)
{
	json_auto_t *document = load_part(name, "schema");
	json_auto_t *valid = load_part(name, "valid");
	json_auto_t *invalid = load_part(name, "invalid");
	AUTO(schema_destroy) struct schema *schema = schema_compile(document, &err);
	struct schema_errors errors;
	char note[SCHEMA_NOTE];

	ck_assert_msg(schema, "%s: %s", name, err.text);
	for (size_t i = 0; i < json_array_size(valid); i++)
		ck_assert_msg(schema_check(schema, json_array_get(valid, i), &errors),
			      "%s: valid value %zu is not: %s", name, i,
			      schema_errors_note(&errors, note));
	for (size_t i = 0; i < json_array_size(invalid); i++)
		check_invalid(name, schema, json_array_get(invalid, i));
}

START_TEST(every_keyword_accepts_and_rejects)
{
	ck_assert_uint_ge(each_entry(TEST_DATA "/schema", check_case), 60);
}
END_TEST

static void check_refused(const char *name)
{
	AUTO(xfree) char *path = xasprintf(TEST_DATA "/schema-refused/%s", name);
	json_auto_t *row = load(path);
	struct schema *schema = schema_compile(json_object_get(row, "schema"), &err);

	ck_assert_msg(!schema, "%s was taken", name);
	ck_assert_int_eq(err.kind, ERROR_REJECT);
	ck_assert_msg(strstr(err.text, json_text(row, "says", "?")), "%s: %s", name, err.text);
}

START_TEST(what_is_no_schema_is_refused_with_its_place)
{
	ck_assert_uint_ge(each_entry(TEST_DATA "/schema-refused", check_refused), 35);
}
END_TEST

START_TEST(formats_are_only_noted_unless_asked_for)
{
	json_auto_t *document = parse("{\"format\": \"ipv4\"}");
	json_auto_t *value = json_string("no address");
	struct schema_options options = {.assert_formats = false};
	AUTO(schema_destroy) struct schema *schema = schema_compile_with(document, &options, &err);

	ck_assert(schema_check(schema, value, NULL));
}
END_TEST

START_TEST(a_reference_may_name_a_given_document)
{
	json_auto_t *document = parse("{\"items\": {\"$ref\": \"https://x/y.json#/$defs/s\"}}");
	json_auto_t *other = parse("{\"$defs\": {\"s\": {\"type\": \"string\"}}}");
	json_auto_t *bad = parse("{\"$defs\": {\"s\": {\"type\": \"text\"}}}");
	json_auto_t *value = parse("[1]");
	struct schema_document given = {"https://x/y.json", other};
	struct schema_options options = {.documents = &given, .document_count = 1};
	AUTO(schema_destroy) struct schema *schema = schema_compile_with(document, &options, &err);

	ck_assert_msg(schema, "%s", err.text);
	ck_assert(!schema_check(schema, value, NULL));
	given.document = bad;
	ck_assert_ptr_null(schema_compile_with(document, &options, &err));
}
END_TEST

START_TEST(a_schema_outlives_its_document)
{
	json_t *document = parse(
		"{\"properties\": {\"a\": {\"enum\": [\"x\"]}}, \"required\": [\"a\"]}");
	struct schema *schema = schema_compile(document, &err);
	json_auto_t *good = parse("{\"a\": \"x\"}");

	json_decref(document);
	ck_assert(schema_check(schema, good, NULL));
	schema_destroy(schema);
}
END_TEST

static void expect_exhaustion(const struct schema *schema, const json_t *value)
{
	struct schema_errors errors;
	char signature[SCHEMA_SIGNATURE];

	ck_assert(!schema_check(schema, value, &errors));
	ck_assert_str_eq(errors.list[0].keyword, "budget");
	ck_assert_str_eq(schema_errors_signature(&errors, signature), "schema budget");
}

START_TEST(an_exploding_pattern_ends_as_not_valid)
{
	AUTO(schema_destroy)
	struct schema *schema = compile(
		"{\"type\": \"array\", \"items\": {\"pattern\": \"^(a+)+$\"}}");
	AUTO(schema_destroy)
	struct schema *inverted = compile("{\"items\": {\"not\": {\"pattern\": \"^(a+)+$\"}}}");
	json_auto_t *value = json_array();

	for (int i = 0; i < 1000; i++)
		json_array_append_new(value, json_string("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab"));
	expect_exhaustion(schema, value);
	expect_exhaustion(inverted,
			  value); /* "not" of what could not be told is not valid either */
}
END_TEST

START_TEST(many_patterns_that_nearly_explode_end_as_not_valid)
{
	AUTO(schema_destroy)
	struct schema *schema = compile("{\"items\": {\"not\": {\"pattern\": \"^(a+)+$\"}}}");
	json_auto_t *value = json_array();

	for (int i = 0; i < 100000; i++)
		json_array_append_new(value, json_string("aaaaaaaab"));
	expect_exhaustion(schema, value);
}
END_TEST

START_TEST(nesting_beyond_the_depth_ends_as_not_valid)
{
	AUTO(schema_destroy) struct schema *schema = compile("{\"items\": {\"$ref\": \"#\"}}");
	json_t *value = json_array();

	for (int i = 0; i < 100; i++) {
		json_t *outer = json_array();

		json_array_append_new(outer, value);
		value = outer;
	}
	ck_assert(schema_check(schema, value, NULL));
	for (int i = 0; i < 1800; i++) {
		json_t *outer = json_array();

		json_array_append_new(outer, value);
		value = outer;
	}
	expect_exhaustion(schema, value);
	json_decref(value);
}
END_TEST

START_TEST(exponential_work_ends_as_not_valid)
{
	AUTO(schema_destroy)
	struct schema *schema = compile("{\"$ref\": \"#/$defs/a\", \"$defs\": {"
					"\"a\": {\"items\": {\"allOf\": [{\"$ref\": "
					"\"#/$defs/a\"}, {\"$ref\": \"#/$defs/a\"},"
					" {\"not\": {\"not\": {\"$ref\": \"#/$defs/a\"}}}]}}}}");
	json_t *value = json_array();

	for (int i = 0; i < 60; i++) {
		json_t *outer = json_array();

		json_array_append_new(outer, value);
		value = outer;
	}
	expect_exhaustion(schema, value);
	json_decref(value);
}
END_TEST

START_TEST(a_reference_in_circles_through_dynamic_scope_ends)
{
	AUTO(schema_destroy)
	struct schema *schema = compile(
		"{\"$dynamicAnchor\": \"n\", \"not\": {\"$dynamicRef\": \"#n\"}}");
	json_auto_t *value = json_true();

	expect_exhaustion(schema, value);
}
END_TEST

START_TEST(a_huge_array_is_searched_for_repeats_in_linear_time)
{
	AUTO(schema_destroy) struct schema *schema = compile("{\"uniqueItems\": true}");
	json_auto_t *value = json_array();

	for (int i = 0; i < 200000; i++)
		json_array_append_new(value, json_pack("{s:i}", "n", i));
	ck_assert(schema_check(schema, value, NULL));
	json_array_append_new(value, json_pack("{s:f}", "n", 100000.0));
	ck_assert(!schema_check(schema, value, NULL));
}
END_TEST

START_TEST(repeats_that_cost_too_much_end_as_not_valid)
{
	AUTO(schema_destroy) struct schema *schema = compile("{\"uniqueItems\": true}");
	json_auto_t *value = json_array();

	for (int i = 0; i < 64; i++) {
		json_t *item = json_array();

		for (int j = 0; j < 2000; j++)
			json_array_append_new(item, json_integer(j));
		json_array_append_new(item, json_integer(i));
		json_array_append_new(value, item);
	}
	expect_exhaustion(schema, value);
}
END_TEST

START_TEST(a_schema_nested_too_deep_is_refused)
{
	json_t *document = json_object();

	for (int i = 0; i < 99; i++)
		document = json_pack("{s:{s:o}}", "properties", "a", document);
	schema_destroy(schema_compile(document, &err));
	for (int i = 0; i < 2; i++)
		document = json_pack("{s:{s:o}}", "properties", "a", document);
	ck_assert_ptr_null(schema_compile(document, &err));
	ck_assert(strstr(err.text, "nested deeper"));
	json_decref(document);
}
END_TEST

START_TEST(a_schema_of_too_many_parts_is_refused)
{
	json_auto_t *document = json_pack("{s:{}}", "properties");
	json_t *properties = json_object_get(document, "properties");

	for (int i = 0; i < SCHEMA_MAX_NODES; i++) {
		char name[16];

		snprintf(name, sizeof(name), "p%d", i);
		json_object_set_new(properties, name, json_true());
	}
	ck_assert_ptr_null(schema_compile(document, &err));
	ck_assert_msg(strstr(err.text, "more than"), "%s", err.text);
}
END_TEST

static const char invoice[] =
	"{\"type\": \"object\", \"required\": [\"total\", \"items\"], \"properties\": {"
	"\"total\": {\"type\": \"number\"}, \"items\": {\"type\": \"array\", \"items\": {"
	"\"type\": \"object\", \"properties\": {\"price\": {\"type\": \"number\"}}}},"
	"\"tags\": {\"additionalProperties\": {\"type\": \"string\"}}}}";

static const char *signature_of(const char *schema_text, const char *value_text)
{
	static char signature[SCHEMA_SIGNATURE];
	AUTO(schema_destroy) struct schema *schema = compile(schema_text);
	json_auto_t *value = parse(value_text);
	struct schema_errors errors;

	ck_assert(!schema_check(schema, value, &errors));
	return schema_errors_signature(&errors, signature);
}

START_TEST(a_signature_forgets_indexes_invented_names_and_order)
{
	ck_assert_str_eq(signature_of(invoice, "{\"total\": 1, \"items\": [{\"price\": \"1\"}]}"),
			 "schema /items/-/price type");
	ck_assert_str_eq(signature_of(invoice, "{\"total\": 1, \"items\": [{}, {\"price\": null},"
					       " {\"price\": \"2\"}]}"),
			 "schema /items/-/price type");
	ck_assert_str_eq(signature_of(invoice, "{\"tags\": {\"whatever\": 1}, \"items\": []}"),
			 "schema /tags/- type; /total required");
	ck_assert_str_eq(signature_of(invoice, "{\"items\": 1, \"total\": \"\"}"),
			 signature_of(invoice, "{\"total\": [], \"items\": \"\"}"));
	ck_assert_str_eq(signature_of("{\"additionalProperties\": false}", "{\"x\": 1}"),
			 signature_of("{\"additionalProperties\": false}", "{\"y\": 1}"));
}
END_TEST

START_TEST(a_long_signature_keeps_its_difference)
{
	static const char schema[] =
		"{\"properties\": {\"a_rather_long_name_of_a_member_that_fills_the_room\": {"
		"\"properties\": {\"another_name_that_is_as_long_as_the_one_before_it_x\": {"
		"\"type\": \"string\", \"minLength\": 3}}}}}";
	static const char wrong[] = "{\"a_rather_long_name_of_a_member_that_fills_the_room\": {"
				    "\"another_name_that_is_as_long_as_the_one_before_it_x\": %s}}";
	char first[SCHEMA_SIGNATURE], value[256];

	snprintf(value, sizeof(value), wrong, "1");
	snprintf(first, sizeof(first), "%s", signature_of(schema, value));
	ck_assert_uint_lt(strlen(first), SCHEMA_SIGNATURE);
	snprintf(value, sizeof(value), wrong, "\"\"");
	ck_assert_str_ne(first, signature_of(schema, value));
}
END_TEST

static const char *note_of(const char *schema_text, const char *value_text)
{
	static char note[SCHEMA_NOTE];
	AUTO(schema_destroy) struct schema *schema = compile(schema_text);
	json_auto_t *value = parse(value_text);
	struct schema_errors errors;

	ck_assert(!schema_check(schema, value, &errors));
	return schema_errors_note(&errors, note);
}

START_TEST(a_note_says_where_and_what)
{
	ck_assert_str_eq(note_of(invoice, "{\"total\": \"12\", \"items\": [{\"price\": true}]}"),
			 "/total must be number, is string\n"
			 "/items/0/price must be number, is boolean");
	ck_assert_str_eq(note_of(invoice, "{\"total\": 1}"), "(root) needs the property \"items\"");
	ck_assert_str_eq(note_of("{\"enum\": [\"a\", 2, null]}", "\"b\""),
			 "(root) must be one of \"a\", 2, null");
}
END_TEST

START_TEST(a_note_of_many_errors_stays_short)
{
	json_auto_t *list = json_array();
	AUTO(xfree) char *text = NULL;
	const char *note;

	for (int i = 0; i < 500; i++)
		json_array_append_new(list, json_pack("{s:s}", "price", "not a number"));
	json_auto_t *value = json_pack("{s:i, s:O}", "total", 1, "items", list);
	text = json_write(value);
	note = note_of(invoice, text);
	ck_assert_uint_lt(strlen(note), SCHEMA_NOTE);
	ck_assert_msg(strstr(note, "more)"), "%s", note);
}
END_TEST

START_TEST(what_a_model_invents_can_not_break_a_note)
{
	const char *note = note_of(
		"{\"additionalProperties\": false}",
		"{\"a\\nb\\u0001\u00e9\u00e9\u00e9\u00e9\u00e9\u00e9\u00e9\u00e9\u00e9"
		"\u00e9\u00e9\u00e9\u00e9\u00e9\u00e9\u00e9\u00e9\u00e9\u00e9\u00e9"
		"\u00e9\u00e9\u00e9\u00e9\u00e9\u00e9\u00e9\u00e9\": 1}");
	json_auto_t *as_string = json_string(note); /* NULL unless it is UTF-8 */

	ck_assert_ptr_nonnull(as_string);
	ck_assert_ptr_null(strchr(note, '\n'));
}
END_TEST

UNIT_TESTS(schema, every_keyword_accepts_and_rejects, what_is_no_schema_is_refused_with_its_place,
	   formats_are_only_noted_unless_asked_for, a_reference_may_name_a_given_document,
	   a_schema_outlives_its_document, an_exploding_pattern_ends_as_not_valid,
	   many_patterns_that_nearly_explode_end_as_not_valid,
	   nesting_beyond_the_depth_ends_as_not_valid, exponential_work_ends_as_not_valid,
	   a_reference_in_circles_through_dynamic_scope_ends,
	   a_huge_array_is_searched_for_repeats_in_linear_time,
	   repeats_that_cost_too_much_end_as_not_valid, a_schema_nested_too_deep_is_refused,
	   a_schema_of_too_many_parts_is_refused,
	   a_signature_forgets_indexes_invented_names_and_order,
	   a_long_signature_keeps_its_difference, a_note_says_where_and_what,
	   a_note_of_many_errors_stays_short, what_a_model_invents_can_not_break_a_note)
