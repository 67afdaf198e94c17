/*
 * How long the HTTP server waits for its clients. Silence is not the measure,
 * for a client that sends a byte now and then is never silent: each request has
 * to be here, and each answer taken, within a time that only grows with what
 * was moved. When the places run out, those that were waited for the longest
 * make room, those whose body is under way last.
 *
 *	patience_await(&p, &wait, now);         -- a connection, or its next request
 *	patience_moved(&wait, bytes);           -- a piece of its body
 *	patience_rest(&p, &wait);               -- the handler has it, or it is gone
 *	patience_send(&p, &wait, bytes, now);   -- the answer is on its way
 *
 *	while ((wait = patience_overdue(&p, now)))
 *		hang_up(wait), patience_rest(&p, wait);
 *
 * Pure: never reads a clock, never allocates.
 */
#ifndef SLUICE_WEB_PATIENCE_H
#define SLUICE_WEB_PATIENCE_H

#include <stdbool.h>
#include <stddef.h>

#include "clock.h"

#define PATIENCE_BYTES_PER_SECOND ((size_t)8 << 10) /* slower than this is too slow */

#define PATIENCE_LEAST (100 * NSEC_PER_MSEC) /* nobody makes room sooner */

/* Embedded in what stands for a connection; all zero at first. */
struct patience_wait {
	nsec since;
	size_t bytes; /* moved since then, or to be moved */
	bool listed;
	bool sending;
	struct patience_wait *next, *previous;
};

struct patience {
	nsec idle;			    /* for the first bytes, and added to all */
	struct patience_wait *first, *last; /* by `since` */
};

void patience_await(struct patience *p, struct patience_wait *w, nsec now);
void patience_moved(struct patience_wait *w, size_t bytes);
void patience_send(struct patience *p, struct patience_wait *w, size_t bytes, nsec now);
void patience_rest(struct patience *p, struct patience_wait *w);

/* Somebody whose time is up; NULL: nobody. */
struct patience_wait *patience_overdue(const struct patience *p, nsec now);

/* Who should make room first; NULL: nobody, they have just come or are being answered. */
struct patience_wait *patience_longest(const struct patience *p, nsec now);

#endif
