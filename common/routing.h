/*
 * Which tier and lane a job is sent to when its producer left that to us. Four
 * signals from 0 to 1 are weighted and summed to a score, the score is compared
 * with the tiers' thresholds, and rules of the config come before and after.
 * Router, REST shim and `sluice submit` all call this; what it found is kept
 * with the job.
 *
 *	struct routing_decision decision;
 *	if (!routing_decide(config, job, &news, clock_wall(), &decision, err))
 *		return false;                   -- REJECT: the job asks for what is not there
 *	json_auto_t *routed = routing_to_json(&decision);
 *
 * The signals:
 *	complexity  how hard the task looks: structure of the output schema, tools,
 *	            turns of the conversation, reasoning effort; or what a rule says
 *	quality     asked for: low 0, normal 0.5, high 1
 *	latency     how near the deadline is: little time leaves none for a second try.
 *	            1 at ten seconds, 0 at an hour or without a deadline
 *	context     how long prompt and schema are: 0 to a thousand tokens, 1 from 100,000
 *
 * The config (section "routing"):
 *	weights:    {complexity: 0.4, quality: 0.3, latency: 0.1, context: 0.2}
 *	thresholds: {standard: 0.4, frontier: 0.75}     -- score from which a tier is chosen
 *	rules:                                          -- all that match, later over earlier
 *	  - match: {task: "extract-*", plan: free}      -- globs, all must match
 *	    complexity: 0.2         -- instead of the guess
 *	    add: -0.1               -- to the score
 *	    tier: standard          -- whatever the score
 *	    min_tier: standard      -- or above; where several say so, the highest counts
 *	    max_tier: standard      -- or below; the lowest counts
 *	    lane: batch             -- for jobs of lane auto
 *
 * The tier is the job's own, else a rule's, else the task's, else the score's; raised to
 * min_tier unless it is the job's own; lowered to max_tier of the job and of the rules; and
 * last moved to the nearest tier that may see the job's data, has the one candidate the job
 * wants if it wants one, and can hold its context.
 *
 * Pure: the config is read-only; the time and what was measured are parameters.
 */
#ifndef SLUICE_ROUTING_H
#define SLUICE_ROUTING_H

#include <stddef.h>
#include <stdint.h>

#include "buffer.h"
#include "config.h"
#include "error.h"
#include "job.h"
#include "routing_lane.h"

#define ROUTING_REASONS 12

#define ROUTING_SIGNALS(X)          \
	X(COMPLEXITY, "complexity") \
	X(QUALITY, "quality")       \
	X(LATENCY, "latency")       \
	X(CONTEXT, "context")

enum routing_signal {
#define SIGNAL_NAME(name, text) SIGNAL_##name,
	ROUTING_SIGNALS(SIGNAL_NAME)
#undef SIGNAL_NAME
		SIGNAL_COUNT
};

struct routing_decision {
	const struct tier *tier; /* the config's */
	enum lane lane;		 /* never LANE_AUTO */
	double signals[SIGNAL_COUNT];
	double parts[SIGNAL_COUNT];	   /* what each adds to the score */
	double add;			   /* what rules add */
	double score;			   /* 0 to 1 */
	int64_t tokens;			   /* of prompt and schema, guessed from their length */
	char reasons[ROUTING_REASONS][80]; /* in the order they came to bear */
	size_t reason_count;
};

/*
 * news: what was measured, for the lane (routing_lane.h); NULL: nothing. REJECT: the job names a
 * tier that is not configured, or no tier may see its data.
 */
bool routing_decide(const struct config *config, const struct job *job,
		    const struct routing_news *news, nsec wall, struct routing_decision *decision,
		    struct error *err) MUST_USE;

/*
 * {"tier","lane","score","signals":{…},"tokens","reasons":[…]}: the member
 * "routed" of the envelope, appended as text, or as a tree (the caller's).
 */
void routing_write(const struct routing_decision *decision, struct buffer *out);
json_t *routing_to_json(const struct routing_decision *decision);

const char *routing_signal_name(enum routing_signal signal); /* "complexity", … */

#endif
