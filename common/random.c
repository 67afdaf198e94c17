#include "random.h"

#include <sys/random.h>

#include "ensure.h"

void random_seed(struct random *random, uint64_t seed)
{
	random->state = seed;
}

void random_from_kernel(struct random *random)
{
	ENSURE(getrandom(&random->state, sizeof(random->state), 0) == sizeof(random->state));
}

/* SplitMix64: one addition and a good mixing of it; every seed is fine. */
uint64_t random_next(struct random *random)
{
	uint64_t z = random->state += 0x9e3779b97f4a7c15u;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
	z = (z ^ z >> 27) * 0x94d049bb133111ebu;
	return z ^ z >> 31;
}

/* What would make the small numbers likelier is thrown away. */
uint64_t random_below(struct random *random, uint64_t limit)
{
	uint64_t uneven, value;

	if (limit == 0)
		return 0;
	uneven = (0 - limit) % limit;
	do
		value = random_next(random);
	while (value < uneven);
	return value % limit;
}

double random_unit(struct random *random)
{
	return (double)(random_next(random) >> 11) * 0x1.0p-53;
}

uint64_t random_share(struct random *random, uint64_t whole, unsigned percent)
{
	return (whole * percent + random_below(random, 100)) / 100;
}
