/*
 * OpenAI's Batch API over files.
 *
 *	POST /v1/batches, GET /v1/batches, GET /v1/batches/ID, POST /v1/batches/ID/cancel
 */
#ifndef SIMULATOR_OPENAI_BATCHES_H
#define SIMULATOR_OPENAI_BATCHES_H

#include "batch.h"

/* Answers x if the path is one of the above. */
bool openai_batches_handle(struct simulator *sim, struct exchange *x, const char *request_id,
			   nsec now);

/* Judge the input some time after the create: the batch fails or starts to run. */
void openai_batch_validate(struct simulator *sim, struct batch *batch, double at);
/* Make the result files. */
void openai_batch_publish(struct simulator *sim, struct batch *batch, nsec now);

#endif
