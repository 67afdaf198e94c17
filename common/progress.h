/*
 * How far a long command is, for whoever waits for it: a bar on a terminal, a
 * plain line every few seconds in a log file or a pipe.
 *
 *	struct progress progress;
 *	progress_start(&progress, "submitting", total, clock_now());
 *	progress_update(&progress, done, clock_now(), "%s so far", money);
 *	progress_finish(&progress, done, clock_now(), "");
 *
 *	submitting  [#########-----------]  46 %  4,600/10,000  920/s  ETA 6s  $0.31 so far
 *
 * It goes to standard error, so that standard output stays clean.
 */
#ifndef SLUICE_PROGRESS_H
#define SLUICE_PROGRESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "buffer.h"
#include "clock.h"
#include "compiler.h"

struct progress {
	const char *label;
	uint64_t total; /* 0: not known; then no bar and no ETA */
	nsec started;
	nsec shown;	 /* when it was last drawn; 0: never */
	bool terminal;	 /* draws over its own line */
	bool colour;	 /* NO_COLOR is not set */
	bool quiet;	 /* draws nothing */
	uint64_t recent; /* `done` and time of a while ago, for a rate that follows … */
	nsec recent_at;
	double rate; /* … in things per second */
	size_t columns;
};

void progress_start(struct progress *progress, const char *label, uint64_t total, nsec now);
void progress_update(struct progress *progress, uint64_t done, nsec now, const char *fmt, ...)
	PRINTF(4, 5);

/* The last state, and the line is kept. */
void progress_finish(struct progress *progress, uint64_t done, nsec now, const char *fmt, ...)
	PRINTF(4, 5);

/* The line by itself, as wide as `columns` allow (0: any width). */
void progress_line(const struct progress *progress, uint64_t done, nsec now, const char *extra,
		   struct buffer *out);

#endif
