#include "header.h"

#include <string.h>
#include <strings.h>

const char *header_find(const struct header *headers, size_t count, const char *name)
{
	for (size_t i = 0; i < count; i++)
		if (strcasecmp(headers[i].name, name) == 0)
			return headers[i].value;
	return NULL;
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static bool append(struct buffer *b, const char *text, const char *end)
{
	return buffer_append(b, text, (size_t)(end - text)) && buffer_byte(b, '\0');
}

bool header_list_add(struct header_list *list, const char *line, size_t len)
{
	const char *colon = memchr(line, ':', len), *end = line + len, *value;
	size_t before = list->bytes.len;

	if (!colon || colon == line || memchr(line, '\0', len) || list->count == MAX_HEADERS)
		return false;
	for (value = colon + 1; value < end && is_blank(*value);)
		value++;
	while (end > value && is_blank(end[-1]))
		end--;
	list->bytes.max = MAX_HEADER_BYTES;
	if (append(&list->bytes, line, colon) && append(&list->bytes, value, end)) {
		list->count++;
		return true;
	}
	list->bytes.len = before;
	return false;
}

/* The bytes moved while they grew, so the pointers are made at the end. */
void header_list_close(struct header_list *list)
{
	const char *at = list->bytes.data;

	for (size_t i = 0; i < list->count; i++) {
		list->items[i].name = at;
		at += strlen(at) + 1;
		list->items[i].value = at;
		at += strlen(at) + 1;
	}
}

void header_list_clear(struct header_list *list)
{
	buffer_clear(&list->bytes);
	list->count = 0;
}

void header_list_finish(struct header_list *list)
{
	buffer_finish(&list->bytes);
	list->count = 0;
}
