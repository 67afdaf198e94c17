/*
 * What a doctor found: one line per thing looked at, good or bad.
 *
 *	findings_add(&findings, FINDING_WARN, "postgres", "fsync is off: ...");
 */
#ifndef SLUICE_CLI_FINDINGS_H
#define SLUICE_CLI_FINDINGS_H

#include <stddef.h>

#include "compiler.h"
#include "table.h"

enum finding { FINDING_OK, FINDING_WARN, FINDING_FAIL };

struct findings {
	struct table *table;
	size_t counts[FINDING_FAIL + 1];
};

void findings_init(struct findings *findings);
void findings_finish(struct findings *findings);
void findings_add(struct findings *findings, enum finding finding, const char *about,
		  const char *fmt, ...) PRINTF(4, 5);

#endif
