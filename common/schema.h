/*
 * JSON Schema, draft 2020-12: what a job's answer, and every message and
 * setting of ours, is checked against. Compile once, check often; a compiled
 * schema never changes and may be shared by threads.
 *
 *	AUTO(schema_destroy) struct schema *schema = schema_compile(document, err);
 *	if (!schema)                    -- err says where it is no schema, and why
 *
 *	struct schema_errors errors;
 *	char note[SCHEMA_NOTE];
 *	if (!schema_check(schema, answer, &errors))
 *		quote(schema_errors_note(&errors, note));
 *
 * Schemas and values come from strangers. A schema that is none is refused
 * before anything is built from it, nothing is ever fetched, and a check has a
 * budget of steps, depth and effort in patterns: what passes it is not valid.
 */
#ifndef SLUICE_SCHEMA_H
#define SLUICE_SCHEMA_H

#include <stdbool.h>
#include <stddef.h>

#include "compiler.h"
#include "error.h"
#include "json.h"

#define SCHEMA_MAX_ERRORS 8
#define SCHEMA_MAX_STEPS 2000000 /* of one check */
#define SCHEMA_MAX_DEPTH 512	 /* of one check: nested schemas at work at once */
#define SCHEMA_MAX_NESTING 200	 /* of a schema: objects and arrays within each other */
#define SCHEMA_MAX_NODES 20000	 /* of a schema: its subschemas */
#define SCHEMA_NOTE 600		 /* room for a note, with the final zero */
#define SCHEMA_SIGNATURE 96	 /* room for a signature, with the final zero */

struct schema;

struct schema_document {
	const char *uri;
	const json_t *document;
};

struct schema_options {
	/* Formats are checked, not only noted: date-time, date, time, duration, email,
	   hostname, ipv4, ipv6, uri, uuid. Others are noted only. */
	bool assert_formats;
	/* Documents that "$ref" may name beside the schema itself. */
	const struct schema_document *documents;
	size_t document_count;
};

/*
 * The document is copied. NULL with a REJECT error fit for whoever wrote it.
 * schema_compile() asserts formats and knows no other documents.
 */
struct schema *schema_compile(const json_t *document, struct error *err) MUST_USE;
struct schema *schema_compile_with(const json_t *document, const struct schema_options *options,
				   struct error *err) MUST_USE;
void schema_destroy(struct schema *schema);
AUTO_DEFINE(struct schema, schema_destroy)

struct schema_error {
	char path[128];	     /* JSON pointer to the wrong value; "" is the whole */
	char shape[96];	     /* the same with indexes and invented names as "-" */
	const char *keyword; /* "required", "type", …; lives as long as the program */
	char text[160];	     /* "must be string or null, is integer" */
};

struct schema_errors {
	size_t count; /* at most SCHEMA_MAX_ERRORS are kept, … */
	bool more;    /* … and there were others */
	struct schema_error list[SCHEMA_MAX_ERRORS];
};

/* Whether the value is valid. errors (NULL: not wanted) is filled when it is not. */
bool schema_check(const struct schema *schema, const json_t *value, struct schema_errors *errors);

/* The errors in a few lines, fit to be quoted to a model. Returns note. */
const char *schema_errors_note(const struct schema_errors *errors, char note[SCHEMA_NOTE]);

/*
 * The same mistake gives the same signature, whichever element of an array it
 * was made in: "schema /items/-/price type". Returns signature.
 */
const char *schema_errors_signature(const struct schema_errors *errors,
				    char signature[SCHEMA_SIGNATURE]);

#endif
