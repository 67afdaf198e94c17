#include "store_prices.h"

#include <string.h>

#include "ensure.h"
#include "utf8.h"

static enum price_mode mode_of(const char *name)
{
	for (enum price_mode mode = MODE_SYNC; mode <= MODE_PRIORITY; mode++)
		if (strcmp(price_mode_name(mode), name) == 0)
			return mode;
	return MODE_SYNC;
}

static struct rates rates_at(const struct pg_rows *rows, int row, int column)
{
	return (struct rates){
		.input = pg_get_int(rows, row, column),
		.cache_read = pg_get_int(rows, row, column + 1),
		.cache_write = pg_get_int(rows, row, column + 2),
		.cache_write_1h = pg_get_int(rows, row, column + 3),
		.output = pg_get_int(rows, row, column + 4),
	};
}

void store_prices_read(const struct pg_rows *rows, struct price_book *prices)
{
	struct price_book book = {.count = (size_t)pg_count(rows)};

	book.rows = xcalloc(book.count, sizeof(*book.rows));
	for (int row = 0; row < pg_count(rows); row++) {
		struct price *price = &book.rows[row];

		utf8_copy(price->provider, sizeof(price->provider), pg_get_text(rows, row, 0));
		utf8_copy(price->model, sizeof(price->model), pg_get_text(rows, row, 1));
		price->mode = mode_of(pg_get_text(rows, row, 2));
		price->from = pg_get_time(rows, row, 3);
		price->rates = rates_at(rows, row, 4);
		price->long_prompt = pg_get_int(rows, row, 9);
		price->long_rates = rates_at(rows, row, 10);
	}
	price_book_sort(&book);
	price_book_finish(prices);
	*prices = book;
}
