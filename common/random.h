/*
 * Random numbers that a seed makes come out the same again: for jitter, weights
 * and simulation. Not for secrets; those come from the kernel.
 *
 *	struct random random;
 *	random_seed(&random, 42);                       -- or random_from_kernel()
 *	nsec wait = random_below(&random, longest);
 */
#ifndef SLUICE_RANDOM_H
#define SLUICE_RANDOM_H

#include <stdint.h>

struct random {
	uint64_t state;
};

void random_seed(struct random *random, uint64_t seed);
void random_from_kernel(struct random *random);

uint64_t random_next(struct random *random);
uint64_t random_below(struct random *random,
		      uint64_t limit);	   /* [0, limit), evenly; 0 for limit 0 */
double random_unit(struct random *random); /* [0, 1) */

/* That percentage of whole; the fraction is rounded up or down by chance, so that the mean is
 * exact. */
uint64_t random_share(struct random *random, uint64_t whole, unsigned percent);

#endif
