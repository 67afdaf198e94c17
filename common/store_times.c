#include "store_times.h"

#include "ensure.h"
#include "utf8.h"

enum { TIME_PROVIDER, TIME_MODEL, TIME_BATCHES, TIME_P95 };

void store_times_read(const struct pg_rows *rows, struct batch_times *times)
{
	struct batch_times read = {.count = (size_t)pg_count(rows)};

	read.rows = xcalloc(read.count, sizeof(*read.rows));
	for (int row = 0; row < pg_count(rows); row++) {
		struct batch_time *time = &read.rows[row];
		double seconds = pg_get_double(rows, row, TIME_P95);

		utf8_copy(time->provider, sizeof(time->provider),
			  pg_get_text(rows, row, TIME_PROVIDER));
		utf8_copy(time->model, sizeof(time->model), pg_get_text(rows, row, TIME_MODEL));
		time->batches = (int)pg_get_int(rows, row, TIME_BATCHES);
		time->p95 = seconds > 0 ? (nsec)(seconds * (double)NSEC_PER_SEC) : 0;
	}
	batch_times_finish(times);
	*times = read;
}
