/* Lines of HTTP headers: what is kept is within the caps, and found again by its name. */
#include <stdlib.h>
#include <string.h>

#include "ensure.h"
#include "fuzz.h"
#include "header.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	static struct header_list list;
	char *text = xmemdup(bytes, len);
	size_t kept = 0;

	header_list_clear(&list);
	for (size_t at = 0, size; at < len; at += size) {
		const char *end = memchr(text + at, '\n', len - at);

		size = end ? (size_t)(end - text) - at + 1 : len - at;
		kept += header_list_add(&list, text + at, size);
	}
	header_list_close(&list);
	ENSURE(list.count == kept && kept <= MAX_HEADERS && list.bytes.len <= MAX_HEADER_BYTES);
	for (size_t i = 0; i < list.count; i++) {
		ENSURE(strlen(list.items[i].value) < len &&
		       header_find(list.items, list.count, list.items[i].name));
		ENSURE(!strchr(list.items[i].value, '\n'));
	}
	free(text);
	return 0;
}
