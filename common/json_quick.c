#include "json_quick.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "buffer.h"
#include "ensure.h"
#include "utf8.h"

#define MAX_DEPTH 100
#define MAX_DIGITS 18 /* fit any 64-bit integer */
#define MAX_REAL 64   /* bytes of a number's spelling */

struct reader {
	const char *at;
	const char *end;
	bool unique;	       /* names of an object must be */
	struct buffer scratch; /* a string without its escapes */
};

static char peek(struct reader *r)
{
	while (r->at < r->end &&
	       (*r->at == ' ' || *r->at == '\n' || *r->at == '\r' || *r->at == '\t'))
		r->at++;
	return r->at < r->end ? *r->at : '\0';
}

static bool step_over(struct reader *r, char wanted)
{
	if (peek(r) != wanted)
		return false;
	r->at++;
	return true;
}

/* --- strings --- */

static bool is_plain(unsigned char c)
{
	return c >= 0x20 && c < 0x80 && c != '"' && c != '\\';
}

/* Eight bytes at once: whether one of them may not stand for itself. */
static bool has_special(const char *at)
{
	const uint64_t ones = 0x0101010101010101, high = 0x8080808080808080;
	uint64_t word, quote, escape;

	memcpy(&word, at, sizeof(word));
	quote = word ^ ones * '"';
	escape = word ^ ones * '\\';
	return ((word | ((word - ones * 0x20) & ~word) | ((quote - ones) & ~quote) |
		 ((escape - ones) & ~escape)) &
		high) != 0;
}

