/*
 * Anthropic's messages: reading a request, and writing the answer whole or as
 * a stream of events.
 */
#ifndef SIMULATOR_ANTHROPIC_H
#define SIMULATOR_ANTHROPIC_H

#include "answer.h"
#include "ask.h"
#include "spelling.h"

/* False: the request is refused with *failure. */
bool anthropic_read(struct ask *ask, const struct models *models, struct failure *failure);

void anthropic_write(const struct ask *ask, const struct answer *answer,
		     const struct tokens *tokens, const struct spelling *spelling,
		     struct buffer *body);
/* The same as server-sent events, framed as chunks of HTTP. */
void anthropic_stream(const struct ask *ask, const struct answer *answer,
		      const struct tokens *tokens, const struct spelling *spelling,
		      struct buffer *body);

#endif
