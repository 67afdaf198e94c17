/*
 * The lines of a file that comes in pieces.
 *
 *	switch (file_lines_next(&lines, &bytes, &len)) {
 *	case LINE_GOT: …                -- lines.number counts from 1, blank ones too
 *	case LINE_TOO_LONG: …           -- it is skipped
 *	case LINE_WANTS_MORE: …         -- file_lines_feed() the next piece, or file_lines_end()
 *	case LINE_NO_MORE: …
 *
 * Holds a piece and the beginning of a line, never more than `most` of it.
 */
#ifndef SLUICE_FILE_LINES_H
#define SLUICE_FILE_LINES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "buffer.h"

enum file_line { LINE_GOT, LINE_TOO_LONG, LINE_WANTS_MORE, LINE_NO_MORE };

struct file_lines {
	size_t most; /* bytes of a line */
	int32_t number;
	int32_t pieces; /* that were fed */
	struct buffer bytes;
	size_t at;
	bool skipping; /* the rest of a line that is too long */
	bool ended;
};

/* The bytes are borrowed until the next call. Blank lines are passed over. */
enum file_line file_lines_next(struct file_lines *lines, const char **bytes, size_t *len);
void file_lines_feed(struct file_lines *lines, const char *bytes, size_t len);
void file_lines_end(struct file_lines *lines);
void file_lines_finish(struct file_lines *lines);

#endif
