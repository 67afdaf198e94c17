#include "request.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* Cuts the line at p off with a zero and returns where the next one starts; NULL: no line end. */
static char *cut_line(char *p, char *end)
{
	char *newline = memchr(p, '\n', (size_t)(end - p));

	if (!newline)
		return NULL;
	*newline = '\0';
	if (newline > p && newline[-1] == '\r')
		newline[-1] = '\0';
	return newline + 1;
}

static bool read_request_line(struct request *request, char *line)
{
	char *path = strchr(line, ' ');
	char *version = path ? strchr(path + 1, ' ') : NULL;
	char *query;

	if (!version || strncmp(version + 1, "HTTP/1.", 7) != 0 || path[1] != '/')
		return false;
	*path++ = '\0';
	*version++ = '\0';
	query = strchr(path, '?');
	if (query)
		*query++ = '\0';
	request->method = line;
	request->path = path;
	request->query = query ? query : path + strlen(path);
	request->http_1_0 = strcmp(version, "HTTP/1.0") == 0;
	return true;
}

static bool read_header(struct request *request, char *line)
{
	char *colon = strchr(line, ':');
	char *value, *end;

	if (!colon || colon == line || request->header_count == REQUEST_MAX_HEADERS)
		return false;
	*colon = '\0';
	value = colon + 1 + strspn(colon + 1, " \t");
	for (end = value + strlen(value); end > value && (end[-1] == ' ' || end[-1] == '\t');)
		*--end = '\0';
	request->headers[request->header_count++] = (struct request_header){line, value};
	return true;
}

enum request_progress request_head_length(const char *bytes, size_t len, size_t *head_len)
{
	const char *blank = memmem(bytes, len, "\r\n\r\n", 4);

	if (!blank)
		return len > REQUEST_MAX_HEAD ? REQUEST_TOO_LARGE : REQUEST_MORE;
	*head_len = (size_t)(blank + 4 - bytes);
	return *head_len > REQUEST_MAX_HEAD ? REQUEST_TOO_LARGE : REQUEST_WHOLE;
}

enum request_progress request_head(struct request *request, char *bytes, size_t len)
{
	char *end = bytes + len;
	char *line = cut_line(bytes, end);

	request->header_count = 0;
	if (!line || !read_request_line(request, bytes))
		return REQUEST_BAD;
	for (char *next; (next = cut_line(line, end)) != NULL && *line != '\0'; line = next)
		if (!read_header(request, line))
			return REQUEST_BAD;
	return REQUEST_WHOLE;
}

/* Where the line after p ends and the next starts, or NULL. */
static const char *line_after(const char *p, const char *end)
{
	const char *newline = p < end ? memchr(p, '\n', (size_t)(end - p)) : NULL;

	return newline ? newline + 1 : NULL;
}

/* First pass: is it all here, and how long is it? Second pass moves the bytes. */
enum request_progress request_unchunk(char *bytes, size_t len, size_t max, size_t *body_len,
				      size_t *used)
{
	const char *end = bytes + len;

	for (int pass = 0; pass < 2; pass++) {
		const char *p = bytes;
		size_t total = 0;

		for (;;) {
			const char *data = line_after(p, end);
			char *size_end;
			unsigned long long size;

			if (!data)
				return end - p > 1024 ? REQUEST_BAD : REQUEST_MORE;
			size = strtoull(p, &size_end, 16);
			if (size_end == p || size > max || total + size > max)
				return size_end == p ? REQUEST_BAD : REQUEST_TOO_LARGE;
			if ((size_t)(end - data) < size + 2)
				return REQUEST_MORE;
			if (pass == 1 && size > 0)
				memmove(bytes + total, data, size);
			total += size;
			p = data + size + 2;
			if (size == 0)
				break;
		}
		*body_len = total;
		*used = (size_t)(p - bytes);
	}
	return REQUEST_WHOLE;
}

const char *request_header(const struct request *request, const char *name)
{
	for (size_t i = 0; i < request->header_count; i++)
		if (strcasecmp(request->headers[i].name, name) == 0)
			return request->headers[i].value;
	return NULL;
}

bool request_parameter(const struct request *request, const char *name, char *out, size_t size)
{
	size_t name_len = strlen(name);

	for (const char *p = request->query; *p;) {
		size_t len = strcspn(p, "&");

		if (len > name_len && p[name_len] == '=' && strncmp(p, name, name_len) == 0) {
			snprintf(out, size, "%.*s", (int)(len - name_len - 1), p + name_len + 1);
			return true;
		}
		p += len + (p[len] == '&');
	}
	return false;
}

int64_t request_parameter_integer(const struct request *request, const char *name, int64_t fallback)
{
	char text[32];

	if (!request_parameter(request, name, text, sizeof(text)))
		return fallback;
	return strtoll(text, NULL, 10);
}
