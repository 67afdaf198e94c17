/* How the keywords of a subschema become rules. The metaschema has seen to it that types are right.
 */
#include <stdlib.h>
#include <string.h>

#include "ensure.h"
#include "schema_compiler.h"
#include "schema_run.h"

static struct schema_name name_of(const json_t *string)
{
	const char *text = json_string_value(string);

	return (struct schema_name){.text = text ? text : "", .len = json_string_length(string)};
}

/* A count may be written 3 or 3.0, and be beyond what anything reaches. */
static uint64_t count_of(const json_t *number)
{
	double value = json_number_value(number);

	if (json_is_integer(number))
		return json_integer_value(number) > 0 ? (uint64_t)json_integer_value(number) : 0;
	return value < 0 ? 0 : value > 1e15 ? UINT64_MAX : (uint64_t)value;
}

bool schema_read_type(struct schema_compiler *c, struct schema_rule *rule, const json_t *schema,
		      const json_t *argument)
{
	(void)c;
	(void)schema;
	if (json_is_string(argument))
		rule->types = schema_type_bit(json_string_value(argument));
	for (size_t i = 0; i < json_array_size(argument); i++)
		rule->types |= schema_type_bit(json_string_value(json_array_get(argument, i)));
	return true;
}

bool schema_read_value(struct schema_compiler *c, struct schema_rule *rule, const json_t *schema,
		       const json_t *argument)
{
	(void)c;
	(void)schema;
	rule->value = argument;
	return true;
}

bool schema_read_count(struct schema_compiler *c, struct schema_rule *rule, const json_t *schema,
		       const json_t *argument)
{
	(void)c;
	(void)schema;
	rule->count = count_of(argument);
	return true;
}

bool schema_read_unique(struct schema_compiler *c, struct schema_rule *rule, const json_t *schema,
			const json_t *argument)
{
	(void)c;
	(void)schema;
	if (!json_is_true(argument))
		rule->keyword = NULL;
	return true;
}

static struct pattern *make_pattern(struct schema_compiler *c, const char *text, size_t len)
{
	struct pattern *pattern = pattern_create(text, len, c->err);

	if (!pattern)
		error_wrap(c->err, "pattern %s", schema_quote(text, len).text);
	return pattern;
}

bool schema_read_pattern(struct schema_compiler *c, struct schema_rule *rule, const json_t *schema,
			 const json_t *argument)
{
	struct schema_name source = name_of(argument);

	(void)schema;
	rule->text.source = source.text;
	rule->text.pattern = make_pattern(c, source.text, source.len);
	return rule->text.pattern != NULL;
}

bool schema_read_format(struct schema_compiler *c, struct schema_rule *rule, const json_t *schema,
			const json_t *argument)
{
	bool asserted = c->options->assert_formats ||
			c->resource->vocabularies & VOCABULARY_FORMAT_ASSERTED;

	(void)schema;
	rule->format.holds = schema_format_find(name_of(argument).text, &rule->format.name);
	if (!asserted || !rule->format.holds)
		rule->keyword = NULL;
	return true;
}

bool schema_read_schema(struct schema_compiler *c, struct schema_rule *rule, const json_t *schema,
			const json_t *argument)
{
	(void)schema;
	rule->node = schema_compile_node(c, argument);
	return rule->node != NULL;
}

static bool read_nodes(struct schema_compiler *c, const json_t *array, struct schema_node ***nodes,
		       size_t *count)
{
	*nodes = xcalloc(json_array_size(array), sizeof(**nodes));
	for (; *count < json_array_size(array); ++*count) {
		struct schema_node *node = schema_compile_node(c, json_array_get(array, *count));

		if (!node)
			return false;
		(*nodes)[*count] = node;
	}
	return true;
}

bool schema_read_schemas(struct schema_compiler *c, struct schema_rule *rule, const json_t *schema,
			 const json_t *argument)
{
	(void)schema;
	return read_nodes(c, argument, &rule->list.nodes, &rule->list.count);
}

bool schema_read_ref(struct schema_compiler *c, struct schema_rule *rule, const json_t *schema,
		     const json_t *argument)
{
	(void)schema;
	schema_compile_reference(c, rule, name_of(argument).text);
	return true;
}

/* A sibling of the keyword; NULL when it is absent. False: err is set. */
static bool read_sibling(struct schema_compiler *c, const json_t *schema, const char *name,
			 struct schema_node **node)
{
	const json_t *argument = json_object_get(schema, name);

	*node = argument ? schema_compile_node(c, argument) : NULL;
	return !argument || *node;
}

bool schema_read_if(struct schema_compiler *c, struct schema_rule *rule, const json_t *schema,
		    const json_t *argument)
{
	rule->condition.test = schema_compile_node(c, argument);
	return rule->condition.test && read_sibling(c, schema, "then", &rule->condition.then) &&
	       read_sibling(c, schema, "else", &rule->condition.otherwise);
}

