/*
 * Time, in one unit. Main loops call clock_now(); everything else is given
 * `now`, so that tests never sleep and a simulation can run time by itself.
 *
 *	nsec now = clock_now();
 *	if (now - started > 10 * NSEC_PER_SEC)
 *
 * Monotonic, except clock_wall(): wall-clock time exists only at the edges
 * (ids, logs, the provider's Retry-After date). What the fleet must agree on is
 * the database's time.
 */
#ifndef SLUICE_CLOCK_H
#define SLUICE_CLOCK_H

#include <stdint.h>

typedef uint64_t nsec;

#define NSEC_PER_USEC ((nsec)1000)
#define NSEC_PER_MSEC ((nsec)1000000)
#define NSEC_PER_SEC ((nsec)1000000000)

nsec clock_now(void);  /* monotonic */
nsec clock_wall(void); /* since 1970, UTC */

/* The database's clock says `wall` now: from here on ours says so as well, if it was off by more
 * than a second. Deadlines, dates and ids of a host whose clock is wrong are then the fleet's. */
void clock_agree(nsec wall);

#endif
