/*
 * Every request that tests/data/openai says we build is valid by OpenAI's own
 * description of it, and that description does refuse what is wrong.
 */
#include <dirent.h>
#include <unistd.h>

#include "replies.h"
#include "schema.h"

#include "unit.h"

#define CONTRACT SHARED_DATA "/provider-data/openai-schemas-2020-12.json"

/* It has bounds beyond 64 bits, so its numbers are read as reals. */
static json_t *load_spec(void)
{
	json_error_t why;
	json_t *spec = json_load_file(CONTRACT, JSON_DECODE_INT_AS_REAL, &why);

	ck_assert_msg(spec != NULL, "%s:%d: %s", CONTRACT, why.line, why.text);
	return spec;
}

/* NULL: the contract is not here, and the test says so. */
static struct schema *load_contract(void)
{
	struct schema *schema;
	struct error err;

	if (access(CONTRACT, R_OK) != 0) {
		puts("skipped: no " CONTRACT);
		return NULL;
	}
	json_auto_t *spec = load_spec();
	json_auto_t *root = json_pack("{s:s, s:O}", "$ref",
				      "#/components/schemas/CreateChatCompletionRequest",
				      "components", json_object_get(spec, "components"));
	schema = schema_compile(root, &err);
	ck_assert_msg(schema != NULL, "%s", err.text);
	return schema;
}

static void check_request(const struct schema *schema, const char *path)
{
	json_auto_t *request = load_json(path);
	struct schema_errors errors;
	char note[SCHEMA_NOTE];

	ck_assert_msg(schema_check(schema, request, &errors), "%s: %s", path,
		      schema_errors_note(&errors, note));
}

START_TEST(every_request_we_build_is_valid_by_openais_description)
{
	AUTO(schema_destroy) struct schema *schema = load_contract();
	DIR *directory = opendir(TEST_DATA "/openai");
	const struct dirent *entry;
	size_t seen = 0;

	ck_assert_ptr_nonnull(directory);
	while (schema && (entry = readdir(directory))) {
		AUTO(xfree)
		char *path = xasprintf(TEST_DATA "/openai/%s/request.json", entry->d_name);

		if (entry->d_name[0] == '.' || access(path, R_OK) != 0)
			continue;
		check_request(schema, path);
		seen++;
	}
	closedir(directory);
	ck_assert(!schema || seen >= 12);
}
END_TEST

START_TEST(the_description_refuses_wrong_requests)
{
	AUTO(schema_destroy) struct schema *schema = load_contract();
	static const char *const wrong[] = {
		"{\"messages\":[{\"role\":\"user\",\"content\":\"x\"}]}",
		"{\"model\":\"m\",\"messages\":[]}",
		"{\"model\":\"m\",\"messages\":[{\"role\":\"user\"}]}",
		"{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":\"x\"}],"
		"\"temperature\":9}",
		"{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"text\"}"
		"]}]}",
	};
	struct error err;

	for (size_t i = 0; schema && i < COUNT_OF(wrong); i++) {
		json_auto_t *request = json_read(wrong[i], strlen(wrong[i]), JSON_OURS, &err);

		ck_assert_ptr_nonnull(request);
		ck_assert_msg(!schema_check(schema, request, NULL), "%s passed", wrong[i]);
	}
}
END_TEST

UNIT_TESTS(openai_contract, every_request_we_build_is_valid_by_openais_description,
	   the_description_refuses_wrong_requests)
