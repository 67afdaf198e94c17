#include "spelling.h"

#include "text.h"

#define DEPTH 3000

void spelling_content(const struct spelling *spelling, const char *text, size_t len,
		      struct buffer *out)
{
	if (spelling->fault == FAULT_NUL)
		buffer_text(out, "\"before\\u0000after\"");
	else if (spelling->fault == FAULT_SURROGATE)
		buffer_text(out, "\"half \\ud83d of a character\"");
	else
		text_quote_bytes(out, text, len);
}

void spelling_oddity(const struct spelling *spelling, struct buffer *out)
{
	if (spelling->fault == FAULT_HUGE_NUMBER)
		buffer_text(out, ",\"x_number\":1e999");
	if (spelling->fault == FAULT_LONG_INTEGER)
		buffer_text(out, ",\"x_number\":98765432109876543210");
	if (spelling->fault != FAULT_DEEP)
		return;
	buffer_text(out, ",\"x_deep\":");
	for (int i = 0; i < DEPTH; i++)
		buffer_byte(out, '[');
	for (int i = 0; i < DEPTH; i++)
		buffer_byte(out, ']');
}
