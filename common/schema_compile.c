#include <string.h>

#include "ensure.h"
#include "schema_compiler.h"
#include "schema_run.h"

#define METASCHEMA_MAX_DEPTH 1500 /* a level of a schema takes several of its metaschema */

static void node_destroy(struct schema_node *node)
{
	for (size_t i = 0; i < node->rule_count; i++)
		schema_rule_finish(&node->rules[i]);
	xfree(node->rules);
	xfree(node);
}

static void resource_destroy(struct schema_resource *resource)
{
	for (size_t i = 0; i < resource->anchor_count; i++)
		xfree(resource->anchors[i].name);
	xfree(resource->anchors);
	xfree(resource->uri);
	xfree(resource);
}

void schema_destroy(struct schema *schema)
{
	if (!schema)
		return;
	for (size_t i = 0; i < schema->node_count; i++)
		node_destroy(schema->nodes[i]);
	for (size_t i = 0; i < schema->resource_count; i++)
		resource_destroy(schema->resources[i]);
	for (size_t i = 0; i < schema->document_count; i++)
		json_decref(schema->documents[i]);
	xfree(schema->nodes);
	xfree(schema->resources);
	xfree(schema->documents);
	xfree(schema);
}

static size_t slot_of(const struct schema_node_map *map, const json_t *json)
{
	size_t slot = ((uintptr_t)json >> 4) * 0x9e3779b97f4a7c15 >> 20 & (map->slot_count - 1);

	while (map->slots[slot].json && map->slots[slot].json != json)
		slot = (slot + 1) & (map->slot_count - 1);
	return slot;
}

static void map_put(struct schema_node_map *map, const json_t *json, struct schema_node *node)
{
	size_t slot = slot_of(map, json);

	map->slots[slot].json = json;
	map->slots[slot].node = node;
	map->used++;
}

static void map_make_room(struct schema_node_map *map)
{
	struct schema_node_map larger = {.slot_count = map->slot_count ? 2 * map->slot_count : 64};

	if (2 * (map->used + 1) <= map->slot_count)
		return;
	larger.slots = xcalloc(larger.slot_count, sizeof(*larger.slots));
	for (size_t i = 0; i < map->slot_count; i++)
		if (map->slots[i].json)
			map_put(&larger, map->slots[i].json, map->slots[i].node);
	xfree(map->slots);
	*map = larger;
}

struct schema_node *schema_node_of(const struct schema_compiler *c, const json_t *json)
{
	return c->map.slot_count > 0 ? c->map.slots[slot_of(&c->map, json)].node : NULL;
}

static struct schema_node *add_node(struct schema_compiler *c)
{
	struct schema *schema = c->schema;
	struct schema_node *node;

	if (schema->node_count == SCHEMA_MAX_NODES) {
		error_set(c->err, ERROR_REJECT, "the schema has more than %d subschemas",
			  SCHEMA_MAX_NODES);
		return NULL;
	}
	node = xcalloc(1, sizeof(*node));
	/* Room doubles whenever the count is a power of two. */
	if ((schema->node_count & (schema->node_count - 1)) == 0)
		schema->nodes = xrealloc(schema->nodes, (2 * schema->node_count + 1) *
								sizeof(struct schema_node *));
	schema->nodes[schema->node_count++] = node;
	return node;
}

static bool read_object(struct schema_compiler *c, struct schema_node *node, size_t index,
			const json_t *json)
{
	if (!schema_enter_resource(c, json))
		return false;
	node->resource = c->resource;
	if (c->resource->json == json)
		c->resource->root = node;
	if (!schema_add_anchors(c, index, json))
		return false;
	c->node = node;
	return schema_read_keywords(c, json);
}

struct schema_node *schema_compile_node(struct schema_compiler *c, const json_t *json)
{
	struct schema_resource *outer_resource = c->resource;
	struct schema_node *outer_node = c->node;
	size_t index = c->schema->node_count;
	struct schema_node *node = json_is_object(json) ? schema_node_of(c, json) : NULL;
	bool compiled = true;

	if (node)
		return node;
	node = add_node(c);
	if (!node)
		return NULL;
	node->resource = c->resource;
	if (json_is_object(json)) {
		map_make_room(&c->map);
		map_put(&c->map, json, node);
		compiled = read_object(c, node, index, json);
	} else {
		node->kind = json_is_true(json) ? NODE_ALWAYS : NODE_NEVER;
	}
	c->resource = outer_resource;
	c->node = outer_node;
	return compiled ? node : NULL;
}

static bool is_nested_too_deep(const json_t *json, unsigned left)
{
	const char *key;
	json_t *member;

	if (left == 0)
		return json_is_object(json) || json_is_array(json);
	for (size_t i = 0; i < json_array_size(json); i++)
		if (is_nested_too_deep(json_array_get(json, i), left - 1))
			return true;
	json_object_foreach ((json_t *)json, key, member)
		if (is_nested_too_deep(member, left - 1))
			return true;
	return false;
}

