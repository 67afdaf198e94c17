/* Keywords about a value as such: its type, numbers, strings. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "schema_equal.h"
#include "schema_run.h"

static const struct {
	unsigned bit;
	const char *name;
} types[] = {
	{SCHEMA_INTEGER, "integer"}, {SCHEMA_NULL, "null"},   {SCHEMA_BOOLEAN, "boolean"},
	{SCHEMA_OBJECT, "object"},   {SCHEMA_ARRAY, "array"}, {SCHEMA_NUMBER, "number"},
	{SCHEMA_STRING, "string"},
};

unsigned schema_type_bit(const char *name)
{
	for (size_t i = 0; i < COUNT_OF(types); i++)
		if (strcmp(types[i].name, name) == 0)
			return types[i].bit;
	return 0;
}

unsigned schema_type_of(const json_t *value)
{
	switch (json_typeof(value)) {
	case JSON_OBJECT:
		return SCHEMA_OBJECT;
	case JSON_ARRAY:
		return SCHEMA_ARRAY;
	case JSON_STRING:
		return SCHEMA_STRING;
	case JSON_INTEGER:
		return SCHEMA_NUMBER | SCHEMA_INTEGER;
	case JSON_REAL:
		return json_real_value(value) == floor(json_real_value(value))
			       ? SCHEMA_NUMBER | SCHEMA_INTEGER
			       : SCHEMA_NUMBER;
	case JSON_TRUE:
	case JSON_FALSE:
		return SCHEMA_BOOLEAN;
	case JSON_NULL:
		break;
	}
	return SCHEMA_NULL;
}

/* "string or null"; the first name alone for a value, whose bits are two for an integer. */
static void write_types(char *text, size_t room, unsigned bits)
{
	size_t len = 0;

	text[0] = '\0';
	for (size_t i = 0; i < COUNT_OF(types); i++) {
		if (!(bits & types[i].bit) || len >= room)
			continue;
		len += (size_t)snprintf(text + len, room - len, "%s%s", len > 0 ? " or " : "",
					types[i].name);
	}
}

bool schema_check_type(struct schema_run *run, const struct schema_rule *rule, const json_t *value,
		       struct schema_seen *seen)
{
	unsigned type = schema_type_of(value);
	char wanted[80], found[16];

	(void)seen;
	if (rule->types & type)
		return true;
	if (run->errors) {
		write_types(wanted, sizeof(wanted), rule->types);
		write_types(found, sizeof(found), type & SCHEMA_INTEGER ? SCHEMA_INTEGER : type);
		schema_fail(run, "type", "must be %s, is %s", wanted, found);
	}
	return false;
}

/* False as well when the budget ends. */
static bool same(struct schema_run *run, const json_t *a, const json_t *b)
{
	bool is_same = schema_same(a, b, &run->steps);

	if (run->steps == 0)
		run->exhausted = true;
	return is_same && !run->exhausted;
}

bool schema_check_const(struct schema_run *run, const struct schema_rule *rule, const json_t *value,
			struct schema_seen *seen)
{
	(void)seen;
	if (same(run, rule->value, value))
		return true;
	return run->errors ? schema_fail(run, "const", "must be %s", schema_show(rule->value).text)
			   : false;
}

static bool fail_enum(struct schema_run *run, const json_t *values)
{
	size_t count = json_array_size(values);
	char text[140] = "";
	size_t len = 0;

	for (size_t i = 0; i < count && len < sizeof(text) - 70; i++)
		len += (size_t)snprintf(text + len, sizeof(text) - len, "%s%s", i > 0 ? ", " : "",
					schema_show(json_array_get(values, i)).text);
	return schema_fail(run, "enum", "must be one of %s", text);
}

