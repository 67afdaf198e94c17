/*
 * Addresses of schemas, by RFC 3986.
 *
 *	AUTO(xfree) char *uri = schema_uri_resolve("http://a/b/c", "../d#e");
 *	size_t bare = schema_uri_bare_len(uri);         -- "http://a/d"
 */
#ifndef SLUICE_SCHEMA_URI_H
#define SLUICE_SCHEMA_URI_H

#include <stdbool.h>
#include <stddef.h>

/* The reference as seen from the base (section 5.2). The caller frees it. */
char *schema_uri_resolve(const char *base, const char *reference);

/* Length without fragment and #. */
size_t schema_uri_bare_len(const char *uri);

/* The fragment with its %XX decoded, "" where there is none. The caller frees it. */
char *schema_uri_fragment(const char *uri);

#endif
