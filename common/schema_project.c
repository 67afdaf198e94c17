#include "schema_project.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "schema_shape.h"

#define MAX_NESTING 64 /* of what is looked at at all */

/* What a provider's documentation says it takes. */
struct dialect {
	const char *const *assertions; /* kept; others are dropped, our own check has them */
	const char *const *formats;
	bool takes_recursion;
	bool takes_optional;
	bool takes_any_pattern;
	unsigned max_depth;
	size_t max_properties;
	size_t max_optional;
	size_t max_unions;
	size_t max_enum_values;
	size_t max_characters; /* of names, enums and constants */
};

static const char *const openai_assertions[] = {"pattern",  "multipleOf",	"minimum",
						"maximum",  "exclusiveMinimum", "exclusiveMaximum",
						"minItems", "maxItems",		NULL};
static const char *const anthropic_assertions[] = {"pattern", NULL};
static const char *const openai_formats[] = {"date-time", "time", "date", "duration", "email",
					     "hostname",  "ipv4", "ipv6", "uuid",     NULL};
static const char *const anthropic_formats[] = {"date-time", "time",	 "date", "duration",
						"email",     "hostname", "ipv4", "ipv6",
						"uuid",	     "uri",	 NULL};

static const struct dialect openai = {
	.assertions = openai_assertions,
	.formats = openai_formats,
	.takes_recursion = true,
	.takes_any_pattern = true,
	.max_depth = 10,
	.max_properties = 5000,
	.max_unions = SIZE_MAX,
	.max_enum_values = 1000,
	.max_characters = 120000,
};

static const struct dialect anthropic = {
	.assertions = anthropic_assertions,
	.formats = anthropic_formats,
	.takes_optional = true,
	.max_depth = MAX_NESTING,
	.max_properties = SIZE_MAX,
	.max_optional = 24,
	.max_unions = 16,
	.max_enum_values = SIZE_MAX,
	.max_characters = SIZE_MAX,
};

/*
 * These make or join structure. Dropping one could close an object to members it
 * must have, so a schema that has one is not projected.
 */
static const char *const structural[] = {
	"allOf",
	"not",
	"if",
	"then",
	"else",
	"dependentRequired",
	"dependentSchemas",
	"dependencies",
	"patternProperties",
	"propertyNames",
	"prefixItems",
	"contains",
	"unevaluatedItems",
	"unevaluatedProperties",
	"$dynamicRef",
	"$recursiveRef",
};

struct projector {
	const struct dialect *dialect;
	const json_t *document;
	size_t properties, optional, unions, enum_values, characters;
	char *why;
	size_t why_room;
};

static json_t *project(struct projector *p, const json_t *schema, unsigned depth);

/* Returns NULL, so that a caller writes `return refuse(...)`. */
static json_t *refuse(struct projector *p, const char *fmt, ...) PRINTF(2, 3);

static json_t *refuse(struct projector *p, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	vsnprintf(p->why, p->why_room, fmt, args);
	va_end(args);
	return NULL;
}

static bool is_listed(const char *const *list, const char *name)
{
	for (; *list; list++)
		if (strcmp(*list, name) == 0)
			return true;
	return false;
}

static json_t *project_ref(struct projector *p, const json_t *schema, const char *reference)
{
	static const char *const siblings[] = {"properties", "required", "additionalProperties",
					       "items",	     "anyOf",	 "oneOf"};
	bool to_root = strcmp(reference, "#") == 0;

	if (!(to_root && p->dialect->takes_recursion) && !schema_definition(p->document, reference))
		return refuse(p, "$ref to other than a definition of its own");
	for (size_t i = 0; i < COUNT_OF(siblings); i++)
		if (json_object_get(schema, siblings[i]))
			return refuse(p, "$ref beside \"%s\"", siblings[i]);
	return json_pack("{s:s}", "$ref", reference);
}

/* The array of projected alternatives. */
static json_t *project_list(struct projector *p, const json_t *list, unsigned depth)
{
	json_auto_t *projected = json_array();

	for (size_t i = 0; i < json_array_size(list); i++) {
		json_t *item = project(p, json_array_get(list, i), depth);

		if (!item)
			return NULL;
		json_array_append_new(projected, item);
	}
	return json_incref(projected);
}

/* The object of projected definitions or properties. */
static json_t *project_named(struct projector *p, const json_t *named, unsigned depth)
{
	json_auto_t *projected = json_object();
	const char *name;
	json_t *schema;

	json_object_foreach ((json_t *)named, name, schema) {
		json_t *item = project(p, schema, depth);

		if (!item)
			return NULL;
		p->characters += strlen(name);
		json_object_set_new(projected, name, item);
	}
	return json_incref(projected);
}

/* The names of an array as members of an object. */
static json_t *set_of(const json_t *names)
{
	json_t *set = json_object();

	for (size_t i = 0; i < json_array_size(names); i++) {
		const char *name = json_string_value(json_array_get(names, i));

		if (name)
			json_object_set_new(set, name, json_true());
	}
	return set;
}

