/* A job's memo of any text is read as far as it makes sense; written again it says the same. */
#include <stdlib.h>
#include <string.h>

#include "ensure.h"
#include "fuzz.h"
#include "memo.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	char *text = xstrndup((const char *)bytes, len);
	struct memo memo, again;
	char *written, *same;

	memo_read(&memo, text);
	ENSURE(memo.avoided_count <= MEMO_MAX_AVOIDED);
	written = memo_write(&memo);
	if (written) {
		memo_read(&again, written);
		same = memo_write(&again);
		ENSURE(same && strcmp(written, same) == 0);
		free(same);
		memo_finish(&again);
	}
	memo_finish(&memo);
	free(written);
	free(text);
	return 0;
}
