#include "schema_shape.h"

#include <string.h>

#include "compiler.h"

#define MAX_NESTING 256 /* more counts as the worst answer to each question */

bool schema_names_type(const json_t *type, const char *name)
{
	if (json_is_string(type))
		return strcmp(json_string_value(type), name) == 0;
	for (size_t i = 0; i < json_array_size(type); i++)
		if (schema_names_type(json_array_get(type, i), name))
			return true;
	return false;
}

/* null is surely valid: by type, among constants, or by an alternative. */
static bool takes_null(const json_t *schema, unsigned left)
{
	const json_t *any = json_object_get(schema, "anyOf");
	const json_t *values = json_object_get(schema, "enum");
	const json_t *type = json_object_get(schema, "type");
	bool listed = !values;

	if (left == 0 || json_object_get(schema, "const") || json_object_get(schema, "$ref"))
		return false;
	for (size_t i = 0; i < json_array_size(values); i++)
		listed = listed || json_is_null(json_array_get(values, i));
	if (type || values)
		return listed && (!type || schema_names_type(type, "null")) && !any;
	for (size_t i = 0; i < json_array_size(any); i++)
		if (takes_null(json_array_get(any, i), left - 1))
			return true;
	return false;
}

bool schema_takes_null(const json_t *schema)
{
	return takes_null(schema, MAX_NESTING);
}

/* "#/$defs/x" or "#/definitions/x": its target stays where it is when projected. */
const json_t *schema_definition(const json_t *document, const char *reference)
{
	static const char *const folders[] = {"$defs", "definitions"};

	for (size_t i = 0; i < COUNT_OF(folders); i++) {
		size_t len = strlen(folders[i]);

		if (strncmp(reference, "#/", 2) != 0 ||
		    strncmp(reference + 2, folders[i], len) != 0 || reference[2 + len] != '/')
			continue;
		if (strpbrk(reference + 3 + len, "/~%"))
			return NULL;
		return json_object_get(json_object_get(document, folders[i]), reference + 3 + len);
	}
	return NULL;
}

/* Whether a reference leads back to itself. `state` of one: 1 being followed, 2 done. */
static bool is_recursive(const json_t *document, const json_t *at, json_t *state, unsigned left)
{
	const char *reference = json_text(at, "$ref", NULL);
	const char *key;
	json_t *member;

	if (left == 0)
		return true;
	if (reference && json_integer_or(state, reference, 0) < 2) {
		if (json_integer_or(state, reference, 0) == 1)
			return true;
		json_object_set_new(state, reference, json_integer(1));
		if (is_recursive(document, schema_definition(document, reference), state, left - 1))
			return true;
		json_object_set_new(state, reference, json_integer(2));
	}
	for (size_t i = 0; i < json_array_size(at); i++)
		if (is_recursive(document, json_array_get(at, i), state, left - 1))
			return true;
	json_object_foreach ((json_t *)at, key, member)
		if (is_recursive(document, member, state, left - 1))
			return true;
	return false;
}

bool schema_is_recursive(const json_t *document)
{
	json_auto_t *state = json_pack("{s:i}", "#", 1);

	return is_recursive(document, document, state, MAX_NESTING);
}

/* Back references, looks around, \b and \p are beyond what a grammar can hold. */
bool schema_pattern_is_plain(const char *pattern)
{
	if (strstr(pattern, "(?"))
		return false;
	for (const char *p = strchr(pattern, '\\'); p && p[1]; p = strchr(p + 2, '\\'))
		if (strchr("bBpPk123456789", p[1]))
			return false;
	return true;
}

bool schema_is_union(const json_t *schema)
{
	return json_is_array(json_object_get(schema, "type")) || json_object_get(schema, "anyOf") ||
	       json_object_get(schema, "oneOf");
}
