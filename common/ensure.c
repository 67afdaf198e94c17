#include "ensure.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void ensure_failed(const char *condition, const char *file, int line)
{
	fprintf(stderr, "level=fatal event=bug at=%s:%d ensure=\"%s\"\n", file, line, condition);
	abort();
}

static void *or_die(void *p)
{
	if (!p) {
		fputs("level=fatal event=out_of_memory\n", stderr);
		abort();
	}
	return p;
}

void *xcalloc(size_t count, size_t size)
{
	return or_die(calloc(count ? count : 1, size ? size : 1));
}

void *xrealloc(void *old, size_t size)
{
	return or_die(realloc(old, size ? size : 1));
}

char *xstrdup(const char *text)
{
	return or_die(strdup(text));
}

char *xstrndup(const char *text, size_t len)
{
	return or_die(strndup(text, len));
}

void *xmemdup(const void *bytes, size_t len)
{
	void *copy = xcalloc(1, len);

	if (len > 0)
		memcpy(copy, bytes, len);
	return copy;
}

char *xasprintf(const char *fmt, ...)
{
	va_list args;
	char *text = NULL;

	va_start(args, fmt);
	if (vasprintf(&text, fmt, args) < 0)
		text = NULL;
	va_end(args);
	return or_die(text);
}

void xfree(void *p)
{
	free(p);
}
