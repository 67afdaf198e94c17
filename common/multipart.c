#include "multipart.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#define MAX_HEAD ((size_t)4096) /* of a part's headers */
#define MAX_PARTS 32

/* --- the Content-Type --- */

/* The parameter's value, in quotes or bare. False: absent, or longer than there is room. */
static bool read_parameter(const char *text, const char *end, const char *name, char *into,
			   size_t size)
{
	size_t name_len = strlen(name);

	for (const char *at = text; at < end; at++) {
		const char *from, *to;
		bool quoted;

		if (*at != ';')
			continue;
		for (at++; at < end && (*at == ' ' || *at == '\t'); at++)
			;
		if ((size_t)(end - at) <= name_len || strncasecmp(at, name, name_len) != 0 ||
		    at[name_len] != '=') {
			at--;
			continue;
		}
		from = at + name_len + 1;
		quoted = from < end && *from == '"';
		from += quoted;
		for (to = from; to < end && (quoted ? *to != '"' : !strchr("; \t\r\n", *to)); to++)
			;
		if ((size_t)(to - from) >= size)
			return false;
		memcpy(into, from, (size_t)(to - from));
		into[to - from] = '\0';
		return true;
	}
	return false;
}

bool multipart_begin(struct multipart *m, const char *content_type, const char *body, size_t len,
		     struct error *err)
{
	static const char kind[] = "multipart/form-data";
	char boundary[MULTIPART_BOUNDARY + 1];

	*m = (struct multipart){.at = body, .end = body + len};
	if (!content_type || strncasecmp(content_type, kind, strlen(kind)) != 0)
		return error_set(err, ERROR_REJECT,
				 "the body must be a form with a file: multipart/form-data");
	if (!read_parameter(content_type, content_type + strlen(content_type), "boundary", boundary,
			    sizeof(boundary)) ||
	    !*boundary)
		return error_set(err, ERROR_REJECT,
				 "the Content-Type has no boundary of 1 to %d characters",
				 MULTIPART_BOUNDARY);
	m->delimiter_len = (size_t)snprintf(m->delimiter, sizeof(m->delimiter), "\r\n--%s",
					    boundary);
	return true;
}

/* --- parts --- */

static size_t left(const struct multipart *m)
{
	return (size_t)(m->end - m->at);
}

/* Before the first part the delimiter needs no line break. */
static bool skip_first(struct multipart *m)
{
	size_t len = m->delimiter_len - 2;

	if (left(m) < len || memcmp(m->at, m->delimiter + 2, len) != 0)
		return false;
	m->at += len;
	return true;
}

static bool starts(const struct multipart *m, const char *text)
{
	size_t len = strlen(text);

	return left(m) >= len && memcmp(m->at, text, len) == 0;
}

static bool read_head(struct multipart *m, struct part *part)
{
	size_t window = left(m) < MAX_HEAD ? left(m) : MAX_HEAD;
	const char *line = m->at, *stop = memmem(m->at, window, "\r\n\r\n", 4);
	static const char wanted[] = "Content-Disposition:";

	*part = (struct part){.name = ""};
	if (!stop)
		return false;
	while (line < stop) {
		const char *end = memmem(line, (size_t)(stop + 2 - line), "\r\n", 2);

		if ((size_t)(end - line) > strlen(wanted) &&
		    strncasecmp(line, wanted, strlen(wanted)) == 0) {
			read_parameter(line, end, "name", part->name, sizeof(part->name));
			part->is_file = read_parameter(line, end, "filename", part->filename,
						       sizeof(part->filename));
		}
		line = end + 2;
	}
	m->at = stop + 4;
	return part->name[0];
}

static bool wrong(struct error *err, const char *why)
{
	return error_set(err, ERROR_REJECT, "the form can't be read: %s", why);
}

bool multipart_next(struct multipart *m, struct part *part, struct error *err)
{
	const char *bytes;
	size_t len;

	*err = (struct error){.kind = ERROR_REJECT};
	while (multipart_piece(m, MAX_HEAD, &bytes, &len))
		;
	if (m->broken)
		return wrong(err, "its last part has no end");
	if (m->parts == 0 && !skip_first(m))
		return wrong(err, "it does not begin with its boundary");
	if (starts(m, "--"))
		return false;
	if (m->parts++ == MAX_PARTS)
		return wrong(err, "it has too many parts");
	if (!starts(m, "\r\n"))
		return wrong(err, "a boundary is not followed by a line break");
	m->at += 2;
	if (!read_head(m, part))
		return wrong(err, "a part has no Content-Disposition with a name");
	m->in_part = true;
	return true;
}

bool multipart_piece(struct multipart *m, size_t most, const char **bytes, size_t *len)
{
	size_t window = left(m) < most + m->delimiter_len ? left(m) : most + m->delimiter_len;
	const char *stop;

	if (!m->in_part)
		return false;
	stop = memmem(m->at, window, m->delimiter, m->delimiter_len);
	*bytes = m->at;
	if (stop) {
		*len = (size_t)(stop - m->at);
		m->at = stop + m->delimiter_len;
		m->in_part = false;
		return *len > 0;
	}
	if (left(m) < most + m->delimiter_len) {
		m->in_part = false;
		m->broken = true;
		return false;
	}
	*len = most;
	m->at += most;
	return true;
}
