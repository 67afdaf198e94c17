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

static int64_t correction; /* of our host's wall clock */

nsec clock_wall(void)
{
	return read_clock(CLOCK_REALTIME) + (nsec)correction;
}

void clock_agree(nsec wall)
{
	int64_t off = (int64_t)(wall - clock_wall());

	if (off > (int64_t)NSEC_PER_SEC || off < -(int64_t)NSEC_PER_SEC)
		correction += off;
}
