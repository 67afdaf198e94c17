#include "config_tree.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "buffer.h"
#include "embedded.h"
#include "ensure.h"
#include "schema.h"
#include "secrets.h"
#include "units.h"

#define MAX_PATH 512

/* What leads the walk: the schema's text, and where to show what is wrong. */
struct walk {
	const json_t *schema;
	const struct yaml *doc;
	struct error *err;
};

const char *config_path_join(char *path, size_t size, const char *parent, const char *name)
{
	size_t len = (size_t)snprintf(path, size, "%s/", parent);

	for (; *name && len + 3 < size; name++) {
		if (*name == '~' || *name == '/') {
			path[len++] = '~';
			path[len++] = *name == '~' ? '0' : '1';
		} else {
			path[len++] = *name;
		}
	}
	path[len < size ? len : size - 1] = '\0';
	return path;
}

static json_t *read_schema(void)
{
	const char *text = embedded_text("schemas/config.json");
	struct error err;
	json_t *schema = json_read(text, strlen(text), JSON_OURS, &err);

	ENSURE(schema);
	return schema;
}

/* The definition a part of the schema refers to, and its name; else the part and "". */
static const json_t *definition(const json_t *schema, const json_t *part, const char **name)
{
	static const char prefix[] = "#/$defs/";
	const char *ref = json_text(part, "$ref", NULL);

	*name = "";
	if (!ref)
		return part;
	ENSURE(!strncmp(ref, prefix, sizeof(prefix) - 1));
	*name = ref + sizeof(prefix) - 1;
	return json_object_get(json_object_get(schema, "$defs"), *name);
}

/* What the schema says of a member, or of an element where name is NULL; NULL: nothing. */
static const json_t *child_of(const json_t *schema, const json_t *part, const char *name)
{
	const char *type;
	const json_t *def = definition(schema, part, &type);
	const json_t *child;

	if (!name)
		return json_object_get(def, "items");
	child = json_object_get(json_object_get(def, "properties"), name);
	if (!child)
		child = json_object_get(def, "additionalProperties");
	return json_is_object(child) ? child : NULL;
}

/* The next name of a JSON pointer, unescaped; what follows it, or NULL at the end. */
static const char *next_name(const char *path, char *name, size_t size)
{
	size_t len = 0;

	if (*path != '/')
		return NULL;
	for (path++; *path && *path != '/'; path++) {
		char c = *path;

		if (c == '~' && (path[1] == '0' || path[1] == '1'))
			c = *++path == '0' ? '~' : '/';
		if (len + 1 < size)
			name[len++] = c;
	}
	name[len] = '\0';
	return path;
}

/* Follow a JSON pointer through the values and what the schema says of them. */
static const json_t *find(const json_t *schema, const json_t **value, const char *path)
{
	const json_t *part = schema;
	char name[256];

	while (part && (path = next_name(path, name, sizeof(name)))) {
		bool array = json_is_array(*value);

		part = child_of(schema, part, array ? NULL : name);
		*value = array ? json_array_get(*value, strtoul(name, NULL, 10))
			       : json_object_get(*value, name);
	}
	return part;
}

static bool is_amount(const char *type)
{
	static const char *const amounts[] = {"count", "number",     "flag", "duration", "size",
					      "name",  "model_name", "text", "option"};

	for (size_t i = 0; i < COUNT_OF(amounts); i++)
		if (!strcmp(type, amounts[i]))
			return true;
	return false;
}

/* How many letters differ, roughly: enough to find a typing error. */
static size_t distance(const char *a, const char *b)
{
	size_t row[66];
	size_t width = strlen(b);

	if (width > 64 || strlen(a) > 64)
		return 64;
	for (size_t j = 0; j <= width; j++)
		row[j] = j;
	for (size_t i = 1; a[i - 1]; i++) {
		size_t corner = row[0];

		row[0] = i;
		for (size_t j = 1; j <= width; j++) {
			size_t change = corner + (a[i - 1] != b[j - 1]);

			corner = row[j];
			if (row[j] + 1 < change)
				change = row[j] + 1;
			row[j] = row[j - 1] + 1 < change ? row[j - 1] + 1 : change;
		}
	}
	return row[width];
}

static const char *nearest(const json_t *properties, const char *unknown)
{
	size_t least = strlen(unknown) / 3 + 1;
	const char *best = NULL, *name;
	json_t *unused;

	json_object_foreach ((json_t *)properties, name, unused) {
		size_t d = distance(unknown, name);

		if (d <= least && (!best || d < least)) {
			best = name;
			least = d;
		}
	}
	return best;
}

