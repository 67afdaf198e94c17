/*
 * How long a provider's batches of a model take, as measured: the time that 95
 * of 100 recent ones took at most, from their submission until everything in
 * them was settled. A few are no measure: then it is the day that providers
 * promise.
 *
 *	nsec expected = batch_times_expect(&times, "openai", "gpt-4o-mini");
 *
 * Read from rows by store_times.h; replaced as a whole.
 */
#ifndef SLUICE_BATCH_TIMES_H
#define SLUICE_BATCH_TIMES_H

#include <stdbool.h>
#include <stddef.h>

#include "clock.h"

#define BATCH_TIMES_TRUSTED 5 /* batches that make a measure */
#define BATCH_TIMES_PROMISED (24 * 3600 * NSEC_PER_SEC)

struct batch_time {
	char provider[32];
	char model[96]; /* as candidates name it */
	int batches;	/* that were measured */
	nsec p95;
};

struct batch_times {
	struct batch_time *rows; /* owned */
	size_t count;
};

/* NULL: of this model none, or too few, were measured. Borrowed until the times are replaced. */
const struct batch_time *batch_times_find(const struct batch_times *times, const char *provider,
					  const char *model);

/* How long one will take, most likely at most. */
nsec batch_times_expect(const struct batch_times *times, const char *provider, const char *model);

void batch_times_finish(struct batch_times *times);

#endif
