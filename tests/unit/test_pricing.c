#include "pricing.h"

#include <stdio.h>
#include <string.h>

#include "compiler.h"
#include "ensure.h"
#include "unit.h"

#define DAY(n) ((nsec)(n)*24 * 3600 * NSEC_PER_SEC)

/* Out of order on purpose: sorting is the book's business. */
static const struct price sheet[] = {
	{"openai", "gpt-4o-mini", MODE_BATCH, 0, {75000, 75000, 75000, 75000, 300000}, 0, {0}},
	{"openai", "gpt-4o-mini", MODE_SYNC, 0, {150000, 75000, 150000, 150000, 600000}, 0, {0}},
	{"openai", "gpt-4o", MODE_SYNC, 0, {2500000, 1250000, 2500000, 2500000, 10000000}, 0, {0}},
	{"openai",
	 "gpt-4o-2024-05-13",
	 MODE_SYNC,
	 0,
	 {5000000, 5000000, 5000000, 5000000, 15000000},
	 0,
	 {0}},
	{"openai",
	 "gpt-5.6-luna",
	 MODE_SYNC,
	 DAY(20664),
	 {200000, 20000, 250000, 250000, 1200000},
	 272000,
	 {400000, 40000, 500000, 500000, 1800000}},
	{"openai",
	 "gpt-5.6-luna",
	 MODE_SYNC,
	 0,
	 {1000000, 100000, 1250000, 1250000, 6000000},
	 0,
	 {0}},
	{"openai",
	 "gpt-6.1-terra",
	 MODE_SYNC,
	 DAY(20752),
	 {1000000, 50000, 1250000, 2500000, 5000000},
	 0,
	 {0}},
	{"anthropic",
	 "claude-haiku-4-5",
	 MODE_SYNC,
	 0,
	 {1000000, 100000, 1250000, 2000000, 5000000},
	 0,
	 {0}},
	{"anthropic",
	 "claude-3-5-sonnet",
	 MODE_SYNC,
	 0,
	 {3000000, 300000, 3750000, 6000000, 15000000},
	 0,
	 {0}},
};

static struct price_book full_book(void)
{
	struct price_book book = {.rows = xmemdup(sheet, sizeof(sheet)), .count = COUNT_OF(sheet)};

	price_book_sort(&book);
	return book;
}

static const struct {
	const char *provider;
	const char *answered;
	const char *asked;
	enum price_mode mode;
	nsec wall;
	pico output; /* of the row it is priced by; 0: unpriced */
} searches[] = {
	{"openai", "gpt-4o-mini", "gpt-4o-mini", MODE_SYNC, DAY(20000), 600000},
	{"openai", "gpt-4o-mini", "gpt-4o-mini", MODE_BATCH, DAY(20000), 300000},
	{"openai", "gpt-4o-mini", "gpt-4o-mini", MODE_FLEX, DAY(20000), 0},
	{"openai", "gpt-4o-mini-2024-07-18", "x", MODE_SYNC, DAY(20000), 600000},
	{"openai", "gpt-4o-2024-05-13", "gpt-4o", MODE_SYNC, DAY(20000), 15000000},
	{"openai", "gpt-4o-2024-08-06", "gpt-4o", MODE_SYNC, DAY(20000), 10000000},
	{"openai", "gpt-4o-latest", "x", MODE_SYNC, DAY(20000), 10000000},
	{"openai", "", "gpt-4o", MODE_SYNC, DAY(20000), 10000000},
	{"openai", "served-name", "gpt-4o", MODE_SYNC, DAY(20000), 10000000},
	{"openai", "served-name", "gpt-4o-latest", MODE_SYNC, DAY(20000), 10000000},
	{"openai", "gpt-4o-2024-8-06", "x", MODE_SYNC, DAY(20000), 0},
	{"openai", "gpt-4o-20240806x", "x", MODE_SYNC, DAY(20000), 0},
	{"openai", "gpt-4", "gpt-4", MODE_SYNC, DAY(20000), 0},
	{"openai", "-latest", "", MODE_SYNC, DAY(20000), 0},
	{"anthropic", "claude-haiku-4-5-20251001", "x", MODE_SYNC, DAY(20000), 5000000},
	{"anthropic", "claude-3-5-sonnet-latest", "x", MODE_SYNC, DAY(20000), 15000000},
	{"anthropic", "gpt-4o", "gpt-4o", MODE_SYNC, DAY(20000), 0},
	{"", "gpt-4o", "gpt-4o", MODE_SYNC, DAY(20000), 0},
	/* Effective dating. */
	{"openai", "gpt-5.6-luna", "", MODE_SYNC, DAY(20664) - 1, 6000000},
	{"openai", "gpt-5.6-luna", "", MODE_SYNC, DAY(20664), 1200000},
	{"openai", "gpt-6.1-terra", "", MODE_SYNC, DAY(20752) - 1, 0},
	{"openai", "gpt-6.1-terra", "", MODE_SYNC, DAY(20752), 5000000},
};

