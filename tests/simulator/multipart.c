#include "multipart.h"

#include <stdio.h>
#include <string.h>

/* The delimiter "--boundary" that the header names; false: it names none. */
static bool read_boundary(const char *content_type, char *delimiter, size_t size)
{
	const char *at = content_type ? strstr(content_type, "boundary=") : NULL;
	size_t len;

	if (!at)
		return false;
	at += strlen("boundary=");
	at += *at == '"';
	len = strcspn(at, "\";, ");
	return len > 0 && len <= 70 &&
	       snprintf(delimiter, size, "--%.*s", (int)len, at) < (int)size;
}

/* The value of attribute="…" in a part's headers. */
static bool read_attribute(const char *head, size_t len, const char *attribute, char *value,
			   size_t size)
{
	char wanted[32];
	const char *at, *end;

	snprintf(wanted, sizeof(wanted), " %s=\"", attribute);
	at = memmem(head, len, wanted, strlen(wanted));
	if (!at)
		return false;
	at += strlen(wanted);
	end = memchr(at, '"', (size_t)(head + len - at));
	if (!end)
		return false;
	snprintf(value, size, "%.*s", (int)(end - at), at);
	return true;
}

bool multipart_find(const char *content_type, const char *body, size_t len, const char *name,
		    struct part *part)
{
	const char *end = body + len, *head, *blank, *next;
	char delimiter[80], found[256];

	if (!read_boundary(content_type, delimiter, sizeof(delimiter)))
		return false;
	head = memmem(body, len, delimiter, strlen(delimiter));
	for (; head; head = next) {
		head += strlen(delimiter);
		next = memmem(head, (size_t)(end - head), delimiter, strlen(delimiter));
		blank = memmem(head, (size_t)(end - head), "\r\n\r\n", 4);
		if (!next || !blank || blank + 4 > next - 2)
			return false;
		if (!read_attribute(head, (size_t)(blank - head), "name", found, sizeof(found)) ||
		    strcmp(found, name) != 0)
			continue;
		part->bytes = blank + 4;
		part->len = (size_t)(next - 2 - part->bytes);
		part->filename[0] = '\0';
		read_attribute(head, (size_t)(blank - head), "filename", part->filename,
			       sizeof(part->filename));
		return true;
	}
	return false;
}
