#include "schema_equal.h"

#include <float.h>
#include <math.h>
#include <string.h>

#include "ensure.h"

#define TWO_TO_63 9223372036854775808.0
#define MAX_NESTING 2048  /* the parser makes none deeper; each level is a small frame */
#define PAIRWISE_ITEMS 64 /* up to so many items every pair is compared, above they are hashed */

static int compare_integers(json_int_t a, json_int_t b)
{
	return a < b ? -1 : a > b;
}

static int compare_reals(double a, double b)
{
	return a < b ? -1 : a > b;
}

static int compare_integer_to_real(json_int_t a, double b)
{
	json_int_t whole;

	if (b >= TWO_TO_63)
		return -1;
	if (b < -TWO_TO_63)
		return 1;
	whole = (json_int_t)b;
	if (a != whole)
		return a < whole ? -1 : 1;
	return compare_reals(0, b - (double)whole);
}

int schema_compare_numbers(const json_t *a, const json_t *b)
{
	if (json_is_integer(a) && json_is_integer(b))
		return compare_integers(json_integer_value(a), json_integer_value(b));
	if (json_is_integer(a))
		return compare_integer_to_real(json_integer_value(a), json_real_value(b));
	if (json_is_integer(b))
		return -compare_integer_to_real(json_integer_value(b), json_real_value(a));
	return compare_reals(json_real_value(a), json_real_value(b));
}

/*
 * Decimal fractions are not exact in binary: 0.0075 is 75 times 0.0001 only up
 * to rounding, so a quotient within a few roundings of a whole number counts.
 */
bool schema_is_multiple(const json_t *value, const json_t *divisor)
{
	double v, d, quotient;

	if (json_is_integer(value) && json_is_integer(divisor)) {
		json_int_t by = json_integer_value(divisor);

		return by > 0 && json_integer_value(value) % by == 0;
	}
	v = json_number_value(value);
	d = json_number_value(divisor);
	if (!(d > 0))
		return false;
	quotient = v / d;
	if (isinf(quotient))
		return fmod(v, d) == 0;
	return fabs(quotient - nearbyint(quotient)) <= 4 * DBL_EPSILON * fabs(quotient);
}

static bool same(const json_t *a, const json_t *b, uint64_t *steps, unsigned depth);

static bool same_arrays(const json_t *a, const json_t *b, uint64_t *steps, unsigned depth)
{
	if (json_array_size(a) != json_array_size(b))
		return false;
	for (size_t i = 0; i < json_array_size(a); i++)
		if (!same(json_array_get(a, i), json_array_get(b, i), steps, depth))
			return false;
	return true;
}

static bool same_objects(const json_t *a, const json_t *b, uint64_t *steps, unsigned depth)
{
	const char *key;
	json_t *value;

	if (json_object_size(a) != json_object_size(b))
		return false;
	json_object_foreach ((json_t *)a, key, value) {
		const json_t *other = json_object_get(b, key);

		if (!other || !same(value, other, steps, depth))
			return false;
	}
	return true;
}

static bool same(const json_t *a, const json_t *b, uint64_t *steps, unsigned depth)
{
	if (*steps == 0 || depth == 0) {
		*steps = 0;
		return false;
	}
	--*steps;
	if (json_is_number(a) && json_is_number(b))
		return schema_compare_numbers(a, b) == 0;
	if (json_typeof(a) != json_typeof(b))
		return false;
	if (json_is_array(a))
		return same_arrays(a, b, steps, depth - 1);
	if (json_is_object(a))
		return same_objects(a, b, steps, depth - 1);
	if (json_is_string(a))
		return json_string_length(a) == json_string_length(b) &&
		       memcmp(json_string_value(a), json_string_value(b), json_string_length(a)) ==
			       0;
	return true;
}

bool schema_same(const json_t *a, const json_t *b, uint64_t *steps)
{
	return same(a, b, steps, MAX_NESTING);
}

/* FNV-1a, started by the kind of the value so that "" and [] differ. */
static uint64_t hash_bytes(uint64_t hash, const void *bytes, size_t len)
{
	const unsigned char *p = bytes;

	for (size_t i = 0; i < len; i++)
		hash = (hash ^ p[i]) * 0x100000001b3;
	return hash;
}

static uint64_t hash_number(const json_t *value)
{
	double number = json_number_value(value);

	number += 0.0; /* -0 becomes 0, which it equals */
	return hash_bytes(1, &number, sizeof(number));
}

static uint64_t hash_value(const json_t *value, uint64_t *steps, unsigned depth);

static uint64_t hash_object(const json_t *value, uint64_t *steps, unsigned depth)
{
	uint64_t sum = 2;
	const char *key;
	json_t *member;

	json_object_foreach ((json_t *)value, key, member) {
		uint64_t hash = hash_value(member, steps, depth);

		sum += hash_bytes(hash, key, strlen(key)); /* in whatever order */
	}
	return hash_bytes(3, &sum, sizeof(sum));
}

static uint64_t hash_array(const json_t *value, uint64_t *steps, unsigned depth)
{
	uint64_t hash = 4;

	for (size_t i = 0; i < json_array_size(value); i++) {
		uint64_t item = hash_value(json_array_get(value, i), steps, depth);

		hash = hash_bytes(hash, &item, sizeof(item));
	}
	return hash;
}

static uint64_t hash_value(const json_t *value, uint64_t *steps, unsigned depth)
{
	if (*steps == 0 || depth == 0) {
		*steps = 0;
		return 0;
	}
	--*steps;
	if (json_is_number(value))
		return hash_number(value);
	if (json_is_object(value))
		return hash_object(value, steps, depth - 1);
	if (json_is_array(value))
		return hash_array(value, steps, depth - 1);
	if (json_is_string(value))
		return hash_bytes(5, json_string_value(value), json_string_length(value));
	return 6 + (uint64_t)json_typeof(value);
}

static long first_repeated_pairwise(const json_t *array, size_t *earlier, uint64_t *steps)
{
	for (size_t i = 1; i < json_array_size(array); i++)
		for (size_t j = 0; j < i; j++)
			if (schema_same(json_array_get(array, i), json_array_get(array, j),
					steps)) {
				*earlier = j;
				return (long)i;
			}
	return -1;
}

/* A table of item number + 1 by hash, twice as large as it must be, probed one by one. */
static long first_repeated_hashed(const json_t *array, size_t *earlier, uint64_t *steps)
{
	size_t count = json_array_size(array);
	size_t slots = 256;

	while (slots < 2 * count)
		slots *= 2;

	AUTO(xfree) size_t *table = xcalloc(slots, sizeof(*table));

	for (size_t i = 0; i < count; i++) {
		const json_t *item = json_array_get(array, i);
		uint64_t hash = hash_value(item, steps, MAX_NESTING);
		size_t slot = (size_t)(hash ^ hash >> 32) & (slots - 1);

		for (; table[slot]; slot = (slot + 1) & (slots - 1)) {
			if (!schema_same(item, json_array_get(array, table[slot] - 1), steps))
				continue;
			*earlier = table[slot] - 1;
			return (long)i;
		}
		table[slot] = i + 1;
		if (*steps == 0)
			return -1;
	}
	return -1;
}

long schema_first_repeated(const json_t *array, size_t *earlier, uint64_t *steps)
{
	if (json_array_size(array) <= PAIRWISE_ITEMS)
		return first_repeated_pairwise(array, earlier, steps);
	return first_repeated_hashed(array, earlier, steps);
}
