#include "random.h"

#include "unit.h"

START_TEST(a_seed_brings_the_same_numbers_again)
{
	struct random a, b;

	random_seed(&a, 42);
	random_seed(&b, 42);
	for (int i = 0; i < 100; i++)
		ck_assert_uint_eq(random_next(&a), random_next(&b));
	random_seed(&b, 43);
	ck_assert_uint_ne(random_next(&a), random_next(&b));
}
END_TEST

START_TEST(numbers_below_a_limit_are_spread_evenly)
{
	struct random random;
	int seen[7] = {0};

	random_seed(&random, 1);
	for (int i = 0; i < 70000; i++) {
		uint64_t value = random_below(&random, 7);

		ck_assert_uint_lt(value, 7);
		seen[value]++;
	}
	for (int i = 0; i < 7; i++)
		ck_assert_int_le(abs(seen[i] - 10000), 500);
	ck_assert_uint_eq(random_below(&random, 0), 0);
	ck_assert_uint_eq(random_below(&random, 1), 0);
}
END_TEST

START_TEST(the_unit_interval_has_no_one)
{
	struct random random;
	double sum = 0;

	random_seed(&random, 2);
	for (int i = 0; i < 10000; i++) {
		double value = random_unit(&random);

		ck_assert(value >= 0 && value < 1);
		sum += value;
	}
	ck_assert_double_eq_tol(sum / 10000, 0.5, 0.02);
}
END_TEST

START_TEST(a_share_of_one_is_one_now_and_then)
{
	struct random random;
	uint64_t sum = 0;

	random_seed(&random, 11);
	for (int i = 0; i < 10000; i++)
		sum += random_share(&random, 1, 20);
	ck_assert_uint_ge(sum, 1800);
	ck_assert_uint_le(sum, 2200);
	ck_assert_uint_eq(random_share(&random, 500, 20), 100);
}
END_TEST

UNIT_TESTS(random, a_share_of_one_is_one_now_and_then, a_seed_brings_the_same_numbers_again,
	   numbers_below_a_limit_are_spread_evenly, the_unit_interval_has_no_one)