bool schema_check_enum(struct schema_run *run, const struct schema_rule *rule, const json_t *value,
		       struct schema_seen *seen)
{
	(void)seen;
	for (size_t i = 0; i < json_array_size(rule->value); i++)
		if (same(run, json_array_get(rule->value, i), value))
			return true;
	return run->errors ? fail_enum(run, rule->value) : false;
}

bool schema_check_multiple_of(struct schema_run *run, const struct schema_rule *rule,
			      const json_t *value, struct schema_seen *seen)
{
	(void)seen;
	if (schema_is_multiple(value, rule->value))
		return true;
	return schema_fail(run, "multipleOf", "must be a multiple of %.15g",
			   json_number_value(rule->value));
}

bool schema_check_maximum(struct schema_run *run, const struct schema_rule *rule,
			  const json_t *value, struct schema_seen *seen)
{
	(void)seen;
	if (schema_compare_numbers(value, rule->value) <= 0)
		return true;
	return schema_fail(run, "maximum", "must be at most %.15g", json_number_value(rule->value));
}

bool schema_check_exclusive_maximum(struct schema_run *run, const struct schema_rule *rule,
				    const json_t *value, struct schema_seen *seen)
{
	(void)seen;
	if (schema_compare_numbers(value, rule->value) < 0)
		return true;
	return schema_fail(run, "exclusiveMaximum", "must be less than %.15g",
			   json_number_value(rule->value));
}

bool schema_check_minimum(struct schema_run *run, const struct schema_rule *rule,
			  const json_t *value, struct schema_seen *seen)
{
	(void)seen;
	if (schema_compare_numbers(value, rule->value) >= 0)
		return true;
	return schema_fail(run, "minimum", "must be at least %.15g",
			   json_number_value(rule->value));
}

bool schema_check_exclusive_minimum(struct schema_run *run, const struct schema_rule *rule,
				    const json_t *value, struct schema_seen *seen)
{
	(void)seen;
	if (schema_compare_numbers(value, rule->value) > 0)
		return true;
	return schema_fail(run, "exclusiveMinimum", "must be more than %.15g",
			   json_number_value(rule->value));
}

/* Characters are code points, not bytes. */
static uint64_t count_characters(const json_t *value)
{
	const char *text = json_string_value(value);
	uint64_t count = 0;

	for (size_t i = 0; i < json_string_length(value); i++)
		count += ((unsigned char)text[i] & 0xc0) != 0x80;
	return count;
}

bool schema_check_max_length(struct schema_run *run, const struct schema_rule *rule,
			     const json_t *value, struct schema_seen *seen)
{
	(void)seen;
	if (json_string_length(value) <= rule->count || count_characters(value) <= rule->count)
		return true;
	return schema_fail(run, "maxLength", "must have at most %llu characters, has %llu",
			   (unsigned long long)rule->count,
			   (unsigned long long)count_characters(value));
}

bool schema_check_min_length(struct schema_run *run, const struct schema_rule *rule,
			     const json_t *value, struct schema_seen *seen)
{
	(void)seen;
	if (json_string_length(value) >= rule->count && count_characters(value) >= rule->count)
		return true;
	return schema_fail(run, "minLength", "must have at least %llu characters, has %llu",
			   (unsigned long long)rule->count,
			   (unsigned long long)count_characters(value));
}

bool schema_check_pattern(struct schema_run *run, const struct schema_rule *rule,
			  const json_t *value, struct schema_seen *seen)
{
	(void)seen;
	if (schema_run_match(run, rule->text.pattern, json_string_value(value),
			     json_string_length(value)))
		return true;
	return schema_fail(run, "pattern", "must match the pattern %s",
			   schema_quote(rule->text.source, strlen(rule->text.source)).text);
}

bool schema_check_format(struct schema_run *run, const struct schema_rule *rule,
			 const json_t *value, struct schema_seen *seen)
{
	(void)seen;
	if (rule->format.holds(json_string_value(value), json_string_length(value)))
		return true;
	return schema_fail(run, "format", "must be a valid %s", rule->format.name);
}
