#include "ask.h"

#include <stdlib.h>

#include "ensure.h"

void ask_begin(struct ask *ask, enum maker maker, const struct document *doc, node_id root)
{
	*ask = (struct ask){
		.maker = maker,
		.doc = doc,
		.root = root,
		.pieces = ask->pieces,
		.piece_capacity = ask->piece_capacity,
	};
}

void ask_finish(struct ask *ask)
{
	free(ask->pieces);
	*ask = (struct ask){0};
}

void ask_add_piece(struct ask *ask, node_id node, bool from_client, uint8_t cache_ttl)
{
	size_t len;

	if (ask->piece_count == ask->piece_capacity) {
		ask->piece_capacity = ask->piece_capacity ? ask->piece_capacity * 2 : 16;
		ask->pieces = xrealloc(ask->pieces, ask->piece_capacity * sizeof(*ask->pieces));
	}
	ask->pieces[ask->piece_count++] = (struct piece){node, from_client, cache_ttl};
	document_raw(ask->doc, node, &len);
	ask->prompt_bytes += len;
}

/* Four bytes a token, four tokens around each part, three to start the answer. */
int64_t ask_prompt_tokens(const struct ask *ask)
{
	return (int64_t)(ask->prompt_bytes + 3) / 4 + 4 * (int64_t)ask->piece_count + 3;
}

node_id ask_member(const struct ask *ask, const char *name)
{
	return document_member(ask->doc, ask->root, name);
}

bool ask_read_model(struct ask *ask, const struct models *models, struct failure *failure)
{
	document_text(ask->doc, ask_member(ask, "model"), ask->model_name, sizeof(ask->model_name));
	if (ask->model_name[0] == '\0') {
		*failure = failure_missing(ask->maker, "model");
		return false;
	}
	ask->model = models_find(models, ask->maker, ask->model_name);
	if (!ask->model) {
		*failure = failure_of(FAULT_404, ask->maker, ask->model_name);
		return false;
	}
	return true;
}
