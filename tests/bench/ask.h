/*
 * A sample job ready to be asked: read, its contract compiled, its request
 * built, by the product's own modules.
 *
 *	struct ask ask;
 *	ask_init(&ask, 0);
 *	ask_build(&ask, attempt_id, &body);
 *	ask_finish(&ask);
 */
#ifndef BENCH_ASK_H
#define BENCH_ASK_H

#include <stdint.h>

#include "buffer.h"
#include "contract.h"
#include "job.h"
#include "model.h"

struct ask {
	struct buffer bytes; /* the envelope */
	struct job_reader *reader;
	struct job *job;
	struct contracts *contracts;
	struct contract *contract;
	struct model traits;
};

void ask_init(struct ask *ask, uint64_t number);
void ask_finish(struct ask *ask);

struct job *ask_read(const struct ask *ask); /* the envelope again; the caller's */

/* Append the request. attempt_id as text. */
void ask_build(const struct ask *ask, const char *attempt_id, struct buffer *body);

#endif
