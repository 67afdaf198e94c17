/*
 * Bugs and lack of memory end the process: what it held is in Kafka or in
 * Postgres, so a crash costs one re-delivery and never an answer.
 *
 *	ENSURE(job->state == JOB_CLAIMED);      -- always compiled in
 *	struct job *job = xcalloc(1, sizeof(*job));     -- never NULL
 */
#ifndef SLUICE_ENSURE_H
#define SLUICE_ENSURE_H

#include <stddef.h>

#include "compiler.h"

#define ENSURE(condition)                                              \
	do {                                                           \
		if (!(condition))                                      \
			ensure_failed(#condition, __FILE__, __LINE__); \
	} while (0)

NORETURN void ensure_failed(const char *condition, const char *file, int line);

void *xcalloc(size_t count, size_t size);
void *xrealloc(void *old, size_t size);
char *xstrdup(const char *text);
char *xstrndup(const char *text, size_t len);
void *xmemdup(const void *bytes, size_t len); /* never NULL, even for len 0 */

/* A formatted string; the caller frees it. */
char *xasprintf(const char *fmt, ...) PRINTF(1, 2);

/* free() as a cleanup: AUTO(xfree) char *text = xstrdup("..."); */
void xfree(void *p);
static inline UNUSED void xfree_auto(void *p)
{
	xfree(*(void **)p);
}

#endif