/* Name the member of the object that the schema does not know. */
static bool error_of_unknown(const struct walk *w, const json_t *part, const json_t *object,
			     const char *path)
{
	const char *type, *name, *likely;
	const json_t *properties = json_object_get(definition(w->schema, part, &type),
						   "properties");
	char member[MAX_PATH];
	int line, column;
	json_t *unused;

	json_object_foreach ((json_t *)object, name, unused) {
		if (json_object_get(properties, name))
			continue;
		config_path_join(member, sizeof(member), path, name);
		yaml_locate_key(w->doc, member, &line, &column);
		likely = nearest(properties, name);
		return error_set(w->err, ERROR_REJECT, "%s:%d:%d: %s is no setting%s%s%s",
				 yaml_name(w->doc), line, column, member,
				 likely ? "; did you mean \"" : "", likely ? likely : "",
				 likely ? "\"?" : "");
	}
	return false;
}

/* The first complaint; but a setting that is misspelt explains one that is missing. */
static const struct schema_error *first_of(const struct schema_errors *errors)
{
	for (size_t i = 0; i < errors->count; i++)
		if (!strcmp(errors->list[i].keyword, "additionalProperties"))
			return &errors->list[i];
	return &errors->list[0];
}

/* What the schema complains of, at its place and with what is wanted there. */
static bool error_of_schema(const struct walk *w, const json_t *tree,
			    const struct schema_errors *errors)
{
	const struct schema_error *e = first_of(errors);
	const json_t *value = tree;
	const json_t *part = find(w->schema, &value, e->path);
	const char *type = "";
	const json_t *def = part ? definition(w->schema, part, &type) : NULL;

	if (!strcmp(e->keyword, "additionalProperties") && part)
		return error_of_unknown(w, part, value, e->path);
	if (is_amount(type) && (!strcmp(e->keyword, "type") || !strcmp(e->keyword, "pattern") ||
				!strcmp(type, "duration")))
		return yaml_error(w->doc, e->path, w->err, "%s must be %s", e->path,
				  json_text(def, "description", ""));
	return yaml_error(w->doc, e->path, w->err, "%s %s", e->path[0] ? e->path : "the file",
			  e->text);
}

static bool check(const struct walk *w, const struct schema *schema, const json_t *tree)
{
	struct schema_errors errors = {0};

	if (schema_check(schema, tree, &errors))
		return true;
	return error_of_schema(w, tree, &errors);
}

/* Set what is missing in an object to what the schema gives as its default. */
static void add_defaults(const json_t *schema, const json_t *part, json_t *object)
{
	const char *type, *name;
	const json_t *properties = json_object_get(definition(schema, part, &type), "properties");
	const json_t *of_whole = json_object_get(part, "default");
	json_t *member;

	json_object_foreach ((json_t *)properties, name, member) {
		const json_t *value = json_object_get(of_whole, name);

		if (!value)
			value = json_object_get(member, "default");
		if (value && !json_object_get(object, name))
			json_object_set_new(object, name, json_deep_copy(value));
	}
}

/* A text of the file in the type that the schema wants. NULL: it cannot be. */
static json_t *typed(const char *text, const char *type)
{
	int64_t count;
	nsec duration;
	size_t size;

	if (!strcmp(type, "count"))
		return units_count(text, &count) ? json_integer(count) : NULL;
	if (!strcmp(type, "flag"))
		return !strcmp(text, "true")	? json_true()
		       : !strcmp(text, "false") ? json_false()
						: NULL;
	if (!strcmp(type, "number")) {
		size_t len = strspn(text, "0123456789.-");

		return len > 0 && !text[len] ? json_real(strtod(text, NULL)) : NULL;
	}
	if ((!strcmp(type, "duration") && !units_duration(text, &duration)) ||
	    (!strcmp(type, "size") && !units_size(text, &size)))
		return NULL;
	return json_string(text);
}

static json_t *complete_text(const struct walk *w, const json_t *def, const char *type,
			     const char *text, const char *path)
{
	AUTO(xfree) char *resolved = secrets_resolve(text, w->err);
	json_t *value;

	if (!resolved) {
		AUTO(xfree) char *why = xstrdup(w->err->text);

		yaml_error(w->doc, path, w->err, "%s: %s", path, why);
		return NULL;
	}
	value = typed(resolved, type);
	if (!value)
		yaml_error(w->doc, path, w->err, "%s must be %s", path,
			   json_text(def, "description", "a text"));
	return value;
}

