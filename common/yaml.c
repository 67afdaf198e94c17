#include "yaml.h"

#include <errno.h>
#include <libfyaml.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ensure.h"

#define MAX_BYTES ((size_t)1 << 20)
#define MAX_DEPTH 64
#define MAX_VALUES 100000 /* aliases followed: a small text cannot become a large tree */

struct yaml {
	char *name;
	struct fy_document *document;
	json_t *tree;
	size_t values;
};

static bool error_at(const struct yaml *doc, struct fy_node *node, struct error *err,
		     const char *fmt, ...) PRINTF(4, 5);

/* Mappings and sequences carry no token of their own: they stand where their first part does. */
static struct fy_token *first_token(struct fy_node *node)
{
	for (int depth = 0; node && depth <= MAX_DEPTH; depth++) {
		void *at = NULL;

		if (fy_node_is_scalar(node))
			return fy_node_get_scalar_token(node);
		if (fy_node_is_mapping(node))
			node = fy_node_pair_key(fy_node_mapping_iterate(node, &at));
		else
			node = fy_node_sequence_iterate(node, &at);
	}
	return NULL;
}

/* False: nothing of it carries a place, for it is empty. */
static bool place_of(struct fy_node *node, int *line, int *column)
{
	struct fy_token *token = first_token(node);
	const struct fy_mark *mark = token ? fy_token_start_mark(token) : NULL;
	enum fy_scalar_style style;

	if (!mark)
		return false;
	style = fy_token_scalar_style(token);
	*line = mark->line + 1;
	*column = mark->column + 1;
	/* The library's mark stands behind the opening quote. */
	if (style == FYSS_SINGLE_QUOTED || style == FYSS_DOUBLE_QUOTED)
		*column = mark->column;
	return true;
}

static bool error_at(const struct yaml *doc, struct fy_node *node, struct error *err,
		     const char *fmt, ...)
{
	char text[sizeof(err->text)];
	int line = 1, column = 1;
	va_list args;

	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	place_of(node, &line, &column);
	return error_set(err, ERROR_REJECT, "%s:%d:%d: %s", doc->name, line, column, text);
}

/* Plain scalars by the core schema of YAML 1.2: `yes`, `0x1F` and `200_000` are texts. */
static bool looks_like_number(const char *text, size_t len, bool *integer)
{
	size_t at = len > 0 && (text[0] == '-' || text[0] == '+') ? 1 : 0;
	size_t digits = strspn(text + at, "0123456789");

	*integer = digits > 0 && at + digits == len;
	if (*integer)
		return true;
	at += digits;
	if (at < len && text[at] == '.') {
		size_t decimals = strspn(text + at + 1, "0123456789");

		digits += decimals;
		at += 1 + decimals;
	}
	if (digits > 0 && at < len && (text[at] == 'e' || text[at] == 'E')) {
		size_t sign = text[at + 1] == '-' || text[at + 1] == '+' ? 1 : 0;
		size_t exponent = strspn(text + at + 1 + sign, "0123456789");

		if (exponent == 0)
			return false;
		at += 1 + sign + exponent;
	}
	return digits > 0 && at == len;
}

static json_t *number(const struct yaml *doc, struct fy_node *node, const char *text, bool integer,
		      struct error *err)
{
	errno = 0;
	if (integer) {
		long long value = strtoll(text, NULL, 10);

		if (errno == 0)
			return json_integer(value);
	} else {
		double value = strtod(text, NULL);

		if (isfinite(value))
			return json_real(value);
	}
	error_at(doc, node, err, "number %s is out of range", text);
	return NULL;
}

static json_t *plain(const struct yaml *doc, struct fy_node *node, const char *text, size_t len,
		     struct error *err)
{
	bool integer;

	if (len == 0 || !strcmp(text, "~") || !strcmp(text, "null") || !strcmp(text, "Null") ||
	    !strcmp(text, "NULL"))
		return json_null();
	if (!strcmp(text, "true") || !strcmp(text, "True") || !strcmp(text, "TRUE"))
		return json_true();
	if (!strcmp(text, "false") || !strcmp(text, "False") || !strcmp(text, "FALSE"))
		return json_false();
	if (looks_like_number(text, len, &integer))
		return number(doc, node, text, integer, err);
	return json_stringn(text, len);
}

static json_t *scalar(const struct yaml *doc, struct fy_node *node, struct error *err)
{
	struct fy_token *token = fy_node_get_scalar_token(node);
	size_t len = 0;
	const char *bytes = fy_node_get_scalar(node, &len);
	AUTO(xfree) char *text = xstrndup(bytes ? bytes : "", bytes ? len : 0);
	json_t *value;

	if (strlen(text) != (bytes ? len : 0)) {
		error_at(doc, node, err, "a text holds a zero character");
		return NULL;
	}
	if (!token || fy_token_scalar_style(token) == FYSS_PLAIN)
		return plain(doc, node, text, strlen(text), err);
	value = json_string(text);
	if (!value) /* an escape such as "\xff" spelled it */
		error_at(doc, node, err, "a text is not UTF-8");
	return value;
}

