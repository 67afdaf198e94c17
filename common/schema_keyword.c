/* The table of keywords. */
#include <string.h>

#include "ensure.h"
#include "schema_compiler.h"
#include "schema_run.h"

int schema_compare_names(const char *a, size_t a_len, const char *b, size_t b_len)
{
	int order = memcmp(a, b, a_len < b_len ? a_len : b_len);

	if (order)
		return order;
	return a_len < b_len ? -1 : a_len > b_len;
}

#define CORE VOCABULARY_CORE
#define APPLICATOR VOCABULARY_APPLICATOR
#define VALIDATION VOCABULARY_VALIDATION
#define FORMAT (VOCABULARY_FORMAT | VOCABULARY_FORMAT_ASSERTED)
#define UNEVALUATED VOCABULARY_UNEVALUATED

#define ROW(name, vocabulary, types, read, check)                                               \
	{                                                                                       \
		name, {0}, vocabulary, SCHEMA_##types, schema_read_##read, schema_check_##check \
	}

/* In the order of checking: what is cheap and tells most first, unevaluated* last. */
/* clang-format off */
static const struct schema_keyword keywords[] = {
	ROW("type",              VALIDATION,  ANY,    type,         type),
	ROW("const",             VALIDATION,  ANY,    value,        const),
	ROW("enum",              VALIDATION,  ANY,    value,        enum),
	ROW("multipleOf",        VALIDATION,  NUMBER, value,        multiple_of),
	ROW("maximum",           VALIDATION,  NUMBER, value,        maximum),
	ROW("exclusiveMaximum",  VALIDATION,  NUMBER, value,        exclusive_maximum),
	ROW("minimum",           VALIDATION,  NUMBER, value,        minimum),
	ROW("exclusiveMinimum",  VALIDATION,  NUMBER, value,        exclusive_minimum),
	ROW("maxLength",         VALIDATION,  STRING, count,        max_length),
	ROW("minLength",         VALIDATION,  STRING, count,        min_length),
	ROW("pattern",           VALIDATION,  STRING, pattern,      pattern),
	ROW("format",            FORMAT,      STRING, format,       format),
	ROW("maxItems",          VALIDATION,  ARRAY,  count,        max_items),
	ROW("minItems",          VALIDATION,  ARRAY,  count,        min_items),
	ROW("maxProperties",     VALIDATION,  OBJECT, count,        max_properties),
	ROW("minProperties",     VALIDATION,  OBJECT, count,        min_properties),
	ROW("required",          VALIDATION,  OBJECT, required,     required),
	ROW("dependentRequired", VALIDATION,  OBJECT, dependencies, dependent_required),
	{"properties", {"patternProperties", "additionalProperties"}, APPLICATOR, SCHEMA_OBJECT,
	 schema_read_members, schema_check_members},
	ROW("propertyNames",     APPLICATOR,  OBJECT, schema,       property_names),
	{"items", {"prefixItems"}, APPLICATOR, SCHEMA_ARRAY, schema_read_items, schema_check_items},
	ROW("contains",          APPLICATOR,  ARRAY,  contains,     contains),
	ROW("uniqueItems",       VALIDATION,  ARRAY,  unique,       unique_items),
	ROW("$ref",              CORE,        ANY,    ref,          ref),
	ROW("$dynamicRef",       CORE,        ANY,    ref,          dynamic_ref),
	ROW("allOf",             APPLICATOR,  ANY,    schemas,      all_of),
	ROW("anyOf",             APPLICATOR,  ANY,    schemas,      any_of),
	ROW("oneOf",             APPLICATOR,  ANY,    schemas,      one_of),
	ROW("not",               APPLICATOR,  ANY,    schema,       not),
	ROW("if",                APPLICATOR,  ANY,    if,           if),
	ROW("dependentSchemas",  APPLICATOR,  OBJECT, dependencies, dependent_schemas),
	{"$defs", {0}, CORE, 0, schema_read_definitions, NULL},
	{"then", {0}, APPLICATOR, 0, schema_read_definition, NULL},
	{"else", {0}, APPLICATOR, 0, schema_read_definition, NULL},
	{"contentSchema", {0}, CORE, 0, schema_read_definition, NULL},
	ROW("unevaluatedItems",      UNEVALUATED, ARRAY,  schema, unevaluated_items),
	ROW("unevaluatedProperties", UNEVALUATED, OBJECT, schema, unevaluated_properties),
};
/* clang-format on */

bool schema_keyword_is_last(const struct schema_keyword *keyword)
{
	return keyword->vocabularies == UNEVALUATED;
}

static bool is_present(const struct schema_keyword *keyword, const json_t *json)
{
	return json_object_get(json, keyword->name) ||
	       (keyword->also[0] && json_object_get(json, keyword->also[0])) ||
	       (keyword->also[1] && json_object_get(json, keyword->also[1]));
}

static bool read_keyword(struct schema_compiler *c, const struct schema_keyword *keyword,
			 const json_t *json)
{
	struct schema_node *node = c->node;
	struct schema_rule *rule = &node->rules[node->rule_count];

	*rule = (struct schema_rule){.keyword = keyword};
	node->rule_count++; /* now, so that a rule half read is freed */
	if (!keyword->read(c, rule, json, json_object_get(json, keyword->name)))
		return false;
	if (!rule->keyword)
		node->rule_count--;
	else if (schema_keyword_is_last(keyword))
		node->needs_seen = true;
	return true;
}

bool schema_read_keywords(struct schema_compiler *c, const json_t *json)
{
	struct schema_node *node = c->node;

	node->rules = xcalloc(COUNT_OF(keywords), sizeof(*node->rules));
	for (size_t i = 0; i < COUNT_OF(keywords); i++) {
		const struct schema_keyword *keyword = &keywords[i];

		if (!(keyword->vocabularies & c->resource->vocabularies) ||
		    !is_present(keyword, json))
			continue;
		if (!read_keyword(c, keyword, json))
			return false;
	}
	node->rules = xrealloc(node->rules, node->rule_count * sizeof(*node->rules));
	return true;
}

static void finish_members(struct schema_members *members)
{
	for (size_t i = 0; i < members->pattern_count; i++)
		pattern_destroy(members->patterns[i].pattern);
	xfree(members->patterns);
	xfree(members->properties);
}

void schema_rule_finish(struct schema_rule *rule)
{
	schema_check_fn *check = rule->keyword ? rule->keyword->check : NULL;

	if (check == schema_check_pattern)
		pattern_destroy(rule->text.pattern);
	else if (check == schema_check_all_of || check == schema_check_any_of ||
		 check == schema_check_one_of)
		xfree(rule->list.nodes);
	else if (check == schema_check_members)
		finish_members(&rule->members);
	else if (check == schema_check_items)
		xfree(rule->items.prefix);
	else if (check == schema_check_required)
		xfree(rule->names.list);
	else if (check == schema_check_dependent_required ||
		 check == schema_check_dependent_schemas) {
		for (size_t i = 0; i < rule->dependencies.count; i++)
			xfree(rule->dependencies.list[i].required);
		xfree(rule->dependencies.list);
	}
}
