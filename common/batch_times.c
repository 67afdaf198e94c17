#include "batch_times.h"

#include <stdlib.h>
#include <string.h>

const struct batch_time *batch_times_find(const struct batch_times *times, const char *provider,
					  const char *model)
{
	for (size_t i = 0; i < times->count; i++) {
		const struct batch_time *row = &times->rows[i];

		if (strcmp(row->model, model) == 0 && strcmp(row->provider, provider) == 0)
			return row->batches >= BATCH_TIMES_TRUSTED ? row : NULL;
	}
	return NULL;
}

nsec batch_times_expect(const struct batch_times *times, const char *provider, const char *model)
{
	const struct batch_time *measured = batch_times_find(times, provider, model);

	return measured ? measured->p95 : BATCH_TIMES_PROMISED;
}

void batch_times_finish(struct batch_times *times)
{
	free(times->rows);
	*times = (struct batch_times){0};
}
