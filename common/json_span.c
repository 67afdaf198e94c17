#include "json_span.h"

#include <stddef.h>
#include <string.h>

struct cursor {
	const char *at;
	const char *end;
};

static struct cursor cursor_of(struct json_span span)
{
	return (struct cursor){span.bytes, span.bytes + span.len};
}

static char peek(struct cursor *c)
{
	while (c->at < c->end &&
	       (*c->at == ' ' || *c->at == '\t' || *c->at == '\n' || *c->at == '\r'))
		c->at++;
	return c->at < c->end ? *c->at : '\0';
}

static bool step_over(struct cursor *c, char wanted)
{
	if (peek(c) != wanted)
		return false;
	c->at++;
	return true;
}

/* The quote that ends a string is the first one behind an even number of backslashes. */
static bool is_escaped(const char *start, const char *quote)
{
	size_t count = 0;

	while (quote - count > start && quote[-1 - (ptrdiff_t)count] == '\\')
		count++;
	return count % 2 == 1;
}

static bool skip_string(struct cursor *c)
{
	const char *start;

	if (!step_over(c, '"'))
		return false;
	start = c->at;
	while ((c->at = memchr(c->at, '"', (size_t)(c->end - c->at)))) {
		if (!is_escaped(start, c->at++))
			return true;
	}
	c->at = c->end;
	return false;
}

/* Brackets are counted, not matched: the text is known to be JSON. */
static bool skip_nested(struct cursor *c)
{
	size_t depth = 0;

	do {
		char next = peek(c);

		if (next == '\0')
			return false;
		if (next == '"') {
			if (!skip_string(c))
				return false;
			continue;
		}
		depth += next == '{' || next == '[';
		depth -= next == '}' || next == ']';
		c->at++;
	} while (depth > 0);
	return true;
}

static bool skip_value(struct cursor *c, struct json_span *value)
{
	char first = peek(c);
	const char *start = c->at;

	if (first == '"') {
		if (!skip_string(c))
			return false;
	} else if (first == '{' || first == '[') {
		if (!skip_nested(c))
			return false;
	} else {
		while (c->at < c->end && !strchr(",]} \t\r\n", *c->at))
			c->at++;
	}
	*value = (struct json_span){start, (size_t)(c->at - start)};
	return value->len > 0;
}

static bool is_name(struct json_span quoted, const char *name)
{
	return quoted.len == strlen(name) + 2 &&
	       memcmp(quoted.bytes + 1, name, quoted.len - 2) == 0;
}

bool json_span_member(struct json_span object, const char *name, struct json_span *value)
{
	struct cursor c = cursor_of(object);
	bool found = false;

	if (!step_over(&c, '{'))
		return false;
	while (peek(&c) == '"') {
		struct json_span key, next;

		if (!skip_value(&c, &key) || !step_over(&c, ':') || !skip_value(&c, &next))
			return false;
		if (is_name(key, name)) {
			*value = next;
			found = true;
		}
		if (!step_over(&c, ','))
			break;
	}
	return found;
}

bool json_span_item(struct json_span array, size_t index, struct json_span *value)
{
	struct cursor c = cursor_of(array);
	struct json_span next;

	if (!step_over(&c, '[') || peek(&c) == ']')
		return false;
	while (skip_value(&c, &next)) {
		if (index-- == 0) {
			*value = next;
			return true;
		}
		if (!step_over(&c, ','))
			return false;
	}
	return false;
}
