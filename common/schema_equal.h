/*
 * Equality of JSON values as JSON Schema means it: 1 equals 1.0, the order of
 * members does not count. What it costs is counted, for values come from
 * strangers.
 *
 *	uint64_t steps = 100000;
 *	if (!schema_same(a, b, &steps)) ...      -- also when steps reached 0
 */
#ifndef SLUICE_SCHEMA_EQUAL_H
#define SLUICE_SCHEMA_EQUAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "json.h"

/* False as well when *steps ran out: look at it before believing a false. */
bool schema_same(const json_t *a, const json_t *b, uint64_t *steps);

/* The first index of an item that equals an earlier one, which is *earlier; -1: all differ. */
long schema_first_repeated(const json_t *array, size_t *earlier, uint64_t *steps);

/* <0, 0, >0 as a is smaller, equal, greater. Exact, also between integer and real. */
int schema_compare_numbers(const json_t *a, const json_t *b);
bool schema_is_multiple(const json_t *value, const json_t *divisor);

#endif
