/*
 * Any document is a schema or refused; a schema judges any value the same way
 * twice, and what each provider is shown of it is a schema again. The input is a
 * schema, a line "---", and a value.
 */
#include <string.h>

#include "ensure.h"
#include "fuzz.h"
#include "prepared_schema.h"
#include "schema.h"

static void check(const struct schema *schema, const json_t *value)
{
	struct schema_errors errors = {0}, again = {0};
	char note[SCHEMA_NOTE], signature[SCHEMA_SIGNATURE], same[SCHEMA_SIGNATURE];
	bool valid = schema_check(schema, value, &errors);

	ENSURE(schema_check(schema, value, &again) == valid &&
	       schema_check(schema, value, NULL) == valid);
	if (valid)
		return;
	ENSURE(errors.count > 0 && errors.count <= SCHEMA_MAX_ERRORS &&
	       errors.count == again.count);
	ENSURE(strlen(schema_errors_note(&errors, note)) < SCHEMA_NOTE);
	ENSURE(strcmp(schema_errors_signature(&errors, signature),
		      schema_errors_signature(&again, same)) == 0);
}

static void prepare(const char *dialect, const json_t *document)
{
	struct prepared_schema prepared = {0};
	struct error err;

	prepared_schema_init(&prepared, dialect, document);
	if (prepared.projected) {
		json_auto_t *projected = json_read(prepared.projected, prepared.projected_len,
						   JSON_OURS, &err);

		ENSURE(projected);
	}
	prepared_schema_finish(&prepared);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	struct fuzz_halves halves = fuzz_split(bytes, len);
	struct error err;
	json_auto_t *document = json_read(halves.first, halves.first_len, JSON_FOREIGN, &err);
	json_auto_t *value = json_read(halves.second, halves.second_len, JSON_FOREIGN, &err);
	AUTO(schema_destroy)
	struct schema *schema = document ? schema_compile(document, &err) : NULL;

	if (!schema)
		return 0;
	if (value)
		check(schema, value);
	check(schema, document);
	prepare("openai", document);
	prepare("anthropic", document);
	return 0;
}
