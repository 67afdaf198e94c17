/*
 * OpenAI's chat completions: reading a request, and writing the answer whole
 * or as a stream of events.
 *
 *	if (!openai_read(&ask, models, &failure))
 *	openai_write(&ask, &answer, &tokens, &spelling, &body);
 */
#ifndef SIMULATOR_OPENAI_H
#define SIMULATOR_OPENAI_H

#include "answer.h"
#include "ask.h"
#include "spelling.h"

/* False: the request is refused with *failure. */
bool openai_read(struct ask *ask, const struct models *models, struct failure *failure);

void openai_write(const struct ask *ask, const struct answer *answer, const struct tokens *tokens,
		  const struct spelling *spelling, struct buffer *body);
/* The same as server-sent events, framed as chunks of HTTP. */
void openai_stream(const struct ask *ask, const struct answer *answer, const struct tokens *tokens,
		   const struct spelling *spelling, struct buffer *body);

#endif
