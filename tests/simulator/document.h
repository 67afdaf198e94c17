/*
 * Reads JSON into one flat list of nodes over the text itself: no copies, one
 * allocation that is used again for every request. The product reads JSON with
 * jansson; that the simulator does not is on purpose.
 *
 *	if (!document_read(&doc, body, len, err))
 *	node_id model = document_member(&doc, 0, "model");
 *	document_unescape(&doc, model, &text);
 *
 * A node_id of NONE (0) stands for "absent"; the root is node 0 too, but nothing's
 * member. All functions accept NONE and find nothing there, except where the
 * root is meant.
 */
#ifndef SIMULATOR_DOCUMENT_H
#define SIMULATOR_DOCUMENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "buffer.h"
#include "error.h"

typedef uint32_t node_id;
#define NONE ((node_id)0)

enum node_type {
	NODE_NULL,
	NODE_FALSE,
	NODE_TRUE,
	NODE_NUMBER,
	NODE_STRING,
	NODE_ARRAY,
	NODE_OBJECT,
};

struct node {
	enum node_type type;
	uint32_t start; /* first byte; of a string: after the quote */
	uint32_t end;	/* after the last byte; of a string: its closing quote */
	node_id next;	/* the node after this one and all in it */
	uint32_t count; /* of an array or object: members */
};

struct document {
	const char *text; /* borrowed from document_read()'s caller */
	struct node *nodes;
	size_t count;
	size_t capacity;
};

#define DOCUMENT_MAX_DEPTH 512

bool document_read(struct document *doc, const char *text, size_t len, struct error *err) MUST_USE;
void document_finish(struct document *doc);

/* A member of an object by its name (written without escapes), or NONE. */
node_id document_member(const struct document *doc, node_id object, const char *name);
/* document_member() of a member, for paths two deep. */
node_id document_path(const struct document *doc, node_id object, const char *outer,
		      const char *inner);
/* The i-th element of an array, or NONE. */
node_id document_element(const struct document *doc, node_id array, uint32_t i);

/* Walk the members: first child, then document_after(). In objects, keys and values alternate. */
node_id document_first(const struct document *doc, node_id container); /* NONE: empty */
node_id document_after(const struct document *doc, node_id container, node_id child);

bool document_is(const struct document *doc, node_id at, enum node_type type); /* NONE is nothing */
bool document_equals(const struct document *doc, node_id at, const char *text); /* a string */
bool document_true(const struct document *doc, node_id at);
double document_number(const struct document *doc, node_id at, double fallback);
int64_t document_integer(const struct document *doc, node_id at, int64_t fallback);

/* The bytes as written: of a string without quotes, of others the whole value. */
const char *document_raw(const struct document *doc, node_id at, size_t *len);
/* The same with a string's quotes, as JSON. */
void document_copy(const struct document *doc, node_id at, struct buffer *out);
/* Append a string's characters; lone surrogates and \u0000 become U+FFFD. */
void document_unescape(const struct document *doc, node_id at, struct buffer *out);

/* Copy a string into a fixed array, cut to fit; "" if it is none. */
void document_text(const struct document *doc, node_id at, char *out, size_t size);

#endif