static json_t *convert(struct yaml *doc, struct fy_node *node, int depth, struct error *err);

static bool convert_pair(struct yaml *doc, struct fy_node_pair *pair, json_t *object, int depth,
			 struct error *err)
{
	struct fy_node *key_node = fy_node_pair_key(pair);
	size_t len = 0;
	const char *bytes = key_node && fy_node_is_scalar(key_node) && !fy_node_is_alias(key_node)
				    ? fy_node_get_scalar(key_node, &len)
				    : NULL;
	AUTO(xfree) char *key = bytes ? xstrndup(bytes, len) : NULL;
	json_t *value;

	if (!key || strlen(key) != len)
		return error_at(doc, key_node, err, "a key is not a plain text");
	if (json_object_get(object, key))
		return error_at(doc, key_node, err, "duplicate key \"%.80s\"", key);
	value = convert(doc, fy_node_pair_value(pair), depth, err);
	if (!value)
		return false;
	if (json_object_set_new(object, key, value) != 0)
		return error_at(doc, key_node, err, "a key is not UTF-8");
	return true;
}

static json_t *mapping(struct yaml *doc, struct fy_node *node, int depth, struct error *err)
{
	json_auto_t *object = json_object();
	struct fy_node_pair *pair;
	void *at = NULL;

	ENSURE(object);
	while ((pair = fy_node_mapping_iterate(node, &at)))
		if (!convert_pair(doc, pair, object, depth, err))
			return NULL;
	return TAKE(object);
}

static json_t *sequence(struct yaml *doc, struct fy_node *node, int depth, struct error *err)
{
	json_auto_t *array = json_array();
	struct fy_node *item;
	void *at = NULL;

	ENSURE(array);
	while ((item = fy_node_sequence_iterate(node, &at))) {
		json_t *value = convert(doc, item, depth, err);

		if (!value)
			return NULL;
		ENSURE(json_array_append_new(array, value) == 0);
	}
	return TAKE(array);
}

static json_t *convert(struct yaml *doc, struct fy_node *node, int depth, struct error *err)
{
	if (!node)
		return json_null();
	if (depth > MAX_DEPTH || ++doc->values > MAX_VALUES) {
		error_at(doc, node, err,
			 "more than %d levels or %d values (aliases counted each time)", MAX_DEPTH,
			 MAX_VALUES);
		return NULL;
	}
	if (fy_node_get_tag_token(node)) {
		error_at(doc, node, err, "tags (\"!...\") mean nothing here; leave it out");
		return NULL;
	}
	if (fy_node_is_alias(node)) {
		struct fy_node *target = fy_node_resolve_alias(node);

		if (target)
			return convert(doc, target, depth + 1, err);
		error_at(doc, node, err, "an alias has no anchor");
		return NULL;
	}
	if (fy_node_is_mapping(node))
		return mapping(doc, node, depth + 1, err);
	if (fy_node_is_sequence(node))
		return sequence(doc, node, depth + 1, err);
	return scalar(doc, node, err);
}

/* The parser's first complaint. */
static bool error_of_parser(struct fy_parser *parser, const char *name, struct error *err)
{
	struct fy_diag *diag = fy_parser_get_diag(parser); /* a reference of ours */
	void *at = NULL;
	struct fy_diag_error *first = fy_diag_errors_iterate(diag, &at);

	if (first)
		error_set(err, ERROR_REJECT, "%s:%d:%d: %s", name, first->line, first->column,
			  first->msg);
	else
		error_set(err, ERROR_REJECT, "%s: not YAML", name);
	fy_diag_unref(diag);
	return false;
}

/* The one document of the text; NULL with an error if there is none, or a second one. */
static struct fy_document *load_only(struct fy_parser *parser, const char *name, struct error *err)
{
	struct fy_document *document = fy_parse_load_document(parser);
	struct fy_document *second;

	if (!document) {
		if (fy_parser_get_stream_error(parser))
			error_of_parser(parser, name, err);
		else
			error_set(err, ERROR_REJECT, "%s: holds no settings", name);
		return NULL;
	}
	second = fy_parse_load_document(parser);
	if (second || fy_parser_get_stream_error(parser)) {
		if (second)
			error_set(err, ERROR_REJECT, "%s: a second document follows; one is wanted",
				  name);
		else
			error_of_parser(parser, name, err);
		fy_parse_document_destroy(parser, second);
		fy_parse_document_destroy(parser, document);
		return NULL;
	}
	return document;
}

static struct fy_document *load(const char *name, const char *text, size_t len, struct error *err)
{
	struct fy_diag *diag = fy_diag_create(NULL);
	struct fy_parse_cfg settings = {
		.flags = FYPCF_QUIET | FYPCF_COLLECT_DIAG | FYPCF_DEFAULT_VERSION_1_2 |
			 FYPCF_SLOPPY_FLOW_INDENTATION | FYPCF_DISABLE_RECYCLING,
		.diag = diag,
	};
	struct fy_parser *parser;
	struct fy_document *document = NULL;

