/*
 * What went wrong, for the one who must act on it. A function that can fail
 * returns bool and takes a struct error last; the kind is decided where the
 * fact is known and acted on in one place.
 *
 *	if (!file_read(path, &text, err))
 *		return error_wrap(err, "config %s", path);
 *	return error_set(err, ERROR_REJECT, "tier \"%s\" is not configured", name);
 */
#ifndef SLUICE_ERROR_H
#define SLUICE_ERROR_H

#include <stdbool.h>

#include "compiler.h"

enum error_kind {
	ERROR_RETRY,  /* passing trouble outside: try again later */
	ERROR_REJECT, /* this input can never succeed: dead-letter it, tell the user */
	ERROR_FATAL,  /* this process cannot go on: stop and be restarted */
};

struct error {
	enum error_kind kind;
	char text[512];
};

/* Fill err. Returns false, so that a caller writes `return error_set(...)`. */
bool error_set(struct error *err, enum error_kind kind, const char *fmt, ...) PRINTF(3, 4);

/* Put context before err's text, as in "job 17: parse reply: <text>". Returns false. */
bool error_wrap(struct error *err, const char *fmt, ...) PRINTF(2, 3);

#endif
