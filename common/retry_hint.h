/*
 * How long a provider asks us to wait, in every form that providers write it.
 * Pure parsers of bytes from outside: they read nothing past the text's end,
 * refuse what is not exactly of their form, and never answer more than a day.
 *
 *	nsec wait;
 *
 *	if (retry_hint_after(value, raw->wall, &wait)) ...      -- Retry-After
 *	if (retry_hint_duration("6m0s", &wait)) ...             -- x-ratelimit-reset-tokens
 *
 * Where they return false, *wait is as it was.
 */
#ifndef SLUICE_RETRY_HINT_H
#define SLUICE_RETRY_HINT_H

#include <stdbool.h>

#include "clock.h"

/* A longer wish is cut to this: whoever asks for more is asked again tomorrow. */
#define RETRY_HINT_LONGEST (24 * 3600 * NSEC_PER_SEC)

/* Go's durations: "12ms", "17.26s", "6m0s", "1h2m3s"; also Gemini's retryDelay "34s". */
bool retry_hint_duration(const char *text, nsec *wait);

/* A plain decimal number of seconds: "17", "0.25". */
bool retry_hint_seconds(const char *text, nsec *wait);

/* A plain decimal number of milliseconds: "18642", "12.5". */
bool retry_hint_millis(const char *text, nsec *wait);

/*
 * A date as in "2026-11-01T00:00:17Z" (RFC 3339) or "Sun, 01 Nov 2026 00:00:17 GMT"
 * (HTTP), as a wait from `wall`; 0 when it is past.
 */
bool retry_hint_date(const char *text, nsec wall, nsec *wait);

/* A Retry-After: seconds or a date. */
bool retry_hint_after(const char *text, nsec wall, nsec *wait);

#endif
