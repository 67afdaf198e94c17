#include "estimate.h"

#include "ensure.h"
#include "routing.h"
#include "weather.h"

#define UNKNOWN_OUTPUT 300 /* tokens, where nothing is measured */

struct range {
	pico least;
	pico most;
	size_t candidates; /* that may be called */
	size_t priced;
};

static int64_t smaller(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

/* The longest answer that a candidate may give. */
static int64_t output_cap(const struct api *api, const struct job *job, const struct candidate *c)
{
	const struct task *task = config_task(api->config, job->task);
	int64_t cap = job->max_output_tokens ? job->max_output_tokens : task->max_output_tokens;

	return cap ? smaller(cap, c->traits.max_output) : c->traits.max_output;
}

static void widen(struct range *range, const struct api *api, const struct parcel *parcel,
		  const struct candidate *c, int64_t input, int64_t likely, nsec wall)
{
	const struct price *price = price_book_find(
		&api->prices, c->endpoint->name, c->model, c->model,
		parcel->lane == LANE_BATCH ? MODE_BATCH : MODE_SYNC, wall);
	struct usage usage = {.known = true, .input = input};
	int64_t cap = output_cap(api, parcel->job, c);
	pico least, most;

	if (!routing_may_call(c, parcel->job))
		return;
	range->candidates++;
	if (!price)
		return;
	usage.output = smaller(likely, cap);
	least = price_cost(price, &usage);
	most = price_bound(price, input, cap);
	if (range->priced++ == 0 || least < range->least)
		range->least = least;
	if (most > range->most)
		range->most = most;
}

void estimate_put_usd(struct json_writer *w, const char *name, pico amount)
{
	char text[MONEY_TEXT];

	json_key(w, name);
	if (amount == PICO_UNPRICED)
		json_put_raw(w, "null", 4);
	else
		json_put_text(w, money_format(text, amount) + 1); /* without the $ */
}

double estimate_wait(const struct api *api, const char *tier, const char *lane, int64_t ahead)
{
	double rate = weather_rate(api->weather, tier, lane);

	return rate > 0 ? (double)(ahead + 1) / rate : -1;
}

static void write_cost(const struct api *api, const struct parcel *parcel, int64_t input,
		       int64_t likely, nsec wall, struct json_writer *w)
{
	const struct tier *tier = parcel->tier;
	struct range range = {0};

	for (size_t i = 0; i < tier->candidate_count; i++)
		widen(&range, api, parcel, &tier->candidates[i], input, likely, wall);
	json_key(w, "cost_usd");
	json_open(w, '{');
	estimate_put_usd(w, "likely", range.priced ? range.least : PICO_UNPRICED);
	estimate_put_usd(w, "most", range.priced ? range.most : PICO_UNPRICED);
	json_key(w, "unpriced_candidates");
	json_put_integer(w, (int64_t)(range.candidates - range.priced));
	json_close(w, '}');
}

static void write_wait(const struct api *api, const struct parcel *parcel, struct json_writer *w)
{
	const char *tier = parcel->tier->name, *lane = lane_name(parcel->lane);
	int64_t ahead = weather_waiting(api->weather, tier, lane);
	double wait = estimate_wait(api, tier, lane, ahead);

	json_key(w, "ahead");
	json_put_integer(w, ahead);
	json_key(w, "eta_seconds");
	if (wait < 0)
		json_put_raw(w, "null", 4);
	else
		json_put_number(w, wait);
}

int64_t estimate_tokens(const struct api *api, const struct parcel *parcel, nsec wall)
{
	struct routing_decision decision = {0};
	struct error ignored;

	if (!routing_decide(api->config, parcel->job, NULL, wall, &decision, &ignored))
		return (int64_t)parcel->bytes.len / 4;
	return decision.tokens;
}

void estimate_write(const struct api *api, const struct parcel *parcel, nsec wall, bool costs,
		    struct json_writer *w)
{
	int64_t tokens = estimate_tokens(api, parcel, wall);
	int64_t likely = weather_output(api->weather, parcel->job->task), most = 0;

	for (size_t i = 0; i < parcel->tier->candidate_count; i++) {
		const struct candidate *c = &parcel->tier->candidates[i];
		int64_t cap = output_cap(api, parcel->job, c);

		if (routing_may_call(c, parcel->job) && cap > most)
			most = cap;
	}
	likely = smaller(likely ? likely : UNKNOWN_OUTPUT, most);
	json_open(w, '{');
	json_key(w, "tier");
	json_put_text(w, parcel->tier->name);
	json_key(w, "lane");
	json_put_text(w, lane_name(parcel->lane));
	json_key(w, "tokens");
	json_open(w, '{');
	json_key(w, "input");
	json_put_integer(w, tokens);
	json_key(w, "output_likely");
	json_put_integer(w, likely);
	json_key(w, "output_most");
	json_put_integer(w, most);
	json_close(w, '}');
	if (costs)
		write_cost(api, parcel, tokens, likely, wall, w);
	write_wait(api, parcel, w);
	json_close(w, '}');
}
