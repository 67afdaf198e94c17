/*
 * From the complete tree of a configuration to its structs, and the rules that
 * no schema can say: names that refer to each other, bounds between settings.
 * Part of config.h, which is what others use.
 */
#ifndef SLUICE_CONFIG_READ_H
#define SLUICE_CONFIG_READ_H

#include "config.h"
#include "yaml.h"

/* Fill all but the tree from config->tree, which is complete and fits its schema. */
bool config_fill(struct config *config, const struct yaml *doc, struct error *err) MUST_USE;

/* The sections `limits` and `budgets`. */
bool config_fill_allowances(struct config *config, const struct yaml *doc,
			    struct error *err) MUST_USE;
void config_finish_allowances(struct config *config);

/* What must hold between settings. */
bool config_check(const struct config *config, const struct yaml *doc, struct error *err) MUST_USE;

#endif