/* To the first byte that is an end, an escape, or wrong. */
static void skip_text(struct reader *r)
{
	for (;;) {
		size_t step;

		while (r->end - r->at >= 8 && !has_special(r->at))
			r->at += 8;
		while (r->at < r->end && is_plain((unsigned char)*r->at))
			r->at++;
		if (r->at == r->end || (unsigned char)*r->at < 0x80)
			return;
		step = utf8_step(r->at, (size_t)(r->end - r->at));
		if (step == 0)
			return;
		r->at += step;
	}
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* The four digits of \uXXXX; 0 for what is left to jansson. */
static unsigned read_code(struct reader *r)
{
	unsigned code = 0;

	if (r->end - r->at < 4)
		return 0;
	for (int i = 0; i < 4; i++) {
		int digit = hex_digit(*r->at++);

		if (digit < 0)
			return 0;
		code = code << 4 | (unsigned)digit;
	}
	return code >= 0xd800 && code <= 0xdfff ? 0 : code;
}

static void add_code(struct buffer *out, unsigned code)
{
	if (code < 0x80) {
		buffer_byte(out, (char)code);
		return;
	}
	if (code < 0x800) {
		buffer_byte(out, (char)(0xc0 | code >> 6));
	} else {
		buffer_byte(out, (char)(0xe0 | code >> 12));
		buffer_byte(out, (char)(0x80 | (code >> 6 & 0x3f)));
	}
	buffer_byte(out, (char)(0x80 | (code & 0x3f)));
}

/* After the backslash. */
static bool read_escape(struct reader *r)
{
	static const char names[] = "\"\\/bfnrt", bytes[] = "\"\\/\b\f\n\r\t";
	const char *name;
	unsigned code;

	if (r->at == r->end || *r->at == '\0')
		return false;
	if (*r->at != 'u') {
		name = strchr(names, *r->at++);
		if (name)
			buffer_byte(&r->scratch, bytes[name - names]);
		return name != NULL;
	}
	r->at++;
	code = read_code(r);
	if (code > 0)
		add_code(&r->scratch, code);
	return code > 0;
}

/* From its first escape on; what comes before it begins at `start`. */
static bool read_escaped(struct reader *r, const char *start)
{
	buffer_clear(&r->scratch);
	for (;;) {
		buffer_append(&r->scratch, start, (size_t)(r->at - start));
		if (*r->at++ != '\\' || !read_escape(r))
			return false;
		start = r->at;
		skip_text(r);
		if (r->at == r->end)
			return false;
		if (*r->at == '"') {
			buffer_append(&r->scratch, start, (size_t)(r->at++ - start));
			return true;
		}
	}
}

/* The string's bytes; borrowed from the input where nothing in them is escaped. */
static bool read_bytes(struct reader *r, const char **bytes, size_t *len, bool may_escape)
{
	const char *start = ++r->at;

	skip_text(r);
	if (r->at == r->end)
		return false;
	if (*r->at == '"') {
		*bytes = start;
		*len = (size_t)(r->at++ - start);
		return true;
	}
	if (!may_escape || !read_escaped(r, start))
		return false;
	*bytes = r->scratch.data;
	*len = r->scratch.len;
	return true;
}

static json_t *read_string(struct reader *r)
{
	const char *bytes;
	size_t len;

	return read_bytes(r, &bytes, &len, true) ? json_stringn_nocheck(bytes, len) : NULL;
}

/* --- numbers --- */

static size_t skip_digits(struct reader *r)
{
	const char *start = r->at;

	while (r->at < r->end && *r->at >= '0' && *r->at <= '9')
		r->at++;
	return (size_t)(r->at - start);
}

static json_t *integer_of(const char *start, const char *end)
{
	json_int_t value = 0;

	for (const char *at = start + (*start == '-'); at < end; at++)
		value = 10 * value + (*at - '0');
	return json_integer(*start == '-' ? -value : value);
}

static json_t *real_of(const char *start, const char *end)
{
	char text[MAX_REAL];
	size_t len = (size_t)(end - start);
	double value;

	if (len >= sizeof(text))
		return NULL;
	memcpy(text, start, len);
	text[len] = '\0';
	value = strtod(text, NULL);
	return isfinite(value) ? json_real(value) : NULL;
}

static bool skip_fraction(struct reader *r)
{
	r->at++;
	return skip_digits(r) > 0;
}

static bool skip_exponent(struct reader *r)
{
	r->at++;
	if (r->at < r->end && (*r->at == '+' || *r->at == '-'))
		r->at++;
	return skip_digits(r) > 0;
}

static json_t *read_number(struct reader *r)
{
	const char *start = r->at, *first = start + (*start == '-');
	size_t digits;

	r->at = first;
	digits = skip_digits(r);
	if (digits == 0 || digits > MAX_DIGITS || (digits > 1 && *first == '0'))
		return NULL;
	if (r->at == r->end || (*r->at != '.' && *r->at != 'e' && *r->at != 'E'))
		return integer_of(start, r->at);
	if (*r->at == '.' && !skip_fraction(r))
		return NULL;
	if (r->at < r->end && (*r->at == 'e' || *r->at == 'E') && !skip_exponent(r))
		return NULL;
	return real_of(start, r->at);
}

/* --- values --- */

static json_t *read_value(struct reader *r, int depth);

static bool read_word(struct reader *r, const char *word)
{
	size_t len = strlen(word);

	if ((size_t)(r->end - r->at) < len || memcmp(r->at, word, len) != 0)
		return false;
	r->at += len;
	return true;
}

static bool read_item(struct reader *r, json_t *array, int depth)
{
	json_t *item = read_value(r, depth);

	return item && json_array_append_new(array, item) == 0;
}

static json_t *read_array(struct reader *r, int depth)
{
	json_auto_t *array = json_array();

	r->at++;
	if (step_over(r, ']'))
		return TAKE(array);
	do
		if (!read_item(r, array, depth))
			return NULL;
	while (step_over(r, ','));
	return step_over(r, ']') ? TAKE(array) : NULL;
}

static bool read_member(struct reader *r, json_t *object, int depth)
{
	size_t before = json_object_size(object), len;
	const char *name;
	json_t *value;

	if (peek(r) != '"' || !read_bytes(r, &name, &len, false) || !step_over(r, ':'))
		return false;
	value = read_value(r, depth);
	if (!value || json_object_setn_new_nocheck(object, name, len, value) != 0)
		return false;
	return !r->unique || json_object_size(object) > before;
}

static json_t *read_object(struct reader *r, int depth)
{
	json_auto_t *object = json_object();

	r->at++;
	if (step_over(r, '}'))
		return TAKE(object);
	do
		if (!read_member(r, object, depth))
			return NULL;
	while (step_over(r, ','));
	return step_over(r, '}') ? TAKE(object) : NULL;
}

static json_t *read_value(struct reader *r, int depth)
{
	switch (peek(r)) {
	case '"':
		return read_string(r);
	case '{':
		return depth < MAX_DEPTH ? read_object(r, depth + 1) : NULL;
	case '[':
		return depth < MAX_DEPTH ? read_array(r, depth + 1) : NULL;
	case 't':
		return read_word(r, "true") ? json_true() : NULL;
	case 'f':
		return read_word(r, "false") ? json_false() : NULL;
	case 'n':
		return read_word(r, "null") ? json_null() : NULL;
	case '-':
	case '0':
	case '1':
	case '2':
	case '3':
	case '4':
	case '5':
	case '6':
	case '7':
	case '8':
	case '9':
		return read_number(r);
	default:
		return NULL;
	}
}

json_t *json_quick(const char *bytes, size_t len, enum json_origin origin)
{
	struct reader r = {.at = bytes, .end = bytes + len, .unique = origin == JSON_OURS};
	json_auto_t *value = len > 0 ? read_value(&r, 0) : NULL;

	peek(&r);
	buffer_finish(&r.scratch);
	return value && r.at == r.end ? TAKE(value) : NULL;
}
