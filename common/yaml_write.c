/* A JSON tree as YAML for people: block style, quotes only where they are needed. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "ensure.h"
#include "yaml.h"

#define MAX_DEPTH 64

static bool write_value(struct buffer *out, const json_t *value, int depth);

/* Words that would be read as something else than a text, here or by a reader of YAML 1.1. */
static bool is_taken(const char *text)
{
	static const char *const words[] = {"null", "true", "false", "yes", "no",
					    "on",   "off",  "y",     "n"};

	for (size_t i = 0; i < COUNT_OF(words); i++)
		if (!strcasecmp(text, words[i]))
			return true;
	return false;
}

static bool is_letter(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/* Amounts such as 10MiB and 30s; not what some reader takes for a number. */
static bool is_amount(const char *text)
{
	size_t digits = strspn(text, "0123456789");

	return digits > 0 && is_letter(text[strlen(text) - 1]) && text[digits] != 'x' &&
	       text[digits] != 'o';
}

/* Texts of letters, digits and signs that mean nothing to YAML where they stand. */
static bool is_plain(const char *text)
{
	if (!is_letter(*text) && *text != '/' && !is_amount(text))
		return false;
	if (is_taken(text))
		return false;
	for (const char *p = text; *p; p++)
		if (!is_letter(*p) && !strchr("0123456789/._-+@=?", *p) && (*p != ':' || !p[1]))
			return false;
	return true;
}

static bool write_text(struct buffer *out, const char *text)
{
	json_auto_t *string = NULL;
	AUTO(xfree) char *quoted = NULL;

	if (is_plain(text))
		return buffer_text(out, text);
	string = json_string(text);
	quoted = json_write(string);
	return buffer_text(out, quoted);
}

/* The shortest spelling that is read back as the same number, and as no integer. */
static bool write_real(struct buffer *out, double real)
{
	char text[40];

	for (int digits = 1; digits <= 17; digits++) {
		snprintf(text, sizeof(text), "%.*g", digits, real);
		if (strtod(text, NULL) == real)
			break;
	}
	return buffer_printf(out, "%s%s", text, strpbrk(text, ".e") ? "" : ".0");
}

static bool write_scalar(struct buffer *out, const json_t *value)
{
	if (json_is_string(value))
		return write_text(out, json_string_value(value));
	if (json_is_integer(value))
		return buffer_printf(out, "%" JSON_INTEGER_FORMAT, json_integer_value(value));
	if (json_is_real(value))
		return write_real(out, json_real_value(value));
	if (json_is_boolean(value))
		return buffer_text(out, json_is_true(value) ? "true" : "false");
	return buffer_text(out, "null");
}

static bool is_block(const json_t *value)
{
	return json_object_size(value) > 0 || json_array_size(value) > 0;
}

static bool indent(struct buffer *out, int depth)
{
	return buffer_printf(out, "%*s", 2 * depth, "");
}

/* What follows a key: a block on lines of its own, or the rest of the line. */
static bool write_after_key(struct buffer *out, const json_t *value, int depth)
{
	if (is_block(value))
		return buffer_byte(out, '\n') && indent(out, depth + 1) &&
		       write_value(out, value, depth + 1);
	return buffer_byte(out, ' ') && write_value(out, value, depth);
}

static bool write_object(struct buffer *out, const json_t *object, int depth)
{
	const char *name;
	json_t *member;
	bool first = true;

	json_object_foreach ((json_t *)object, name, member) {
		if (!first && !indent(out, depth))
			return false;
		if (!write_text(out, name) || !buffer_byte(out, ':') ||
		    !write_after_key(out, member, depth))
			return false;
		first = false;
	}
	return true;
}

static bool write_array(struct buffer *out, const json_t *array, int depth)
{
	json_t *element;
	size_t i;

	json_array_foreach ((json_t *)array, i, element) {
		if (i > 0 && !indent(out, depth))
			return false;
		if (!buffer_text(out, "- ") || !write_value(out, element, depth + 1))
			return false;
	}
	return true;
}

/* The value with the end of its last line; its first line is indented already. */
static bool write_value(struct buffer *out, const json_t *value, int depth)
{
	if (depth > MAX_DEPTH)
		return false;
	if (is_block(value))
		return json_is_object(value) ? write_object(out, value, depth)
					     : write_array(out, value, depth);
	if (json_is_object(value) || json_is_array(value))
		return buffer_text(out, json_is_object(value) ? "{}\n" : "[]\n");
	return write_scalar(out, value) && buffer_byte(out, '\n');
}

bool yaml_write(struct buffer *out, const json_t *value)
{
	return write_value(out, value, 0);
}
