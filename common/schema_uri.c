#include "schema_uri.h"

#include <ctype.h>
#include <string.h>

#include "buffer.h"
#include "ensure.h"

/* The five parts of RFC 3986, appendix B. A part that is absent has no text. */
struct part {
	const char *text;
	size_t len;
};

struct uri {
	struct part scheme, authority, path, query, fragment;
};

static struct part take(const char **at, const char *stop)
{
	struct part part = {.text = *at, .len = strcspn(*at, stop)};

	*at += part.len;
	return part;
}

static bool has_scheme(const char *text)
{
	if (!isalpha((unsigned char)*text))
		return false;
	while (isalnum((unsigned char)*text) || *text == '+' || *text == '-' || *text == '.')
		text++;
	return *text == ':';
}

static struct uri split(const char *text)
{
	struct uri uri = {0};

	if (has_scheme(text)) {
		uri.scheme = take(&text, ":");
		text++;
	}
	if (text[0] == '/' && text[1] == '/') {
		text += 2;
		uri.authority = take(&text, "/?#");
	}
	uri.path = take(&text, "?#");
	if (*text == '?') {
		text++;
		uri.query = take(&text, "#");
	}
	if (*text == '#')
		uri.fragment = (struct part){.text = text + 1, .len = strlen(text + 1)};
	return uri;
}

static void append_part(struct buffer *b, const char *before, struct part part, const char *after)
{
	if (!part.text)
		return;
	buffer_text(b, before);
	buffer_append(b, part.text, part.len);
	buffer_text(b, after);
}

/* Drop the last segment of what is written from `start` on. */
static void drop_segment(struct buffer *b, size_t start)
{
	while (b->len > start && b->data[b->len - 1] != '/')
		b->len--;
	if (b->len > start)
		b->len--;
	if (b->data)
		b->data[b->len] = '\0';
}

/* Section 5.2.4: append the path without "." and ".." segments. */
static void append_clean_path(struct buffer *b, const char *path)
{
	size_t start = b->len;

	while (*path) {
		size_t slash = *path == '/' ? 1 : 0;
		size_t len = strcspn(path + slash, "/");
		const char *segment = path + slash;
		bool last = segment[len] == '\0';

		if (len == 1 && segment[0] == '.') {
			if (last && slash)
				buffer_byte(b, '/');
		} else if (len == 2 && segment[0] == '.' && segment[1] == '.') {
			drop_segment(b, start);
			if (last && slash)
				buffer_byte(b, '/');
		} else {
			buffer_append(b, path, slash + len);
		}
		path = segment + len;
	}
}

/* Section 5.2.3: the reference's path beside the base's. The caller frees it. */
static char *merge_paths(const struct uri *base, struct part path)
{
	size_t keep = base->path.len;

	if (base->authority.text && base->path.len == 0)
		return xasprintf("/%.*s", (int)path.len, path.text);
	while (keep > 0 && base->path.text[keep - 1] != '/')
		keep--;
	return xasprintf("%.*s%.*s", (int)keep, base->path.text, (int)path.len, path.text);
}

static void append_path(struct buffer *b, const struct uri *base, const struct uri *ref)
{
	AUTO(xfree) char *path = NULL;

	if (ref->path.len == 0) {
		buffer_append(b, base->path.text, base->path.len);
		return;
	}
	if (ref->scheme.text || ref->authority.text || ref->path.text[0] == '/')
		path = xstrndup(ref->path.text, ref->path.len);
	else
		path = merge_paths(base, ref->path);
	append_clean_path(b, path);
}

char *schema_uri_resolve(const char *base_text, const char *reference)
{
	struct uri base = split(base_text);
	struct uri ref = split(reference);
	struct buffer b = {0};
	bool own_authority = ref.scheme.text || ref.authority.text;

	append_part(&b, "", ref.scheme.text ? ref.scheme : base.scheme, ":");
	append_part(&b, "//", own_authority ? ref.authority : base.authority, "");
	append_path(&b, own_authority ? &ref : &base, &ref);
	append_part(&b, "?",
		    ref.query.text || own_authority || ref.path.len > 0 ? ref.query : base.query,
		    "");
	append_part(&b, "#", ref.fragment, "");
	return buffer_take(&b);
}

size_t schema_uri_bare_len(const char *uri)
{
	return strcspn(uri, "#");
}

static int hex_digit(char c)
{
	if (isdigit((unsigned char)c))
		return c - '0';
	return isxdigit((unsigned char)c) ? (c | 0x20) - 'a' + 10 : -1;
}

char *schema_uri_fragment(const char *uri)
{
	const char *p = uri + schema_uri_bare_len(uri);
	struct buffer b = {0};

	if (*p == '#')
		p++;
	while (*p) {
		int high = *p == '%' ? hex_digit(p[1]) : -1;
		int low = high < 0 ? -1 : hex_digit(p[2]); /* not read past the end */

		buffer_byte(&b, (char)(low < 0 ? *p : high << 4 | low));
		p += low < 0 ? 1 : 3;
	}
	return buffer_take(&b);
}
