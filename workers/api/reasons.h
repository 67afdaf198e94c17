/*
 * Why a job does not run just now, in words, from the codes its row carries.
 *
 *	const char *words = reason_words("parked", "rate_hold");        -- NULL: it does not wait
 */
#ifndef API_REASONS_H
#define API_REASONS_H

const char *reason_words(const char *state, const char *reason);

#endif
