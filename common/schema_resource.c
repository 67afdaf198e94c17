/* Addresses of subschemas: $id, $anchor, $dynamicAnchor, $schema, and who refers to them. */
#include <stdlib.h>
#include <string.h>

#include "ensure.h"
#include "schema_compiler.h"
#include "schema_run.h"
#include "schema_uri.h"

static struct schema_resource *find_resource(const struct schema_compiler *c, const char *uri)
{
	const json_t *index = json_object_get(c->resources, uri);

	return index ? c->schema->resources[json_integer_value(index)] : NULL;
}

struct schema_resource *schema_add_resource(struct schema_compiler *c, const char *uri,
					    const json_t *json)
{
	struct schema *schema = c->schema;
	struct schema_resource *resource;

	if (find_resource(c, uri)) {
		error_set(c->err, ERROR_REJECT, "two subschemas have the address %s",
			  schema_quote(uri, strlen(uri)).text);
		return NULL;
	}
	resource = xcalloc(1, sizeof(*resource));
	resource->uri = xstrdup(uri);
	resource->json = json;
	schema->resources = xrealloc(schema->resources,
				     (schema->resource_count + 1) * sizeof(*schema->resources));
	schema->resources[schema->resource_count] = resource;
	json_object_set_new(c->resources, uri, json_integer((json_int_t)schema->resource_count++));
	return resource;
}

/* Keywords that older drafts have and 2020-12 would pass over in silence. */
static bool means_the_same(struct schema_compiler *c, const json_t *json)
{
	static const char *const gone[] = {"dependencies", "additionalItems", "$recursiveRef"};

	for (size_t i = 0; i < COUNT_OF(gone); i++)
		if (json_object_get(json, gone[i]))
			return error_set(c->err, ERROR_REJECT,
					 "\"%s\" is of an older draft of JSON Schema; "
					 "write it as in draft 2020-12",
					 gone[i]);
	return true;
}

static bool enter_dialect(struct schema_compiler *c, const json_t *json)
{
	const char *dialect = json_text(json, "$schema", NULL);

	if (!dialect)
		return true;
	c->resource->vocabularies = schema_dialect(c, dialect);
	return c->resource->vocabularies != 0;
}

bool schema_enter_resource(struct schema_compiler *c, const json_t *json)
{
	const char *id = json_text(json, "$id", NULL);
	AUTO(xfree) char *uri = id ? schema_uri_resolve(c->resource->uri, id) : NULL;
	struct schema_resource *resource;

	if (uri)
		uri[schema_uri_bare_len(uri)] = '\0';
	if (uri && strcmp(uri, c->resource->uri) != 0) {
		resource = schema_add_resource(c, uri, json);
		if (!resource)
			return false;
		resource->vocabularies = c->resource->vocabularies;
		c->resource = resource;
	}
	if (c->resource->json == json && !enter_dialect(c, json))
		return false;
	return !(c->resource->vocabularies & VOCABULARY_OLDER) || means_the_same(c, json);
}

static bool add_anchor(struct schema_compiler *c, size_t node_index, const char *name)
{
	AUTO(xfree) char *key = xasprintf("%s#%s", c->resource->uri, name);
	const json_t *known = json_object_get(c->anchors, key);

	if (known && (size_t)json_integer_value(known) != node_index)
		return error_set(c->err, ERROR_REJECT, "two subschemas have the anchor %s",
				 schema_quote(name, strlen(name)).text);
	json_object_set_new(c->anchors, key, json_integer((json_int_t)node_index));
	return true;
}

static void add_dynamic_anchor(struct schema_resource *resource, const char *name,
			       struct schema_node *node)
{
	struct schema_dynamic_anchor *anchor;

	resource->anchors = xrealloc(resource->anchors,
				     (resource->anchor_count + 1) * sizeof(*resource->anchors));
	anchor = &resource->anchors[resource->anchor_count++];
	anchor->name = xstrdup(name);
	anchor->node = node;
}

bool schema_add_anchors(struct schema_compiler *c, size_t node_index, const json_t *json)
{
	const char *plain = json_text(json, "$anchor", NULL);
	const char *dynamic = json_text(json, "$dynamicAnchor", NULL);

	if (plain && !add_anchor(c, node_index, plain))
		return false;
	if (!dynamic)
		return true;
	if (!add_anchor(c, node_index, dynamic))
		return false;
	add_dynamic_anchor(c->resource, dynamic, c->schema->nodes[node_index]);
	return true;
}

void schema_compile_reference(struct schema_compiler *c, const struct schema_rule *rule,
			      const char *reference)
{
	struct schema_reference *r;

	if ((c->reference_count & (c->reference_count - 1)) == 0)
		c->references = xrealloc(c->references,
					 (2 * c->reference_count + 1) * sizeof(*c->references));
	r = &c->references[c->reference_count++];
	r->node = c->node;
	r->rule = (size_t)(rule - c->node->rules);
	r->uri = schema_uri_resolve(c->resource->uri, reference);
}

