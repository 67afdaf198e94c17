/*
 * How long a model thinks: always the same, evenly between two times, or
 * log-normal, as real providers are.
 *
 *	latency_parse(&latency, "lognormal:800,4000", err);     -- median and p99 in ms
 *	due = now + latency_draw(&latency, &dice);
 */
#ifndef SIMULATOR_LATENCY_H
#define SIMULATOR_LATENCY_H

#include "clock.h"
#include "dice.h"
#include "error.h"

struct latency {
	enum {
		LATENCY_FIXED,
		LATENCY_UNIFORM,
		LATENCY_LOGNORMAL,
	} shape;
	double a, b; /* ms: the time; least and most; median and p99 */
};

bool latency_parse(struct latency *latency, const char *text, struct error *err) MUST_USE;
nsec latency_draw(const struct latency *latency, struct dice *dice);

#endif
