/* Of any answer of a model: no JSON, or a value that lies in it and is what its bytes spell. */
#include <stdlib.h>

#include "cascade.h"
#include "ensure.h"
#include "fuzz.h"
#include "json.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	char *text = xmemdup(bytes, len);
	const char *start = NULL;
	size_t value_len = 0;
	struct error err;
	json_auto_t *value = cascade_extract_json(text, len, &start, &value_len, &err);

	if (value) {
		json_auto_t *again = json_read(start, value_len, JSON_FOREIGN, &err);

		ENSURE(start >= text && value_len > 0 && start + value_len <= text + len);
		ENSURE(again && json_equal(value, again));
	}
	free(text);
	return 0;
}
