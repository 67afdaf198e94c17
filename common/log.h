/*
 * One line per outcome to standard error: a constant event name, then
 * key=value. Programs log; the libraries below them return errors. Never a
 * prompt, an answer or a key at info.
 *
 *	struct log_settings settings = LOG_DEFAULTS;
 *	settings.json = true;
 *	log_open(&settings);
 *	log_info("job_settled", "job=%s state=%s ms=%" PRIu64 " why=%s", id, state, ms, why);
 *
 *	time=2026-03-01T09:30:00.125Z level=info event=job_settled job=0195… state=done ms=812
 *why=""
 *
 * The format is itself key=value, parted by single blanks. Values may hold
 * anything: they are escaped, in logfmt and in JSON, so no value can forge a
 * field or a line. A line goes out in one write(2). An event that repeats too
 * often is held back; its next line says how many in `suppressed`.
 */
#ifndef SLUICE_LOG_H
#define SLUICE_LOG_H

#include <stdbool.h>
#include <stdint.h>

#include "buffer.h"
#include "clock.h"
#include "compiler.h"

#define LOG_LEVELS(X)     \
	X(DEBUG, "debug") \
	X(INFO, "info")   \
	X(WARN, "warn")   \
	X(ERROR, "error")

enum log_level {
#define LOG_LEVEL_NAME(name, text) LOG_LEVEL_##name,
	LOG_LEVELS(LOG_LEVEL_NAME)
#undef LOG_LEVEL_NAME
};

struct log_settings {
	enum log_level level; /* what is below is not written */
	bool json;
	uint32_t burst;	     /* lines of one event per interval, warnings and errors; 0: no limit */
	uint32_t info_burst; /* the same below warnings; what is held back is in Postgres */
	nsec interval;
	int fd;
};

#define LOG_DEFAULTS                                                       \
	{                                                                  \
		.level = LOG_LEVEL_INFO, .burst = 100, .info_burst = 5000, \
		.interval = 10 * NSEC_PER_SEC, .fd = 2                     \
	}

/* Copied. LOG_DEFAULTS hold until it is called. Safe to log from any thread. */
void log_open(const struct log_settings *settings);

/* Reads "debug", "info,json,all" and the like (SLUICE_LOG) over the settings: a level, a format,
   and "all" for no limit. False: not understood. */
bool log_settings_parse(struct log_settings *settings, const char *text);

/* Tell of lines still held back; call before the process ends. */
void log_flush(void);

void log_debug(const char *event, const char *fmt, ...) PRINTF(2, 3);
void log_info(const char *event, const char *fmt, ...) PRINTF(2, 3);
void log_warn(const char *event, const char *fmt, ...) PRINTF(2, 3);
void log_error(const char *event, const char *fmt, ...) PRINTF(2, 3);

/* The line itself, without writing it; what the four above are made of. `out` may have a cap. */
void log_line(struct buffer *out, bool json, nsec wall, enum log_level level, const char *event,
	      uint64_t suppressed, const char *fmt, ...) PRINTF(7, 8);

#endif
