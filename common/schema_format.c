/* The formats that are checked. Times are those of RFC 3339, addresses those of RFC 3986 and 5321.
 */
#include <arpa/inet.h>
#include <ctype.h>
#include <string.h>

#include "schema_compiler.h"
#include "uuid.h"

/* What is left of a text; each take_ moves `at` when it succeeds. */
struct reader {
	const char *at;
	const char *end;
};

static bool at_end(const struct reader *r)
{
	return r->at == r->end;
}

static bool take_one_of(struct reader *r, const char *set)
{
	if (at_end(r) || *r->at == '\0' || !strchr(set, *r->at))
		return false;
	r->at++;
	return true;
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool take_digits(struct reader *r, int count, int *value)
{
	*value = 0;
	for (int i = 0; i < count; i++, r->at++) {
		if (at_end(r) || !is_digit(*r->at))
			return false;
		*value = *value * 10 + (*r->at - '0');
	}
	return true;
}

static bool take_some_digits(struct reader *r)
{
	const char *start = r->at;

	while (!at_end(r) && is_digit(*r->at))
		r->at++;
	return r->at > start;
}

static int days_in(int year, int month)
{
	static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
	bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;

	return month == 2 && leap ? 29 : days[month - 1];
}

static bool take_date(struct reader *r)
{
	int year, month, day;

	if (!take_digits(r, 4, &year) || !take_one_of(r, "-") || !take_digits(r, 2, &month) ||
	    !take_one_of(r, "-") || !take_digits(r, 2, &day))
		return false;
	return month >= 1 && month <= 12 && day >= 1 && day <= days_in(year, month);
}

/* "Z" or "+02:00"; *minutes is how far it is east. */
static bool take_offset(struct reader *r, int *minutes)
{
	bool east = !at_end(r) && *r->at == '+';
	int hour, minute;

	*minutes = 0;
	if (take_one_of(r, "Zz"))
		return true;
	if (!take_one_of(r, "+-") || !take_digits(r, 2, &hour) || !take_one_of(r, ":") ||
	    !take_digits(r, 2, &minute) || hour > 23 || minute > 59)
		return false;
	*minutes = (hour * 60 + minute) * (east ? 1 : -1);
	return true;
}

/* A 61st second is inserted at midnight UTC only. */
static bool take_time(struct reader *r)
{
	int hour, minute, second, east;

	if (!take_digits(r, 2, &hour) || !take_one_of(r, ":") || !take_digits(r, 2, &minute) ||
	    !take_one_of(r, ":") || !take_digits(r, 2, &second))
		return false;
	if (take_one_of(r, ".") && !take_some_digits(r))
		return false;
	if (!take_offset(r, &east) || hour > 23 || minute > 59 || second > 60)
		return false;
	return second < 60 || (hour * 60 + minute - east + 2 * 1440) % 1440 == 1439;
}

static bool is_date(const char *text, size_t len)
{
	struct reader r = {text, text + len};

	return take_date(&r) && at_end(&r);
}

static bool is_time(const char *text, size_t len)
{
	struct reader r = {text, text + len};

	return take_time(&r) && at_end(&r);
}

static bool is_date_time(const char *text, size_t len)
{
	struct reader r = {text, text + len};

	return take_date(&r) && take_one_of(&r, "Tt") && take_time(&r) && at_end(&r);
}

/* Numbers with units out of `units`, in that order, each at most once; at least one. */
static bool take_amounts(struct reader *r, const char *units)
{
	bool any = false;

	while (!at_end(r) && is_digit(*r->at)) {
		const char *unit;

		take_some_digits(r);
		unit = at_end(r) || !*r->at ? NULL : strchr(units, *r->at);
		if (!unit)
			return false;
		r->at++;
		units = unit + 1;
		any = true;
	}
	return any;
}

/* P1Y2M3DT4H5M6S, or P4W alone. */
static bool is_duration(const char *text, size_t len)
{
	struct reader r = {text, text + len};
	struct reader weeks;
	bool has_date;

	if (!take_one_of(&r, "P"))
		return false;
	weeks = r;
	if (take_amounts(&weeks, "W") && at_end(&weeks))
		return true;
	has_date = !at_end(&r) && *r.at != 'T';
	if (has_date && !take_amounts(&r, "YMD"))
		return false;
	if (take_one_of(&r, "T"))
		return take_amounts(&r, "HMS") && at_end(&r);
	return has_date && at_end(&r);
}

static bool is_ip(int family, const char *text, size_t len)
{
	char copy[INET6_ADDRSTRLEN + 1];
	unsigned char address[sizeof(struct in6_addr)];

	if (len >= sizeof(copy) || memchr(text, '\0', len))
		return false;
	memcpy(copy, text, len);
	copy[len] = '\0';
	return inet_pton(family, copy, address) == 1;
}

static bool is_ipv4(const char *text, size_t len)
{
	return is_ip(AF_INET, text, len);
}

static bool is_ipv6(const char *text, size_t len)
{
	return is_ip(AF_INET6, text, len);
}

static bool is_label(const char *text, size_t len)
{
	if (len == 0 || len > 63 || text[0] == '-' || text[len - 1] == '-')
		return false;
	for (size_t i = 0; i < len; i++)
		if (!isalnum((unsigned char)text[i]) && text[i] != '-')
			return false;
	return true;
}

static bool is_hostname(const char *text, size_t len)
{
	const char *end = text + len;

	if (len == 0 || len > 253)
		return false;
	for (;;) {
		const char *dot = memchr(text, '.', (size_t)(end - text));

		if (!is_label(text, (size_t)((dot ? dot : end) - text)))
			return false;
		if (!dot)
			return true;
		text = dot + 1;
	}
}

/* Words of ordinary characters between single dots. */
static bool is_dotted(const char *text, size_t len)
{
	bool after_dot = true;

	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)text[i];

		if (c == '.' && after_dot)
			return false;
		after_dot = c == '.';
		if (c <= ' ' || c > 0x7e || strchr("()<>[]:;@\\,\"", c))
			return false;
	}
	return !after_dot;
}

