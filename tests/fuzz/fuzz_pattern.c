/* Any bytes are a pattern or refused, and a match of any text ends. A pattern, a line "---", a
 * text. */
#include "fuzz.h"
#include "pattern.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	struct fuzz_halves halves = fuzz_split(bytes, len);
	struct pattern_effort effort = {0};
	struct error err;
	AUTO(pattern_destroy)
	struct pattern *pattern = pattern_create(halves.first, halves.first_len, &err);

	if (pattern)
		(void)pattern_match(pattern, &effort, halves.second, halves.second_len);
	pattern_effort_finish(&effort);
	return 0;
}
