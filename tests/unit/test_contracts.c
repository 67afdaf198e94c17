/* The schemas we publish, and the examples beside them. */
#include <stdio.h>
#include <string.h>

#include "embedded.h"
#include "ensure.h"
#include "json.h"
#include "schema.h"
#include "unit.h"

static json_t *read_embedded(const char *path)
{
	const char *text = embedded_text(path);
	struct error err = {0};
	json_t *value = json_read(text, strlen(text), JSON_OURS, &err);

	ck_assert_msg(value != NULL, "%s: %s", path, err.text);
	return value;
}

static struct schema *compile(const char *path)
{
	json_auto_t *document = read_embedded(path);
	struct error err = {0};
	struct schema *schema = schema_compile(document, &err);

	ck_assert_msg(schema != NULL, "%s: %s", path, err.text);
	return schema;
}

static const struct {
	const char *schema;
	const char *example;
} examples[] = {
	{"schemas/job.json", "schemas/examples/job.json"},
	{"schemas/job.json", "schemas/examples/job-minimal.json"},
	{"schemas/job.json", "schemas/examples/job-thin.json"},
	{"schemas/result.json", "schemas/examples/result.json"},
	{"schemas/dead-letter.json", "schemas/examples/dead-letter.json"},
	{"schemas/dead-letter.json", "schemas/examples/dead-letter-message.json"},
	{"schemas/config.json", "schemas/examples/config.json"},
};

START_TEST(every_example_fits_its_schema)
{
	for (size_t i = 0; i < COUNT_OF(examples); i++) {
		struct schema *schema = compile(examples[i].schema);
		json_auto_t *value = read_embedded(examples[i].example);
		struct schema_errors errors = {0};
		char note[SCHEMA_NOTE];

		ck_assert_msg(schema_check(schema, value, &errors), "%s: %s", examples[i].example,
			      schema_errors_note(&errors, note));
		schema_destroy(schema);
	}
}
END_TEST

/* Changes that must make an example wrong: the schemas are not so lax as to allow anything. */
static const struct {
	const char *schema, *example, *member;
	const char *value; /* NULL: the member is taken away */
} wrongs[] = {
	{"schemas/result.json", "schemas/examples/result.json", "event_id", NULL},
	{"schemas/result.json", "schemas/examples/result.json", "output", NULL},
	{"schemas/result.json", "schemas/examples/result.json", "outcome", "\"dead\""},
	{"schemas/result.json", "schemas/examples/result.json", "outcome", "\"maybe\""},
	{"schemas/result.json", "schemas/examples/result.json", "cost_usd", "0.0001"},
	{"schemas/result.json", "schemas/examples/result.json", "cost_pico", "42300000"},
	{"schemas/result.json", "schemas/examples/result.json", "finished_at", "\"yesterday\""},
	{"schemas/result.json", "schemas/examples/result.json", "confidence", "1.5"},
	{"schemas/dead-letter.json", "schemas/examples/dead-letter.json", "outcome", "\"done\""},
	{"schemas/dead-letter.json", "schemas/examples/dead-letter.json", "job_id", NULL},
	{"schemas/dead-letter.json", "schemas/examples/dead-letter.json", "kind", "\"message\""},
	{"schemas/dead-letter.json", "schemas/examples/dead-letter-message.json", "source", NULL},
	{"schemas/dead-letter.json", "schemas/examples/dead-letter-message.json", "bytes", "\"{\""},
	{"schemas/dead-letter.json", "schemas/examples/dead-letter-message.json", "reason",
	 "\"other\""},
	{"schemas/job.json", "schemas/examples/job-thin.json", "hop", NULL},
	{"schemas/job.json", "schemas/examples/job-thin.json", "prompt", "{}"},
};

START_TEST(what_breaks_a_contract_is_found)
{
	for (size_t i = 0; i < COUNT_OF(wrongs); i++) {
		struct schema *schema = compile(wrongs[i].schema);
		json_auto_t *value = read_embedded(wrongs[i].example);

		if (wrongs[i].value)
			json_object_set_new(value, wrongs[i].member,
					    json_loads(wrongs[i].value, JSON_DECODE_ANY, NULL));
		else
			ck_assert_int_eq(json_object_del(value, wrongs[i].member), 0);
		ck_assert_msg(!schema_check(schema, value, NULL), "%s bears %s = %s",
			      wrongs[i].schema, wrongs[i].member,
			      wrongs[i].value ? wrongs[i].value : "nothing");
		schema_destroy(schema);
	}
}
END_TEST

/* Members of objects, wherever the schema lists them. */
static size_t undescribed(const json_t *schema, const json_t *part, const char *where)
{
	const char *name;
	json_t *child;
	size_t missing = 0, i;

	json_object_foreach (json_object_get(part, "properties"), name, child) {
		const char *ref = json_text(child, "$ref", "#/$defs/");
		const json_t *def = json_object_get(json_object_get(schema, "$defs"),
						    ref + strlen("#/$defs/"));

		if (strcmp(where, "if") != 0 && strcmp(where, "else") != 0 &&
		    !json_text(child, "description", NULL) &&
		    !json_text(def, "description", NULL)) {
			fprintf(stderr, "%s has no description\n", name);
			missing++;
		}
	}
	json_object_foreach ((json_t *)part, name, child) {
		missing += undescribed(schema, child, name);
	}
	json_array_foreach ((json_t *)part, i, child) {
		missing += undescribed(schema, child, where);
	}
	return missing;
}

START_TEST(every_member_is_described)
{
	static const char *const schemas[] = {"schemas/job.json", "schemas/result.json",
					      "schemas/dead-letter.json", "schemas/config.json"};

	for (size_t i = 0; i < COUNT_OF(schemas); i++) {
		json_auto_t *schema = read_embedded(schemas[i]);

		ck_assert_msg(undescribed(schema, schema, "") == 0, "in %s", schemas[i]);
	}
}
END_TEST

UNIT_TESTS(contracts, every_example_fits_its_schema, what_breaks_a_contract_is_found,
	   every_member_is_described)
