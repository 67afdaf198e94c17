/*
 * Questions about a schema as it is written, for those who rewrite it. The
 * document need not be a valid schema.
 *
 *	if (!schema_takes_null(json_object_get(properties, "nickname"))) ...
 */
#ifndef SLUICE_SCHEMA_SHAPE_H
#define SLUICE_SCHEMA_SHAPE_H

#include <stdbool.h>

#include "json.h"

/* Whether an argument of "type" is or has that name. */
bool schema_names_type(const json_t *type, const char *name);

/* null is surely valid: by type, among constants, or by an alternative. */
bool schema_takes_null(const json_t *schema);

/* Several types or alternatives. */
bool schema_is_union(const json_t *schema);

/* A $ref leads back to where it came from, directly or over others. */
bool schema_is_recursive(const json_t *document);

/* What "#/$defs/x" or "#/definitions/x" names; NULL for all other references. */
const json_t *schema_definition(const json_t *document, const char *reference);

/* A pattern a grammar can hold: without back references, looks around, \b and \p. */
bool schema_pattern_is_plain(const char *pattern);

#endif
