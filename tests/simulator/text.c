#include "text.h"

#include <stdio.h>
#include <string.h>

static void escape(struct buffer *out, unsigned char c)
{
	static const char names[] = "\"\\\b\f\n\r\t", letters[] = "\"\\bfnrt";
	const char *at = c ? strchr(names, c) : NULL;

	if (at)
		buffer_printf(out, "\\%c", letters[at - names]);
	else
		buffer_printf(out, "\\u%04x", c);
}

void text_quote_bytes(struct buffer *out, const char *bytes, size_t len)
{
	size_t from = 0;

	buffer_byte(out, '"');
	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)bytes[i];

		if (c >= 0x20 && c != '"' && c != '\\')
			continue;
		buffer_append(out, bytes + from, i - from);
		escape(out, c);
		from = i + 1;
	}
	buffer_append(out, bytes + from, len - from);
	buffer_byte(out, '"');
}

void text_quote(struct buffer *out, const char *text)
{
	text_quote_bytes(out, text, strlen(text));
}

void text_nullable(struct buffer *out, const char *text)
{
	if (text)
		text_quote(out, text);
	else
		buffer_text(out, "null");
}

void text_integer(struct buffer *out, int64_t value)
{
	char digits[24];
	size_t at = sizeof(digits);
	uint64_t rest = value < 0 ? 0 - (uint64_t)value : (uint64_t)value;

	do
		digits[--at] = (char)('0' + rest % 10);
	while ((rest /= 10) > 0);
	if (value < 0)
		digits[--at] = '-';
	buffer_append(out, digits + at, sizeof(digits) - at);
}

size_t text_whole(const char *bytes, size_t len, size_t want)
{
	if (want >= len)
		return len;
	while (want > 0 && ((unsigned char)bytes[want] & 0xc0) == 0x80)
		want--;
	return want;
}
