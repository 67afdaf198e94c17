/*
 * A request as the simulator understood it, the same for both providers: what
 * is asked of which model, in which form the answer is wanted, and the prompt in
 * the order in which a provider's cache sees it.
 *
 *	ask_begin(&ask, OPENAI, &doc, root);
 *	if (!openai_read(&ask, models, &failure))
 */
#ifndef SIMULATOR_ASK_H
#define SIMULATOR_ASK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "document.h"
#include "failure.h"
#include "models.h"

/* One part of the prompt: a tool, a schema, a block of text. */
struct piece {
	node_id node;
	bool from_client;  /* directives count here; the model's own words are not obeyed */
	uint8_t cache_ttl; /* a cache breakpoint follows it: minutes to live; 0: none */
};

struct ask {
	enum maker maker;
	const struct document *doc;
	node_id root;
	const struct model *model;
	char model_name[96]; /* as asked for */
	int64_t max_output;  /* tokens; 0: no cap given */
	bool stream;
	bool include_usage; /* OpenAI streams */
	bool obfuscate;	    /* OpenAI streams */
	bool logprobs;
	int64_t top_logprobs;
	bool json_object;
	node_id schema; /* the answer must fit it; NONE: free text */
	bool tool;	/* the answer is a call of this tool */
	char tool_name[96];
	bool tool_named; /* the client named it, rather than asking for any */
	bool flex;
	struct piece *pieces;
	size_t piece_count, piece_capacity;
	size_t prompt_bytes; /* of all pieces, as written */
};

/* Start over for a new request; the memory is used again. */
void ask_begin(struct ask *ask, enum maker maker, const struct document *doc, node_id root);
void ask_finish(struct ask *ask);

void ask_add_piece(struct ask *ask, node_id node, bool from_client, uint8_t cache_ttl);
int64_t ask_prompt_tokens(const struct ask *ask); /* an estimate, always the same */

/* A member of the request itself. */
node_id ask_member(const struct ask *ask, const char *name);

/* What both providers check. The failure says it in the provider's words. */
bool ask_read_model(struct ask *ask, const struct models *models, struct failure *failure);

#endif
