#include "clock.h"

#include <time.h>

static nsec read_clock(clockid_t id)
{
	struct timespec t;

	clock_gettime(id, &t);
	return (nsec)t.tv_sec * NSEC_PER_SEC + (nsec)t.tv_nsec;
}

nsec clock_now(void)
{
	return read_clock(CLOCK_MONOTONIC);
}

nsec clock_wall(void)
{
	return read_clock(CLOCK_REALTIME);
}
