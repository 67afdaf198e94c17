/*
 * What a schema is compiled to; for the schema_*.c files only.
 *
 * A schema is a graph of nodes, one per subschema. A node is a list of rules,
 * one per keyword that is present, in the order of the table in
 * schema_keyword.c; a rule is a keyword and what the schema says about it. A
 * resource is a subschema with an address of its own ($id).
 */
#ifndef SLUICE_SCHEMA_NODE_H
#define SLUICE_SCHEMA_NODE_H

#include <stdint.h>

#include "pattern.h"
#include "schema.h"

/* Types as bits; a number without a fraction is an integer, too. */
enum {
	SCHEMA_NULL = 1,
	SCHEMA_BOOLEAN = 2,
	SCHEMA_OBJECT = 4,
	SCHEMA_ARRAY = 8,
	SCHEMA_NUMBER = 16,
	SCHEMA_STRING = 32,
	SCHEMA_INTEGER = 64,
	SCHEMA_ANY = 127,
};

/* Vocabularies as bits, by the $schema of a resource. */
enum {
	VOCABULARY_CORE = 1,
	VOCABULARY_APPLICATOR = 2,
	VOCABULARY_UNEVALUATED = 4,
	VOCABULARY_VALIDATION = 8,
	VOCABULARY_FORMAT = 16,		 /* noted */
	VOCABULARY_FORMAT_ASSERTED = 32, /* checked */
	VOCABULARY_OLDER = 64,		 /* an older draft: what it means otherwise is refused */
};

struct schema_run;
struct schema_rule;
struct schema_seen;

typedef bool schema_check_fn(struct schema_run *run, const struct schema_rule *rule,
			     const json_t *value, struct schema_seen *seen);

struct schema_dynamic_anchor {
	char *name;
	struct schema_node *node;
};

struct schema_resource {
	char *uri; /* without fragment; "" for a schema without $id */
	const json_t *json;
	struct schema_node *root;
	unsigned vocabularies;
	struct schema_dynamic_anchor *anchors;
	size_t anchor_count;
};

struct schema_name {
	const char *text; /* borrowed from the document, and so below */
	size_t len;
};

struct schema_property {
	struct schema_name name;
	struct schema_node *node;
};

struct schema_pattern_property {
	struct pattern *pattern;
	struct schema_node *node;
};

/* properties, patternProperties and additionalProperties, which go by each other. */
struct schema_members {
	struct schema_property *properties; /* sorted by name */
	size_t property_count;
	struct schema_pattern_property *patterns;
	size_t pattern_count;
	struct schema_node *additional; /* NULL: anything */
};

/* prefixItems and items. */
struct schema_items {
	struct schema_node **prefix;
	size_t prefix_count;
	struct schema_node *rest; /* NULL: anything */
};

struct schema_contains {
	struct schema_node *node;
	uint64_t min, max;
};

struct schema_condition {
	struct schema_node *test, *then, *otherwise; /* the last two may be NULL */
};

struct schema_list {
	struct schema_node **nodes;
	size_t count;
};

/* dependentRequired and dependentSchemas: if `name` is there, then … */
struct schema_dependency {
	struct schema_name name;
	struct schema_name *required;
	size_t required_count;
	struct schema_node *node;
};

struct schema_rule {
	const struct schema_keyword *keyword;
	union {
		unsigned types;
		const json_t *value; /* const, enum, and the bounds of numbers */
		uint64_t count;
		struct {
			struct pattern *pattern;
			const char *source;
		} text;
		struct {
			const char *name;
			bool (*holds)(const char *text, size_t len);
		} format;
		struct schema_list list;
		struct schema_node *node;
		struct {
			struct schema_node *node;
			const char *name; /* of the dynamic anchor; NULL: an ordinary $ref */
		} dynamic;
		struct schema_condition condition;
		struct schema_members members;
		struct schema_items items;
		struct schema_contains contains;
		struct {
			struct schema_name *list;
			size_t count;
		} names;
		struct {
			struct schema_dependency *list;
			size_t count;
		} dependencies;
	};
};

struct schema_node {
	enum { NODE_RULES, NODE_ALWAYS, NODE_NEVER } kind;
	bool needs_seen; /* has unevaluated* */
	struct schema_resource *resource;
	struct schema_rule *rules;
	size_t rule_count;
	unsigned char visit; /* of the search for endless recursion */
};

struct schema {
	json_t **documents; /* own copies: the schema's first, then those it named */
	size_t document_count;
	struct schema_node **nodes; /* all, the root first */
	size_t node_count;
	struct schema_resource **resources;
	size_t resource_count;
	struct schema_node *root;
	unsigned max_depth;
};

struct schema_compiler;

/* Reads the keyword's argument, and its siblings in `schema`, into the rule. False: err is set. */
typedef bool schema_read_fn(struct schema_compiler *c, struct schema_rule *rule,
			    const json_t *schema, const json_t *argument);

struct schema_keyword {
	const char *name;
	const char *also[2];   /* read together with it, also when it is absent itself */
	unsigned vocabularies; /* active in any of these */
	unsigned types;	       /* of values it says something about */
	schema_read_fn *read;
	schema_check_fn *check; /* NULL: never in a rule */
};

/* unevaluated*, which go by what all other rules of the node have seen. */
bool schema_keyword_is_last(const struct schema_keyword *keyword);

/* The names of types: "null" is SCHEMA_NULL. 0: none of that name. */
unsigned schema_type_bit(const char *name);
unsigned schema_type_of(const json_t *value);

/* An order of names, by bytes. */
int schema_compare_names(const char *a, size_t a_len, const char *b, size_t b_len);

/* Frees what a rule owns beside nodes. */
void schema_rule_finish(struct schema_rule *rule);

#endif
