/*
 * Regular expressions as JSON Schema has them: ECMA-262 with Unicode, searched
 * for anywhere in a text. They come from strangers and so does the text, so a
 * match gives up after a bounded effort.
 *
 *	AUTO(pattern_destroy) struct pattern *p = pattern_create("^a+$", 4, err);
 *	struct pattern_effort effort = {0};
 *	if (pattern_match(p, &effort, text, len) != PATTERN_MATCHES) ...
 *	pattern_effort_finish(&effort);
 *
 * A pattern never changes after creation and may be shared by threads; an
 * effort belongs to one. By PCRE2, which is included here only.
 */
#ifndef SLUICE_PATTERN_H
#define SLUICE_PATTERN_H

#include <stdbool.h>
#include <stddef.h>

#include "buffer.h"
#include "compiler.h"
#include "error.h"

#define PATTERN_MAX_BYTES 4096 /* longest expression */

struct pattern;

enum pattern_result {
	PATTERN_MATCHES,
	PATTERN_DIFFERS,
	PATTERN_EXHAUSTED, /* too hard to tell: neither may be assumed */
};

/* What the matches of one check share: scratch memory, and how many hard ones there were. */
struct pattern_effort {
	void *scratch;
	unsigned hard_matches;
};

/* NULL with a REJECT error that says why; it does not quote the expression. */
struct pattern *pattern_create(const char *regex, size_t len, struct error *err);
void pattern_destroy(struct pattern *pattern);
AUTO_DEFINE(struct pattern, pattern_destroy)

enum pattern_result pattern_match(const struct pattern *pattern, struct pattern_effort *effort,
				  const char *text, size_t len);
void pattern_effort_finish(struct pattern_effort *effort);

/* The same expression in PCRE2's language. Of use to pattern_create() and to tests only. */
bool pattern_translate(const char *regex, size_t len, struct buffer *out,
		       struct error *err) MUST_USE;

#endif
