#include "buffer.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ensure.h"

static bool make_room(struct buffer *b, size_t more)
{
	size_t need = b->len + more;
	size_t capacity = b->capacity ? b->capacity : 64;

	if (need < b->len || (b->max > 0 && need > b->max))
		return false;
	while (capacity < need + 1)
		capacity *= 2;
	if (capacity > b->capacity) {
		b->data = xrealloc(b->data, capacity);
		b->capacity = capacity;
	}
	return true;
}

bool buffer_append(struct buffer *b, const void *bytes, size_t len)
{
	if (!make_room(b, len))
		return false;
	ENSURE(b->data);
	if (len > 0)
		memcpy(b->data + b->len, bytes, len);
	b->len += len;
	b->data[b->len] = '\0';
	return true;
}

bool buffer_text(struct buffer *b, const char *text)
{
	return buffer_append(b, text, strlen(text));
}

bool buffer_byte(struct buffer *b, char byte)
{
	return buffer_append(b, &byte, 1);
}

bool buffer_printf(struct buffer *b, const char *fmt, ...)
{
	va_list args, again;
	size_t room = b->capacity - b->len;
	int len;
	bool fits;

	va_start(args, fmt);
	va_copy(again, args);
	len = vsnprintf(room > 0 ? b->data + b->len : NULL, room, fmt, args);
	va_end(args);
	ENSURE(len >= 0);
	fits = make_room(b, (size_t)len);
	if (fits && (size_t)len >= room) /* mostly there was room enough at once */
		vsnprintf(b->data + b->len, (size_t)len + 1, fmt, again);
	va_end(again);
	if (fits)
		b->len += (size_t)len;
	else if (b->data)
		b->data[b->len] = '\0';
	return fits;
}

void buffer_clear(struct buffer *b)
{
	b->len = 0;
	if (b->data)
		b->data[0] = '\0';
}

void buffer_finish(struct buffer *b)
{
	free(b->data);
	*b = (struct buffer){.max = b->max};
}

char *buffer_take(struct buffer *b)
{
	char *data;

	if (!b->data)
		buffer_append(b, "", 0);
	data = b->data;
	*b = (struct buffer){.max = b->max};
	return data;
}
