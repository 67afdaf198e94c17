#include "routing_lane.h"

#include <stdio.h>
#include <string.h>

#include "compiler.h"

/* A call that prices are compared by. */
#define TYPICAL_INPUT 1000
#define TYPICAL_OUTPUT 250

bool routing_may_call(const struct candidate *candidate, const struct job *job)
{
	return (job->data_class != DATA_RESTRICTED || candidate->endpoint->self_hosted) &&
	       (!*job->candidate || candidate_is(candidate, job->candidate));
}

static bool may_take(const struct candidate *candidate, const struct job *job)
{
	return candidate->endpoint->supports_batch && routing_may_call(candidate, job);
}

bool routing_has_batch(const struct tier *tier, const struct job *job)
{
	for (size_t i = 0; i < tier->candidate_count; i++)
		if (may_take(&tier->candidates[i], job))
			return true;
	return false;
}

/* What a job of the tier meets in the batch lane, at worst: the first candidate that takes batches,
 * or where the tier weighs, any of them. */
struct outlook {
	nsec time; /* from the claim until a rescue would still be in time */
	bool measured;
	pico price; /* of a typical line; PICO_UNPRICED: not known */
};

static pico price_of(const struct routing_news *news, const struct candidate *candidate,
		     enum price_mode mode, nsec wall)
{
	const struct price *price = news->prices ? price_book_find(news->prices,
								   candidate->endpoint->name, "",
								   candidate->model, mode, wall)
						 : NULL;

	return price ? price_bound(price, TYPICAL_INPUT, TYPICAL_OUTPUT) : PICO_UNPRICED;
}

static void worsen(struct outlook *outlook, const struct config *config,
		   const struct routing_news *news, const struct candidate *candidate, nsec wall)
{
	static const struct batch_times none;
	const struct batch_time *measured = batch_times_find(
		news->times ? news->times : &none, candidate->endpoint->name, candidate->model);
	nsec time = measured ? config->batch.max_age + measured->p95 + config->batch.rescue_before
			     : BATCH_TIMES_PROMISED;
	pico price = price_of(news, candidate, MODE_BATCH, wall);

	outlook->measured &= measured != NULL;
	if (time > outlook->time)
		outlook->time = time;
	if (price == PICO_UNPRICED || outlook->price == PICO_UNPRICED)
		outlook->price = PICO_UNPRICED;
	else if (price > outlook->price)
		outlook->price = price;
}

static struct outlook look_ahead(const struct config *config, const struct tier *tier,
				 const struct job *job, const struct routing_news *news, nsec wall)
{
	struct outlook outlook = {.measured = true};
	bool weighted = tier->pick && strcmp(tier->pick, "weighted") == 0;

	for (size_t i = 0; i < tier->candidate_count; i++) {
		if (!may_take(&tier->candidates[i], job))
			continue;
		worsen(&outlook, config, news, &tier->candidates[i], wall);
		if (!weighted)
			break;
	}
	return outlook;
}

/* Of the same call in a sync lane, at best. */
static pico sync_price(const struct tier *tier, const struct job *job,
		       const struct routing_news *news, nsec wall)
{
	pico least = PICO_UNPRICED;

	for (size_t i = 0; i < tier->candidate_count; i++) {
		pico price = routing_may_call(&tier->candidates[i], job)
				     ? price_of(news, &tier->candidates[i], MODE_SYNC, wall)
				     : PICO_UNPRICED;

		if (price != PICO_UNPRICED && (least == PICO_UNPRICED || price < least))
			least = price;
	}
	return least;
}

static struct lane_choice PRINTF(2, 3) choose(enum lane lane, const char *fmt, ...)
{
	struct lane_choice choice = {.lane = lane};
	va_list args;

	va_start(args, fmt);
	vsnprintf(choice.why, sizeof(choice.why), fmt, args);
	va_end(args);
	return choice;
}

static double hours(nsec time)
{
	return (double)time / (3600.0 * (double)NSEC_PER_SEC);
}

struct lane_choice routing_lane(const struct config *config, const struct tier *tier,
				const struct job *job, const struct routing_news *news, nsec wall)
{
	static const struct routing_news nothing;
	nsec start = job->not_before > wall ? job->not_before : wall;
	nsec left = job->deadline > start ? job->deadline - start : 0;
	struct outlook batch;
	pico sync;

	if (job->deadline == 0)
		return choose(LANE_NORMAL, "no deadline: lane normal");
	if (left <= ROUTING_EXPRESS_SECONDS * NSEC_PER_SEC)
		return choose(LANE_EXPRESS, "the deadline leaves lane express");
	if (!routing_has_batch(tier, job))
		return choose(LANE_NORMAL, "no batch API: lane normal");
	news = news ? news : &nothing;
	batch = look_ahead(config, tier, job, news, wall);
	if (left < batch.time)
		return choose(LANE_NORMAL, "%.1f h are left, a batch %s %.1f: lane normal",
			      hours(left), batch.measured ? "needs" : "may need",
			      hours(batch.time));
	sync = sync_price(tier, job, news, wall);
	if (sync != PICO_UNPRICED && batch.price != PICO_UNPRICED && batch.price >= sync)
		return choose(LANE_NORMAL, "a batch is not cheaper: lane normal");
	return choose(LANE_BATCH, "%.1f h are left, a batch %s %.1f: lane batch", hours(left),
		      batch.measured ? "needs" : "may need", hours(batch.time));
}
