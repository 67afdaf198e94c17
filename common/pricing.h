/*
 * What a call costs: integers only, by the price that was in force when it was
 * made. A model without a price is unpriced, never free.
 *
 *	const struct price *p = price_book_find(book, "openai", reply.model, "gpt-4o-mini",
 *MODE_SYNC, wall); pico cost = price_cost(p, &reply.usage);        -- PICO_UNPRICED for NULL pico
 *bound = price_bound(p, 2100, 1024);        -- the most it can cost
 *
 * Counts come from outside: negative ones are taken for 0, and what does not
 * fit in pico stays at PICO_MOST instead of wrapping.
 */
#ifndef SLUICE_PRICING_H
#define SLUICE_PRICING_H

#include <stddef.h>

#include "clock.h"
#include "money.h"
#include "usage.h"

#define PICO_MOST INT64_MAX /* nine million dollars: no call costs that */

enum price_mode { MODE_SYNC, MODE_BATCH, MODE_FLEX, MODE_PRIORITY };

/* Pico-dollars per token of each class. */
struct rates {
	pico input;
	pico cache_read;
	pico cache_write;
	pico cache_write_1h;
	pico output;
};

struct price {
	char provider[32];
	char model[96];
	enum price_mode mode;
	nsec from; /* wall clock: in force since */
	struct rates rates;
	int64_t long_prompt;	 /* prompts above so many tokens are priced … */
	struct rates long_rates; /* … whole at these; 0: no such tier */
};

struct price_book {
	struct price *rows; /* sorted by provider, model, mode, from */
	size_t count;
};

void price_book_sort(struct price_book *book); /* after filling rows */
void price_book_finish(struct price_book *book);

/*
 * The price in force at `wall` of the snapshot that answered, else of its name
 * without the date suffix, else of the model that was asked for. NULL: unpriced.
 */
const struct price *price_book_find(const struct price_book *book, const char *provider,
				    const char *answered, const char *asked, enum price_mode mode,
				    nsec wall);

/* PICO_UNPRICED without a price, or where the provider did not tell the usage. */
pico price_cost(const struct price *price, const struct usage *usage);

/* What its cached tokens would have cost more without the cache, at the same rates; 0 without a
 * price. */
pico price_cache_saving(const struct price *price, const struct usage *usage);

/*
 * The most a call can cost: every input token at its dearest class, the output
 * cap used up. PICO_UNPRICED without a price.
 */
pico price_bound(const struct price *price, int64_t input_tokens, int64_t max_output_tokens);

/* For models without a price: the worst case over the whole book (an empty one: a dear constant).
 */
pico price_bound_unpriced(const struct price_book *book, int64_t input_tokens,
			  int64_t max_output_tokens);

const char *price_mode_name(enum price_mode mode); /* "sync", "batch", "flex", "priority" */

#endif
