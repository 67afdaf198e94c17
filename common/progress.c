#include "progress.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "duration.h"
#include "ensure.h"

#define BAR_WIDTH 20
#define REDRAW (100 * NSEC_PER_MSEC)
#define RELOG (5 * NSEC_PER_SEC)
#define RATE_WINDOW (2 * NSEC_PER_SEC)

static size_t terminal_columns(void)
{
	struct winsize size;

	if (ioctl(STDERR_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_col < 20)
		return 80;
	return size.ws_col;
}

void progress_start(struct progress *progress, const char *label, uint64_t total, nsec now)
{
	const char *term = getenv("TERM");
	const char *no_colour = getenv("NO_COLOR");

	*progress = (struct progress){
		.label = label, .total = total, .started = now, .recent_at = now};
	progress->terminal = isatty(STDERR_FILENO) && !(term && strcmp(term, "dumb") == 0);
	progress->colour = progress->terminal && !(no_colour && *no_colour);
	progress->columns = progress->terminal ? terminal_columns() : 0;
}

/* 1234567 as "1,234,567". */
static void append_count(struct buffer *out, uint64_t count)
{
	char digits[24];
	int len = snprintf(digits, sizeof(digits), "%" PRIu64, count);

	for (int i = 0; i < len; i++) {
		if (i > 0 && (len - i) % 3 == 0)
			buffer_byte(out, ',');
		buffer_byte(out, digits[i]);
	}
}

static void append_bar(const struct progress *progress, uint64_t done, struct buffer *out)
{
	uint64_t part = done < progress->total ? done : progress->total;
	int full = (int)((double)part / (double)progress->total * BAR_WIDTH);

	buffer_byte(out, '[');
	for (int i = 0; i < BAR_WIDTH; i++)
		buffer_byte(out, i < full ? '#' : '-');
	buffer_printf(out, "] %3d %%  ", (int)((double)part / (double)progress->total * 100));
}

static void append_eta(const struct progress *progress, uint64_t done, struct buffer *out)
{
	char text[DURATION_TEXT];
	double seconds = (double)(progress->total - done) / progress->rate;

	if (seconds < 1e8)
		buffer_printf(out, "  ETA %s",
			      duration_format(text, (nsec)(seconds + 0.5) * NSEC_PER_SEC));
}

void progress_line(const struct progress *progress, uint64_t done, nsec now, const char *extra,
		   struct buffer *out)
{
	char text[DURATION_TEXT];
	size_t start = out->len;

	buffer_printf(out, "%s  ", progress->label);
	if (progress->total > 0 && progress->terminal)
		append_bar(progress, done, out);
	append_count(out, done);
	if (progress->total > 0) {
		buffer_byte(out, '/');
		append_count(out, progress->total);
	}
	if (progress->rate > 0)
		buffer_printf(out, progress->rate < 10 ? "  %.1f/s" : "  %.0f/s", progress->rate);
	if (progress->total > done && progress->rate > 0)
		append_eta(progress, done, out);
	else if (done > 0 && done == progress->total)
		buffer_printf(out, "  in %s", duration_format(text, now - progress->started));
	if (*extra)
		buffer_printf(out, "  %s", extra);
	if (progress->columns > 0 && out->len - start >= progress->columns) {
		out->len = start + progress->columns - 1;
		out->data[out->len] = '\0';
	}
}

static void measure(struct progress *progress, uint64_t done, nsec now)
{
	double seconds = (double)(now - progress->recent_at) / (double)NSEC_PER_SEC;

	if (now - progress->recent_at < RATE_WINDOW && (progress->rate > 0 || seconds < 0.2))
		return;
	if (done >= progress->recent && seconds > 0)
		progress->rate = (double)(done - progress->recent) / seconds;
	progress->recent = done;
	progress->recent_at = now;
}

static void draw(struct progress *progress, uint64_t done, nsec now, const char *extra, bool last)
{
	AUTO_FINISH(buffer_finish) struct buffer line = {0};

	progress->shown = now;
	if (progress->terminal)
		buffer_text(&line, progress->colour ? "\r\x1b[36m" : "\r");
	progress_line(progress, done, now, extra, &line);
	if (progress->colour)
		buffer_text(&line, "\x1b[0m");
	if (progress->terminal)
		buffer_text(&line, "\x1b[K");
	if (last || !progress->terminal)
		buffer_byte(&line, '\n');
	fwrite(line.data, 1, line.len, stderr);
	fflush(stderr);
}

static void draw_with(struct progress *progress, uint64_t done, nsec now, bool last,
		      const char *fmt, va_list args)
{
	char *extra = NULL;

	ENSURE(vasprintf(&extra, fmt, args) >= 0);
	draw(progress, done, now, extra, last);
	free(extra);
}

void progress_update(struct progress *progress, uint64_t done, nsec now, const char *fmt, ...)
{
	nsec since = progress->shown ? progress->shown : progress->started;
	va_list args;

	measure(progress, done, now);
	if (progress->quiet || now - since < (progress->terminal ? REDRAW : RELOG))
		return;
	va_start(args, fmt);
	draw_with(progress, done, now, false, fmt, args);
	va_end(args);
}

void progress_finish(struct progress *progress, uint64_t done, nsec now, const char *fmt, ...)
{
	double seconds = (double)(now - progress->started) / (double)NSEC_PER_SEC;
	va_list args;

	if (progress->quiet)
		return;
	progress->rate = seconds > 0 ? (double)done / seconds : 0; /* at the end, of it all */
	va_start(args, fmt);
	draw_with(progress, done, now, true, fmt, args);
	va_end(args);
}