static bool is_quoted(const char *text, size_t len)
{
	if (len < 2 || text[0] != '"' || text[len - 1] != '"')
		return false;
	for (size_t i = 1; i < len - 1; i++) {
		if (text[i] == '"' || (unsigned char)text[i] < ' ' || (unsigned char)text[i] > 0x7e)
			return false;
		if (text[i] == '\\' && ++i == len - 1)
			return false;
	}
	return true;
}

static bool is_mail_domain(const char *text, size_t len)
{
	if (len < 2 || text[0] != '[')
		return is_hostname(text, len);
	if (text[len - 1] != ']')
		return false;
	if (len > 7 && strncasecmp(text + 1, "IPv6:", 5) == 0)
		return is_ipv6(text + 6, len - 7);
	return is_ipv4(text + 1, len - 2);
}

static bool is_email(const char *text, size_t len)
{
	const char *at = memrchr(text, '@', len);
	size_t local = at ? (size_t)(at - text) : 0;

	if (local == 0 || local > 64)
		return false;
	return (is_dotted(text, local) || is_quoted(text, local)) &&
	       is_mail_domain(at + 1, len - local - 1);
}

/* Only characters a URI may have, %XX complete; `extra` are those beside the unreserved. */
static bool is_spelled(const char *text, const char *end, const char *extra)
{
	for (; text < end; text++) {
		unsigned char c = (unsigned char)*text;

		if (c == '%') {
			if (end - text < 3 || !isxdigit((unsigned char)text[1]) ||
			    !isxdigit((unsigned char)text[2]))
				return false;
			text += 2;
		} else if (c == '\0' ||
			   (!isalnum(c) && !strchr("-._~!$&'()*+,;=", c) && !strchr(extra, c))) {
			return false;
		}
	}
	return true;
}

static bool is_port(const char *text, const char *end)
{
	for (; text < end; text++)
		if (!is_digit(*text))
			return false;
	return true;
}

/* user@host:port, where the host may be [an IPv6 address]. */
static bool is_authority(const char *text, const char *end)
{
	const char *at = memrchr(text, '@', (size_t)(end - text));
	const char *colon;

	if (at && !is_spelled(text, at, ":"))
		return false;
	text = at ? at + 1 : text;
	if (text < end && *text == '[') {
		const char *close = memchr(text, ']', (size_t)(end - text));

		if (!close || !is_ipv6(text + 1, (size_t)(close - text - 1)))
			return false;
		return close + 1 == end || (close[1] == ':' && is_port(close + 2, end));
	}
	colon = memchr(text, ':', (size_t)(end - text));
	if (colon && !is_port(colon + 1, end))
		return false;
	return is_spelled(text, colon ? colon : end, "");
}

static const char *find(const char *text, const char *end, const char *set)
{
	while (text < end && (*text == '\0' || !strchr(set, *text)))
		text++;
	return text;
}

static bool is_uri(const char *text, size_t len)
{
	const char *end = text + len;
	const char *colon = memchr(text, ':', len);
	const char *rest, *stop;

	if (!colon || !isalpha((unsigned char)*text))
		return false;
	for (const char *p = text; p < colon; p++)
		if (!isalnum((unsigned char)*p) && *p != '+' && *p != '-' && *p != '.')
			return false;
	rest = colon + 1;
	if (end - rest >= 2 && rest[0] == '/' && rest[1] == '/') {
		stop = find(rest + 2, end, "/?#");
		if (!is_authority(rest + 2, stop))
			return false;
		rest = stop;
	}
	stop = find(rest, end, "#"); /* path and query, then the fragment */
	if (!is_spelled(rest, stop, ":@/?"))
		return false;
	return stop == end || is_spelled(stop + 1, end, ":@/?");
}

static bool is_uuid(const char *text, size_t len)
{
	struct uuid id;

	return len == UUID_TEXT - 1 && strlen(text) == len && uuid_parse(text, &id);
}

static const struct {
	const char *name;
	schema_format_fn *holds;
} formats[] = {
	{"date-time", is_date_time}, {"date", is_date},	  {"time", is_time},
	{"duration", is_duration},   {"email", is_email}, {"hostname", is_hostname},
	{"ipv4", is_ipv4},	     {"ipv6", is_ipv6},	  {"uri", is_uri},
	{"uuid", is_uuid},
};

schema_format_fn *schema_format_find(const char *name, const char **lasting_name)
{
	for (size_t i = 0; i < COUNT_OF(formats); i++) {
		if (strcmp(formats[i].name, name) != 0)
			continue;
		*lasting_name = formats[i].name;
		return formats[i].holds;
	}
	return NULL;
}
