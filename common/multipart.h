/*
 * The parts of a form with a file (multipart/form-data, RFC 7578), in the order
 * they come: the file's bytes are handed out piece by piece, where they lie.
 *
 *	if (!multipart_begin(&m, web_header(request, "Content-Type"), body, len, &err)) ...
 *	while (multipart_next(&m, &part, &err))         -- false at the end, or err has words
 *		while (multipart_piece(&m, 65536, &bytes, &len))
 *			...                             -- of part.name, part.filename
 *
 * Looks no further ahead than a piece, so a long body need not be in memory.
 * Borrows body. A part whose end is missing is an error of the next step.
 */
#ifndef SLUICE_MULTIPART_H
#define SLUICE_MULTIPART_H

#include <stdbool.h>
#include <stddef.h>

#include "compiler.h"
#include "error.h"

#define MULTIPART_BOUNDARY 70 /* the longest there may be */

struct multipart {
	const char *at, *end;
	char delimiter[MULTIPART_BOUNDARY + 5]; /* with the line break before it */
	size_t delimiter_len;
	bool in_part; /* its content is not all handed out */
	bool broken;  /* it ended without a delimiter */
	unsigned parts;
};

struct part {
	char name[64];
	char filename[256]; /* "": not a file */
	bool is_file;
};

/* REJECT: the Content-Type is not that of a form, or has no boundary. */
bool multipart_begin(struct multipart *m, const char *content_type, const char *body, size_t len,
		     struct error *err) MUST_USE;

/* The next part; what is left of the one before is skipped. False: there is none, and *err->text
 * says what is wrong with the form, "" if nothing is. */
bool multipart_next(struct multipart *m, struct part *part, struct error *err);

/* The next piece of the part, at most so many bytes; false: that was all. */
bool multipart_piece(struct multipart *m, size_t most, const char **bytes, size_t *len);

#endif
