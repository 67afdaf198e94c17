#include "secrets.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "buffer.h"
#include "ensure.h"

#define MAX_BYTES 65536 /* of a file, and of a resolved text */
#define MAX_NESTING 4

static bool resolve_into(struct buffer *out, const char *text, size_t len, int depth,
			 struct error *err);

static bool append(struct buffer *out, const char *bytes, size_t len, struct error *err)
{
	if (buffer_append(out, bytes, len))
		return true;
	return error_set(err, ERROR_REJECT, "resolves to more than %d bytes", MAX_BYTES);
}

static bool append_file(struct buffer *out, const char *path, struct error *err)
{
	static const char what[] = "cannot read file";
	char *bytes = xcalloc(1, MAX_BYTES + 1);
	FILE *file = fopen(path, "re");
	size_t len;
	bool ok;

	if (!file) {
		free(bytes);
		return error_set(err, ERROR_REJECT, "%s %s: %s", what, path, strerror(errno));
	}
	len = fread(bytes, 1, MAX_BYTES + 1, file);
	if (ferror(file))
		ok = error_set(err, ERROR_REJECT, "%s %s: %s", what, path, strerror(errno));
	else if (len > MAX_BYTES || memchr(bytes, 0, len))
		ok = error_set(err, ERROR_REJECT, "%s %s: it is over %d bytes, or no text", what,
			       path, MAX_BYTES);
	else
		ok = append(out, bytes, len > 0 && bytes[len - 1] == '\n' ? len - 1 : len, err);
	fclose(file);
	explicit_bzero(bytes, MAX_BYTES + 1);
	free(bytes);
	return ok;
}

static bool is_name(const char *text, size_t len)
{
	static const char first[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_";

	if (len == 0 || !strchr(first, text[0]))
		return false;
	for (size_t i = 1; i < len; i++)
		if (!strchr(first, text[i]) && (text[i] < '0' || text[i] > '9'))
			return false;
	return true;
}

static bool append_variable(struct buffer *out, const char *body, size_t len, int depth,
			    struct error *err)
{
	const char *dash = memmem(body, len, ":-", 2);
	size_t name_len = dash ? (size_t)(dash - body) : len;
	AUTO(xfree) char *name = xstrndup(body, name_len);
	const char *value;

	if (!is_name(body, name_len))
		return error_set(err, ERROR_REJECT,
				 "${%s} names no variable; write ${NAME}, ${NAME:-fallback} or "
				 "${file:PATH}",
				 name);
	value = getenv(name);
	if (value && (*value || !dash))
		return append(out, value, strlen(value), err);
	if (dash)
		return resolve_into(out, dash + 2, len - name_len - 2, depth, err);
	return error_set(err, ERROR_REJECT,
			 "environment variable %s is not set; set it, or write ${%s:-fallback}",
			 name, name);
}

static bool append_reference(struct buffer *out, const char *body, size_t len, int depth,
			     struct error *err)
{
	AUTO_FINISH(buffer_finish) struct buffer path = {.max = 4096};

	if (len < 5 || memcmp(body, "file:", 5) != 0)
		return append_variable(out, body, len, depth, err);
	if (!resolve_into(&path, body + 5, len - 5, depth, err))
		return false;
	return append_file(out, path.data ? path.data : "", err);
}

/* The brace that closes a reference whose body begins at text; NULL: there is none. */
static const char *closing_brace(const char *text, const char *end)
{
	int open = 1;

	for (const char *p = text; p < end; p++) {
		if (p + 1 < end && p[0] == '$' && p[1] == '{')
			open++;
		else if (*p == '}' && --open == 0)
			return p;
	}
	return NULL;
}

static bool resolve_into(struct buffer *out, const char *text, size_t len, int depth,
			 struct error *err)
{
	const char *end = text + len;

	if (depth > MAX_NESTING)
		return error_set(err, ERROR_REJECT, "nests over %d levels of ${}", MAX_NESTING);
	for (const char *p = text; p < end;) {
		const char *close;

		if (end - p >= 3 && !memcmp(p, "$${", 3)) {
			if (!append(out, "${", 2, err))
				return false;
			p += 3;
			continue;
		}
		if (end - p < 2 || memcmp(p, "${", 2) != 0) {
			if (!append(out, p, 1, err))
				return false;
			p++;
			continue;
		}
		close = closing_brace(p + 2, end);
		if (!close)
			return error_set(err, ERROR_REJECT, "a ${ is not closed by a }");
		if (!append_reference(out, p + 2, (size_t)(close - p - 2), depth + 1, err))
			return false;
		p = close + 1;
	}
	return true;
}

char *secrets_resolve(const char *text, struct error *err)
{
	AUTO_FINISH(buffer_finish) struct buffer out = {.max = MAX_BYTES};

	if (!resolve_into(&out, text, strlen(text), 0, err))
		return NULL;
	return buffer_take(&out);
}

/* "scheme://user:secret@host": the part between the colon and the last @ of the authority. */
static bool find_userinfo(const char *text, const char **from, const char **to)
{
	const char *authority = strstr(text, "://");
	const char *at = NULL;
	const char *end;

	if (!authority)
		return false;
	authority += 3;
	end = authority + strcspn(authority, "/?# ");
	for (const char *p = authority; p < end; p++)
		if (*p == '@')
			at = p;
	if (!at)
		return false;
	*from = memchr(authority, ':', (size_t)(at - authority));
	*to = at;
	return *from && ++*from < at;
}

/* "password=secret" and "sslpassword='a b'", up to where the value ends. */
static bool find_assignment(const char *text, const char **from, const char **to)
{
	const char *p = strcasestr(text, "password");

	if (!p)
		return false;
	p += strlen("password");
	p += strspn(p, " ");
	if (*p != '=')
		return false;
	p++;
	p += strspn(p, " ");
	*from = p;
	if (*p == '\'') {
		for (p++; *p && *p != '\''; p++)
			if (*p == '\\' && p[1])
				p++;
		*to = *p ? p + 1 : p;
	} else {
		*to = p + strcspn(p, " &");
	}
	return *to > *from;
}

static void mask_span(struct buffer *out, const char **rest, const char *from, const char *to)
{
	buffer_append(out, *rest, (size_t)(from - *rest));
	buffer_text(out, SECRETS_MASK);
	*rest = to;
}

char *secrets_mask(const char *text)
{
	AUTO_FINISH(buffer_finish) struct buffer out = {0};
	const char *rest = text, *from, *to;

	if (find_userinfo(rest, &from, &to))
		mask_span(&out, &rest, from, to);
	for (const char *seek = rest; (seek = strcasestr(seek, "password"));) {
		if (find_assignment(seek, &from, &to)) {
			mask_span(&out, &rest, from, to);
			seek = rest;
		} else {
			seek += strlen("password");
		}
	}
	buffer_text(&out, rest);
	return buffer_take(&out);
}

bool secrets_is_secret_name(const char *name)
{
	static const char *const words[] = {"password", "secret", ".pem", "token",
					    "oauthbearer.config"};

	for (size_t i = 0; i < COUNT_OF(words); i++)
		if (strcasestr(name, words[i]))
			return true;
	return false;
}
