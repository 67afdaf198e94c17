#include "money.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

const char *money_format(char text[MONEY_TEXT], pico amount)
{
	uint64_t size = amount < 0 ? 0 - (uint64_t)amount : (uint64_t)amount;
	char *end;

	if (amount == PICO_UNPRICED) {
		snprintf(text, MONEY_TEXT, "unpriced");
		return text;
	}
	snprintf(text, MONEY_TEXT, "%s$%" PRIu64 ".%012" PRIu64, amount < 0 ? "-" : "",
		 size / (uint64_t)PICO_PER_USD, size % (uint64_t)PICO_PER_USD);
	end = strchr(text, '\0');
	while (end[-1] == '0' && end[-3] != '.')
		*--end = '\0';
	return text;
}

bool money_parse(const char *text, pico *amount)
{
	pico value = 0;
	pico unit = PICO_PER_USD;
	bool digits = false;

	if (*text == '$')
		text++;
	for (; isdigit((unsigned char)*text); text++, digits = true) {
		value = value * 10 + (*text - '0');
		if (value > INT64_MAX / PICO_PER_USD - 1)
			return false;
	}
	value *= PICO_PER_USD;
	if (*text == '.') {
		for (text++; isdigit((unsigned char)*text); text++, digits = true) {
			unit /= 10;
			if (unit == 0)
				return false;
			value += (*text - '0') * unit;
		}
	}
	if (!digits || *text)
		return false;
	*amount = value;
	return true;
}
