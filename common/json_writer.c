#include "json_writer.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ensure.h"

static void put(struct json_writer *w, const char *bytes, size_t len)
{
	if (!w->full && !buffer_append(w->out, bytes, len))
		w->full = true;
}

static void put_comma(struct json_writer *w)
{
	if (w->comma)
		put(w, ",", 1);
	w->comma = true;
}

void json_open(struct json_writer *w, char bracket)
{
	put_comma(w);
	put(w, &bracket, 1);
	w->comma = false;
}

void json_close(struct json_writer *w, char bracket)
{
	put(w, &bracket, 1);
	w->comma = true;
}

void json_key(struct json_writer *w, const char *name)
{
	put_comma(w);
	put(w, "\"", 1);
	put(w, name, strlen(name));
	put(w, "\":", 2);
	w->comma = false;
}

static bool is_plain(unsigned char c)
{
	return c >= 0x20 && c != '"' && c != '\\';
}

static void put_escape(struct json_writer *w, unsigned char c)
{
	char text[8];

	if (c == '"' || c == '\\')
		put(w, (const char[]){'\\', (char)c}, 2);
	else if (c == '\n')
		put(w, "\\n", 2);
	else
		put(w, text, (size_t)snprintf(text, sizeof(text), "\\u%04x", c));
}

void json_string_begin(struct json_writer *w)
{
	put_comma(w);
	put(w, "\"", 1);
}

/* Most text needs few escapes, so it is copied in runs. */
void json_string_part(struct json_writer *w, const char *utf8, size_t len)
{
	size_t start = 0;

	if (len == 0)
		return;
	for (size_t i = 0; i < len; i++) {
		if (is_plain((unsigned char)utf8[i]))
			continue;
		put(w, utf8 + start, i - start);
		put_escape(w, (unsigned char)utf8[i]);
		start = i + 1;
	}
	put(w, utf8 + start, len - start);
}

void json_string_end(struct json_writer *w)
{
	put(w, "\"", 1);
}

void json_put_string(struct json_writer *w, const char *utf8, size_t len)
{
	json_string_begin(w);
	json_string_part(w, utf8, len);
	json_string_end(w);
}

void json_put_text(struct json_writer *w, const char *utf8)
{
	json_put_string(w, utf8, strlen(utf8));
}

void json_put_raw(struct json_writer *w, const char *json, size_t len)
{
	put_comma(w);
	put(w, json, len);
}

void json_put_integer(struct json_writer *w, int64_t value)
{
	char text[24];

	json_put_raw(w, text, (size_t)snprintf(text, sizeof(text), "%" PRId64, value));
}

void json_put_number(struct json_writer *w, double value)
{
	char text[32];
	int len;

	ENSURE(isfinite(value));
	len = snprintf(text, sizeof(text), "%.15g", value);
	if (strtod(text, NULL) != value)
		len = snprintf(text, sizeof(text), "%.17g", value);
	json_put_raw(w, text, (size_t)len);
}

void json_put_bool(struct json_writer *w, bool value)
{
	json_put_raw(w, value ? "true" : "false", value ? 4 : 5);
}

static int take_piece(const char *bytes, size_t len, void *writer)
{
	put(writer, bytes, len);
	return 0;
}

void json_put_value(struct json_writer *w, const json_t *value)
{
	put_comma(w);
	ENSURE(json_dump_callback(value, take_piece, w, JSON_COMPACT | JSON_ENCODE_ANY) == 0);
}
