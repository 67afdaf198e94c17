#include "schema_cache.h"

#include "unit.h"

static struct error err;

/* {"maximum": n} */
static const struct schema *get(struct schema_cache *cache, int n)
{
	json_auto_t *document = json_pack("{s:i}", "maximum", n);

	return schema_cache_get(cache, document, &err);
}

static bool takes(const struct schema *schema, int n)
{
	json_auto_t *value = json_integer(n);

	return schema_check(schema, value, NULL);
}

START_TEST(the_same_schema_is_compiled_once)
{
	AUTO(schema_cache_destroy) struct schema_cache *cache = schema_cache_create(8);
	const struct schema *first = get(cache, 1);

	ck_assert_ptr_nonnull(first);
	ck_assert_ptr_eq(get(cache, 1), first);
	ck_assert_uint_eq(schema_cache_misses(cache), 1);
	ck_assert_uint_eq(schema_cache_gets(cache), 2);
}
END_TEST

START_TEST(each_schema_gets_its_own)
{
	AUTO(schema_cache_destroy) struct schema_cache *cache = schema_cache_create(100);

	for (int round = 0; round < 2; round++)
		for (int n = 0; n < 100; n++) {
			const struct schema *schema = get(cache, n);

			ck_assert(takes(schema, n));
			ck_assert(!takes(schema, n + 1));
		}
	ck_assert_uint_eq(schema_cache_misses(cache), 100);
}
END_TEST

START_TEST(the_one_used_longest_ago_makes_room)
{
	AUTO(schema_cache_destroy) struct schema_cache *cache = schema_cache_create(2);

	ck_assert_ptr_nonnull(get(cache, 1));
	ck_assert_ptr_nonnull(get(cache, 2));
	ck_assert_ptr_nonnull(get(cache, 1));
	ck_assert_ptr_nonnull(get(cache, 3)); /* 2 goes */
	ck_assert_ptr_nonnull(get(cache, 1));
	ck_assert_uint_eq(schema_cache_misses(cache), 3);
	ck_assert_ptr_nonnull(get(cache, 2));
	ck_assert_uint_eq(schema_cache_misses(cache), 4);
}
END_TEST

START_TEST(what_is_no_schema_is_refused_each_time_and_takes_no_room)
{
	AUTO(schema_cache_destroy) struct schema_cache *cache = schema_cache_create(1);
	json_auto_t *bad = json_pack("{s:s}", "type", "text");
	const struct schema *good = get(cache, 1);

	for (int i = 0; i < 3; i++) {
		ck_assert_ptr_null(schema_cache_get(cache, bad, &err));
		ck_assert_int_eq(err.kind, ERROR_REJECT);
	}
	ck_assert_ptr_eq(get(cache, 1), good);
}
END_TEST

UNIT_TESTS(schema_cache, the_same_schema_is_compiled_once, each_schema_gets_its_own,
	   the_one_used_longest_ago_makes_room,
	   what_is_no_schema_is_refused_each_time_and_takes_no_room)
