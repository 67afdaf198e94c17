#include "retry_hint.h"

#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "compiler.h"
#include "timestamp.h"

#define LONGEST_TEXT 64 /* no hint that means something is longer */

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static const char *skip_blanks(const char *p)
{
	while (*p == ' ' || *p == '\t')
		p++;
	return p;
}

static bool too_long(const char *text)
{
	return strnlen(text, LONGEST_TEXT + 1) > LONGEST_TEXT;
}

static nsec plus(nsec a, nsec b)
{
	return a + b < RETRY_HINT_LONGEST ? a + b : RETRY_HINT_LONGEST;
}

/*
 * Reads "17.26" at *p as that many units and moves *p behind it. Digits beyond
 * the unit's resolution are dropped, and the sum stops growing at the longest
 * wait, so no number is too large to read.
 */
static bool read_decimal(const char **p, nsec unit, nsec *value)
{
	const char *at = *p;
	nsec sum = 0;
	bool digits = false;

	for (; is_digit(*at); at++, digits = true)
		sum = sum < RETRY_HINT_LONGEST ? sum * 10 + (nsec)(*at - '0') : sum;
	sum = sum > RETRY_HINT_LONGEST / unit ? RETRY_HINT_LONGEST : sum * unit;
	if (*at == '.')
		for (at++; is_digit(*at); at++, digits = true) {
			unit /= 10;
			sum = plus(sum, (nsec)(*at - '0') * unit);
		}
	*p = at;
	*value = sum;
	return digits;
}

static bool read_number(const char *text, nsec unit, nsec *wait)
{
	const char *at = skip_blanks(text);
	nsec value;

	if (too_long(text) || !read_decimal(&at, unit, &value) || *skip_blanks(at))
		return false;
	*wait = value;
	return true;
}

bool retry_hint_seconds(const char *text, nsec *wait)
{
	return read_number(text, NSEC_PER_SEC, wait);
}

bool retry_hint_millis(const char *text, nsec *wait)
{
	return read_number(text, NSEC_PER_MSEC, wait);
}

struct unit {
	const char *name;
	nsec size;
};

/* Longer names first, for "ms" begins like "m". */
static const struct unit units[] = {
	{"ns", 1},
	{"us", NSEC_PER_USEC},
	{"\xc2\xb5s", NSEC_PER_USEC},
	{"\xce\xbcs", NSEC_PER_USEC},
	{"ms", NSEC_PER_MSEC},
	{"h", 3600 * NSEC_PER_SEC},
	{"m", 60 * NSEC_PER_SEC},
	{"s", NSEC_PER_SEC},
};

static const struct unit *unit_at(const char *p)
{
	for (size_t i = 0; i < COUNT_OF(units); i++)
		if (strncmp(p, units[i].name, strlen(units[i].name)) == 0)
			return &units[i];
	return NULL;
}

/* The unit follows its number, so a number is measured first and read then. */
static bool read_term(const char **p, nsec *sum)
{
	const char *behind = *p + strspn(*p, "0123456789.");
	const struct unit *unit = unit_at(behind);
	nsec value;

	if (!unit || !read_decimal(p, unit->size, &value) || *p != behind)
		return false;
	*p += strlen(unit->name);
	*sum = plus(*sum, value);
	return true;
}

bool retry_hint_duration(const char *text, nsec *wait)
{
	const char *at = skip_blanks(text);
	nsec sum = 0;

	if (too_long(text))
		return false;
	do {
		if (!read_term(&at, &sum))
			return false;
		at = skip_blanks(at);
	} while (*at);
	*wait = sum;
	return true;
}

/* 1 to 12, or 0. */
static int month_number(const char *name)
{
	static const char names[] = "JanFebMarAprMayJunJulAugSepOctNovDec";

	for (int i = 0; i < 12; i++)
		if (strncmp(name, names + 3 * i, 3) == 0)
			return i + 1;
	return 0;
}

/* "Sun, 01 Nov 2026 00:00:17 GMT", every field at its place, is rewritten as RFC 3339. */
static bool parse_http_date(const char *text, nsec *wall)
{
	int month = strlen(text) == 29 ? month_number(text + 8) : 0;
	char date[40];

	if (month == 0 || text[3] != ',' || text[4] != ' ' || text[7] != ' ' || text[11] != ' ' ||
	    text[16] != ' ' || strcmp(text + 25, " GMT") != 0)
		return false;
	snprintf(date, sizeof(date), "%.4s-%02d-%.2sT%.8sZ", text + 12, month, text + 5, text + 17);
	return timestamp_parse(date, wall);
}

bool retry_hint_date(const char *text, nsec wall, nsec *wait)
{
	nsec at;

	if (too_long(text) || !(timestamp_parse(text, &at) || parse_http_date(text, &at)))
		return false;
	*wait = at > wall ? plus(at - wall, 0) : 0;
	return true;
}

bool retry_hint_after(const char *text, nsec wall, nsec *wait)
{
	return retry_hint_seconds(text, wait) || retry_hint_date(text, wall, wait);
}
