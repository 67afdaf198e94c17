/*
 * Which lane a job runs in when it leaves that open: express when its deadline
 * is a minute away, else the provider's batches where they are in time and
 * cheaper, else normal. In time means that after the gathering, and as long as
 * 95 of 100 recent batches of the model took, so much is left as a rescue needs;
 * of models whose batches were not measured, that a day is left.
 *
 *	struct routing_news news = {.times = &times, .prices = &prices};
 *	struct lane_choice choice = routing_lane(config, tier, job, &news, clock_wall());
 *
 * Pure: what was measured is a parameter.
 */
#ifndef SLUICE_ROUTING_LANE_H
#define SLUICE_ROUTING_LANE_H

#include <stdbool.h>

#include "batch_times.h"
#include "config.h"
#include "job.h"
#include "pricing.h"

#define ROUTING_EXPRESS_SECONDS 60

/* What was measured and is in force. Either may be NULL: then nothing is known. */
struct routing_news {
	const struct batch_times *times;
	const struct price_book *prices;
};

struct lane_choice {
	enum lane lane; /* never LANE_AUTO */
	char why[80];
};

/* news NULL: nothing is known. */
struct lane_choice routing_lane(const struct config *config, const struct tier *tier,
				const struct job *job, const struct routing_news *news, nsec wall);

/* Whether the candidate may see the job's data and, where the job wants only one, is that. */
bool routing_may_call(const struct candidate *candidate, const struct job *job);

/* Whether a candidate of the tier that may be called for the job has a batch API. */
bool routing_has_batch(const struct tier *tier, const struct job *job);

#endif
