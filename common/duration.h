/*
 * Durations for people to read; units.h is the way back.
 *
 *	char text[DURATION_TEXT];
 *	printf("%s\n", duration_format(text, period));  -- "7d", "1m 30s", "250ms"
 */
#ifndef SLUICE_DURATION_H
#define SLUICE_DURATION_H

#include "clock.h"

#define DURATION_TEXT 56 /* more than any needs */

/* The two largest units, cut off, not rounded: "2d 3h", "1m 30s", "1.25s", "0s". Returns text. */
const char *duration_format(char text[DURATION_TEXT], nsec duration);

#endif