START_TEST(a_call_is_priced_by_snapshot_then_name_then_what_was_asked_at_its_time)
{
	struct price_book book = full_book();

	for (size_t i = 0; i < COUNT_OF(searches); i++) {
		const struct price *price = price_book_find(&book, searches[i].provider,
							    searches[i].answered, searches[i].asked,
							    searches[i].mode, searches[i].wall);

		ck_assert_msg((price ? price->rates.output : 0) == searches[i].output,
			      "search %zu: %s for %s found %s", i, searches[i].answered,
			      searches[i].asked, price ? price->model : "nothing");
	}
	price_book_finish(&book);
}
END_TEST

START_TEST(a_name_too_long_for_any_row_is_unpriced)
{
	struct price_book book = full_book();
	char name[4096];

	memset(name, 'x', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	ck_assert_ptr_null(price_book_find(&book, "openai", name, name, MODE_SYNC, DAY(20000)));
	ck_assert_ptr_null(price_book_find(&book, name, "gpt-4o", "", MODE_SYNC, DAY(20000)));
	price_book_finish(&book);
}
END_TEST

static const struct price *row(const char *model)
{
	for (size_t i = 0; i < COUNT_OF(sheet); i++)
		if (strcmp(sheet[i].model, model) == 0 && sheet[i].mode == MODE_SYNC)
			return &sheet[i];
	ck_abort_msg("no such row");
}

START_TEST(every_class_of_tokens_has_its_own_price)
{
	struct usage u = {.known = true,
			  .input = 1000,
			  .cache_read = 200,
			  .cache_write = 30,
			  .cache_write_1h = 4,
			  .output = 50,
			  .reasoning = 40};

	ck_assert_int_eq(price_cost(row("claude-haiku-4-5"), &u),
			 1000 * 1000000 + 200 * 100000 + 30 * 1250000 + 4 * 2000000 + 50 * 5000000);
}
END_TEST

START_TEST(a_prompt_above_the_threshold_is_priced_whole_at_the_long_prices)
{
	struct usage u = {.known = true, .input = 271000, .cache_read = 1000, .output = 10};

	ck_assert_int_eq(price_cost(row("gpt-5.6-luna"), &u),
			 INT64_C(271000) * 200000 + 1000 * 20000 + 10 * 1200000);
	u.cache_read++;
	ck_assert_int_eq(price_cost(row("gpt-5.6-luna"), &u),
			 INT64_C(271000) * 400000 + 1001 * 40000 + 10 * 1800000);
}
END_TEST

START_TEST(a_cache_saves_at_the_prices_that_the_prompt_is_priced_at)
{
	struct usage u = {.known = true, .input = 271000, .cache_read = 1000, .output = 10};
	struct usage untold = {.cache_read = 1000};

	ck_assert_int_eq(price_cache_saving(row("gpt-5.6-luna"), &u), 1000 * (200000 - 20000));
	u.cache_read++;
	ck_assert_int_eq(price_cache_saving(row("gpt-5.6-luna"), &u), 1001 * (400000 - 40000));
	ck_assert_int_eq(price_cache_saving(NULL, &u), 0);
	ck_assert_int_eq(price_cache_saving(row("gpt-5.6-luna"), &untold), 0);
}
END_TEST

START_TEST(without_a_price_or_a_usage_a_call_is_unpriced_and_never_free)
{
	struct usage told = {.known = true, .input = 1};
	struct usage untold = {0};

	ck_assert_int_eq(price_cost(NULL, &told), PICO_UNPRICED);
	ck_assert_int_eq(price_cost(row("gpt-4o"), &untold), PICO_UNPRICED);
	ck_assert_int_eq(price_bound(NULL, 1, 1), PICO_UNPRICED);
}
END_TEST

START_TEST(nonsense_counts_never_wrap_and_never_pay_us)
{
	struct usage huge = {.known = true,
			     .input = INT64_MAX,
			     .cache_read = INT64_MAX,
			     .cache_write = INT64_MAX,
			     .cache_write_1h = INT64_MAX,
			     .output = INT64_MAX};
	struct usage negative = {.known = true, .input = -5, .cache_read = INT64_MIN, .output = 3};
	struct usage just_fits = {.known = true, .output = INT64_MAX / 10000000};

	ck_assert_int_eq(price_cost(row("gpt-4o"), &huge), PICO_MOST);
	ck_assert_int_eq(price_cost(row("gpt-5.6-luna"), &huge), PICO_MOST);
	ck_assert_int_eq(price_cost(row("gpt-4o"), &negative), 3 * 10000000);
	ck_assert_int_eq(price_cost(row("gpt-4o"), &just_fits), INT64_MAX / 10000000 * 10000000);
	just_fits.output++;
	ck_assert_int_eq(price_cost(row("gpt-4o"), &just_fits), PICO_MOST);
	ck_assert_int_eq(price_bound(row("gpt-4o"), INT64_MAX, INT64_MAX), PICO_MOST);
}
END_TEST

START_TEST(no_call_costs_more_than_its_bound)
{
	struct price_book book = full_book();
	const int64_t prompts[] = {0, 1, 1000, 272000, 272001, 1000000};

	for (size_t i = 0; i < COUNT_OF(sheet); i++) {
		for (size_t n = 0; n < COUNT_OF(prompts); n++) {
			const struct usage ways[] = {
				{.known = true, .input = prompts[n], .output = 500},
				{.known = true, .cache_read = prompts[n], .output = 500},
				{.known = true, .cache_write = prompts[n], .output = 500},
				{.known = true, .cache_write_1h = prompts[n], .output = 500},
			};
			pico bound = price_bound(&sheet[i], prompts[n], 500);

			for (size_t w = 0; w < COUNT_OF(ways); w++)
				ck_assert_int_le(price_cost(&sheet[i], &ways[w]), bound);
			ck_assert_int_le(bound, price_bound_unpriced(&book, prompts[n], 500));
		}
	}
	price_book_finish(&book);
}
END_TEST

START_TEST(a_bound_is_reached_by_the_dearest_way_to_make_the_call)
{
	ck_assert_int_eq(price_bound(row("claude-haiku-4-5"), 100, 10),
			 100 * 2000000 + 10 * 5000000);
}
END_TEST

START_TEST(an_empty_book_still_reserves_for_what_it_does_not_know)
{
	struct price_book empty = {0};

	price_book_sort(&empty);
	ck_assert_ptr_null(price_book_find(&empty, "openai", "gpt-4o", "", MODE_SYNC, DAY(1)));
	ck_assert_int_gt(price_bound_unpriced(&empty, 1000, 1000), PICO_PER_USD / 10);
	price_book_finish(&empty);
}
END_TEST

UNIT_TESTS(pricing, a_call_is_priced_by_snapshot_then_name_then_what_was_asked_at_its_time,
	   a_name_too_long_for_any_row_is_unpriced, every_class_of_tokens_has_its_own_price,
	   a_prompt_above_the_threshold_is_priced_whole_at_the_long_prices,
	   a_cache_saves_at_the_prices_that_the_prompt_is_priced_at,
	   without_a_price_or_a_usage_a_call_is_unpriced_and_never_free,
	   nonsense_counts_never_wrap_and_never_pay_us, no_call_costs_more_than_its_bound,
	   a_bound_is_reached_by_the_dearest_way_to_make_the_call,
	   an_empty_book_still_reserves_for_what_it_does_not_know)