/* Which properties are required; where the dialect knows no optional ones, those that take null. */
static json_t *project_required(struct projector *p, const json_t *schema, const json_t *properties)
{
	json_auto_t *given = set_of(json_object_get(schema, "required"));
	json_auto_t *required = json_array();
	const char *name;
	json_t *property;

	json_object_foreach ((json_t *)properties, name, property) {
		bool wanted = json_object_del(given, name) == 0;

		p->properties++;
		p->unions += schema_is_union(property);
		p->optional += !wanted && p->dialect->takes_optional;
		if (!wanted && !p->dialect->takes_optional && !schema_takes_null(property))
			return refuse(p, "the property \"%.60s\" is optional", name);
		if (wanted || !p->dialect->takes_optional)
			json_array_append_new(required, json_string(name));
	}
	if (json_object_size(given) > 0)
		return refuse(p, "a required property is not described");
	return json_incref(required);
}

static bool project_object(struct projector *p, const json_t *schema, json_t *out, unsigned depth)
{
	const json_t *properties = json_object_get(schema, "properties");
	const json_t *additional = json_object_get(schema, "additionalProperties");
	json_t *projected, *required;

	if (additional ? !json_is_false(additional) : json_object_size(properties) == 0) {
		refuse(p, "an object may have any properties");
		return false;
	}
	projected = project_named(p, properties, depth + 1);
	if (!projected)
		return false;
	json_object_set_new(out, "properties", projected);
	required = project_required(p, schema, properties);
	if (!required)
		return false;
	json_object_set_new(out, "required", required);
	json_object_set_new(out, "additionalProperties", json_false());
	return true;
}

static void keep_assertions(const struct projector *p, const json_t *schema, json_t *out)
{
	const json_t *at_least = json_object_get(schema, "minItems");
	const char *pattern = json_text(schema, "pattern", "");
	const char *format = json_text(schema, "format", NULL);

	for (const char *const *name = p->dialect->assertions; *name; name++) {
		json_t *argument = json_object_get(schema, *name);

		if (strcmp(*name, "pattern") == 0 && !p->dialect->takes_any_pattern &&
		    !schema_pattern_is_plain(pattern))
			continue;
		if (argument)
			json_object_set(out, *name, argument);
	}
	if (format && is_listed(p->dialect->formats, format))
		json_object_set_new(out, "format", json_string(format));
	/* Every dialect takes these two counts. */
	if (json_is_integer(at_least) &&
	    (json_integer_value(at_least) == 0 || json_integer_value(at_least) == 1))
		json_object_set_new(out, "minItems", json_integer(json_integer_value(at_least)));
}

static const char *type_of_constant(const json_t *value)
{
	static const char *const names[] = {
		[JSON_OBJECT] = NULL,	    [JSON_ARRAY] = NULL,    [JSON_STRING] = "string",
		[JSON_INTEGER] = "integer", [JSON_REAL] = "number", [JSON_TRUE] = "boolean",
		[JSON_FALSE] = "boolean",   [JSON_NULL] = "null",
	};

	return names[json_typeof(value)];
}

/* Constants of one type give a schema its type; objects and arrays can't be constants. */
static bool project_constants(struct projector *p, const json_t *values, json_t *out)
{
	const char *type = NULL;
	size_t characters = 0;

	for (size_t i = 0; i < json_array_size(values); i++) {
		const json_t *value = json_array_get(values, i);
		const char *name = type_of_constant(value);

		if (!name) {
			refuse(p, "a constant is an object or an array");
			return false;
		}
		characters += json_string_length(value);
		type = !type || strcmp(type, name) == 0 ? name : "";
	}
	p->enum_values += json_array_size(values);
	p->characters += characters;
	if (json_array_size(values) > 250 && characters > 15000 &&
	    p->dialect->max_enum_values < SIZE_MAX) {
		refuse(p, "an enum is too long");
		return false;
	}
	if (!json_object_get(out, "type") && type && *type)
		json_object_set_new(out, "type", json_string(type));
	return true;
}

static bool project_values(struct projector *p, const json_t *schema, json_t *out)
{
	json_t *values = json_object_get(schema, "enum");
	json_t *constant = json_object_get(schema, "const");
	json_auto_t *single = json_array();

	if (values)
		json_object_set(out, "enum", values);
	if (constant) {
		json_object_set(out, "const", constant);
		json_array_append(single, constant);
	}
	return (!values || project_constants(p, values, out)) &&
	       (!constant || project_constants(p, single, out));
}

static bool project_items(struct projector *p, const json_t *schema, json_t *out, unsigned depth)
{
	const json_t *items = json_object_get(schema, "items");
	json_t *projected = items ? project(p, items, depth + 1)
				  : refuse(p, "an array may have any items");

	if (!projected)
		return false;
	json_object_set_new(out, "items", projected);
	return true;
}

