/*
 * Text of strangers inside a format of ours: escaped so that it cannot end its
 * field, start another one, or steer a terminal. Bytes that are not UTF-8 come
 * out as U+FFFD.
 *
 *	quote_json(&line, reason, strlen(reason));      -- "with \"quotes\" and \n"
 *	quote_csv(&line, name, strlen(name));           -- "a, b" only where needed
 *
 * False when the buffer's cap would be passed; then part of it may have been
 * appended.
 */
#ifndef SLUICE_QUOTE_H
#define SLUICE_QUOTE_H

#include <stdbool.h>
#include <stddef.h>

#include "buffer.h"

bool quote_json(struct buffer *out, const char *text, size_t len);

/* Bare when it is one plain word, else in quotes as in JSON. */
bool quote_logfmt(struct buffer *out, const char *text, size_t len);

/* RFC 4180; a formula (=, +, -, @ in front of a non-number) is disarmed by an apostrophe. */
bool quote_csv(struct buffer *out, const char *text, size_t len);

/* For a terminal: control characters become U+FFFD, nothing is put in quotes. */
bool quote_terminal(struct buffer *out, const char *text, size_t len);

/* Whether the text is a number as JSON spells it. */
bool quote_is_number(const char *text, size_t len);

#endif