/* librdkafka takes texts only; `true` and `10` mean "true" and "10". */
static json_t *complete_scalar(const char *type, json_t *value)
{
	if (!strcmp(type, "duration") && json_is_integer(value))
		return json_string("0");
	if (!strcmp(type, "option")) {
		AUTO(xfree) char *text = json_write(value);

		return json_string(text);
	}
	return json_incref(value);
}

static json_t *complete(const struct walk *w, const json_t *part, json_t *value, const char *path);

static bool complete_object(const struct walk *w, const json_t *part, json_t *object,
			    const char *path)
{
	char member[MAX_PATH];

	add_defaults(w->schema, part, object);
	for (void *at = json_object_iter(object); at; at = json_object_iter_next(object, at)) {
		const char *name = json_object_iter_key(at);
		const json_t *child = child_of(w->schema, part, name);
		json_t *value;

		if (!child)
			continue;
		config_path_join(member, sizeof(member), path, name);
		value = complete(w, child, json_object_iter_value(at), member);
		if (!value)
			return false;
		json_object_iter_set_new(object, at, value);
	}
	return true;
}

static bool complete_array(const struct walk *w, const json_t *part, json_t *array,
			   const char *path)
{
	const json_t *items = child_of(w->schema, part, NULL);
	char name[24], element[MAX_PATH];

	for (size_t i = 0; items && i < json_array_size(array); i++) {
		json_t *value;

		snprintf(name, sizeof(name), "%zu", i);
		config_path_join(element, sizeof(element), path, name);
		value = complete(w, items, json_array_get(array, i), element);
		if (!value)
			return false;
		json_array_set_new(array, i, value);
	}
	return true;
}

/* A new reference to the value as it should be: the same, changed inside, or another. */
static json_t *complete(const struct walk *w, const json_t *part, json_t *value, const char *path)
{
	const char *type;
	const json_t *def = definition(w->schema, part, &type);

	if (json_is_string(value))
		return complete_text(w, def, type, json_string_value(value), path);
	if (json_is_object(value))
		return complete_object(w, part, value, path) ? json_incref(value) : NULL;
	if (json_is_array(value))
		return complete_array(w, part, value, path) ? json_incref(value) : NULL;
	return complete_scalar(type, value);
}

json_t *config_tree_read(struct yaml *doc, struct error *err)
{
	json_auto_t *text = read_schema();
	AUTO(schema_destroy) struct schema *schema = schema_compile(text, err);
	struct walk w = {.schema = text, .doc = doc, .err = err};
	json_auto_t *tree = NULL;

	ENSURE(schema);
	if (!check(&w, schema, yaml_tree(doc)))
		return NULL;
	tree = complete(&w, text, yaml_tree(doc), "");
	/* What the environment brought must fit as well. */
	if (!tree || !check(&w, schema, tree))
		return NULL;
	return TAKE(tree);
}

static void mask(const json_t *schema, const json_t *part, json_t *value);

static json_t *masked_text(const char *name, const char *type, const char *text)
{
	AUTO(xfree) char *shown = NULL;

	if (*text &&
	    (!strcmp(type, "secret") || (!strcmp(type, "option") && secrets_is_secret_name(name))))
		return json_string(SECRETS_MASK);
	shown = secrets_mask(text);
	return json_string(shown);
}

/* The text in its place as it may be shown; NULL: it is no text, and was looked into. */
static json_t *masked(const json_t *schema, const json_t *child, const char *name, json_t *value)
{
	const char *type;

	definition(schema, child, &type);
	if (json_is_string(value))
		return masked_text(name, type, json_string_value(value));
	mask(schema, child, value);
	return NULL;
}

static void mask_object(const json_t *schema, const json_t *part, json_t *object)
{
	for (void *at = json_object_iter(object); at; at = json_object_iter_next(object, at)) {
		const char *name = json_object_iter_key(at);
		json_t *value = json_object_iter_value(at);
		const json_t *child = child_of(schema, part, name);
		json_t *shown = child ? masked(schema, child, name, value) : NULL;

		if (shown)
			json_object_iter_set_new(object, at, shown);
	}
}

static void mask(const json_t *schema, const json_t *part, json_t *value)
{
	const json_t *items;

	if (json_is_object(value))
		mask_object(schema, part, value);
	if (!json_is_array(value))
		return;
	items = child_of(schema, part, NULL);
	for (size_t i = 0; items && i < json_array_size(value); i++) {
		json_t *shown = masked(schema, items, "", json_array_get(value, i));

		if (shown)
			json_array_set_new(value, i, shown);
	}
}

json_t *config_tree_masked(const json_t *tree)
{
	json_auto_t *schema = read_schema();
	json_t *copy = json_deep_copy(tree);

	ENSURE(copy);
	mask(schema, schema, copy);
	return copy;
}
