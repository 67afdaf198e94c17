#include "duration.h"

#include <inttypes.h>
#include <stdio.h>

#include "compiler.h"

/* Largest first. */
static const struct {
	const char *name;
	nsec length;
} units[] = {
	{"d", 24 * 3600 * NSEC_PER_SEC}, {"h", 3600 * NSEC_PER_SEC},
	{"m", 60 * NSEC_PER_SEC},	 {"s", NSEC_PER_SEC},
	{"ms", NSEC_PER_MSEC},		 {"us", NSEC_PER_USEC},
};

static const char *format_two(char text[DURATION_TEXT], nsec duration, size_t i)
{
	nsec rest = duration % units[i].length / units[i + 1].length;

	if (rest > 0)
		snprintf(text, DURATION_TEXT, "%" PRIu64 "%s %" PRIu64 "%s",
			 duration / units[i].length, units[i].name, rest, units[i + 1].name);
	else
		snprintf(text, DURATION_TEXT, "%" PRIu64 "%s", duration / units[i].length,
			 units[i].name);
	return text;
}

const char *duration_format(char text[DURATION_TEXT], nsec duration)
{
	size_t i = 0;

	while (i < COUNT_OF(units) && duration < units[i].length)
		i++;
	if (i == COUNT_OF(units))
		snprintf(text, DURATION_TEXT, "%" PRIu64 "%s", duration, duration ? "ns" : "s");
	else if (units[i].length > NSEC_PER_SEC)
		return format_two(text, duration, i);
	else if (units[i].length == NSEC_PER_SEC)
		snprintf(text, DURATION_TEXT, "%.4gs", (double)(duration / 10000000) / 100);
	else
		snprintf(text, DURATION_TEXT, "%" PRIu64 "%s", duration / units[i].length,
			 units[i].name);
	return text;
}
