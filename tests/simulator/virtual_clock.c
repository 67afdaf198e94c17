#include "virtual_clock.h"

void virtual_clock_set(struct virtual_clock *clock, double speed, nsec now)
{
	if (clock->speed > 0)
		clock->shown = virtual_clock_read(clock, now);
	else
		clock->shown = (double)clock_wall() / 1e9;
	clock->real = now;
	clock->speed = speed;
}

double virtual_clock_read(const struct virtual_clock *clock, nsec now)
{
	return clock->shown + (double)(now - clock->real) / 1e9 * clock->speed;
}
