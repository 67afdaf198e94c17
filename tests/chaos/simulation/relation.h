/*
 * Rows with a UUID as primary key, as a table of Postgres has them: found by
 * key, kept in the order in which they came, never moved in memory.
 *
 *	struct job_row *job = relation_find(&tables->jobs, &id);
 *	for (size_t i = 0; i < tables->jobs.count; i++)
 *		job = relation_at(&tables->jobs, i);
 */
#ifndef SIMULATION_RELATION_H
#define SIMULATION_RELATION_H

#include <stddef.h>
#include <stdint.h>

#include "uuid.h"

struct relation {
	char *rows; /* each begins with its struct uuid */
	size_t stride;
	size_t count;
	size_t most;
	int32_t *slots; /* open addressing: row number + 1; 0: free */
	size_t slot_count;
};

void relation_init(struct relation *relation, size_t stride, size_t most);
void relation_finish(struct relation *relation);
void relation_clear(struct relation *relation); /* memory kept */

void *relation_find(const struct relation *relation, const struct uuid *id); /* NULL: none */
void *relation_at(const struct relation *relation, size_t i);

/* A new row, all zero but its key, which must not be there yet. */
void *relation_add(struct relation *relation, const struct uuid *id);

#endif
