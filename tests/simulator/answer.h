/*
 * What the model says to a request: the same words for the same dice, in the
 * form that was asked for, spoiled as a fault or a wish wants it.
 *
 *	answer_make(&answer, &ask, &wishes, fault, dice_seeded(hash));
 */
#ifndef SIMULATOR_ANSWER_H
#define SIMULATOR_ANSWER_H

#include "ask.h"
#include "dice.h"
#include "wish.h"

enum finish {
	FINISH_STOP,
	FINISH_LENGTH,
	FINISH_FILTER,
	FINISH_REFUSED,
};

struct answer {
	struct buffer text; /* of a tool call: its arguments */
	bool json;	    /* the text was made as JSON */
	enum finish finish;
	int64_t output_tokens; /* reasoning included */
	int64_t reasoning_tokens;
	bool unsure;   /* its log-probabilities are poor */
	uint64_t seed; /* for what else is drawn about it */
};

void answer_make(struct answer *answer, const struct ask *ask, const struct wishes *wishes,
		 enum fault fault, struct dice dice);
void answer_finish(struct answer *answer);

#define ANSWER_TOKEN_BYTES 4

#endif
