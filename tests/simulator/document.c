#include "document.h"

#include <stdlib.h>
#include <string.h>

#include "ensure.h"

struct reader {
	struct document *doc;
	const char *text;
	size_t len;
	size_t at;
	struct error *err;
};

static bool fail(struct reader *r, const char *what)
{
	return error_set(r->err, ERROR_REJECT, "not JSON at byte %zu: %s", r->at, what);
}

static void skip_space(struct reader *r)
{
	while (r->at < r->len && (r->text[r->at] == ' ' || r->text[r->at] == '\n' ||
				  r->text[r->at] == '\t' || r->text[r->at] == '\r'))
		r->at++;
}

static bool take(struct reader *r, char c)
{
	skip_space(r);
	if (r->at >= r->len || r->text[r->at] != c)
		return false;
	r->at++;
	return true;
}

static node_id add(struct reader *r, enum node_type type, size_t start)
{
	struct document *doc = r->doc;

	if (doc->count == doc->capacity) {
		doc->capacity = doc->capacity ? doc->capacity * 2 : 256;
		doc->nodes = xrealloc(doc->nodes, doc->capacity * sizeof(*doc->nodes));
	}
	doc->nodes[doc->count] = (struct node){.type = type, .start = (uint32_t)start};
	return (node_id)doc->count++;
}

static void close_node(struct reader *r, node_id at, size_t end)
{
	r->doc->nodes[at].end = (uint32_t)end;
	r->doc->nodes[at].next = (node_id)r->doc->count;
}

