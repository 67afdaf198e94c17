/*
 * The job everything here is measured with: an envelope of 2 KB, an answer of
 * about 1 KB that must fit a schema of six properties, three business units.
 *
 *	struct buffer bytes = {0};
 *	sample_job(&bytes, number);
 *	sample_answer(&body);           -- as the provider would send it
 */
#ifndef BENCH_SAMPLE_H
#define BENCH_SAMPLE_H

#include <stdint.h>

#include "buffer.h"

#define SAMPLE_BYTES 2048
#define SAMPLE_UNITS 3

/* Append the envelope of job `number`: a new id, a prompt of its own, SAMPLE_BYTES in all. */
void sample_job(struct buffer *out, uint64_t number);
const char *sample_unit(uint64_t number); /* whose job it is */

/* Append the body of an OpenAI reply that answers it. */
void sample_answer(struct buffer *out);

#endif
