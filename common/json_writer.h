/*
 * Writes JSON straight into a buffer, member by member, without building a tree
 * first: the bodies of requests are made on the hot path. Commas are its
 * business; that braces pair up is the caller's.
 *
 *	struct json_writer w = {.out = body};
 *
 *	json_open(&w, '{');
 *	json_key(&w, "model");
 *	json_put_text(&w, "gpt-4o-mini");
 *	json_close(&w, '}');
 *	if (w.full)
 *		return error_set(err, ERROR_REJECT, "the request is over %zu bytes", body->max);
 *
 * Once the buffer's cap is met, nothing more is written and `full` stays set.
 */
#ifndef SLUICE_JSON_WRITER_H
#define SLUICE_JSON_WRITER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "buffer.h"
#include "json.h"

struct json_writer {
	struct buffer *out;
	bool full;  /* the buffer's cap was met: what it holds is cut off */
	bool comma; /* a value came before at this level */
};

void json_open(struct json_writer *w, char bracket);  /* '{' or '[' */
void json_close(struct json_writer *w, char bracket); /* '}' or ']' */

/* The name of the next value. It must need no escapes. */
void json_key(struct json_writer *w, const char *name);

void json_put_string(struct json_writer *w, const char *utf8, size_t len);
void json_put_text(struct json_writer *w, const char *utf8);
void json_put_integer(struct json_writer *w, int64_t value);
void json_put_number(struct json_writer *w, double value); /* finite; as short as it is exact */
void json_put_bool(struct json_writer *w, bool value);
void json_put_value(struct json_writer *w, const json_t *value);

/* Bytes that are a JSON value already. */
void json_put_raw(struct json_writer *w, const char *json, size_t len);

/* A string in pieces: between begin and end only string_part(). */
void json_string_begin(struct json_writer *w);
void json_string_part(struct json_writer *w, const char *utf8, size_t len);
void json_string_end(struct json_writer *w);

#endif
