/*
 * Time as batches live it: seconds since 1970 that run faster than the world's,
 * so that 24 hours pass in a minute. Everything a batch tells about time is by
 * this clock.
 *
 *	virtual_clock_set(&clock, 1440, clock_now());
 *	double at = virtual_clock_read(&clock, now);
 */
#ifndef SIMULATOR_VIRTUAL_CLOCK_H
#define SIMULATOR_VIRTUAL_CLOCK_H

#include "clock.h"

struct virtual_clock {
	double speed;
	nsec real; /* at which it showed … */
	double shown;
};

/* From now on so many times as fast; the first time it starts at the wall clock. */
void virtual_clock_set(struct virtual_clock *clock, double speed, nsec now);
double virtual_clock_read(const struct virtual_clock *clock, nsec now);

#endif
