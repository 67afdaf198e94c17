#include "units.h"

#include <string.h>

#define LONGEST_DURATION ((nsec)100 * 366 * 86400 * NSEC_PER_SEC)
#define LARGEST_SIZE ((uint64_t)1 << 40)

/* Digits, single underscores between them allowed; *end is what follows. */
static bool read_digits(const char *text, uint64_t *value, const char **end)
{
	const char *p = text;

	*value = 0;
	for (; *p; p++) {
		if (*p == '_' && p > text && p[-1] != '_' && p[1] >= '0' && p[1] <= '9')
			continue;
		if (*p < '0' || *p > '9')
			break;
		if (*value > (INT64_MAX - 9) / 10)
			return false;
		*value = *value * 10 + (uint64_t)(*p - '0');
	}
	*end = p;
	return p > text;
}

bool units_count(const char *text, int64_t *count)
{
	bool negative = *text == '-';
	uint64_t value;
	const char *end;

	if (!read_digits(text + negative, &value, &end) || *end)
		return false;
	*count = negative ? -(int64_t)value : (int64_t)value;
	return true;
}

struct unit {
	const char *name;
	uint64_t size;
};

static const struct unit durations[] = {
	{"ms", NSEC_PER_MSEC},	    {"s", NSEC_PER_SEC},	 {"m", 60 * NSEC_PER_SEC},
	{"h", 3600 * NSEC_PER_SEC}, {"d", 86400 * NSEC_PER_SEC}, {0},
};

static const struct unit sizes[] = {
	{"B", 1},
	{"KiB", (uint64_t)1 << 10},
	{"MiB", (uint64_t)1 << 20},
	{"GiB", (uint64_t)1 << 30},
	{0},
};

static uint64_t unit_named(const struct unit *units, const char *name)
{
	for (; units->name; units++)
		if (!strcmp(units->name, name))
			return units->size;
	return 0;
}

/* Up to three decimals, as thousandths. */
static uint64_t read_thousandths(const char *text, const char **end)
{
	uint64_t value = 0;
	int digits = 0;

	for (; *text >= '0' && *text <= '9' && digits < 3; text++, digits++)
		value = value * 10 + (uint64_t)(*text - '0');
	for (; digits < 3; digits++)
		value *= 10;
	*end = text;
	return value;
}

static bool read_amount(const char *text, const struct unit *units, uint64_t max, uint64_t *amount)
{
	uint64_t whole, thousandths = 0, size;
	const char *end;

	if (!read_digits(text, &whole, &end))
		return false;
	if (*end == '.') {
		if (end[1] < '0' || end[1] > '9')
			return false;
		thousandths = read_thousandths(end + 1, &end);
	}
	size = whole == 0 && thousandths == 0 && *end == '\0' ? 1 : unit_named(units, end);
	if (size == 0 || whole > max / size)
		return false;
	if (thousandths * size % 1000 != 0)
		return false;
	*amount = whole * size + thousandths * size / 1000;
	return *amount <= max;
}

bool units_duration(const char *text, nsec *duration)
{
	return read_amount(text, durations, LONGEST_DURATION, duration);
}

bool units_size(const char *text, size_t *bytes)
{
	uint64_t amount;

	if (!read_amount(text, sizes, LARGEST_SIZE, &amount))
		return false;
	*bytes = (size_t)amount;
	return true;
}
