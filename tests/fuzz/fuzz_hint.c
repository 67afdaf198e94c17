/* Texts that tell a time: waits of a day at most, and nothing changed where there is none. */
#include <stdlib.h>
#include <string.h>

#include "duration.h"
#include "ensure.h"
#include "fuzz.h"
#include "money.h"
#include "retry_hint.h"
#include "timestamp.h"
#include "units.h"
#include "uuid.h"

#define UNTOUCHED 77

static void look_at(bool read, nsec wait)
{
	ENSURE(read ? wait <= RETRY_HINT_LONGEST : wait == UNTOUCHED);
}

static void read_hints(const char *text)
{
	static bool (*const readers[])(const char *, nsec *) = {
		retry_hint_duration, retry_hint_seconds, retry_hint_millis};
	static bool (*const dated[])(const char *, nsec, nsec *) = {retry_hint_date,
								    retry_hint_after};
	nsec wait;

	for (size_t i = 0; i < COUNT_OF(readers); i++) {
		wait = UNTOUCHED;
		look_at(readers[i](text, &wait), wait);
	}
	for (size_t i = 0; i < COUNT_OF(dated); i++) {
		wait = UNTOUCHED;
		look_at(dated[i](text, FUZZ_WALL, &wait), wait);
	}
}

/* What is read is written so that it reads the same. */
static void read_timestamp(const char *text)
{
	char shown[TIMESTAMP_TEXT];
	nsec wall, again;

	if (!timestamp_parse(text, &wall))
		return;
	ENSURE(timestamp_parse(timestamp_format(shown, wall), &again));
	ENSURE(again == wall / NSEC_PER_MSEC * NSEC_PER_MSEC);
}

static void read_amounts(const char *text)
{
	char shown[DURATION_TEXT], money[MONEY_TEXT], id_text[UUID_TEXT];
	struct uuid id, same;
	int64_t count;
	size_t size;
	nsec duration;
	pico amount, again;

	(void)units_count(text, &count);
	(void)units_size(text, &size);
	if (units_duration(text, &duration))
		ENSURE(strlen(duration_format(shown, duration)) < DURATION_TEXT);
	if (money_parse(text, &amount) && amount >= 0)
		ENSURE(money_parse(money_format(money, amount), &again) && again == amount);
	if (uuid_parse(text, &id))
		ENSURE(uuid_parse(uuid_format(id_text, &id), &same) && uuid_equal(&id, &same));
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	char *text = xstrndup((const char *)bytes, len);

	read_hints(text);
	read_timestamp(text);
	read_amounts(text);
	free(text);
	return 0;
}
