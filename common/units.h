/*
 * Amounts as people write them in a configuration or on a command line: counts
 * with separators, durations and sizes with a unit. A number without its unit
 * is refused, except 0, so that nobody guesses.
 *
 *	nsec grace;
 *	if (!units_duration("30s", &grace))
 *		return error_set(err, ERROR_REJECT, "... wants " UNITS_DURATION);
 */
#ifndef SLUICE_UNITS_H
#define SLUICE_UNITS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "clock.h"

#define UNITS_COUNT "a whole number such as 500 or 200_000"
#define UNITS_DURATION "a duration such as 100ms, 30s, 5m, 2h or 7d"
#define UNITS_SIZE "a size such as 4096B, 64KiB, 10MiB or 1GiB"

/* All false for what is not such an amount, or does not fit (durations: 100 years). */
bool units_count(const char *text, int64_t *count);
bool units_duration(const char *text, nsec *duration); /* ms, s, m, h, d; "1.5s" is 1500 ms */
bool units_size(const char *text, size_t *bytes);      /* B, KiB, MiB, GiB */

#endif
