#include "dice.h"

#include <math.h>
#include <string.h>

#define GOLDEN 0x9e3779b97f4a7c15u

/* The finalizer of splitmix64. */
static uint64_t stir(uint64_t x)
{
	x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
	x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
	return x ^ (x >> 31);
}

uint64_t hash_mix(uint64_t a, uint64_t b)
{
	return stir(a ^ (stir(b + GOLDEN) + GOLDEN + (a << 6) + (a >> 2)));
}

uint64_t hash_bytes(const void *bytes, size_t len, uint64_t seed)
{
	const unsigned char *p = bytes;
	uint64_t hash = stir(seed + GOLDEN) ^ len;
	uint64_t word;

	for (; len >= 8; len -= 8, p += 8) {
		memcpy(&word, p, 8);
		hash = (hash ^ stir(word)) * GOLDEN;
		hash = (hash << 27) | (hash >> 37);
	}
	word = 0;
	memcpy(&word, p, len);
	return stir(hash ^ stir(word + len));
}

struct dice dice_seeded(uint64_t seed)
{
	return (struct dice){stir(seed + GOLDEN)};
}

uint64_t dice_roll(struct dice *dice)
{
	dice->state += GOLDEN;
	return stir(dice->state);
}

uint64_t dice_below(struct dice *dice, uint64_t limit)
{
	return limit > 0 ? dice_roll(dice) % limit : 0;
}

double dice_unit(struct dice *dice)
{
	return (double)(dice_roll(dice) >> 11) * 0x1p-53;
}

/* Box and Muller; the second value is thrown away to keep the state one number. */
double dice_normal(struct dice *dice)
{
	double u = dice_unit(dice) + 0x1p-54;
	double v = dice_unit(dice);

	return sqrt(-2 * log(u)) * cos(2 * 3.14159265358979323846 * v);
}

void dice_name(struct dice *dice, char *out, size_t len)
{
	static const char letters[] =
		"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
	uint64_t bits = 0;

	for (size_t i = 0; i < len; i++, bits /= 62) {
		if (i % 8 == 0)
			bits = dice_roll(dice);
		out[i] = letters[bits % 62];
	}
	out[len] = '\0';
}
