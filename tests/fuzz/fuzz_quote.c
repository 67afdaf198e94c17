/* Text of strangers inside our formats: JSON that says it, CSV and terminal lines it cannot break
 * out of. */
#include <stdlib.h>
#include <string.h>

#include "ensure.h"
#include "fuzz.h"
#include "json.h"
#include "quote.h"
#include "utf8.h"

static void is_json(const char *text, size_t len)
{
	AUTO_FINISH(buffer_finish) struct buffer out = {0};
	struct error err;

	ENSURE(quote_json(&out, text, len));

	json_auto_t *value = json_read(out.data, out.len, JSON_FOREIGN, &err);

	ENSURE(value && json_is_string(value));
}

static void stays_on_its_line(bool (*quote)(struct buffer *, const char *, size_t),
			      const char *text, size_t len)
{
	AUTO_FINISH(buffer_finish) struct buffer out = {0};

	ENSURE(quote(&out, text, len));
	for (size_t i = 0; i < out.len; i++)
		ENSURE((unsigned char)out.data[i] >= ' ' && out.data[i] != 127);
}

/* A cell ends where we end it: quotes in it are doubled, or there is nothing in it to end a cell
 * by. */
static void is_cell(const char *text, size_t len)
{
	AUTO_FINISH(buffer_finish) struct buffer out = {0};
	bool open = false;

	ENSURE(quote_csv(&out, text, len));
	for (size_t i = 0; i < out.len; i++) {
		open ^= out.data[i] == '"';
		ENSURE(open || !strchr(",\n\r", out.data[i]) || !out.data[i]);
	}
	ENSURE(!open);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	char *text = xmemdup(bytes, len), *line = xstrndup((const char *)bytes, len), field[40];

	is_json(text, len);
	stays_on_its_line(quote_terminal, text, len);
	stays_on_its_line(quote_logfmt, text, len);
	is_cell(text, len);
	utf8_copy(field, sizeof(field), line);
	for (size_t i = 0, step; field[i]; i += step) {
		step = utf8_step(field + i, strlen(field + i));
		ENSURE(step > 0);
	}
	free(text);
	free(line);
	return 0;
}
