/*
 * Anthropic's Message Batches, inline.
 *
 *	POST /v1/messages/batches, GET /v1/messages/batches, GET|DELETE …/ID,
 *	POST …/ID/cancel, GET …/ID/results
 */
#ifndef SIMULATOR_ANTHROPIC_BATCHES_H
#define SIMULATOR_ANTHROPIC_BATCHES_H

#include "batch.h"

/* Answers x if the path is one of the above. */
bool anthropic_batches_handle(struct simulator *sim, struct exchange *x, const char *request_id,
			      nsec now);

#endif
