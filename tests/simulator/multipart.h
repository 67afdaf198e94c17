/*
 * The parts of a multipart/form-data body, found where they lie.
 *
 *	if (multipart_find(content_type, body, len, "file", &part))
 */
#ifndef SIMULATOR_MULTIPART_H
#define SIMULATOR_MULTIPART_H

#include <stdbool.h>
#include <stddef.h>

struct part {
	const char *bytes; /* borrowed from the body */
	size_t len;
	char filename[256]; /* "": none */
};

bool multipart_find(const char *content_type, const char *body, size_t len, const char *name,
		    struct part *part);

#endif
