/* Keywords that apply schemas to the value itself. */
#include <string.h>

#include "ensure.h"
#include "schema_run.h"

bool schema_check_ref(struct schema_run *run, const struct schema_rule *rule, const json_t *value,
		      struct schema_seen *seen)
{
	return schema_run_node(run, rule->node, value, seen);
}

static const struct schema_node *anchored(const struct schema_resource *resource, const char *name)
{
	for (size_t i = 0; i < resource->anchor_count; i++)
		if (strcmp(resource->anchors[i].name, name) == 0)
			return resource->anchors[i].node;
	return NULL;
}

/* The outermost resource that has the dynamic anchor decides. */
bool schema_check_dynamic_ref(struct schema_run *run, const struct schema_rule *rule,
			      const json_t *value, struct schema_seen *seen)
{
	const struct schema_node *node = rule->dynamic.node;

	if (rule->dynamic.name)
		for (const struct schema_scope *s = run->scope; s; s = s->up) {
			const struct schema_node *found;

			if (!schema_run_spend(run, 1 + s->resource->anchor_count))
				return false;
			found = anchored(s->resource, rule->dynamic.name);
			if (found)
				node = found;
		}
	return schema_run_node(run, node, value, seen);
}

bool schema_check_all_of(struct schema_run *run, const struct schema_rule *rule,
			 const json_t *value, struct schema_seen *seen)
{
	bool valid = true;

	for (size_t i = 0; i < rule->list.count; i++) {
		if (schema_run_node(run, rule->list.nodes[i], value, seen))
			continue;
		valid = false;
		if (!schema_run_goes_on(run))
			break;
	}
	return valid;
}

/*
 * How far a value is from an alternative, by its errors. One of another type or
 * with another constant was hardly meant; else the fewest errors are nearest.
 * {"anyOf": [an object, null]} then tells what is wrong within the object.
 */
#define OTHER_KIND 1000

static unsigned distance(const struct schema_run *run, const struct schema_errors *errors)
{
	unsigned sum = 0;

	for (size_t i = 0; i < errors->count; i++) {
		const struct schema_error *e = &errors->list[i];
		bool here = schema_path_len(run) == strlen(e->path);
		bool constant = strcmp(e->keyword, "const") == 0 || strcmp(e->keyword, "enum") == 0;

		if (here && (constant || strcmp(e->keyword, "type") == 0))
			sum += OTHER_KIND;
		sum += constant ? 20 : 1;
	}
	return sum;
}

static bool fail_alternatives(struct schema_run *run, const struct schema_rule *rule,
			      const struct schema_errors *nearest)
{
	if (nearest->count > 0 && distance(run, nearest) < OTHER_KIND)
		return schema_fail_all(run, nearest);
	return schema_fail(run, rule->keyword->name, "fits none of the %zu alternatives; one: %s",
			   rule->list.count, nearest->count > 0 ? nearest->list[0].text : "");
}

/* How many alternatives fit, up to `enough`. */
static size_t count_fitting(struct schema_run *run, const struct schema_list *list,
			    const json_t *value, struct schema_seen *seen, size_t enough)
{
	size_t fitting = 0;

	for (size_t i = 0; i < list->count && fitting < enough && !run->exhausted; i++)
		fitting += schema_run_try(run, list->nodes[i], value, seen, NULL);
	return fitting;
}

/* The same, and where none fits the nearest one's errors are told. */
static size_t count_fitting_aloud(struct schema_run *run, const struct schema_rule *rule,
				  const json_t *value, struct schema_seen *seen, size_t enough)
{
	AUTO(xfree) struct schema_errors *lists = xcalloc(2, sizeof(*lists));
	struct schema_errors *tried = &lists[0], *nearest = &lists[1];
	size_t fitting = 0;

	for (size_t i = 0; i < rule->list.count && fitting < enough && !run->exhausted; i++) {
		tried->count = 0;
		tried->more = false;
		if (schema_run_try(run, rule->list.nodes[i], value, seen, tried))
			fitting++;
		else if (i == 0 || distance(run, tried) < distance(run, nearest))
			memcpy(nearest, tried, sizeof(*nearest));
	}
	if (fitting == 0)
		fail_alternatives(run, rule, nearest);
	return fitting;
}

static size_t fit(struct schema_run *run, const struct schema_rule *rule, const json_t *value,
		  struct schema_seen *seen, size_t enough)
{
	return run->errors ? count_fitting_aloud(run, rule, value, seen, enough)
			   : count_fitting(run, &rule->list, value, seen, enough);
}

/* All alternatives are looked at where it matters which members they see. */
bool schema_check_any_of(struct schema_run *run, const struct schema_rule *rule,
			 const json_t *value, struct schema_seen *seen)
{
	return fit(run, rule, value, seen, seen ? rule->list.count : 1) > 0;
}

bool schema_check_one_of(struct schema_run *run, const struct schema_rule *rule,
			 const json_t *value, struct schema_seen *seen)
{
	size_t fitting = fit(run, rule, value, seen, 2);

	if (fitting > 1)
		return schema_fail(run, "oneOf", "fits more than one of the %zu alternatives",
				   rule->list.count);
	return fitting == 1;
}

bool schema_check_not(struct schema_run *run, const struct schema_rule *rule, const json_t *value,
		      struct schema_seen *seen)
{
	(void)seen;
	if (!schema_run_try(run, rule->node, value, NULL, NULL))
		return true;
	return schema_fail(run, "not", "is of the kind that is excluded");
}

bool schema_check_if(struct schema_run *run, const struct schema_rule *rule, const json_t *value,
		     struct schema_seen *seen)
{
	const struct schema_node *next = schema_run_try(run, rule->condition.test, value, seen,
							NULL)
						 ? rule->condition.then
						 : rule->condition.otherwise;

	return !next || schema_run_node(run, next, value, seen);
}
