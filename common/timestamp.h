/*
 * Points in wall-clock time as texts, by RFC 3339: what producers write in a
 * deadline and what we write in events.
 *
 *	nsec deadline;
 *	if (!timestamp_parse("2026-11-21T18:00:00+01:00", &deadline)) ...
 *	char text[TIMESTAMP_TEXT];
 *	timestamp_format(text, clock_wall());   -- "2026-11-21T17:00:00.123Z"
 */
#ifndef SLUICE_TIMESTAMP_H
#define SLUICE_TIMESTAMP_H

#include <stdbool.h>

#include "clock.h"

#define TIMESTAMP_TEXT 32 /* with the final zero */

/* From 1970 to 2500; a zone is wanted. A leap second counts as the second after it. */
bool timestamp_parse(const char *text, nsec *wall);

const char *timestamp_format(char text[TIMESTAMP_TEXT], nsec wall); /* UTC, milliseconds */

#endif