/* "oneOf" is said as "anyOf": that more than one fits is for our own check to find. */
static bool project_alternatives(struct projector *p, const json_t *schema, json_t *out,
				 unsigned depth)
{
	const json_t *any = json_object_get(schema, "anyOf");
	const json_t *one = json_object_get(schema, "oneOf");
	json_t *projected;

	if (!any && !one)
		return true;
	if ((any && one) || json_object_get(schema, "properties")) {
		refuse(p, "alternatives beside other structure");
		return false;
	}
	projected = project_list(p, any ? any : one, depth);
	if (!projected)
		return false;
	json_object_set_new(out, "anyOf", projected);
	return true;
}

static bool project_type(struct projector *p, const json_t *schema, json_t *out)
{
	json_t *type = json_object_get(schema, "type");

	if (type)
		json_object_set(out, "type", type);
	else if (json_object_get(schema, "properties"))
		json_object_set_new(out, "type", json_string("object"));
	else if (json_object_get(schema, "items"))
		json_object_set_new(out, "type", json_string("array"));
	if (!project_values(p, schema, out))
		return false;
	if (json_object_get(out, "type") || json_object_get(schema, "anyOf") ||
	    json_object_get(schema, "oneOf"))
		return true;
	refuse(p, "a value may be of any type");
	return false;
}

static bool project_parts(struct projector *p, const json_t *schema, json_t *out, unsigned depth)
{
	static const char *const notes[] = {"title", "description"};
	static const char *const folders[] = {"$defs", "definitions"};

	for (size_t i = 0; i < COUNT_OF(notes); i++)
		if (json_object_get(schema, notes[i]))
			json_object_set(out, notes[i], json_object_get(schema, notes[i]));
	for (size_t i = 0; i < COUNT_OF(folders); i++) {
		const json_t *folder = json_object_get(schema, folders[i]);
		json_t *projected = folder ? project_named(p, folder, 1) : NULL;

		if (folder && !projected)
			return false;
		if (projected)
			json_object_set_new(out, folders[i], projected);
	}
	keep_assertions(p, schema, out);
	return project_type(p, schema, out) && project_alternatives(p, schema, out, depth);
}

static json_t *project(struct projector *p, const json_t *schema, unsigned depth)
{
	const char *reference = json_text(schema, "$ref", NULL);
	json_auto_t *out = json_object();
	const json_t *type;

	if (!json_is_object(schema))
		return refuse(p, "a value may be anything");
	if (depth > p->dialect->max_depth)
		return refuse(p, "nested deeper than %u levels", p->dialect->max_depth);
	for (size_t i = 0; i < COUNT_OF(structural); i++)
		if (json_object_get(schema, structural[i]))
			return refuse(p, "it uses \"%s\"", structural[i]);
	if (reference)
		return project_ref(p, schema, reference);
	if (!project_parts(p, schema, out, depth))
		return NULL;
	type = json_object_get(out, "type");
	if (schema_names_type(type, "object") && !project_object(p, schema, out, depth))
		return NULL;
	if (schema_names_type(type, "array") && !project_items(p, schema, out, depth))
		return NULL;
	return json_incref(out);
}

static bool is_within_limits(struct projector *p)
{
	const struct dialect *d = p->dialect;

	if (p->properties > d->max_properties)
		refuse(p, "it has more than %zu properties", d->max_properties);
	else if (p->optional > d->max_optional)
		refuse(p, "it has more than %zu optional properties", d->max_optional);
	else if (p->unions > d->max_unions)
		refuse(p, "it has more than %zu properties of several types", d->max_unions);
	else if (p->enum_values > d->max_enum_values)
		refuse(p, "it has more than %zu constants", d->max_enum_values);
	else if (p->characters > d->max_characters)
		refuse(p, "its names and constants have more than %zu bytes", d->max_characters);
	else
		return true;
	return false;
}

static json_t *project_document(struct projector *p)
{
	json_auto_t *projected = NULL;

	if (json_object_get(p->document, "anyOf") || json_object_get(p->document, "oneOf"))
		return refuse(p, "alternatives at the root");
	if (!p->dialect->takes_recursion && schema_is_recursive(p->document))
		return refuse(p, "it is recursive");
	projected = project(p, p->document, 1);
	return projected && is_within_limits(p) ? json_incref(projected) : NULL;
}

static bool is_object_schema(const json_t *document)
{
	const char *type = json_text(document, "type", "");

	return strcmp(type, "object") == 0;
}

struct schema_projection schema_project(enum schema_target target, const json_t *document)
{
	struct schema_projection projection = {0};
	struct projector p = {
		.dialect = target == SCHEMA_FOR_OPENAI ? &openai : &anthropic,
		.document = document,
		.why = projection.why,
		.why_room = sizeof(projection.why),
	};

	if (target == SCHEMA_FOR_NOBODY || !is_object_schema(document)) {
		refuse(&p, "%s",
		       target == SCHEMA_FOR_NOBODY ? "no schema is taken"
						   : "the root is not an object");
		return projection;
	}
	projection.schema = project_document(&p);
	projection.strict = projection.schema != NULL;
	if (!projection.schema)
		projection.schema = json_incref((json_t *)document);
	return projection;
}

void schema_projection_finish(struct schema_projection *projection)
{
	json_decref(projection->schema);
	*projection = (struct schema_projection){0};
}
