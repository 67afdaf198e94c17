/*
 * One HTTP request, read where its bytes lie. Everything it points to belongs to the connection and
 *lives until the exchange is over.
 *
 *	if (request_head(&request, bytes, len) == REQUEST_BAD) ...
 *	const char *id = request_header(&request, "x-client-request-id");
 */
#ifndef SIMULATOR_REQUEST_H
#define SIMULATOR_REQUEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "buffer.h"

#define REQUEST_MAX_HEAD ((size_t)64 * 1024)
#define REQUEST_MAX_HEADERS 100

struct request_header {
	const char *name;
	const char *value;
};

struct request {
	const char *method;
	char *path;	   /* without the query */
	const char *query; /* after the '?', or "" */
	bool http_1_0;
	struct request_header headers[REQUEST_MAX_HEADERS];
	size_t header_count;
	const char *body;
	size_t body_len;
};

enum request_progress {
	REQUEST_MORE,	   /* wait for more bytes */
	REQUEST_WHOLE,	   /* done */
	REQUEST_BAD,	   /* not HTTP: answer 400 and close */
	REQUEST_TOO_LARGE, /* head or body over its cap: answer 431 or 413 and close */
};

/* How long the head at the start of `bytes` is, its blank line included. */
enum request_progress request_head_length(const char *bytes, size_t len, size_t *head_len);

/* Read a whole head, which is cut into strings in place. REQUEST_WHOLE or REQUEST_BAD. */
enum request_progress request_head(struct request *request, char *bytes, size_t len);

/* Undo the chunking of a body in place; *used is how many bytes it took in the stream. */
enum request_progress request_unchunk(char *bytes, size_t len, size_t max, size_t *body_len,
				      size_t *used);

/* Case-insensitive; NULL where absent. */
const char *request_header(const struct request *request, const char *name);

/* A query parameter's raw value into `out`; false where absent. */
bool request_parameter(const struct request *request, const char *name, char *out, size_t size);
int64_t request_parameter_integer(const struct request *request, const char *name,
				  int64_t fallback);

#endif
