/*
 * One compilation under way; for the schema_*.c files only. Subschemas become
 * nodes as they are met; references are noted and resolved when all nodes of a
 * document are there, which may bring in further documents.
 */
#ifndef SLUICE_SCHEMA_COMPILER_H
#define SLUICE_SCHEMA_COMPILER_H

#include "schema_node.h"

/* A reference to be resolved: rule number `rule` of `node` wants the node at `uri`. */
struct schema_reference {
	struct schema_node *node;
	size_t rule;
	char *uri; /* absolute, with fragment */
};

/* Which node a subschema became: a hash table by address, open, never over half full. */
struct schema_node_map {
	struct {
		const json_t *json;
		struct schema_node *node;
	} * slots;
	size_t slot_count; /* a power of two, or 0 */
	size_t used;
};

struct schema_compiler {
	struct schema *schema;
	const struct schema_options *options;
	bool trusted;			  /* our own metaschema: not checked by itself */
	struct schema_resource *resource; /* of the subschema being read */
	struct schema_node *node;	  /* being read */
	json_t *resources;		  /* uri to index in schema->resources */
	json_t *anchors;		  /* "uri#name" to index in schema->nodes */
	struct schema_node_map map;
	struct schema_reference *references;
	size_t reference_count;
	size_t resolved; /* of the references */
	struct error *err;
};

/* The node of a subschema within the one being read. NULL: err is set. */
struct schema_node *schema_compile_node(struct schema_compiler *c, const json_t *json);

/* Note that this rule of the node being read refers to `reference`. */
void schema_compile_reference(struct schema_compiler *c, const struct schema_rule *rule,
			      const char *reference);

/* Read the keywords of a subschema into the rules of c->node. */
bool schema_read_keywords(struct schema_compiler *c, const json_t *json) MUST_USE;

/*
 * schema_read.c: readers of keywords, by what their argument is. One that leaves
 * nothing to be checked takes the rule's keyword away.
 */
schema_read_fn schema_read_type, schema_read_value, schema_read_count, schema_read_unique,
	schema_read_pattern, schema_read_format, schema_read_schema, schema_read_schemas,
	schema_read_ref, schema_read_if, schema_read_items, schema_read_contains,
	schema_read_members, schema_read_required, schema_read_dependencies, schema_read_definition,
	schema_read_definitions;

/* schema_resource.c: addresses. */
struct schema_resource *schema_add_resource(struct schema_compiler *c, const char *uri,
					    const json_t *json);
bool schema_add_anchors(struct schema_compiler *c, size_t node_index, const json_t *json) MUST_USE;
bool schema_enter_resource(struct schema_compiler *c, const json_t *json) MUST_USE;
bool schema_resolve_references(struct schema_compiler *c) MUST_USE;

/* schema_compile.c: brings a document in under an address. NULL: err is set. */
struct schema_node *schema_compile_document(struct schema_compiler *c, const json_t *document,
					    const char *uri);
struct schema_node *schema_node_of(const struct schema_compiler *c, const json_t *json);

/* schema_metaschema.c */
const json_t *schema_metaschema_document(const char *uri, size_t len); /* NULL: not one of them */
bool schema_metaschema_check(const json_t *document, struct error *err) MUST_USE;

/* The vocabularies of a $schema; 0: err is set. */
unsigned schema_dialect(const struct schema_compiler *c, const char *uri);
#define SCHEMA_DEFAULT_DIALECT                                              \
	(VOCABULARY_CORE | VOCABULARY_APPLICATOR | VOCABULARY_UNEVALUATED | \
	 VOCABULARY_VALIDATION | VOCABULARY_FORMAT)

/* schema_format.c. NULL: not a format that is checked. */
typedef bool schema_format_fn(const char *text, size_t len);
schema_format_fn *schema_format_find(const char *name, const char **lasting_name);

/* schema_compile.c: builds the metaschema itself, unchecked. */
struct schema *schema_compile_trusted(const json_t *document);

#endif
