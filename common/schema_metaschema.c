/* The schemas that say what a schema is, and which of them a $schema names. */
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "embedded.h"
#include "ensure.h"
#include "schema_compiler.h"
#include "schema_run.h"

#define BASE "https://json-schema.org/draft/2020-12/"

/* Made once and never changed. */
static struct {
	const char *uri;
	const char *path;
	json_t *document;
} documents[] = {
	{BASE "schema", "schemas/metaschema/schema.json", NULL},
	{BASE "meta/core", "schemas/metaschema/core.json", NULL},
	{BASE "meta/applicator", "schemas/metaschema/applicator.json", NULL},
	{BASE "meta/unevaluated", "schemas/metaschema/unevaluated.json", NULL},
	{BASE "meta/validation", "schemas/metaschema/validation.json", NULL},
	{BASE "meta/meta-data", "schemas/metaschema/meta-data.json", NULL},
	{BASE "meta/format-annotation", "schemas/metaschema/format-annotation.json", NULL},
	{BASE "meta/format-assertion", "schemas/metaschema/format-assertion.json", NULL},
	{BASE "meta/content", "schemas/metaschema/content.json", NULL},
};
static struct schema *metaschema;
static pthread_once_t loaded = PTHREAD_ONCE_INIT, compiled = PTHREAD_ONCE_INIT;

static void load(void)
{
	for (size_t i = 0; i < COUNT_OF(documents); i++) {
		const char *text = embedded_text(documents[i].path);
		struct error err;

		documents[i].document = json_read(text, strlen(text), JSON_OURS, &err);
		ENSURE(documents[i].document);
	}
}

static void compile(void)
{
	pthread_once(&loaded, load);
	metaschema = schema_compile_trusted(documents[0].document);
}

const json_t *schema_metaschema_document(const char *uri, size_t len)
{
	pthread_once(&loaded, load);
	for (size_t i = 0; i < COUNT_OF(documents); i++)
		if (strlen(documents[i].uri) == len && memcmp(documents[i].uri, uri, len) == 0)
			return documents[i].document;
	return NULL;
}

bool schema_metaschema_check(const json_t *document, struct error *err)
{
	struct schema_errors errors;
	const struct schema_error *first = &errors.list[0];

	pthread_once(&compiled, compile);
	if (schema_check(metaschema, document, &errors))
		return true;
	return error_set(err, ERROR_REJECT, "not a JSON Schema: %s %s",
			 first->path[0] ? first->path : "(root)", first->text);
}

static const struct {
	const char *uri;
	unsigned bit;
} vocabularies[] = {
	{BASE "vocab/core", VOCABULARY_CORE},
	{BASE "vocab/applicator", VOCABULARY_APPLICATOR},
	{BASE "vocab/unevaluated", VOCABULARY_UNEVALUATED},
	{BASE "vocab/validation", VOCABULARY_VALIDATION},
	{BASE "vocab/format-annotation", VOCABULARY_FORMAT},
	{BASE "vocab/format-assertion", VOCABULARY_FORMAT_ASSERTED},
	/* They say nothing about validity. */
	{BASE "vocab/meta-data", VOCABULARY_CORE},
	{BASE "vocab/content", VOCABULARY_CORE},
};

static unsigned vocabulary_bit(const char *uri)
{
	for (size_t i = 0; i < COUNT_OF(vocabularies); i++)
		if (strcmp(vocabularies[i].uri, uri) == 0)
			return vocabularies[i].bit;
	return 0;
}

/* A metaschema of the user's own, as its $vocabulary tells. */
static unsigned custom_dialect(const struct schema_compiler *c, const json_t *document)
{
	const json_t *listed = json_object_get(document, "$vocabulary");
	unsigned bits = VOCABULARY_CORE;
	const char *uri;
	json_t *required;

	if (!listed)
		return SCHEMA_DEFAULT_DIALECT;
	json_object_foreach ((json_t *)listed, uri, required) {
		unsigned bit = vocabulary_bit(uri);

		bits |= bit;
		if (bit == 0 && json_is_true(required)) {
			error_set(c->err, ERROR_REJECT, "the vocabulary %s is not known here",
				  schema_quote(uri, strlen(uri)).text);
			return 0;
		}
	}
	return bits;
}

static bool is_older_draft(const char *uri, size_t len)
{
	static const char *const older[] = {
		"http://json-schema.org/draft-06/schema",
		"http://json-schema.org/draft-07/schema",
		"https://json-schema.org/draft-07/schema",
		"https://json-schema.org/draft/2019-09/schema",
	};

	for (size_t i = 0; i < COUNT_OF(older); i++)
		if (strlen(older[i]) == len && memcmp(older[i], uri, len) == 0)
			return true;
	return false;
}

/*
 * Many tools write draft-07 into schemas that mean the same in 2020-12. Such a
 * schema is taken; the few keywords that would mean something else are refused
 * where they stand.
 */
unsigned schema_dialect(const struct schema_compiler *c, const char *uri)
{
	size_t len = strcspn(uri, "#");

	if (strlen(BASE "schema") == len && memcmp(uri, BASE "schema", len) == 0)
		return SCHEMA_DEFAULT_DIALECT;
	if (is_older_draft(uri, len))
		return SCHEMA_DEFAULT_DIALECT | VOCABULARY_OLDER;
	for (size_t i = 0; i < c->options->document_count; i++)
		if (strcmp(c->options->documents[i].uri, uri) == 0)
			return custom_dialect(c, c->options->documents[i].document);
	error_set(c->err, ERROR_REJECT,
		  "$schema is %s; only draft 2020-12 is understood, and drafts 6 to 2019-09 where "
		  "they mean the same",
		  schema_quote(uri, len).text);
	return 0;
}