static json_t *keep_copy(struct schema *schema, const json_t *document)
{
	json_t *copy = json_deep_copy(document);

	ENSURE(copy);
	schema->documents = xrealloc(schema->documents,
				     (schema->document_count + 1) * sizeof(*schema->documents));
	schema->documents[schema->document_count++] = copy;
	return copy;
}

struct schema_node *schema_compile_document(struct schema_compiler *c, const json_t *document,
					    const char *uri)
{
	struct schema_resource *outer = c->resource;
	struct schema_resource *resource;
	struct schema_node *node;
	const json_t *copy;

	if (is_nested_too_deep(document, SCHEMA_MAX_NESTING)) {
		error_set(c->err, ERROR_REJECT, "the schema is nested deeper than %d levels",
			  SCHEMA_MAX_NESTING);
		return NULL;
	}
	if (!c->trusted && !schema_metaschema_check(document, c->err))
		return NULL;
	copy = keep_copy(c->schema, document);
	resource = schema_add_resource(c, uri, copy);
	if (!resource)
		return NULL;
	resource->vocabularies = SCHEMA_DEFAULT_DIALECT;
	c->resource = resource;
	node = schema_compile_node(c, copy);
	c->resource = outer;
	resource->root = node;
	return node;
}

static bool is_alternative(const struct schema_rule *rule)
{
	return rule->keyword->check == schema_check_all_of ||
	       rule->keyword->check == schema_check_any_of ||
	       rule->keyword->check == schema_check_one_of;
}

static bool ends(struct schema_node *node, unsigned depth, struct error *err);

static bool rule_ends(const struct schema_rule *rule, unsigned depth, struct error *err)
{
	schema_check_fn *check = rule->keyword->check;

	if (is_alternative(rule))
		for (size_t i = 0; i < rule->list.count; i++)
			if (!ends(rule->list.nodes[i], depth, err))
				return false;
	if (check == schema_check_dependent_schemas)
		for (size_t i = 0; i < rule->dependencies.count; i++)
			if (!ends(rule->dependencies.list[i].node, depth, err))
				return false;
	if (check == schema_check_ref || check == schema_check_not)
		return ends(rule->node, depth, err);
	if (check == schema_check_if)
		return ends(rule->condition.test, depth, err) &&
		       ends(rule->condition.then, depth, err) &&
		       ends(rule->condition.otherwise, depth, err);
	return true;
}

/*
 * A schema that applies itself to the very same value can never be checked.
 * Better to say so when it is submitted than at each of its answers. Visits: 1
 * on the way down, 2 done.
 */
static bool ends(struct schema_node *node, unsigned depth, struct error *err)
{
	if (!node || node->visit == 2)
		return true;
	if (node->visit == 1 || depth == 0)
		return error_set(err, ERROR_REJECT,
				 "the schema refers to itself without going into the value, "
				 "so checking would never end");
	node->visit = 1;
	for (size_t i = 0; i < node->rule_count; i++)
		if (!rule_ends(&node->rules[i], depth - 1, err))
			return false;
	node->visit = 2;
	return true;
}

static bool all_end(struct schema *schema, struct error *err)
{
	for (size_t i = 0; i < schema->node_count; i++)
		if (!ends(schema->nodes[i], schema->max_depth, err))
			return false;
	return true;
}

static bool compile(struct schema_compiler *c, const json_t *document)
{
	c->schema->root = schema_compile_document(c, document, "");
	return c->schema->root && schema_resolve_references(c) && all_end(c->schema, c->err);
}

static void compiler_finish(struct schema_compiler *c)
{
	for (size_t i = 0; i < c->reference_count; i++)
		xfree(c->references[i].uri);
	xfree(c->references);
	xfree(c->map.slots);
	json_decref(c->resources);
	json_decref(c->anchors);
}

static struct schema *compile_as(const json_t *document, const struct schema_options *options,
				 bool trusted, struct error *err)
{
	AUTO(schema_destroy) struct schema *schema = xcalloc(1, sizeof(*schema));
	AUTO_FINISH(compiler_finish)
	struct schema_compiler c = {
		.schema = schema,
		.options = options,
		.trusted = trusted,
		.resources = json_object(),
		.anchors = json_object(),
		.err = err,
	};

	schema->max_depth = trusted ? METASCHEMA_MAX_DEPTH : SCHEMA_MAX_DEPTH;
	if (!compile(&c, document))
		return NULL;
	return TAKE(schema);
}

struct schema *schema_compile_with(const json_t *document, const struct schema_options *options,
				   struct error *err)
{
	return compile_as(document, options, false, err);
}

struct schema *schema_compile(const json_t *document, struct error *err)
{
	static const struct schema_options options = {.assert_formats = true};

	return compile_as(document, &options, false, err);
}

struct schema *schema_compile_trusted(const json_t *document)
{
	static const struct schema_options options = {.assert_formats = false};
	struct error err;
	struct schema *schema = compile_as(document, &options, true, &err);

	ENSURE(schema);
	return schema;
}
