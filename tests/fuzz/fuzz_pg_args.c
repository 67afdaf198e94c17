/* A spool file of any bytes is a statement's arguments or refused; saved again it is the same
 * bytes. */
#include <stdlib.h>
#include <string.h>

#include "ensure.h"
#include "fuzz.h"
#include "pg_args.h"

static void save(const char *bytes, size_t len, struct buffer *saved)
{
	AUTO(pg_args_destroy) struct pg_args *args = pg_args_load(bytes, len);

	ENSURE(args && args->count <= PG_MAX_ARGS && pg_args_save(args, saved));
	pg_args_seal(args);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	char *text = xmemdup(bytes, len);
	AUTO(pg_args_destroy) struct pg_args *args = pg_args_load(text, len);
	AUTO_FINISH(buffer_finish) struct buffer saved = {0};
	AUTO_FINISH(buffer_finish) struct buffer again = {0};

	if (args) {
		save(text, len, &saved);
		save(saved.data, saved.len, &again);
		ENSURE(saved.len == len && again.len == len &&
		       memcmp(saved.data, again.data, len) == 0);
	}
	free(text);
	return 0;
}
