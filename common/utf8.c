#include "utf8.h"

#include <string.h>

#include <stdbool.h>
#include <wchar.h>

static size_t claimed_length(unsigned char first)
{
	if (first < 0x80)
		return 1;
	if (first < 0xc2 || first > 0xf4)
		return 0;
	return first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
}

/* Overlong spellings, surrogates, and what lies beyond U+10FFFF. */
static bool is_forbidden(unsigned char first, unsigned char second)
{
	return (first == 0xe0 && second < 0xa0) || (first == 0xed && second > 0x9f) ||
	       (first == 0xf0 && second < 0x90) || (first == 0xf4 && second > 0x8f);
}

size_t utf8_step(const char *p, size_t left)
{
	const unsigned char *bytes = (const unsigned char *)p;
	size_t len = claimed_length(bytes[0]);

	if (len == 0 || len > left)
		return 0;
	for (size_t i = 1; i < len; i++)
		if ((bytes[i] & 0xc0) != 0x80)
			return 0;
	return len > 1 && is_forbidden(bytes[0], bytes[1]) ? 0 : len;
}

static wchar_t code_point(const char *p, size_t step)
{
	static const unsigned char first_bits[] = {0, 0x7f, 0x1f, 0x0f, 0x07};
	wchar_t point = (unsigned char)p[0] & first_bits[step];

	for (size_t i = 1; i < step; i++)
		point = point << 6 | ((unsigned char)p[i] & 0x3f);
	return point;
}

bool utf8_is_valid(const char *text)
{
	size_t len = strlen(text), at = 0, step = 1;

	for (; at < len && step > 0; at += step)
		step = utf8_step(text + at, len - at);
	return step > 0;
}

int utf8_width(const char *p, size_t step)
{
	wchar_t point = code_point(p, step);

	if (point < 0x20 || (point >= 0x7f && point < 0xa0))
		return -1;
	if (point < 0x7f)
		return 1;
	/* Unknown to the locale (newer than it, or the locale is "C"): most are one column. */
	return wcwidth(point) < 0 ? 1 : wcwidth(point);
}

char *utf8_copy(char *to, size_t size, const char *text)
{
	size_t left = strlen(text), used = 0;

	while (left > 0) {
		size_t step = utf8_step(text, left);
		size_t len = step > 0 ? step : 1;

		if (used + len >= size)
			break;
		if (step > 0)
			memcpy(to + used, text, step);
		else
			to[used] = '?';
		used += len;
		text += len;
		left -= len;
	}
	to[used] = '\0';
	return to;
}
