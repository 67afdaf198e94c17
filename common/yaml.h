/*
 * YAML 1.2, by libfyaml: the text of a configuration becomes a JSON tree that
 * remembers where everything stands, so that what is wrong can be shown at its
 * line and column. JSON is YAML too. Duplicate keys, tags and a second document
 * are errors; size, depth and the number of values (aliases followed) are capped.
 *
 *	AUTO(yaml_destroy) struct yaml *doc = yaml_read("sluice.yaml", text, len, err);
 *	if (!doc)
 *		return NULL;            -- "sluice.yaml:7:3: duplicate key"
 *	json_t *tree = yaml_tree(doc);
 *	return yaml_error(doc, "/kafka/brokers", err, "no broker is named");
 */
#ifndef SLUICE_YAML_H
#define SLUICE_YAML_H

#include <stdbool.h>
#include <stddef.h>

#include "buffer.h"
#include "compiler.h"
#include "error.h"
#include "json.h"

struct yaml;

/* `name` is what errors call the text. NULL with a REJECT error that names line and column. */
struct yaml *yaml_read(const char *name, const char *text, size_t len, struct error *err) MUST_USE;
void yaml_destroy(struct yaml *doc);
AUTO_DEFINE(struct yaml, yaml_destroy)

/* The values, borrowed: they live as long as the document unless increfed. */
json_t *yaml_tree(const struct yaml *doc);

const char *yaml_name(const struct yaml *doc); /* what errors call it; borrowed */

/*
 * Where the value of a JSON pointer stands, counted from 1. A pointer that leads
 * nowhere gives the place of the last value on its way that is there.
 */
void yaml_locate(const struct yaml *doc, const char *pointer, int *line, int *column);

/* Where the key of that member stands: for members that should not be there at all. */
void yaml_locate_key(const struct yaml *doc, const char *pointer, int *line, int *column);

/* Fill err as "name:line:column: ...", REJECT. Returns false. */
bool yaml_error(const struct yaml *doc, const char *pointer, struct error *err, const char *fmt,
		...) PRINTF(4, 5);

/* Append a tree as YAML that reads back as the same tree. False: it does not fit, or is too deep.
 */
bool yaml_write(struct buffer *out, const json_t *value);

#endif
