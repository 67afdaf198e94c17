/*
 * An output schema as the bytes that requests carry. To project and write a
 * schema of twenty members costs more than the rest of a request, and all jobs
 * of a task bring the same one; so whoever makes many calls prepares it once.
 *
 *	struct prepared_schema prepared;
 *
 *	prepared_schema_init(&prepared, "openai", schema);
 *	call.prepared = &prepared;              -- for every call with that schema
 *	...
 *	prepared_schema_finish(&prepared);
 *
 * Pure, and never changes after init.
 */
#ifndef SLUICE_PREPARED_SCHEMA_H
#define SLUICE_PREPARED_SCHEMA_H

#include <stdbool.h>
#include <stddef.h>

#include "json.h"

struct prepared_schema {
	char *whole; /* the schema as it is */
	size_t whole_len;
	char *projected; /* the part of it that the dialect takes; NULL: it takes none */
	size_t projected_len;
	bool strict;	   /* the provider can be held to `projected` */
	bool wants_object; /* the root is an object: nothing else is taken as a schema or a tool */
};

/* The schema is not kept. */
void prepared_schema_init(struct prepared_schema *prepared, const char *dialect,
			  const json_t *schema);
void prepared_schema_finish(struct prepared_schema *prepared); /* also of one that is all zero */

#endif
