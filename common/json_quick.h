/*
 * The ordinary JSON of messages and replies, read about ten times as fast as
 * jansson reads it, into jansson's values. It knows no errors: what it does not
 * take, for whatever reason, jansson is asked about, and has the last word.
 *
 *	value = json_quick(bytes, len, origin);
 *	if (!value)
 *		value = json_loadb(bytes, len, flags, &why);
 *
 * Whatever it takes jansson takes too, as an equal value. Left to jansson:
 * surrogates and \u0000, escapes in names, integers of 19 digits and more,
 * nesting beyond 100, duplicate keys where they are an error.
 *
 * For json_read() alone.
 */
#ifndef SLUICE_JSON_QUICK_H
#define SLUICE_JSON_QUICK_H

#include "json.h"

/* The caller's; NULL: ask jansson. */
json_t *json_quick(const char *bytes, size_t len, enum json_origin origin) MUST_USE;

#endif