bool schema_read_items(struct schema_compiler *c, struct schema_rule *rule, const json_t *schema,
		       const json_t *argument)
{
	(void)argument;
	return read_nodes(c, json_object_get(schema, "prefixItems"), &rule->items.prefix,
			  &rule->items.prefix_count) &&
	       read_sibling(c, schema, "items", &rule->items.rest);
}

bool schema_read_contains(struct schema_compiler *c, struct schema_rule *rule, const json_t *schema,
			  const json_t *argument)
{
	bool counts = c->resource->vocabularies & VOCABULARY_VALIDATION;
	const json_t *min = counts ? json_object_get(schema, "minContains") : NULL;
	const json_t *max = counts ? json_object_get(schema, "maxContains") : NULL;

	rule->contains.min = min ? count_of(min) : 1;
	rule->contains.max = max ? count_of(max) : UINT64_MAX;
	rule->contains.node = schema_compile_node(c, argument);
	return rule->contains.node != NULL;
}

static int compare_properties(const void *a, const void *b)
{
	const struct schema_property *p = a, *q = b;

	return schema_compare_names(p->name.text, p->name.len, q->name.text, q->name.len);
}

static bool read_properties(struct schema_compiler *c, struct schema_members *members,
			    const json_t *properties)
{
	const char *name;
	json_t *argument;

	members->properties = xcalloc(json_object_size(properties), sizeof(*members->properties));
	json_object_foreach ((json_t *)properties, name, argument) {
		struct schema_property *p = &members->properties[members->property_count];

		p->name = (struct schema_name){.text = name, .len = strlen(name)};
		p->node = schema_compile_node(c, argument);
		if (!p->node)
			return false;
		members->property_count++;
	}
	qsort(members->properties, members->property_count, sizeof(*members->properties),
	      compare_properties);
	return true;
}

static bool read_pattern_properties(struct schema_compiler *c, struct schema_members *members,
				    const json_t *patterns)
{
	const char *regex;
	json_t *argument;

	members->patterns = xcalloc(json_object_size(patterns), sizeof(*members->patterns));
	json_object_foreach ((json_t *)patterns, regex, argument) {
		struct schema_pattern_property *p = &members->patterns[members->pattern_count];

		p->pattern = make_pattern(c, regex, strlen(regex));
		if (!p->pattern)
			return false;
		members->pattern_count++;
		p->node = schema_compile_node(c, argument);
		if (!p->node)
			return false;
	}
	return true;
}

bool schema_read_members(struct schema_compiler *c, struct schema_rule *rule, const json_t *schema,
			 const json_t *argument)
{
	struct schema_members *members = &rule->members;

	(void)argument;
	return read_properties(c, members, json_object_get(schema, "properties")) &&
	       read_pattern_properties(c, members, json_object_get(schema, "patternProperties")) &&
	       read_sibling(c, schema, "additionalProperties", &members->additional);
}

static struct schema_name *read_names(const json_t *array, size_t *count)
{
	struct schema_name *names = xcalloc(json_array_size(array), sizeof(*names));

	for (*count = 0; *count < json_array_size(array); ++*count)
		names[*count] = name_of(json_array_get(array, *count));
	return names;
}

bool schema_read_required(struct schema_compiler *c, struct schema_rule *rule, const json_t *schema,
			  const json_t *argument)
{
	(void)c;
	(void)schema;
	rule->names.list = read_names(argument, &rule->names.count);
	return true;
}

/* dependentRequired has arrays of names, dependentSchemas has schemas. */
bool schema_read_dependencies(struct schema_compiler *c, struct schema_rule *rule,
			      const json_t *schema, const json_t *argument)
{
	const char *name;
	json_t *wanted;

	(void)schema;
	rule->dependencies.list = xcalloc(json_object_size(argument),
					  sizeof(*rule->dependencies.list));
	json_object_foreach ((json_t *)argument, name, wanted) {
		struct schema_dependency *d = &rule->dependencies.list[rule->dependencies.count++];

		d->name = (struct schema_name){.text = name, .len = strlen(name)};
		if (json_is_array(wanted)) {
			d->required = read_names(wanted, &d->required_count);
			continue;
		}
		d->node = schema_compile_node(c, wanted);
		if (!d->node)
			return false;
	}
	return true;
}

/* These check nothing where they stand, but what is under them may be referred to. */
bool schema_read_definition(struct schema_compiler *c, struct schema_rule *rule,
			    const json_t *schema, const json_t *argument)
{
	(void)schema;
	rule->keyword = NULL;
	return schema_compile_node(c, argument) != NULL;
}

bool schema_read_definitions(struct schema_compiler *c, struct schema_rule *rule,
			     const json_t *schema, const json_t *argument)
{
	const char *name;
	json_t *definition;

	(void)schema;
	rule->keyword = NULL;
	json_object_foreach ((json_t *)argument, name, definition)
		if (!schema_compile_node(c, definition))
			return false;
	return true;
}
