/*
 * A job's schema as a provider takes it. Providers accept a part of JSON Schema
 * only, each another one; what is projected away is found by our own check, so
 * a projection may let more through than the schema, but never keeps out what a
 * job needs: a schema that can't be said that way is not strict.
 *
 *	struct schema_projection p = schema_project(SCHEMA_FOR_OPENAI, document);
 *	if (!p.schema) ...                      -- say it in words
 *	send(p.schema, p.strict);
 *	schema_projection_finish(&p);
 *
 * Objects are closed ("additionalProperties": false) where the schema does not
 * ask for other members; an optional property becomes required only where null
 * will do. Pure.
 */
#ifndef SLUICE_SCHEMA_PROJECT_H
#define SLUICE_SCHEMA_PROJECT_H

#include <stdbool.h>

#include "json.h"

enum schema_target {
	SCHEMA_FOR_NOBODY,    /* takes no schema at all */
	SCHEMA_FOR_OPENAI,    /* response_format json_schema */
	SCHEMA_FOR_ANTHROPIC, /* output_config.format, or a tool's input_schema */
};

struct schema_projection {
	json_t *schema; /* owned; NULL: this provider can't be given it */
	/* The provider can be held to it. If not, schema is the document as it is, of use to
	   OpenAI with strict off and to Anthropic as the input of a tool that is not strict. */
	bool strict;
	char why[128]; /* it is not strict; "" where it is */
};

struct schema_projection schema_project(enum schema_target target, const json_t *document);
void schema_projection_finish(struct schema_projection *projection);

#endif
