#include "quote.h"

#include <string.h>

#include "utf8.h"

static const char *short_escape(char c)
{
	switch (c) {
	case '"':
		return "\\\"";
	case '\\':
		return "\\\\";
	case '\n':
		return "\\n";
	case '\r':
		return "\\r";
	case '\t':
		return "\\t";
	default:
		return NULL;
	}
}

static bool escape_one(struct buffer *out, const char *p, size_t step)
{
	const char *escape = step == 1 ? short_escape(*p) : NULL;

	if (step == 0)
		return buffer_text(out, UTF8_REPLACEMENT);
	if (escape)
		return buffer_text(out, escape);
	if (utf8_width(p, step) < 0)
		return buffer_printf(out, "\\u%04x", step == 1 ? *p & 0xff : p[1] & 0xff);
	return buffer_append(out, p, step);
}

/* How many bytes from the start stand for themselves. */
static size_t plain_length(const char *text, size_t len)
{
	size_t plain = 0;

	while (plain < len && text[plain] >= ' ' && text[plain] <= '~' && text[plain] != '"' &&
	       text[plain] != '\\')
		plain++;
	return plain;
}

bool quote_json(struct buffer *out, const char *text, size_t len)
{
	if (!buffer_byte(out, '"'))
		return false;
	for (size_t at = 0; at < len;) {
		size_t plain = plain_length(text + at, len - at), step;

		if (plain > 0 && !buffer_append(out, text + at, plain))
			return false;
		at += plain;
		if (at == len)
			break;
		step = utf8_step(text + at, len - at);
		if (!escape_one(out, text + at, step))
			return false;
		at += step > 0 ? step : 1;
	}
	return buffer_byte(out, '"');
}

static bool is_plain_word(const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (text[i] <= ' ' || text[i] > '~' || strchr("=\"\\", text[i]))
			return false;
	return len > 0;
}

bool quote_logfmt(struct buffer *out, const char *text, size_t len)
{
	return is_plain_word(text, len) ? buffer_append(out, text, len)
					: quote_json(out, text, len);
}

static bool is_formula(const char *text, size_t len)
{
	return len > 0 && strchr("=+-@\t\r", text[0]) && !quote_is_number(text, len);
}

static bool needs_csv_quotes(const char *text, size_t len)
{
	return memchr(text, ',', len) || memchr(text, '"', len) || memchr(text, '\n', len) ||
	       memchr(text, '\r', len) || (len > 0 && (text[0] == ' ' || text[len - 1] == ' '));
}

bool quote_csv(struct buffer *out, const char *text, size_t len)
{
	bool quoted = needs_csv_quotes(text, len);

	if (quoted && !buffer_byte(out, '"'))
		return false;
	if (is_formula(text, len) && !buffer_byte(out, '\''))
		return false;
	for (size_t at = 0; at < len; at++) {
		if (text[at] == '"' && !buffer_byte(out, '"'))
			return false;
		if (!buffer_byte(out, text[at]))
			return false;
	}
	return !quoted || buffer_byte(out, '"');
}

bool quote_terminal(struct buffer *out, const char *text, size_t len)
{
	for (size_t at = 0; at < len;) {
		size_t step = utf8_step(text + at, len - at);
		bool shown = step > 0 && utf8_width(text + at, step) >= 0;

		if (!(shown ? buffer_append(out, text + at, step)
			    : buffer_text(out, UTF8_REPLACEMENT)))
			return false;
		at += step > 0 ? step : 1;
	}
	return true;
}

static size_t digits_at(const char *text, size_t len, size_t at)
{
	size_t count = 0;

	while (at + count < len && text[at + count] >= '0' && text[at + count] <= '9')
		count++;
	return count;
}

bool quote_is_number(const char *text, size_t len)
{
	size_t at = len > 0 && text[0] == '-' ? 1 : 0;
	size_t digits = digits_at(text, len, at);

	if (digits == 0 || (digits > 1 && text[at] == '0'))
		return false;
	at += digits;
	if (at < len && text[at] == '.') {
		digits = digits_at(text, len, at + 1);
		if (digits == 0)
			return false;
		at += 1 + digits;
	}
	if (at < len && (text[at] == 'e' || text[at] == 'E')) {
		at += at + 1 < len && (text[at + 1] == '+' || text[at + 1] == '-') ? 2 : 1;
		digits = digits_at(text, len, at);
		if (digits == 0)
			return false;
		at += digits;
	}
	return at == len;
}
