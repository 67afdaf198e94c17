/*
 * What every unit test shares: one suite, one main().
 *
 *	START_TEST(a_claim_is_true) { ck_assert(true); } END_TEST
 *
 *	UNIT_TESTS(buffer, a_claim_is_true, another_claim)
 */
#ifndef UNIT_H
#define UNIT_H

#include <check.h>
#include <stdlib.h>

#define UNIT_TESTS(noun, ...)                                                 \
	int main(void)                                                        \
	{                                                                     \
		const TTest *tests[] = {__VA_ARGS__};                         \
		TCase *tcase = tcase_create(#noun);                           \
		Suite *suite = suite_create(#noun);                           \
		SRunner *runner = srunner_create(suite);                      \
		int failed;                                                   \
                                                                              \
		tcase_set_timeout(tcase, 120);                                \
		for (size_t i = 0; i < sizeof(tests) / sizeof(tests[0]); i++) \
			tcase_add_test(tcase, tests[i]);                      \
		suite_add_tcase(suite, tcase);                                \
		srunner_run_all(runner, CK_ENV);                              \
		failed = srunner_ntests_failed(runner);                       \
		srunner_free(runner);                                         \
		return failed ? EXIT_FAILURE : EXIT_SUCCESS;                  \
	}

#endif