	ENSURE(diag);
	fy_diag_set_collect_errors(diag, true);
	parser = fy_parser_create(&settings);
	ENSURE(parser);
	if (fy_parser_set_string(parser, text, len) == 0)
		document = load_only(parser, name, err);
	else
		error_set(err, ERROR_REJECT, "%s: cannot be read", name);
	fy_diag_reset_error(diag); /* the errors it collected keep it alive otherwise */
	fy_parser_destroy(parser);
	fy_diag_unref(diag);
	return document;
}

/* What the library forgives and we do not: zero bytes and what is not UTF-8. */
static bool check_bytes(const char *name, const char *text, size_t len, struct error *err)
{
	json_auto_t *utf8 = NULL;

	if (len > MAX_BYTES)
		return error_set(err, ERROR_REJECT, "%s: is %zu bytes; the most is %zu", name, len,
				 MAX_BYTES);
	utf8 = json_stringn(text, len);
	if (!utf8 || memchr(text, 0, len))
		return error_set(err, ERROR_REJECT, "%s: is not UTF-8 text", name);
	return true;
}

struct yaml *yaml_read(const char *name, const char *text, size_t len, struct error *err)
{
	AUTO(yaml_destroy) struct yaml *doc = xcalloc(1, sizeof(*doc));

	doc->name = xstrdup(name);
	if (!check_bytes(name, text, len, err))
		return NULL;
	doc->document = load(name, text, len, err);
	if (!doc->document)
		return NULL;
	doc->tree = convert(doc, fy_document_root(doc->document), 0, err);
	if (!doc->tree)
		return NULL;
	return TAKE(doc);
}

void yaml_destroy(struct yaml *doc)
{
	if (!doc)
		return;
	json_decref(doc->tree);
	fy_document_destroy(doc->document);
	free(doc->name);
	free(doc);
}

json_t *yaml_tree(const struct yaml *doc)
{
	return doc->tree;
}

const char *yaml_name(const struct yaml *doc)
{
	return doc->name;
}

/* Copy the next part of a JSON pointer, unescaped; returns what follows it, NULL at the end. */
static const char *next_part(const char *pointer, char *part, size_t size)
{
	size_t len = 0;

	if (*pointer != '/')
		return NULL;
	for (pointer++; *pointer && *pointer != '/'; pointer++) {
		char c = *pointer;

		if (c == '~' && (pointer[1] == '0' || pointer[1] == '1'))
			c = *++pointer == '0' ? '~' : '/';
		if (len + 1 < size)
			part[len++] = c;
	}
	part[len] = '\0';
	return pointer;
}

static struct fy_node *follow_alias(struct fy_node *node)
{
	for (int hops = 0; node && fy_node_is_alias(node) && hops < MAX_DEPTH; hops++)
		node = fy_node_resolve_alias(node);
	return node;
}

static struct fy_node_pair *pair_named(struct fy_node *mapping_node, const char *key)
{
	struct fy_node_pair *pair;
	void *at = NULL;

	while ((pair = fy_node_mapping_iterate(mapping_node, &at))) {
		size_t len = 0;
		const char *text = fy_node_get_scalar(fy_node_pair_key(pair), &len);

		if (text && len == strlen(key) && !memcmp(text, key, len))
			return pair;
	}
	return NULL;
}

/* Walk as far as the pointer leads; the key of the last member is left in *key, if it has one. */
static struct fy_node *walk(const struct yaml *doc, const char *pointer, struct fy_node **key)
{
	struct fy_node *node = follow_alias(fy_document_root(doc->document));
	char part[256];

	while (node && (pointer = next_part(pointer, part, sizeof(part)))) {
		struct fy_node *child = NULL;

		if (fy_node_is_mapping(node)) {
			struct fy_node_pair *pair = pair_named(node, part);

			if (pair) {
				*key = fy_node_pair_key(pair);
				child = fy_node_pair_value(pair);
			}
			if (pair && !child)
				return *key;
		} else if (fy_node_is_sequence(node)) {
			child = fy_node_sequence_get_by_index(node, atoi(part));
			*key = NULL;
		}
		child = follow_alias(child);
		if (!child)
			break;
		node = child;
	}
	return node;
}

void yaml_locate(const struct yaml *doc, const char *pointer, int *line, int *column)
{
	struct fy_node *key = NULL;

	*line = *column = 1;
	if (!place_of(walk(doc, pointer, &key), line, column))
		place_of(key, line, column);
}

void yaml_locate_key(const struct yaml *doc, const char *pointer, int *line, int *column)
{
	struct fy_node *key = NULL;
	struct fy_node *node = walk(doc, pointer, &key);

	*line = *column = 1;
	place_of(key ? key : node, line, column);
}

bool yaml_error(const struct yaml *doc, const char *pointer, struct error *err, const char *fmt,
		...)
{
	char text[sizeof(err->text)];
	int line, column;
	va_list args;

	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	yaml_locate(doc, pointer, &line, &column);
	return error_set(err, ERROR_REJECT, "%s:%d:%d: %s", doc->name, line, column, text);
}
