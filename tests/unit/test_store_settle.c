#include "store_settle.h"

#include <string.h>

#include "buffer.h"
#include "compiler.h"
#include "unit.h"

/* As it comes back from a spool. */
static struct pg_args *saved_and_loaded(struct pg_args *args)
{
	AUTO_FINISH(buffer_finish) struct buffer bytes = {.max = 65536};
	struct pg_args *loaded;

	ck_assert(pg_args_save(args, &bytes));
	pg_args_destroy(args);
	loaded = pg_args_load(bytes.data, bytes.len);
	ck_assert_ptr_nonnull(loaded);
	return loaded;
}

START_TEST(what_an_older_version_saved_is_completed)
{
	static const int counts[] = {50, 54}; /* add one whenever the settle gets more */

	for (size_t v = 0; v < COUNT_OF(counts); v++) {
		struct pg_args *older = pg_args_create(), *now = store_settle_args(NULL, 0);

		for (int i = 0; i < counts[v]; i++)
			pg_array(older, PG_TEXT);
		older = saved_and_loaded(older);
		store_settle_complete(older);
		ck_assert_int_eq(pg_args_count(older), pg_args_count(now));
		pg_args_destroy(older);
		pg_args_destroy(now);
	}
}
END_TEST

START_TEST(what_this_version_saved_is_complete)
{
	struct pg_args *args = store_settle_args(NULL, 0);
	int count = pg_args_count(args);

	args = saved_and_loaded(args);
	store_settle_complete(args);
	ck_assert_int_eq(pg_args_count(args), count);
	pg_args_destroy(args);
}
END_TEST

UNIT_TESTS(store_settle, what_an_older_version_saved_is_completed,
	   what_this_version_saved_is_complete)
