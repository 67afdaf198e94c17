/* Whatever bytes come from anthropic are a reply of some kind, with sane numbers. */
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	fuzz_reply(&provider_anthropic, bytes, len);
	return 0;
}
