/*
 * The configuration as a tree, led by its schema (schemas/config.json): checked,
 * filled with the defaults that stand there, its references resolved, its
 * amounts brought to their types. What is wrong is shown at line and column.
 *
 *	json_auto_t *tree = config_tree_read(doc, err);         -- complete, secrets in it
 *	json_auto_t *shown = config_tree_masked(tree);          -- fit for a terminal
 *
 * Part of config.h, which is what others use.
 */
#ifndef SLUICE_CONFIG_TREE_H
#define SLUICE_CONFIG_TREE_H

#include "error.h"
#include "json.h"
#include "yaml.h"

/* The caller's. The document is needed for errors only, but its tree is used up. */
json_t *config_tree_read(struct yaml *doc, struct error *err) MUST_USE;

/* A copy without secrets, the caller's. */
json_t *config_tree_masked(const json_t *tree);

/* Append "/name", escaped, to a JSON pointer in a buffer of that size. Returns path. */
const char *config_path_join(char *path, size_t size, const char *parent, const char *name);

#endif
