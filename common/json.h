/*
 * JSON, by jansson: the only wrapper that shows its library's type, because
 * json_t brings its own counting of references. Use json_auto_t for locals;
 * a name in _new steals, a get borrows.
 *
 *	json_auto_t *message = json_read(bytes, len, JSON_OURS, err);
 *	const char *task = json_text(message, "task", "");
 *
 * Never write a model's output again through json_write(): numbers may change
 * their spelling. Pass the bytes on.
 */
#ifndef SLUICE_JSON_H
#define SLUICE_JSON_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "compiler.h"
#include "error.h"

enum json_origin {
	JSON_OURS,    /* messages and config: a duplicate key is an error */
	JSON_FOREIGN, /* replies of providers: the last duplicate counts; \u0000 may occur in
			 strings */
};

/*
 * The value the bytes spell (the caller's), or NULL with a REJECT error that
 * names line and column. Any JSON value at the top, nothing after it. Limited
 * to a depth of 2048 by the library; integers beyond 64 bits are an error.
 */
json_t *json_read(const char *bytes, size_t len, enum json_origin origin, struct error *err);

/* Compact text of the value (the caller's, to free). Keys in the order they were set. */
char *json_write(const json_t *value);

/* The same with keys sorted: equal values give equal bytes. For fingerprints. */
char *json_canonical(const json_t *value);

/* A member of an object by name, or the fallback where it is absent or of another type. */
const char *json_text(const json_t *object, const char *name, const char *fallback);
int64_t json_integer_or(const json_t *object, const char *name, int64_t fallback);
double json_number_or(const json_t *object, const char *name, double fallback);
bool json_bool_or(const json_t *object, const char *name, bool fallback);

/* A new JSON string of `len` bytes that need not be UTF-8: bad bytes become U+FFFD. */
json_t *json_lenient_string(const char *bytes, size_t len);

#endif
