/* A job for people: its facts, and its attempts as a tree of run, hop and attempt. */
#ifndef SLUICE_CLI_JOBS_TREE_H
#define SLUICE_CLI_JOBS_TREE_H

#include <stdbool.h>

#include "error.h"

/* Prints what sql/queries/jobs_show.sql answers. */
bool jobs_tree_print(const char *json, struct error *err);

/* Why the job waits now, and what it has waited for, from the same. */
bool jobs_tree_explain(const char *json, struct error *err);

#endif
