/*
 * The official test suite of JSON Schema, draft 2020-12, all required tests.
 * It is data from outside the tree (SHARED_DATA); where it is absent this says
 * so and passes, and the vectors of test_schema.c stand alone.
 */
#include <dirent.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "ensure.h"
#include "schema.h"
#include "unit.h"

#define SUITE SHARED_DATA "/json-schema-test-suite"
#define REQUIRED_TESTS 1299
#define MAX_REMOTES 256

static struct schema_document remotes[MAX_REMOTES];
static size_t remote_count;
static size_t run, passed;

/* What is under remotes/ is known by these addresses; draft2020-12 is all this draft's tests use.
 */
static void load_remotes(const char *folder, const char *uri)
{
	DIR *dir = opendir(folder);

	ck_assert_msg(dir, "%s is missing", folder);
	for (struct dirent *entry; (entry = readdir(dir));) {
		AUTO(xfree) char *path = xasprintf("%s/%s", folder, entry->d_name);
		AUTO(xfree) char *address = xasprintf("%s/%s", uri, entry->d_name);
		json_t *document;
		struct stat about;

		if (entry->d_name[0] == '.' || stat(path, &about) != 0)
			continue;
		if (S_ISDIR(about.st_mode)) {
			if (strncmp(entry->d_name, "draft", 5) != 0 &&
			    strcmp(entry->d_name, "v1") != 0)
				load_remotes(path, address);
			continue;
		}
		document = json_load_file(path, JSON_DECODE_ANY, NULL);
		ck_assert_msg(document && remote_count < MAX_REMOTES, "%s is not read", path);
		remotes[remote_count++] = (struct schema_document){TAKE(address), document};
	}
	closedir(dir);
}

static void check_test(const struct schema *schema, const char *about, const json_t *test)
{
	struct schema_errors errors;
	char note[SCHEMA_NOTE];
	bool expected = json_is_true(json_object_get(test, "valid"));
	bool valid = schema_check(schema, json_object_get(test, "data"), &errors);

	run++;
	if (valid == expected)
		passed++;
	else
		printf("FAILED %s: %s: expected %s\n%s\n", about,
		       json_text(test, "description", ""), expected ? "valid" : "invalid",
		       valid ? "" : schema_errors_note(&errors, note));
	ck_assert_msg(valid || errors.count > 0, "%s: not valid, and no error", about);
}

static void check_case(const char *file, const json_t *group)
{
	struct schema_options options = {.documents = remotes, .document_count = remote_count};
	const json_t *tests = json_object_get(group, "tests");
	struct error err;
	AUTO(schema_destroy)
	struct schema *schema = schema_compile_with(json_object_get(group, "schema"), &options,
						    &err);
	AUTO(xfree) char *about = xasprintf("%s: %s", file, json_text(group, "description", ""));

	if (!schema) {
		run += json_array_size(tests);
		printf("FAILED %s: %s\n", about, err.text);
		return;
	}
	for (size_t i = 0; i < json_array_size(tests); i++)
		check_test(schema, about, json_array_get(tests, i));
}

static void check_file(const char *file)
{
	AUTO(xfree) char *path = xasprintf(SUITE "/tests/draft2020-12/%s", file);
	json_auto_t *groups = json_load_file(path, JSON_ALLOW_NUL, NULL);

	ck_assert_msg(groups, "%s is not read", path);
	for (size_t i = 0; i < json_array_size(groups); i++)
		check_case(file, json_array_get(groups, i));
}

START_TEST(every_required_test_of_the_official_suite_passes)
{
	DIR *dir = opendir(SUITE "/tests/draft2020-12");

	if (!dir) {
		printf("SKIPPED: the JSON Schema test suite is not at %s\n", SUITE);
		return;
	}
	load_remotes(SUITE "/remotes", "http://localhost:1234");
	load_remotes(SUITE "/remotes/draft2020-12", "http://localhost:1234/draft2020-12");
	for (struct dirent *entry; (entry = readdir(dir));)
		if (strstr(entry->d_name, ".json"))
			check_file(entry->d_name);
	closedir(dir);
	printf("JSON Schema suite: %zu run, %zu passed, 0 skipped\n", run, passed);
	ck_assert_uint_eq(run, REQUIRED_TESTS);
	ck_assert_uint_eq(passed, REQUIRED_TESTS);
	for (size_t i = 0; i < remote_count; i++) {
		xfree((char *)remotes[i].uri);
		json_decref((json_t *)remotes[i].document);
	}
}
END_TEST

UNIT_TESTS(schema_suite, every_required_test_of_the_official_suite_passes)
