/*
 * tests/data/schema-project/: a schema, and for each provider whether it can be
 * held to it, and to what exactly; or what keeps it from that.
 */
#include "schema_project.h"

#include <dirent.h>
#include <string.h>

#include "ensure.h"
#include "schema.h"
#include "unit.h"

static struct error err;

/* Sent as it is, or not at all where no provider could take it. */
static void check_loose(const char *about, const struct schema_projection *p,
			const json_t *expected, const json_t *document)
{
	bool none = json_bool_or(expected, "none", false);

	ck_assert_msg(!p->strict, "%s: strict", about);
	ck_assert_msg(strstr(p->why, json_text(expected, "why", "?")), "%s: %s", about, p->why);
	ck_assert_msg(p->schema == (none ? NULL : document), "%s: not as it is", about);
}

/* What was projected is a schema, and nothing else than expected. */
static void check_strict(const char *about, const struct schema_projection *p,
			 const json_t *expected)
{
	AUTO(xfree) char *got = p->schema ? json_canonical(p->schema) : xstrdup("nothing");
	AUTO(xfree) char *want = json_canonical(json_object_get(expected, "schema"));
	AUTO(schema_destroy) struct schema *compiled = NULL;

	ck_assert_msg(p->strict, "%s: not strict: %s", about, p->why);
	ck_assert_msg(strcmp(got, want) == 0, "%s: is\n%s, expected\n%s", about, got, want);
	ck_assert_str_eq(p->why, "");
	compiled = schema_compile(p->schema, &err);
	ck_assert_msg(compiled, "%s: %s", about, err.text);
}

static void check_target(const char *name, const json_t *row, const char *target_name,
			 enum schema_target target)
{
	const json_t *document = json_object_get(row, "schema");
	const json_t *expected = json_object_get(row, target_name);
	AUTO(xfree) char *before = json_write(document);
	AUTO(xfree) char *about = xasprintf("%s for %s", name, target_name);
	struct schema_projection p = schema_project(target, document);
	AUTO(xfree) char *after = json_write(document);

	ck_assert_msg(expected, "%s: nothing is expected", about);
	ck_assert_msg(strcmp(before, after) == 0, "%s: the document was changed", about);
	if (json_bool_or(expected, "strict", false))
		check_strict(about, &p, expected);
	else
		check_loose(about, &p, expected, document);
	schema_projection_finish(&p);
}

START_TEST(every_schema_is_said_as_the_provider_takes_it)
{
	DIR *dir = opendir(TEST_DATA "/schema-project");
	size_t count = 0;

	ck_assert(dir);
	for (struct dirent *entry; (entry = readdir(dir));) {
		AUTO(xfree) char *path = xasprintf(TEST_DATA "/schema-project/%s", entry->d_name);
		json_auto_t *row = NULL;

		if (entry->d_name[0] == '.')
			continue;
		row = json_load_file(path, 0, NULL);
		ck_assert_msg(row, "%s is not read", path);
		check_target(entry->d_name, row, "openai", SCHEMA_FOR_OPENAI);
		check_target(entry->d_name, row, "anthropic", SCHEMA_FOR_ANTHROPIC);
		count++;
	}
	closedir(dir);
	ck_assert_uint_ge(count, 40);
}
END_TEST

START_TEST(nobody_gets_no_schema)
{
	json_auto_t *document = json_pack("{s:s}", "type", "object");
	struct schema_projection p = schema_project(SCHEMA_FOR_NOBODY, document);

	ck_assert_ptr_null(p.schema);
	ck_assert(!p.strict);
}
END_TEST

START_TEST(what_is_no_schema_does_no_harm)
{
	static const char *const bad[] = {
		"[]",
		"7",
		"{\"type\": \"object\", \"properties\": 5}",
		"{\"type\": \"object\", \"properties\": {\"a\": {\"enum\": 3}}, \"required\": [7]}",
		"{\"type\": \"object\", \"properties\": {\"a\": {\"type\": [1, {}]}}}",
		"{\"type\": \"object\", \"properties\": {\"a\": {\"anyOf\": {}}}, \"$defs\": [1]}",
		"{\"type\": \"object\", \"properties\": {\"a\": {\"$ref\": \"#/$defs/\"}}}",
	};

	for (size_t i = 0; i < COUNT_OF(bad); i++)
		for (int target = SCHEMA_FOR_NOBODY; target <= SCHEMA_FOR_ANTHROPIC; target++) {
			json_auto_t *document = json_loads(bad[i], JSON_DECODE_ANY, NULL);
			struct schema_projection p = schema_project((enum schema_target)target,
								    document);

			ck_assert(p.schema || !p.strict);
			schema_projection_finish(&p);
		}
}
END_TEST

UNIT_TESTS(schema_project, every_schema_is_said_as_the_provider_takes_it, nobody_gets_no_schema,
	   what_is_no_schema_does_no_harm)
