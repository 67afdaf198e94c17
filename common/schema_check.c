#include <string.h>

#include "ensure.h"
#include "schema_run.h"

bool schema_run_spend(struct schema_run *run, uint64_t steps)
{
	if (run->exhausted)
		return false;
	if (run->steps < steps) {
		run->steps = 0;
		run->exhausted = true;
		return false;
	}
	run->steps -= steps;
	return true;
}

bool schema_run_goes_on(const struct schema_run *run)
{
	return run->errors && !run->errors->more && !run->exhausted;
}

void schema_seen_init(struct schema_seen *seen, size_t count)
{
	*seen = (struct schema_seen){.count = count};
	seen->words = count <= 128 ? seen->few : xcalloc((count + 63) / 64, sizeof(uint64_t));
}

void schema_seen_finish(struct schema_seen *seen)
{
	if (seen->words != seen->few)
		xfree(seen->words);
}

void schema_seen_mark(struct schema_seen *seen, size_t index)
{
	if (seen)
		seen->words[index / 64] |= (uint64_t)1 << index % 64;
}

void schema_seen_mark_all(struct schema_seen *seen)
{
	if (seen)
		memset(seen->words, 0xff, (seen->count + 63) / 64 * sizeof(uint64_t));
}

void schema_seen_merge(struct schema_seen *seen, const struct schema_seen *other)
{
	for (size_t i = 0; i < (seen->count + 63) / 64; i++)
		seen->words[i] |= other->words[i];
}

bool schema_seen_has(const struct schema_seen *seen, size_t index)
{
	return seen->words[index / 64] >> index % 64 & 1;
}

static size_t size_of(const json_t *value)
{
	return json_is_object(value) ? json_object_size(value) : json_array_size(value);
}

static bool run_rules(struct schema_run *run, const struct schema_node *node, const json_t *value,
		      struct schema_seen *seen)
{
	unsigned type = schema_type_of(value);
	bool valid = true;

	for (size_t i = 0; i < node->rule_count; i++) {
		const struct schema_rule *rule = &node->rules[i];

		if (!(rule->keyword->types & type))
			continue;
		if (!valid && schema_keyword_is_last(rule->keyword))
			break; /* what was seen is not known */
		if (rule->keyword->check(run, rule, value, seen))
			continue;
		valid = false;
		if (!schema_run_goes_on(run))
			break;
	}
	return valid;
}

/* With unevaluated* here, what is seen must be known here, and only of this node's own rules. */
static bool run_rules_seeing(struct schema_run *run, const struct schema_node *node,
			     const json_t *value, struct schema_seen *seen)
{
	struct schema_seen own;
	bool valid;

	if (!schema_run_spend(run, size_of(value) / 64))
		return false;
	schema_seen_init(&own, size_of(value));
	valid = run_rules(run, node, value, &own);
	if (valid && seen)
		schema_seen_merge(seen, &own);
	schema_seen_finish(&own);
	return valid;
}

bool schema_run_node(struct schema_run *run, const struct schema_node *node, const json_t *value,
		     struct schema_seen *seen)
{
	struct schema_scope scope = {.up = run->scope, .resource = node->resource};
	const struct schema_scope *outer = run->scope;
	bool valid;

	if (!schema_run_spend(run, 1))
		return false;
	if (node->kind == NODE_ALWAYS)
		return true;
	if (node->kind == NODE_NEVER)
		return schema_fail(run, "false", "is not allowed here");
	if (run->depth >= run->schema->max_depth) {
		run->exhausted = true;
		return false;
	}
	if (!outer || outer->resource != node->resource)
		run->scope = &scope;
	run->depth++;
	valid = node->needs_seen ? run_rules_seeing(run, node, value, seen)
				 : run_rules(run, node, value, seen);
	run->depth--;
	run->scope = outer;
	return valid;
}

bool schema_run_try(struct schema_run *run, const struct schema_node *node, const json_t *value,
		    struct schema_seen *seen, struct schema_errors *errors)
{
	struct schema_errors *outer = run->errors;
	struct schema_seen own;
	bool valid;

	if (seen && !schema_run_spend(run, seen->count / 64))
		return false;
	if (seen)
		schema_seen_init(&own, seen->count);
	run->errors = errors;
	valid = schema_run_node(run, node, value, seen ? &own : NULL);
	run->errors = outer;
	if (seen && valid)
		schema_seen_merge(seen, &own);
	if (seen)
		schema_seen_finish(&own);
	return valid;
}

bool schema_run_member(struct schema_run *run, const struct schema_node *node, const char *name,
		       size_t len, bool invented, const json_t *value)
{
	struct schema_place place = {
		.up = run->place, .name = name, .len = len, .invented = invented};
	bool valid;

	run->place = &place;
	valid = schema_run_node(run, node, value, NULL);
	run->place = place.up;
	return valid;
}

bool schema_run_item(struct schema_run *run, const struct schema_node *node, size_t index,
		     const json_t *value)
{
	struct schema_place place = {.up = run->place, .index = index};
	bool valid;

	run->place = &place;
	valid = schema_run_node(run, node, value, NULL);
	run->place = place.up;
	return valid;
}

/*
 * A match may cost as much as a hundred other steps before its own limit stops
 * it, so that is what it is charged: a whole check of matches that each come
 * near that limit ends within a second.
 */
bool schema_run_match(struct schema_run *run, const struct pattern *pattern, const char *text,
		      size_t len)
{
	enum pattern_result result;

	if (!schema_run_spend(run, 100 + len / 64))
		return false;
	result = pattern_match(pattern, &run->effort, text, len);
	if (result == PATTERN_EXHAUSTED)
		run->exhausted = true;
	return result == PATTERN_MATCHES;
}

static bool run_once(const struct schema *schema, const json_t *value, struct schema_errors *errors,
		     bool *exhausted)
{
	struct schema_run run = {.schema = schema, .errors = errors, .steps = SCHEMA_MAX_STEPS};
	bool valid = schema_run_node(&run, schema->root, value, NULL);

	pattern_effort_finish(&run.effort);
	*exhausted = run.exhausted;
	return valid && !run.exhausted;
}

static void report_exhaustion(const struct schema *schema, struct schema_errors *errors)
{
	struct schema_run run = {.schema = schema, .errors = errors};

	errors->count = 0;
	schema_fail(&run, "budget",
		    "takes too long to check: it is too large or too deep, or a "
		    "pattern of the schema is too hard to match");
}

bool schema_check(const struct schema *schema, const json_t *value, struct schema_errors *errors)
{
	bool exhausted;

	if (errors)
		*errors = (struct schema_errors){0};
	if (run_once(schema, value, NULL, &exhausted))
		return true;
	if (errors && !exhausted)
		run_once(schema, value, errors, &exhausted);
	if (errors && (exhausted || errors->count == 0))
		report_exhaustion(schema, errors);
	return false;
}
