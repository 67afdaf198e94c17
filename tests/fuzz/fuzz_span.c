/* In any JSON a member's span is what the member is; in other bytes a span stays within them. */
#include <stdlib.h>
#include <string.h>

#include "ensure.h"
#include "fuzz.h"
#include "json.h"
#include "json_span.h"

static bool is_plain(const char *name)
{
	for (; *name; name++)
		if (*name == '"' || *name == '\\' || (unsigned char)*name < ' ' ||
		    (unsigned char)*name > '~')
			return false;
	return true;
}

static void is_same(struct json_span span, const json_t *value)
{
	struct error err;
	json_auto_t *spelled = json_read(span.bytes, span.len, JSON_FOREIGN, &err);

	ENSURE(spelled && json_equal(spelled, value));
}

/* A name that is spelled with an escape somewhere hides from the search; others must be found. */
static void look_through(struct json_span whole, const json_t *tree)
{
	bool escapes = memchr(whole.bytes, '\\', whole.len) != NULL;
	struct json_span span;
	const char *name;
	json_t *value;
	size_t i;

	json_object_foreach ((json_t *)tree, name, value) {
		if (!is_plain(name) || escapes)
			continue;
		ENSURE(json_span_member(whole, name, &span));
		is_same(span, value);
	}
	json_array_foreach (tree, i, value) {
		ENSURE(json_span_item(whole, i, &span));
		is_same(span, value);
	}
	ENSURE(!json_is_array(tree) || !json_span_item(whole, json_array_size(tree), &span));
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	char *text = xmemdup(bytes, len);
	struct json_span whole = {text, len}, span;
	struct error err;
	json_auto_t *tree = json_read(text, len, JSON_FOREIGN, &err);

	if (tree)
		look_through(whole, tree);
	else if (json_span_member(whole, "a", &span) || json_span_item(whole, 1, &span))
		ENSURE(span.bytes >= text && span.bytes + span.len <= text + len);
	free(text);
	return 0;
}
