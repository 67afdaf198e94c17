#include "base64.h"

#include <stdint.h>
#include <string.h>

static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

bool base64_encode(struct buffer *out, const void *bytes, size_t len)
{
	const unsigned char *in = bytes;

	for (size_t at = 0; at < len; at += 3) {
		size_t left = len - at;
		uint32_t group = (uint32_t)in[at] << 16 |
				 (left > 1 ? (uint32_t)in[at + 1] << 8 : 0) |
				 (left > 2 ? in[at + 2] : 0);
		char text[4] = {digits[group >> 18], digits[group >> 12 & 63],
				left > 1 ? digits[group >> 6 & 63] : '=',
				left > 2 ? digits[group & 63] : '='};

		if (!buffer_append(out, text, sizeof(text)))
			return false;
	}
	return true;
}

static int value_of(char c)
{
	const char *found = c ? strchr(digits, c) : NULL;

	return found ? (int)(found - digits) : -1;
}

bool base64_decode(struct buffer *out, const char *text, size_t len)
{
	size_t padding = len > 1 && text[len - 1] == '=' ? (text[len - 2] == '=' ? 2 : 1) : 0;

	if (len % 4 != 0)
		return false;
	for (size_t at = 0; at < len; at += 4) {
		size_t pad = at + 4 == len ? padding : 0;
		uint32_t group = 0;
		char bytes[3];

		for (size_t i = 0; i < 4; i++) {
			int value = i >= 4 - pad ? 0 : value_of(text[at + i]);

			if (value < 0)
				return false;
			group = group << 6 | (uint32_t)value;
		}
		bytes[0] = (char)(group >> 16);
		bytes[1] = (char)(group >> 8);
		bytes[2] = (char)group;
		if (!buffer_append(out, bytes, 3 - pad))
			return false;
	}
	return true;
}
