#include "uuid.h"

#include <stdio.h>
#include <string.h>
#include <sys/random.h>

#include "ensure.h"

struct uuid uuid_at(nsec wall, uint16_t sequence, uint64_t random)
{
	uint64_t msec = wall / NSEC_PER_MSEC;
	struct uuid id;

	for (int i = 0; i < 6; i++)
		id.bytes[i] = (uint8_t)(msec >> (40 - 8 * i));
	id.bytes[6] = (uint8_t)(0x70 | ((sequence >> 8) & 0x0f));
	id.bytes[7] = (uint8_t)sequence;
	for (int i = 0; i < 8; i++)
		id.bytes[8 + i] = (uint8_t)(random >> (56 - 8 * i));
	id.bytes[8] = (uint8_t)(0x80 | (id.bytes[8] & 0x3f));
	return id;
}

/* Randomness by the page: a system call per id would cost more than the id. */
static uint64_t random_bits(void)
{
	static uint64_t pool[64];
	static size_t left;

	if (left == 0) {
		ENSURE(getrandom(pool, sizeof(pool), 0) == sizeof(pool));
		left = COUNT_OF(pool);
	}
	return pool[--left];
}

struct uuid uuid_make(void)
{
	static uint64_t last_msec;
	static uint16_t sequence;
	nsec wall = clock_wall();
	uint64_t msec = wall / NSEC_PER_MSEC;

	if (msec > last_msec) {
		last_msec = msec;
		sequence = 0;
	} else if (++sequence > 0x0fff) {
		last_msec++;
		sequence = 0;
	}
	return uuid_at(last_msec * NSEC_PER_MSEC, sequence, random_bits());
}

const char *uuid_format(char text[UUID_TEXT], const struct uuid *id)
{
	static const char digits[] = "0123456789abcdef";
	char *out = text;

	for (int i = 0; i < 16; i++) {
		if (i == 4 || i == 6 || i == 8 || i == 10)
			*out++ = '-';
		*out++ = digits[id->bytes[i] >> 4];
		*out++ = digits[id->bytes[i] & 15];
	}
	*out = '\0';
	return text;
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

bool uuid_parse(const char *text, struct uuid *id)
{
	for (int i = 0; i < 16; i++) {
		int high, low;

		if ((i == 4 || i == 6 || i == 8 || i == 10) && *text++ != '-')
			return false;
		high = hex_digit(text[0]);
		low = high < 0 ? -1 : hex_digit(text[1]);
		if (low < 0)
			return false;
		id->bytes[i] = (uint8_t)(high << 4 | low);
		text += 2;
	}
	return *text == '\0';
}

bool uuid_equal(const struct uuid *a, const struct uuid *b)
{
	return memcmp(a->bytes, b->bytes, sizeof(a->bytes)) == 0;
}

int uuid_compare(const struct uuid *a, const struct uuid *b)
{
	return memcmp(a->bytes, b->bytes, sizeof(a->bytes));
}

bool uuid_is_zero(const struct uuid *id)
{
	static const struct uuid zero;

	return uuid_equal(id, &zero);
}

nsec uuid_time(const struct uuid *id)
{
	uint64_t msec = 0;

	for (int i = 0; i < 6; i++)
		msec = msec << 8 | id->bytes[i];
	return msec * NSEC_PER_MSEC;
}
