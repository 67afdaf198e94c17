/*
 * Makes a JSON value that fits a JSON Schema: types, enums, bounds, lengths,
 * patterns, formats, references, alternatives. The same dice give the same value.
 *
 *	struct generator g = {.doc = &doc, .root = schema, .dice = &dice, .out = &text};
 *	generate(&g, schema);
 */
#ifndef SIMULATOR_GENERATE_H
#define SIMULATOR_GENERATE_H

#include "dice.h"
#include "document.h"

struct generator {
	const struct document *doc;
	node_id root; /* where "#/…" references start */
	struct dice *dice;
	struct buffer *out;
	bool low_scores; /* numbers named confidence, score, … come out low */
	int depth;
};

void generate(struct generator *g, node_id schema);

/* Words that say nothing, about so many bytes; no quotes in them. */
void generate_words(struct dice *dice, size_t bytes, struct buffer *out);

/* A string that a regular expression matches; of the plain kind people put in schemas. */
void generate_pattern(struct dice *dice, const char *pattern, struct buffer *out);

#endif
