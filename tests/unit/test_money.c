#include "money.h"

#include "unit.h"

static const char *shown(pico amount)
{
	static char text[MONEY_TEXT];

	return money_format(text, amount);
}

START_TEST(amounts_show_cents_and_no_more_zeros_than_that)
{
	ck_assert_str_eq(shown(0), "$0.00");
	ck_assert_str_eq(shown(PICO_PER_USD), "$1.00");
	ck_assert_str_eq(shown(150000), "$0.00000015");
	ck_assert_str_eq(shown(-PICO_PER_USD / 4), "-$0.25");
	ck_assert_str_eq(shown(PICO_PER_USD / 1000 * 1200), "$1.20");
}
END_TEST

START_TEST(an_unpriced_amount_is_never_shown_as_a_number)
{
	ck_assert_str_eq(shown(PICO_UNPRICED), "unpriced");
}
END_TEST

START_TEST(amounts_are_read_exactly)
{
	pico amount;

	ck_assert(money_parse("$0.000000000001", &amount));
	ck_assert_int_eq(amount, 1);
	ck_assert(money_parse("12.5", &amount));
	ck_assert_int_eq(amount, 12 * PICO_PER_USD + PICO_PER_USD / 2);
}
END_TEST

START_TEST(what_is_not_an_amount_is_refused)
{
	static const char *const bad[] = {
		"", "$", ".", "1e3", "-1", "1.2.3", "0.0000000000001", "99999999999", "1 "};
	pico amount;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		ck_assert_msg(!money_parse(bad[i], &amount), "\"%s\" was read", bad[i]);
}
END_TEST

UNIT_TESTS(money, amounts_show_cents_and_no_more_zeros_than_that,
	   an_unpriced_amount_is_never_shown_as_a_number, amounts_are_read_exactly,
	   what_is_not_an_amount_is_refused)
