/*
 * One check under way; for the schema_*.c files only.
 *
 * A check runs twice at most: first in silence, stopping at the first thing
 * that is wrong, which is all a valid value needs; then, if somebody wants to
 * know why not, once more collecting errors.
 */
#ifndef SLUICE_SCHEMA_RUN_H
#define SLUICE_SCHEMA_RUN_H

#include "schema_node.h"

/* Where in the value we are: a chain on the stack, the innermost first. */
struct schema_place {
	const struct schema_place *up;
	const char *name; /* NULL: an item */
	size_t len;
	size_t index;
	bool invented; /* the schema knows no member of this name */
};

/* The resources entered so far, for $dynamicRef: a chain on the stack as well. */
struct schema_scope {
	const struct schema_scope *up;
	const struct schema_resource *resource;
};

/* Which members or items were looked at by a rule. One bit each. */
struct schema_seen {
	size_t count;
	uint64_t few[2];
	uint64_t *words; /* few, or allocated where there are many */
};

struct schema_run {
	const struct schema *schema;
	struct schema_errors *errors; /* NULL: nobody listens */
	const struct schema_place *place;
	const struct schema_scope *scope;
	uint64_t steps; /* left */
	unsigned depth;
	bool exhausted; /* the budget is used up; nothing that is said from here on counts */
	struct pattern_effort effort;
};

/* Check a value by a node, in place. seen may be NULL. */
bool schema_run_node(struct schema_run *run, const struct schema_node *node, const json_t *value,
		     struct schema_seen *seen);

/* The same, telling only `errors` (NULL: nobody), and with seen untouched unless it is valid. */
bool schema_run_try(struct schema_run *run, const struct schema_node *node, const json_t *value,
		    struct schema_seen *seen, struct schema_errors *errors);

bool schema_run_member(struct schema_run *run, const struct schema_node *node, const char *name,
		       size_t len, bool invented, const json_t *value);
bool schema_run_item(struct schema_run *run, const struct schema_node *node, size_t index,
		     const json_t *value);

bool schema_run_match(struct schema_run *run, const struct pattern *pattern, const char *text,
		      size_t len);

/* Takes steps off the budget. False: it is used up. */
bool schema_run_spend(struct schema_run *run, uint64_t steps);

/* Whether to look for more errors after one was found. */
bool schema_run_goes_on(const struct schema_run *run);

/* Report what is wrong here. Returns false. */
bool schema_fail(struct schema_run *run, const char *keyword, const char *fmt, ...) PRINTF(3, 4);

/* The same about a member of this object, by name. */
bool schema_fail_member(struct schema_run *run, const char *keyword, const char *name, size_t len,
			const char *fmt, ...) PRINTF(5, 6);

/* A name or constant in quotes, shortened, on one line. */
struct schema_quoted {
	char text[64];
};
struct schema_quoted schema_quote(const char *text, size_t len);
struct schema_quoted schema_show(const json_t *value); /* a string in quotes, others as JSON */

/* Length of the path an error would have here. */
size_t schema_path_len(const struct schema_run *run);

/* Report what another list holds, in this run's list. Returns false. */
bool schema_fail_all(struct schema_run *run, const struct schema_errors *errors);

void schema_seen_init(struct schema_seen *seen, size_t count);
void schema_seen_finish(struct schema_seen *seen);
void schema_seen_mark(struct schema_seen *seen, size_t index); /* seen may be NULL */
void schema_seen_mark_all(struct schema_seen *seen);	       /* seen may be NULL */
void schema_seen_merge(struct schema_seen *seen, const struct schema_seen *other);
bool schema_seen_has(const struct schema_seen *seen, size_t index);

/* The checks, by kind of value: schema_scalar.c, schema_object.c, schema_array.c, schema_logic.c.
 */
schema_check_fn schema_check_type, schema_check_const, schema_check_enum;
schema_check_fn schema_check_multiple_of, schema_check_maximum, schema_check_exclusive_maximum,
	schema_check_minimum, schema_check_exclusive_minimum;
schema_check_fn schema_check_max_length, schema_check_min_length, schema_check_pattern,
	schema_check_format;
schema_check_fn schema_check_max_items, schema_check_min_items, schema_check_unique_items,
	schema_check_items, schema_check_contains, schema_check_unevaluated_items;
schema_check_fn schema_check_max_properties, schema_check_min_properties, schema_check_required,
	schema_check_dependent_required, schema_check_dependent_schemas, schema_check_members,
	schema_check_property_names, schema_check_unevaluated_properties;
schema_check_fn schema_check_ref, schema_check_dynamic_ref, schema_check_all_of,
	schema_check_any_of, schema_check_one_of, schema_check_not, schema_check_if;

#endif
