/*
 * Ids of jobs from the command line, a file or standard input: one per line,
 * bare or as JSON with "job_id", so that what one command prints the next reads.
 */
#ifndef SLUICE_CLI_IDS_H
#define SLUICE_CLI_IDS_H

#include <stdbool.h>
#include <stddef.h>

#include "arguments.h"
#include "error.h"
#include "uuid.h"

#define IDS_MAX 10000000

struct ids {
	struct uuid *ids;
	size_t count;
	size_t capacity;
};

/* The words; without any, the lines of the file ("-" or NULL: standard input, unless it is a
 * terminal). */
bool ids_read(struct ids *ids, const struct arguments *arguments, const char *file,
	      struct error *err) MUST_USE;
void ids_add(struct ids *ids, const struct uuid *id);
void ids_finish(struct ids *ids);

#endif
