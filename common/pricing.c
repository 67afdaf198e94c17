#include "pricing.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "compiler.h"

/* What a token costs where the book is empty: no list price has been above it. */
static const struct price dearest_known = {
	.rates = {.input = 150000000, .output = 600000000},
};

static int compare_keys(const struct price *a, const struct price *b)
{
	int order = strcmp(a->provider, b->provider);

	if (order == 0)
		order = strcmp(a->model, b->model);
	if (order == 0)
		order = (a->mode > b->mode) - (a->mode < b->mode);
	return order;
}

static int compare_rows(const void *left, const void *right)
{
	const struct price *a = left;
	const struct price *b = right;
	int order = compare_keys(a, b);

	return order ? order : (a->from > b->from) - (a->from < b->from);
}

void price_book_sort(struct price_book *book)
{
	if (book->count > 0)
		qsort(book->rows, book->count, sizeof(*book->rows), compare_rows);
}

void price_book_finish(struct price_book *book)
{
	free(book->rows);
	*book = (struct price_book){0};
}

/* The last row that is not after the wanted one, if it is of the same model. */
static const struct price *in_force(const struct price_book *book, const struct price *wanted)
{
	size_t low = 0;
	size_t high = book->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (compare_rows(&book->rows[middle], wanted) <= 0)
			low = middle + 1;
		else
			high = middle;
	}
	if (low == 0 || compare_keys(&book->rows[low - 1], wanted) != 0)
		return NULL;
	return &book->rows[low - 1];
}

/* Does text spell the pattern, 9 standing for any digit, to its end? */
static bool is_like(const char *text, const char *pattern)
{
	for (; *text && *pattern; text++, pattern++)
		if (*pattern == '9' ? !isdigit((unsigned char)*text) : *text != *pattern)
			return false;
	return *text == *pattern;
}

/* Cuts what names a snapshot: -2024-07-18, -20251001, -latest. False: there was nothing. */
static bool cut_snapshot(char *model)
{
	static const char *const suffixes[] = {"-9999-99-99", "-99999999", "-latest"};
	size_t len = strlen(model);

	for (size_t i = 0; i < COUNT_OF(suffixes); i++) {
		size_t n = strlen(suffixes[i]);

		if (len > n && is_like(model + len - n, suffixes[i])) {
			model[len - n] = '\0';
			return true;
		}
	}
	return false;
}

static bool copy_name(char *to, size_t size, const char *name)
{
	size_t len = strlen(name);

	if (len == 0 || len >= size)
		return false;
	memcpy(to, name, len + 1);
	return true;
}

/* By the whole name, then by the name without its snapshot. */
static const struct price *find_by_name(const struct price_book *book, struct price *wanted,
					const char *model)
{
	const struct price *found;

	if (!model || !copy_name(wanted->model, sizeof(wanted->model), model))
		return NULL;
	found = in_force(book, wanted);
	if (!found && cut_snapshot(wanted->model))
		found = in_force(book, wanted);
	return found;
}

const struct price *price_book_find(const struct price_book *book, const char *provider,
				    const char *answered, const char *asked, enum price_mode mode,
				    nsec wall)
{
	struct price wanted = {.mode = mode, .from = wall};
	const struct price *found;

	if (!copy_name(wanted.provider, sizeof(wanted.provider), provider))
		return NULL;
	found = find_by_name(book, &wanted, answered);
	return found ? found : find_by_name(book, &wanted, asked);
}

static pico plus(pico a, pico b)
{
	pico sum;

	return __builtin_add_overflow(a, b, &sum) ? PICO_MOST : sum;
}

static pico times(int64_t tokens, pico rate)
{
	pico product;

	if (tokens <= 0 || rate <= 0)
		return 0;
	return __builtin_mul_overflow(tokens, rate, &product) ? PICO_MOST : product;
}

static int64_t at_least_none(int64_t tokens)
{
	return tokens > 0 ? tokens : 0;
}

/* Everything that went in, whatever nonsense the provider counts. */
static int64_t prompt_of(const struct usage *u)
{
	return plus(plus(at_least_none(u->input), at_least_none(u->cache_read)),
		    plus(at_least_none(u->cache_write), at_least_none(u->cache_write_1h)));
}

/* A long prompt is priced whole at the long rates, answer included. */
static const struct rates *rates_for(const struct price *price, int64_t prompt)
{
	bool is_long = price->long_prompt > 0 && prompt > price->long_prompt;

	return is_long ? &price->long_rates : &price->rates;
}

pico price_cost(const struct price *price, const struct usage *usage)
{
	const struct rates *rates;
	pico in;
	pico cached;

	if (!price || !usage->known)
		return PICO_UNPRICED;
	rates = rates_for(price, prompt_of(usage));
	in = plus(times(usage->input, rates->input), times(usage->cache_read, rates->cache_read));
	cached = plus(times(usage->cache_write, rates->cache_write),
		      times(usage->cache_write_1h, rates->cache_write_1h));
	return plus(plus(in, cached), times(usage->output, rates->output));
}

pico price_cache_saving(const struct price *price, const struct usage *usage)
{
	const struct rates *rates;

	if (!price || !usage->known)
		return 0;
	rates = rates_for(price, prompt_of(usage));
	return times(usage->cache_read, rates->input - rates->cache_read);
}

static pico larger(pico a, pico b)
{
	return a > b ? a : b;
}

static pico dearest_input(const struct rates *rates)
{
	return larger(larger(rates->input, rates->cache_read),
		      larger(rates->cache_write, rates->cache_write_1h));
}

pico price_bound(const struct price *price, int64_t input_tokens, int64_t max_output_tokens)
{
	const struct rates *rates;

	if (!price)
		return PICO_UNPRICED;
	rates = rates_for(price, input_tokens);
	return plus(times(input_tokens, dearest_input(rates)),
		    times(max_output_tokens, rates->output));
}

pico price_bound_unpriced(const struct price_book *book, int64_t input_tokens,
			  int64_t max_output_tokens)
{
	pico worst = 0;

	if (book->count == 0)
		return price_bound(&dearest_known, input_tokens, max_output_tokens);
	for (size_t i = 0; i < book->count; i++)
		worst = larger(worst, price_bound(&book->rows[i], input_tokens, max_output_tokens));
	return worst;
}

const char *price_mode_name(enum price_mode mode)
{
	static const char *const names[] = {
		[MODE_SYNC] = "sync",
		[MODE_BATCH] = "batch",
		[MODE_FLEX] = "flex",
		[MODE_PRIORITY] = "priority",
	};

	return names[mode];
}
