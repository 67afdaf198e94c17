/*
 * How long to wait before asking again: full jitter, so that a thousand jobs
 * that failed together do not come back together. Chance is a parameter; the
 * caller draws it.
 *
 *	nsec wait = backoff_wait(&settings->unavailable, tries, reply.retry_after, random);
 */
#ifndef SLUICE_BACKOFF_H
#define SLUICE_BACKOFF_H

#include <stdint.h>

#include "clock.h"
#include "config.h"

/* A provider's hint beyond this is taken for a mistake. */
#define BACKOFF_LONGEST_HINT (24 * 3600 * NSEC_PER_SEC)

/*
 * random(0, min(longest, first × 2^tries)), evenly; `tries` are the failures in
 * a row before this one. The provider's own hint (0: none) wins where it is longer.
 */
nsec backoff_wait(const struct backoff_profile *profile, int tries, nsec hint, uint64_t random);

#endif
