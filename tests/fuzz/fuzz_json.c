/* What the quick reader takes the library takes too, as an equal value; what is written reads back.
 */
#include <stdlib.h>
#include <string.h>

#include "ensure.h"
#include "fuzz.h"
#include "json.h"
#include "json_quick.h"

static void compare(const char *text, size_t len, enum json_origin origin, size_t flags)
{
	json_error_t why;
	json_auto_t *quick = json_quick(text, len, origin);
	json_auto_t *slow = quick ? json_loadb(text, len, flags | JSON_DECODE_ANY, &why) : NULL;

	if (quick)
		ENSURE(slow && json_equal(quick, slow));
}

static void write_back(const char *text, size_t len)
{
	struct error err;
	json_auto_t *value = json_read(text, len, JSON_OURS, &err);
	AUTO(xfree) char *written = value ? json_canonical(value) : NULL;

	if (!written)
		return;

	json_auto_t *again = json_read(written, strlen(written), JSON_OURS, &err);

	ENSURE(again && json_equal(value, again));
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	char *text = xmemdup(bytes, len);

	compare(text, len, JSON_OURS, JSON_REJECT_DUPLICATES);
	compare(text, len, JSON_FOREIGN, JSON_ALLOW_NUL);
	write_back(text, len);
	free(text);
	return 0;
}