static const json_t *find_document(const struct schema_compiler *c, const char *uri)
{
	for (size_t i = 0; i < c->options->document_count; i++)
		if (strcmp(c->options->documents[i].uri, uri) == 0)
			return c->options->documents[i].document;
	return schema_metaschema_document(uri, strlen(uri));
}

/* The resource of that address, brought in if it must be. */
static struct schema_resource *need_resource(struct schema_compiler *c, const char *uri)
{
	struct schema_resource *resource = find_resource(c, uri);
	const json_t *document = resource ? NULL : find_document(c, uri);

	if (resource)
		return resource;
	if (!document) {
		error_set(c->err, ERROR_REJECT,
			  "$ref to %s, which is not part of the schema; nothing is fetched, so put "
			  "it under $defs",
			  schema_quote(uri, strlen(uri)).text);
		return NULL;
	}
	return schema_compile_document(c, document, uri) ? find_resource(c, uri) : NULL;
}

/* One step of a JSON pointer; *at is moved behind it. NULL: leads nowhere. */
static const json_t *step_into(const json_t *json, const char **at)
{
	size_t len = strcspn(*at + 1, "/");
	AUTO(xfree) char *token = xstrndup(*at + 1, len);
	char *to = token;

	*at += 1 + len;
	for (const char *from = token; *from; from++) {
		if (from[0] == '~' && (from[1] == '0' || from[1] == '1'))
			*to++ = *++from == '0' ? '~' : '/';
		else
			*to++ = *from;
	}
	*to = '\0';
	if (json_is_object(json))
		return json_object_get(json, token);
	if (!*token || token[strspn(token, "0123456789")])
		return NULL;
	return json_array_get(json, strtoul(token, NULL, 10));
}

/* What a pointer leads to may lie under a keyword we do not know: it becomes a node now. */
static struct schema_node *node_at_pointer(struct schema_compiler *c,
					   struct schema_resource *resource, const char *pointer)
{
	const json_t *json = resource->json;
	struct schema_node *node;

	c->resource = resource;
	while (json && *pointer) {
		json = step_into(json, &pointer);
		node = json_is_object(json) ? schema_node_of(c, json) : NULL;
		if (node)
			c->resource = node->resource;
	}
	if (!json_is_object(json) && !json_is_boolean(json)) {
		error_set(c->err, ERROR_REJECT, "no subschema is there");
		return NULL;
	}
	node = json_is_object(json) ? schema_node_of(c, json) : NULL;
	if (node)
		return node;
	if (!c->trusted && !schema_metaschema_check(json, c->err))
		return NULL;
	return schema_compile_node(c, json);
}

static struct schema_node *node_at_fragment(struct schema_compiler *c,
					    struct schema_resource *resource, const char *fragment)
{
	AUTO(xfree) char *key = NULL;
	const json_t *index;

	if (!*fragment)
		return resource->root;
	if (*fragment == '/')
		return node_at_pointer(c, resource, fragment);
	key = xasprintf("%s#%s", resource->root->resource->uri, fragment);
	index = json_object_get(c->anchors, key);
	if (!index) {
		error_set(c->err, ERROR_REJECT, "no subschema has that anchor");
		return NULL;
	}
	return c->schema->nodes[json_integer_value(index)];
}

static const struct schema_dynamic_anchor *dynamic_anchor_of(const struct schema_node *node,
							     const char *fragment)
{
	const struct schema_resource *resource = node->resource;

	for (size_t i = 0; i < resource->anchor_count; i++)
		if (resource->anchors[i].node == node &&
		    strcmp(resource->anchors[i].name, fragment) == 0)
			return &resource->anchors[i];
	return NULL;
}

static void settle(const struct schema_reference *reference, struct schema_node *target,
		   const char *fragment)
{
	struct schema_rule *rule = &reference->node->rules[reference->rule];
	const struct schema_dynamic_anchor *anchor;

	if (rule->keyword->check == schema_check_ref) {
		rule->node = target;
		return;
	}
	anchor = dynamic_anchor_of(target, fragment);
	rule->dynamic.node = target;
	rule->dynamic.name = anchor ? anchor->name : NULL;
}

static bool resolve(struct schema_compiler *c, const struct schema_reference *reference)
{
	AUTO(xfree) char *bare = xstrndup(reference->uri, schema_uri_bare_len(reference->uri));
	AUTO(xfree) char *fragment = schema_uri_fragment(reference->uri);
	struct schema_resource *resource = need_resource(c, bare);
	struct schema_node *target;

	if (!resource)
		return false;
	target = node_at_fragment(c, resource, fragment);
	if (!target)
		return error_wrap(c->err, "$ref to %s",
				  schema_quote(reference->uri, strlen(reference->uri)).text);
	settle(reference, target, fragment);
	return true;
}

/* Resolving may bring in documents with references of their own. */
bool schema_resolve_references(struct schema_compiler *c)
{
	for (; c->resolved < c->reference_count; c->resolved++) {
		struct schema_reference reference = c->references[c->resolved];

		if (!resolve(c, &reference))
			return false;
	}
	return true;
}
