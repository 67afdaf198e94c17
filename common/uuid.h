/*
 * Ids. Those we make are UUIDv7, ordered by time and, within one process, by
 * creation; those that must come out the same for everybody (a job from its
 * idempotency key, an event from its job) are derived by hashing (UUIDv8).
 *
 *	struct uuid id = uuid_make();
 *	char text[UUID_TEXT];
 *	puts(uuid_format(text, &id));
 */
#ifndef SLUICE_UUID_H
#define SLUICE_UUID_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "clock.h"

struct uuid {
	uint8_t bytes[16];
};

#define UUID_TEXT 37 /* with the final zero */

struct uuid uuid_make(void); /* v7, of the wall clock */

/* The v7 id of a given wall-clock time, sequence and randomness; for tests and simulation. */
struct uuid uuid_at(nsec wall, uint16_t sequence, uint64_t random);

const char *uuid_format(char text[UUID_TEXT], const struct uuid *id); /* returns text */
bool uuid_parse(const char *text, struct uuid *id);		      /* 8-4-4-4-12, any case */
bool uuid_equal(const struct uuid *a, const struct uuid *b);
int uuid_compare(const struct uuid *a, const struct uuid *b); /* as Postgres orders them */
bool uuid_is_zero(const struct uuid *id);
nsec uuid_time(const struct uuid *id); /* of a v7: its wall-clock time, to the millisecond */

#endif
