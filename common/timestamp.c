#include "timestamp.h"

#include <stdint.h>
#include <stdio.h>

#include "ensure.h"

#define LAST_YEAR 2500

/* Days since 1970-01-01 of a date of the Gregorian calendar, by counting from a March. */
static int64_t days_of(int64_t year, int64_t month, int64_t day)
{
	int64_t y = month > 2 ? year : year - 1;
	int64_t m = month > 2 ? month - 3 : month + 9;

	return 365 * y + y / 4 - y / 100 + y / 400 + (153 * m + 2) / 5 + day - 1 - 719468;
}

static int64_t days_in(int64_t year, int64_t month)
{
	return month == 12 ? 31 : days_of(year, month + 1, 1) - days_of(year, month, 1);
}

/* Exactly `count` digits at *p, which moves on. -1: there are none such. */
static int64_t digits(const char **p, int count)
{
	int64_t value = 0;

	for (; count > 0; count--, (*p)++) {
		if (**p < '0' || **p > '9')
			return -1;
		value = value * 10 + (**p - '0');
	}
	return value;
}

static bool skip(const char **p, const char *any_of)
{
	for (; *any_of; any_of++)
		if (**p == *any_of) {
			(*p)++;
			return true;
		}
	return false;
}

static bool read_date(const char **p, int64_t *seconds)
{
	int64_t year, month, day;

	year = digits(p, 4);
	if (year < 1970 || year > LAST_YEAR || !skip(p, "-"))
		return false;
	month = digits(p, 2);
	if (month < 1 || month > 12 || !skip(p, "-"))
		return false;
	day = digits(p, 2);
	if (day < 1 || day > days_in(year, month))
		return false;
	*seconds = days_of(year, month, day) * 86400;
	return true;
}

static bool read_time(const char **p, int64_t *seconds)
{
	int64_t hour, minute, second;

	hour = digits(p, 2);
	if (hour < 0 || hour > 23 || !skip(p, ":"))
		return false;
	minute = digits(p, 2);
	if (minute < 0 || minute > 59 || !skip(p, ":"))
		return false;
	second = digits(p, 2);
	if (second < 0 || second > 60)
		return false;
	*seconds += hour * 3600 + minute * 60 + second;
	return true;
}

/* Digits beyond the nanoseconds are dropped. */
static bool read_fraction(const char **p, nsec *fraction)
{
	nsec unit = NSEC_PER_SEC / 10;

	*fraction = 0;
	if (!skip(p, "."))
		return true;
	if (**p < '0' || **p > '9')
		return false;
	for (; **p >= '0' && **p <= '9'; (*p)++, unit /= 10)
		*fraction += (nsec)(**p - '0') * unit;
	return true;
}

static bool read_zone(const char **p, int64_t *seconds)
{
	bool east = **p == '+';
	int64_t hours, minutes, offset;

	if (skip(p, "Zz"))
		return true;
	if (!skip(p, "+-"))
		return false;
	hours = digits(p, 2);
	if (hours < 0 || hours > 23 || !skip(p, ":"))
		return false;
	minutes = digits(p, 2);
	if (minutes < 0 || minutes > 59)
		return false;
	offset = hours * 3600 + minutes * 60;
	*seconds += east ? -offset : offset;
	return true;
}

bool timestamp_parse(const char *text, nsec *wall)
{
	const char *p = text;
	int64_t seconds;
	nsec fraction;

	if (!read_date(&p, &seconds) || !skip(&p, "Tt ") || !read_time(&p, &seconds) ||
	    !read_fraction(&p, &fraction) || !read_zone(&p, &seconds) || *p)
		return false;
	/* A zone or a leap second may carry a date out of the years we write. */
	if (seconds < 0 || seconds >= days_of(2501, 1, 1) * 86400)
		return false;
	*wall = (nsec)seconds * NSEC_PER_SEC + fraction;
	return true;
}

const char *timestamp_format(char text[TIMESTAMP_TEXT], nsec wall)
{
	int64_t seconds = (int64_t)(wall / NSEC_PER_SEC);
	int64_t days = seconds / 86400, of_day = seconds % 86400;
	int64_t year = 1970 + days / 366, month = 1;

	while (days_of(year + 1, 1, 1) <= days)
		year++;
	while (month < 12 && days_of(year, month + 1, 1) <= days)
		month++;
	ENSURE(year <= 9999);
	snprintf(text, TIMESTAMP_TEXT, "%04d-%02d-%02dT%02d:%02d:%02d.%03dZ", (int)year, (int)month,
		 (int)(days - days_of(year, month, 1) + 1), (int)(of_day / 3600),
		 (int)(of_day / 60 % 60), (int)(of_day % 60),
		 (int)(wall % NSEC_PER_SEC / NSEC_PER_MSEC));
	return text;
}
