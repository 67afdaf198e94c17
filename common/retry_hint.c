#include "retry_hint.h"

#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <strings.h>

#include "compiler.h"

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

/* Days from 1970-01-01; years are counted from March, so that February ends them. */
static int64_t day_number(int64_t year, int64_t month, int64_t day)
{
	int64_t shifted = month > 2 ? year : year - 1;
	int64_t era = shifted / 400;
	int64_t of_era = shifted % 400;
	int64_t of_year = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;

	return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

/* Reads exactly `count` digits. */
static bool read_field(const char **p, int count, int64_t *value)
{
	int64_t sum = 0;

	for (int i = 0; i < count; i++, (*p)++) {
		if (!is_digit(**p))
			return false;
		sum = sum * 10 + (**p - '0');
	}
	*value = sum;
	return true;
}

static bool read_char(const char **p, const char *wanted)
{
	if (!**p || !strchr(wanted, **p))
		return false;
	(*p)++;
	return true;
}

struct moment {
	int64_t year, month, day, hour, minute, second;
	int64_t offset; /* minutes east of UTC */
};

static bool read_clock_time(const char **p, struct moment *m)
{
	return read_field(p, 2, &m->hour) && read_char(p, ":") && read_field(p, 2, &m->minute) &&
	       read_char(p, ":") && read_field(p, 2, &m->second);
}

static bool read_offset(const char **p, int64_t *offset)
{
	int64_t hours, minutes, sign = **p == '-' ? -1 : 1;

	if (read_char(p, "Zz")) {
		*offset = 0;
		return true;
	}
	if (!read_char(p, "+-") || !read_field(p, 2, &hours) || !read_char(p, ":") ||
	    !read_field(p, 2, &minutes) || hours > 23 || minutes > 59)
		return false;
	*offset = sign * (hours * 60 + minutes);
	return true;
}

/* 2026-11-01T00:00:17.5+01:00; fractions of a second are read over. */
static bool read_rfc3339(const char *p, struct moment *m)
{
	if (!read_field(&p, 4, &m->year) || !read_char(&p, "-") || !read_field(&p, 2, &m->month) ||
	    !read_char(&p, "-") || !read_field(&p, 2, &m->day) || !read_char(&p, "Tt ") ||
	    !read_clock_time(&p, m))
		return false;
	if (read_char(&p, ".")) {
		if (!is_digit(*p))
			return false;
		p += strspn(p, "0123456789");
	}
	return read_offset(&p, &m->offset) && !*skip_blanks(p);
}

static bool read_month(const char **p, int64_t *month)
{
	static const char names[] = "JanFebMarAprMayJunJulAugSepOctNovDec";

	for (int64_t i = 0; i < 12; i++)
		if (strncmp(*p, names + 3 * i, 3) == 0) {
			*month = i + 1;
			*p += 3;
			return true;
		}
	return false;
}

/* Sun, 01 Nov 2026 00:00:17 GMT */
static bool read_http_date(const char *p, struct moment *m)
{
	const char *comma = strchr(p, ',');

	if (!comma || comma - p != 3 || comma[1] != ' ')
		return false;
	p = comma + 2;
	m->offset = 0;
	return read_field(&p, 2, &m->day) && read_char(&p, " ") && read_month(&p, &m->month) &&
	       read_char(&p, " ") && read_field(&p, 4, &m->year) && read_char(&p, " ") &&
	       read_clock_time(&p, m) && strncmp(p, " GMT", 4) == 0 && !*skip_blanks(p + 4);
}

/* A leap second counts as the next one; a day 31 of February as one in March. */
static bool is_moment(const struct moment *m)
{
	return m->month >= 1 && m->month <= 12 && m->day >= 1 && m->day <= 31 && m->hour <= 23 &&
	       m->minute <= 59 && m->second <= 60;
}

bool retry_hint_date(const char *text, nsec wall, nsec *wait)
{
	struct moment m;
	int64_t at, now = (int64_t)(wall / NSEC_PER_SEC);
	const char *p = skip_blanks(text);

	if (too_long(text) || !(read_rfc3339(p, &m) || read_http_date(p, &m)) || !is_moment(&m))
		return false;
	at = day_number(m.year, m.month, m.day) * 86400 + m.hour * 3600 +
	     (m.minute - m.offset) * 60 + m.second;
	if (at <= now)
		*wait = 0;
	else if (at - now > (int64_t)(RETRY_HINT_LONGEST / NSEC_PER_SEC))
		*wait = RETRY_HINT_LONGEST;
	else
		*wait = (nsec)at * NSEC_PER_SEC - wall;
	return true;
}

bool retry_hint_after(const char *text, nsec wall, nsec *wait)
{
	return retry_hint_seconds(text, wait) || retry_hint_date(text, wall, wait);
}
