/*
 * UTF-8, as much of it as whoever prints the text of strangers must know: where
 * a sequence is well formed, and how wide it is on a terminal.
 *
 *	size_t step = utf8_step(text + at, len - at);   -- 0: a bad byte
 */
#ifndef SLUICE_UTF8_H
#define SLUICE_UTF8_H

#include <stdbool.h>
#include <stddef.h>

#define UTF8_REPLACEMENT "\xef\xbf\xbd" /* U+FFFD, for what cannot be shown */

/* Length of the well-formed sequence at p (1 to 4), or 0. `left` is at least 1. */
size_t utf8_step(const char *p, size_t left);

bool utf8_is_valid(const char *text);

/*
 * Columns the sequence of `step` bytes takes: 0 for combining marks, 2 for wide
 * characters, -1 for control characters. Needs LC_CTYPE to be a UTF-8 locale.
 */
int utf8_width(const char *p, size_t step);

/*
 * Copies text into a field of `size` bytes: bad bytes become '?', a sequence that
 * would not fit whole is left out, a zero ends it. Returns to.
 */
char *utf8_copy(char *to, size_t size, const char *text);

#endif
