/* Keywords about arrays. */
#include "schema_equal.h"
#include "schema_run.h"

bool schema_check_max_items(struct schema_run *run, const struct schema_rule *rule,
			    const json_t *value, struct schema_seen *seen)
{
	(void)seen;
	if (json_array_size(value) <= rule->count)
		return true;
	return schema_fail(run, "maxItems", "must have at most %llu items, has %zu",
			   (unsigned long long)rule->count, json_array_size(value));
}

bool schema_check_min_items(struct schema_run *run, const struct schema_rule *rule,
			    const json_t *value, struct schema_seen *seen)
{
	(void)seen;
	if (json_array_size(value) >= rule->count)
		return true;
	return schema_fail(run, "minItems", "must have at least %llu items, has %zu",
			   (unsigned long long)rule->count, json_array_size(value));
}

bool schema_check_unique_items(struct schema_run *run, const struct schema_rule *rule,
			       const json_t *value, struct schema_seen *seen)
{
	size_t earlier = 0;
	long repeated = schema_first_repeated(value, &earlier, &run->steps);

	(void)rule;
	(void)seen;
	if (run->steps == 0)
		run->exhausted = true;
	if (run->exhausted || repeated < 0)
		return !run->exhausted;
	return schema_fail(run, "uniqueItems", "must not repeat an item; item %ld equals item %zu",
			   repeated, earlier);
}

/* prefixItems, then items for the rest. */
bool schema_check_items(struct schema_run *run, const struct schema_rule *rule, const json_t *value,
			struct schema_seen *seen)
{
	const struct schema_items *items = &rule->items;
	bool valid = true;

	for (size_t i = 0; i < json_array_size(value); i++) {
		const struct schema_node *node = i < items->prefix_count ? items->prefix[i]
									 : items->rest;

		if (!node)
			break;
		schema_seen_mark(seen, i);
		if (schema_run_item(run, node, i, json_array_get(value, i)))
			continue;
		valid = false;
		if (!schema_run_goes_on(run))
			break;
	}
	return valid;
}

/* Not told why an item does not fit: most need not. */
static bool fits(struct schema_run *run, const struct schema_node *node, const json_t *item)
{
	return schema_run_try(run, node, item, NULL, NULL);
}

bool schema_check_contains(struct schema_run *run, const struct schema_rule *rule,
			   const json_t *value, struct schema_seen *seen)
{
	const struct schema_contains *c = &rule->contains;
	uint64_t count = 0;

	for (size_t i = 0; i < json_array_size(value) && !run->exhausted; i++) {
		if (!fits(run, c->node, json_array_get(value, i)))
			continue;
		count++;
		schema_seen_mark(seen, i);
	}
	if (count < c->min)
		return schema_fail(run, c->min == 1 ? "contains" : "minContains",
				   "must have at least %llu items of a certain kind, has %llu",
				   (unsigned long long)c->min, (unsigned long long)count);
	if (count > c->max)
		return schema_fail(run, "maxContains",
				   "must have at most %llu items of a certain kind, has %llu",
				   (unsigned long long)c->max, (unsigned long long)count);
	return true;
}

bool schema_check_unevaluated_items(struct schema_run *run, const struct schema_rule *rule,
				    const json_t *value, struct schema_seen *seen)
{
	bool valid = true;

	for (size_t i = 0; i < json_array_size(value); i++) {
		if (schema_seen_has(seen, i))
			continue;
		if (schema_run_item(run, rule->node, i, json_array_get(value, i)))
			continue;
		valid = false;
		if (!schema_run_goes_on(run))
			break;
	}
	schema_seen_mark_all(seen);
	return valid;
}
