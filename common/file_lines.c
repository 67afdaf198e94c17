#include "file_lines.h"

#include <string.h>

static bool is_blank(const char *bytes, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (!strchr(" \t\r", bytes[i]))
			return false;
	return true;
}

/* A line up to here; its break, if it has one, is behind it. */
static bool take_line(struct file_lines *lines, size_t len, size_t with_break)
{
	bool skipped = lines->skipping || len > lines->most;

	lines->number++;
	lines->at += with_break;
	lines->skipping = false;
	return !skipped;
}

enum file_line file_lines_next(struct file_lines *lines, const char **bytes, size_t *len)
{
	for (;;) {
		size_t left = lines->bytes.len - lines->at;
		const char *begin, *stop;

		begin = left > 0 ? lines->bytes.data + lines->at : "";
		stop = memchr(begin, '\n', left);
		if (!stop && !lines->ended) {
			lines->skipping |= left > lines->most;
			lines->at += lines->skipping ? left : 0;
			return LINE_WANTS_MORE;
		}
		if (!stop && left == 0 && !lines->skipping)
			return LINE_NO_MORE;
		*bytes = begin;
		*len = stop ? (size_t)(stop - begin) : left;
		if (!take_line(lines, *len, *len + (stop ? 1 : 0)))
			return LINE_TOO_LONG;
		if (!is_blank(*bytes, *len))
			return LINE_GOT;
	}
}

void file_lines_feed(struct file_lines *lines, const char *bytes, size_t len)
{
	size_t left = lines->bytes.len - lines->at;

	if (left > 0)
		memmove(lines->bytes.data, lines->bytes.data + lines->at, left);
	lines->bytes.len = left;
	lines->at = 0;
	lines->pieces++;
	buffer_append(&lines->bytes, bytes, len);
}

void file_lines_end(struct file_lines *lines)
{
	lines->ended = true;
}

void file_lines_finish(struct file_lines *lines)
{
	buffer_finish(&lines->bytes);
}
