/* Whatever bytes come from openai are a reply of some kind, with sane numbers. */
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	fuzz_reply(&provider_openai, bytes, len);
	return 0;
}