static bool is_hex(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

static bool read_escape(struct reader *r)
{
	char c = r->at < r->len ? r->text[r->at++] : '\0';

	if (c != 'u')
		return c != '\0' && strchr("\"\\/bfnrt", c) ? true : fail(r, "unknown escape");
	for (int i = 0; i < 4; i++, r->at++)
		if (r->at >= r->len || !is_hex(r->text[r->at]))
			return fail(r, "\\u wants four hexadecimal digits");
	return true;
}

/* Length of the well-formed UTF-8 sequence that starts with a byte from 0x80 up; 0: it is none. */
static size_t sequence(const unsigned char *p, size_t left)
{
	size_t len = p[0] < 0xc2 ? 0 : p[0] < 0xe0 ? 2 : p[0] < 0xf0 ? 3 : p[0] < 0xf5 ? 4 : 0;

	if (len == 0 || len > left)
		return 0;
	for (size_t i = 1; i < len; i++)
		if ((p[i] & 0xc0) != 0x80)
			return 0;
	if ((p[0] == 0xe0 && p[1] < 0xa0) || (p[0] == 0xed && p[1] > 0x9f) ||
	    (p[0] == 0xf0 && p[1] < 0x90) || (p[0] == 0xf4 && p[1] > 0x8f))
		return 0;
	return len;
}

static bool read_character(struct reader *r)
{
	unsigned char c = (unsigned char)r->text[r->at];
	size_t len = 1;

	if (c < 0x20)
		return fail(r, "control character in a string");
	if (c >= 0x80)
		len = sequence((const unsigned char *)r->text + r->at, r->len - r->at);
	if (len == 0)
		return fail(r, "bytes that are no UTF-8");
	r->at += len;
	return c == '\\' ? read_escape(r) : true;
}

static bool read_string(struct reader *r)
{
	node_id at = add(r, NODE_STRING, ++r->at);

	while (r->at < r->len && r->text[r->at] != '"')
		if (!read_character(r))
			return false;
	if (r->at >= r->len)
		return fail(r, "string without end");
	close_node(r, at, r->at++);
	return true;
}

static size_t read_digits(struct reader *r)
{
	size_t start = r->at;

	while (r->at < r->len && r->text[r->at] >= '0' && r->text[r->at] <= '9')
		r->at++;
	return r->at - start;
}

static bool read_number(struct reader *r)
{
	node_id at = add(r, NODE_NUMBER, r->at);
	size_t digits;
	bool zero;

	if (r->text[r->at] == '-')
		r->at++;
	zero = r->at < r->len && r->text[r->at] == '0';
	digits = read_digits(r);
	if (digits == 0 || (zero && digits > 1))
		return fail(r, "malformed number");
	if (r->at < r->len && r->text[r->at] == '.') {
		r->at++;
		if (read_digits(r) == 0)
			return fail(r, "malformed fraction");
	}
	if (r->at < r->len && (r->text[r->at] == 'e' || r->text[r->at] == 'E')) {
		r->at++;
		if (r->at < r->len && (r->text[r->at] == '+' || r->text[r->at] == '-'))
			r->at++;
		if (read_digits(r) == 0)
			return fail(r, "malformed exponent");
	}
	close_node(r, at, r->at);
	return true;
}

static bool read_word(struct reader *r, const char *word, enum node_type type)
{
	size_t len = strlen(word);
	node_id at = add(r, type, r->at);

	if (r->len - r->at < len || memcmp(r->text + r->at, word, len) != 0)
		return fail(r, "unknown word");
	r->at += len;
	close_node(r, at, r->at);
	return true;
}

static bool read_value(struct reader *r, int depth);

static bool read_members(struct reader *r, node_id container, char end, int depth)
{
	uint32_t count = 0;

	if (!take(r, end)) {
		do {
			skip_space(r);
			if (end == '}') {
				if (r->at >= r->len || r->text[r->at] != '"')
					return fail(r, "a name was expected");
				if (!read_string(r))
					return false;
				if (!take(r, ':'))
					return fail(r, "':' was expected");
			}
			if (!read_value(r, depth + 1))
				return false;
			count++;
		} while (take(r, ','));
		if (!take(r, end))
			return fail(r, "',' or the end of a list was expected");
	}
	r->doc->nodes[container].count = count;
	close_node(r, container, r->at);
	return true;
}

static bool read_value(struct reader *r, int depth)
{
	size_t start;

	skip_space(r);
	if (r->at >= r->len)
		return fail(r, "ends too early");
	if (depth > DOCUMENT_MAX_DEPTH)
		return fail(r, "nested too deep");
	start = r->at;
	switch (r->text[r->at]) {
	case '{':
		r->at++;
		return read_members(r, add(r, NODE_OBJECT, start), '}', depth);
	case '[':
		r->at++;
		return read_members(r, add(r, NODE_ARRAY, start), ']', depth);
	case '"':
		return read_string(r);
	case 't':
		return read_word(r, "true", NODE_TRUE);
	case 'f':
		return read_word(r, "false", NODE_FALSE);
	case 'n':
		return read_word(r, "null", NODE_NULL);
	default:
		return read_number(r);
	}
}

bool document_read(struct document *doc, const char *text, size_t len, struct error *err)
{
	struct reader r = {.doc = doc, .text = text, .len = len, .err = err};

	doc->text = text;
	doc->count = 0;
	if (len >= UINT32_MAX / 2)
		return fail(&r, "too large");
	if (!read_value(&r, 0))
		return false;
	skip_space(&r);
	return r.at == len ? true : fail(&r, "something follows the value");
}

void document_finish(struct document *doc)
{
	free(doc->nodes);
	*doc = (struct document){0};
}

node_id document_first(const struct document *doc, node_id container)
{
	const struct node *node = &doc->nodes[container];

	if (node->count == 0 || (node->type != NODE_ARRAY && node->type != NODE_OBJECT))
		return NONE;
	return container + 1;
}

node_id document_after(const struct document *doc, node_id container, node_id child)
{
	node_id next = doc->nodes[child].next;

	return next < doc->nodes[container].next ? next : NONE;
}

node_id document_member(const struct document *doc, node_id object, const char *name)
{
	size_t len = strlen(name);
	node_id found = NONE;

	if (doc->count == 0 || doc->nodes[object].type != NODE_OBJECT)
		return NONE;
	for (node_id key = document_first(doc, object); key != NONE;) {
		const struct node *node = &doc->nodes[key];

		if (node->end - node->start == len &&
		    memcmp(doc->text + node->start, name, len) == 0)
			found = key + 1;
		key = document_after(doc, object, key + 1);
	}
	return found;
}

node_id document_path(const struct document *doc, node_id object, const char *outer,
		      const char *inner)
{
	node_id at = document_member(doc, object, outer);

	return at == NONE ? NONE : document_member(doc, at, inner);
}

node_id document_element(const struct document *doc, node_id array, uint32_t i)
{
	node_id at;

	if (array == NONE || doc->nodes[array].type != NODE_ARRAY)
		return NONE;
	for (at = document_first(doc, array); at != NONE && i > 0; i--)
		at = document_after(doc, array, at);
	return at;
}

bool document_is(const struct document *doc, node_id at, enum node_type type)
{
	return at != NONE && doc->nodes[at].type == type;
}

bool document_equals(const struct document *doc, node_id at, const char *text)
{
	size_t len = strlen(text);

	return document_is(doc, at, NODE_STRING) &&
	       doc->nodes[at].end - doc->nodes[at].start == len &&
	       memcmp(doc->text + doc->nodes[at].start, text, len) == 0;
}

bool document_true(const struct document *doc, node_id at)
{
	return document_is(doc, at, NODE_TRUE);
}

double document_number(const struct document *doc, node_id at, double fallback)
{
	char text[64];
	size_t len;

	if (!document_is(doc, at, NODE_NUMBER))
		return fallback;
	len = doc->nodes[at].end - doc->nodes[at].start;
	if (len >= sizeof(text))
		return fallback;
	memcpy(text, doc->text + doc->nodes[at].start, len);
	text[len] = '\0';
	return strtod(text, NULL);
}

int64_t document_integer(const struct document *doc, node_id at, int64_t fallback)
{
	double value = document_number(doc, at, (double)fallback);

	if (!document_is(doc, at, NODE_NUMBER) || value > 9e15 || value < -9e15)
		return fallback;
	return (int64_t)value;
}

const char *document_raw(const struct document *doc, node_id at, size_t *len)
{
	*len = doc->nodes[at].end - doc->nodes[at].start;
	return doc->text + doc->nodes[at].start;
}

void document_copy(const struct document *doc, node_id at, struct buffer *out)
{
	size_t len, quote = doc->nodes[at].type == NODE_STRING;
	const char *raw = document_raw(doc, at, &len);

	buffer_append(out, raw - quote, len + 2 * quote);
}

static unsigned hex4(const char *p)
{
	char digits[5];

	memcpy(digits, p, 4);
	digits[4] = '\0';
	return (unsigned)strtoul(digits, NULL, 16);
}

static void append_rune(struct buffer *out, unsigned rune)
{
	char bytes[4];
	size_t len;

	if (rune == 0 || (rune >= 0xd800 && rune <= 0xdfff))
		rune = 0xfffd;
	len = rune < 0x80 ? 1 : rune < 0x800 ? 2 : rune < 0x10000 ? 3 : 4;
	if (len == 1) {
		buffer_byte(out, (char)rune);
		return;
	}
	for (size_t i = len - 1; i > 0; i--, rune >>= 6)
		bytes[i] = (char)(0x80 | (rune & 0x3f));
	bytes[0] = (char)((0xf00 >> len & 0xff) | rune);
	buffer_append(out, bytes, len);
}

/* Reads the \uXXXX at *p (after the u), and its second half if it is a pair. */
static void append_unicode(struct buffer *out, const char **p, const char *end)
{
	unsigned rune = hex4(*p);

	*p += 4;
	if (rune >= 0xd800 && rune < 0xdc00 && end - *p >= 6 && (*p)[0] == '\\' && (*p)[1] == 'u') {
		unsigned low = hex4(*p + 2);

		if (low >= 0xdc00 && low <= 0xdfff) {
			rune = 0x10000 + ((rune - 0xd800) << 10) + (low - 0xdc00);
			*p += 6;
		}
	}
	append_rune(out, rune);
}

void document_unescape(const struct document *doc, node_id at, struct buffer *out)
{
	static const char names[] = "bfnrt", values[] = "\b\f\n\r\t";
	const char *p, *end, *escape, *name;
	size_t len;

	if (!document_is(doc, at, NODE_STRING))
		return;
	p = document_raw(doc, at, &len);
	for (end = p + len; (escape = memchr(p, '\\', (size_t)(end - p))) != NULL;) {
		buffer_append(out, p, (size_t)(escape - p));
		p = escape + 2;
		name = strchr(names, escape[1]);
		if (escape[1] == 'u')
			append_unicode(out, &p, end);
		else
			buffer_byte(out, name ? values[name - names] : escape[1]);
	}
	buffer_append(out, p, (size_t)(end - p));
}

void document_text(const struct document *doc, node_id at, char *out, size_t size)
{
	AUTO_FINISH(buffer_finish) struct buffer text = {0};
	size_t len;

	document_unescape(doc, at, &text);
	len = text.len < size ? text.len : size - 1;
	if (len > 0)
		memcpy(out, text.data, len);
	out[len] = '\0';
}
