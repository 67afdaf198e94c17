/*
 * Chance that repeats: every decision of the simulator is drawn from dice
 * seeded by what the decision is about, so one seed gives one history.
 *
 *	struct dice dice = dice_seeded(hash_bytes(body, len, seed));
 *	if (dice_unit(&dice) < 0.05)
 */
#ifndef SIMULATOR_DICE_H
#define SIMULATOR_DICE_H

#include <stddef.h>
#include <stdint.h>

struct dice {
	uint64_t state;
};

uint64_t hash_bytes(const void *bytes, size_t len, uint64_t seed);
uint64_t hash_mix(uint64_t a, uint64_t b);

struct dice dice_seeded(uint64_t seed);
uint64_t dice_roll(struct dice *dice);			/* any 64 bits */
uint64_t dice_below(struct dice *dice, uint64_t limit); /* 0 … limit-1; 0 for limit 0 */
double dice_unit(struct dice *dice);			/* 0 ≤ x < 1 */
double dice_normal(struct dice *dice);			/* mean 0, deviation 1 */

/* Letters and digits, `len` of them and a final zero: for ids. */
void dice_name(struct dice *dice, char *out, size_t len);

#endif
