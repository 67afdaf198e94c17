/*
 * Why a job does not run, or did not, in words: from the codes that rows carry.
 *
 *	const char *words = wait_reason_now("parked", "rate_hold");     -- NULL: it does not wait
 *	const char *words = wait_reason_words("backoff");               -- of a wait that was
 */
#ifndef SLUICE_WAIT_REASON_H
#define SLUICE_WAIT_REASON_H

const char *wait_reason_now(const char *state, const char *reason);

/* Codes that are not known have general words. */
const char *wait_reason_words(const char *reason);

#endif
