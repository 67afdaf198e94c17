#include "backoff.h"

/* first × 2^tries without overflow, never above longest. */
static nsec backoff_ceiling(const struct backoff_profile *profile, int tries)
{
	nsec ceiling = profile->first;

	for (int i = 0; i < tries && ceiling > 0 && ceiling < profile->longest; i++)
		ceiling = ceiling > UINT64_MAX / 2 ? UINT64_MAX : ceiling * 2;
	return ceiling < profile->longest ? ceiling : profile->longest;
}

nsec backoff_wait(const struct backoff_profile *profile, int tries, nsec hint, uint64_t random)
{
	nsec ceiling = backoff_ceiling(profile, tries);
	nsec wait = ceiling == UINT64_MAX ? random : random % (ceiling + 1);

	if (hint > BACKOFF_LONGEST_HINT)
		hint = BACKOFF_LONGEST_HINT;
	return hint > wait ? hint : wait;
}
