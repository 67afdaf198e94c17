/* Keywords about objects. */
#include <string.h>

#include "schema_run.h"

bool schema_check_max_properties(struct schema_run *run, const struct schema_rule *rule,
				 const json_t *value, struct schema_seen *seen)
{
	(void)seen;
	if (json_object_size(value) <= rule->count)
		return true;
	return schema_fail(run, "maxProperties", "must have at most %llu properties, has %zu",
			   (unsigned long long)rule->count, json_object_size(value));
}

bool schema_check_min_properties(struct schema_run *run, const struct schema_rule *rule,
				 const json_t *value, struct schema_seen *seen)
{
	(void)seen;
	if (json_object_size(value) >= rule->count)
		return true;
	return schema_fail(run, "minProperties", "must have at least %llu properties, has %zu",
			   (unsigned long long)rule->count, json_object_size(value));
}

/* All of the names are members; those that are not are reported under the keyword. */
static bool has_all(struct schema_run *run, const char *keyword, const struct schema_name *names,
		    size_t count, const json_t *value)
{
	bool valid = true;

	if (!schema_run_spend(run, count))
		return false;
	for (size_t i = 0; i < count; i++) {
		if (json_object_getn(value, names[i].text, names[i].len))
			continue;
		valid = false;
		if (!schema_run_goes_on(run))
			break;
		schema_fail_member(run, keyword, names[i].text, names[i].len,
				   "needs the property %s",
				   schema_quote(names[i].text, names[i].len).text);
	}
	return valid;
}

bool schema_check_required(struct schema_run *run, const struct schema_rule *rule,
			   const json_t *value, struct schema_seen *seen)
{
	(void)seen;
	return has_all(run, "required", rule->names.list, rule->names.count, value);
}

bool schema_check_dependent_required(struct schema_run *run, const struct schema_rule *rule,
				     const json_t *value, struct schema_seen *seen)
{
	bool valid = true;

	(void)seen;
	for (size_t i = 0; i < rule->dependencies.count; i++) {
		const struct schema_dependency *d = &rule->dependencies.list[i];

		if (json_object_getn(value, d->name.text, d->name.len) &&
		    !has_all(run, "dependentRequired", d->required, d->required_count, value))
			valid = false;
	}
	return valid;
}

bool schema_check_dependent_schemas(struct schema_run *run, const struct schema_rule *rule,
				    const json_t *value, struct schema_seen *seen)
{
	bool valid = true;

	for (size_t i = 0; i < rule->dependencies.count; i++) {
		const struct schema_dependency *d = &rule->dependencies.list[i];

		if (json_object_getn(value, d->name.text, d->name.len) &&
		    !schema_run_node(run, d->node, value, seen))
			valid = false;
	}
	return valid;
}

static const struct schema_property *find(const struct schema_members *members, const char *name,
					  size_t len)
{
	size_t low = 0, high = members->property_count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		const struct schema_property *p = &members->properties[middle];
		int order = schema_compare_names(name, len, p->name.text, p->name.len);

		if (order == 0)
			return p;
		if (order < 0)
			high = middle;
		else
			low = middle + 1;
	}
	return NULL;
}

struct member {
	const char *name;
	size_t len;
	const json_t *value;
};

static bool check_patterns(struct schema_run *run, const struct schema_members *members,
			   const struct member *m, bool *matched)
{
	bool valid = true;

	for (size_t i = 0; i < members->pattern_count; i++) {
		const struct schema_pattern_property *p = &members->patterns[i];

		if (!schema_run_match(run, p->pattern, m->name, m->len)) {
			if (run->exhausted)
				return false;
			continue;
		}
		*matched = true;
		if (!schema_run_member(run, p->node, m->name, m->len, true, m->value))
			valid = false;
	}
	return valid;
}

static bool fail_additional(struct schema_run *run, const char *keyword, const struct member *m)
{
	return schema_fail(run, keyword, "has the property %s, which is not allowed",
			   schema_quote(m->name, m->len).text);
}

static bool check_member(struct schema_run *run, const struct schema_members *members,
			 const struct member *m, bool *matched)
{
	const struct schema_property *p = find(members, m->name, m->len);
	bool valid = true;

	if (p) {
		*matched = true;
		valid = schema_run_member(run, p->node, m->name, m->len, false, m->value);
	}
	if (members->pattern_count > 0 && !check_patterns(run, members, m, matched))
		valid = false;
	if (*matched || !members->additional)
		return valid;
	*matched = true;
	if (members->additional->kind == NODE_NEVER)
		return fail_additional(run, "additionalProperties", m);
	return schema_run_member(run, members->additional, m->name, m->len, true, m->value);
}

bool schema_check_members(struct schema_run *run, const struct schema_rule *rule,
			  const json_t *value, struct schema_seen *seen)
{
	json_t *object = (json_t *)value;
	bool valid = true;
	size_t index = 0;

	for (void *i = json_object_iter(object); i; i = json_object_iter_next(object, i), index++) {
		struct member m = {.name = json_object_iter_key(i),
				   .len = json_object_iter_key_len(i),
				   .value = json_object_iter_value(i)};
		bool matched = false;

		if (!schema_run_spend(run, 1))
			return false;
		if (!check_member(run, &rule->members, &m, &matched)) {
			valid = false;
			if (!schema_run_goes_on(run))
				return false;
		}
		if (matched)
			schema_seen_mark(seen, index);
	}
	return valid;
}

bool schema_check_property_names(struct schema_run *run, const struct schema_rule *rule,
				 const json_t *value, struct schema_seen *seen)
{
	const char *key;
	json_t *member;

	(void)seen;
	json_object_foreach ((json_t *)value, key, member) {
		json_auto_t *name = json_string(key);

		if (schema_run_try(run, rule->node, name, NULL, NULL))
			continue;
		return schema_fail(run, "propertyNames",
				   "has the property %s, whose name is not allowed",
				   schema_quote(key, strlen(key)).text);
	}
	return true;
}

bool schema_check_unevaluated_properties(struct schema_run *run, const struct schema_rule *rule,
					 const json_t *value, struct schema_seen *seen)
{
	json_t *object = (json_t *)value;
	bool valid = true;
	size_t index = 0;

	for (void *i = json_object_iter(object); i; i = json_object_iter_next(object, i), index++) {
		struct member m = {.name = json_object_iter_key(i),
				   .len = json_object_iter_key_len(i),
				   .value = json_object_iter_value(i)};

		if (schema_seen_has(seen, index))
			continue;
		if (!schema_run_spend(run, 1))
			return false;
		if (rule->node->kind == NODE_NEVER)
			valid = fail_additional(run, "unevaluatedProperties", &m);
		else if (!schema_run_member(run, rule->node, m.name, m.len, true, m.value))
			valid = false;
		if (!valid && !schema_run_goes_on(run))
			return false;
	}
	schema_seen_mark_all(seen);
	return valid;
}
