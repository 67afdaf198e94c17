/*
 * The digest of JSON values: equal values give equal digests, whatever their
 * spelling and the order of their members. Ten times cheaper than hashing
 * sorted JSON text, because nothing is escaped or spelled out.
 *
 *	static const char *const asked[] = {"prompt", "output"};
 *	struct digest d = fingerprint_of_members(envelope, asked, COUNT_OF(asked));
 *
 * The digest goes into rows: its rule never changes. 1 and 1.0 are different.
 */
#ifndef SLUICE_FINGERPRINT_H
#define SLUICE_FINGERPRINT_H

#include <stddef.h>

#include "digest.h"
#include "json.h"

struct digest fingerprint_of(const json_t *value);

/* Of those members only, in that order; one that is absent is no member. */
struct digest fingerprint_of_members(const json_t *object, const char *const *names, size_t count);

#endif
