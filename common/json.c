#include "json.h"

#include <stdlib.h>
#include <string.h>

#include "buffer.h"
#include "ensure.h"
#include "json_quick.h"
#include "utf8.h"

json_t *json_read(const char *bytes, size_t len, enum json_origin origin, struct error *err)
{
	size_t flags = JSON_DECODE_ANY;
	json_error_t why;
	json_t *value;

	flags |= origin == JSON_OURS ? JSON_REJECT_DUPLICATES : JSON_ALLOW_NUL;
	value = json_quick(bytes, len, origin);
	if (!value && len > 0 && memchr(bytes, '\0', len)) {
		/* The library would take one for a blank. */
		error_set(err, ERROR_REJECT, "not JSON: a zero byte");
		return NULL;
	}
	if (!value)
		value = json_loadb(bytes, len, flags, &why);
	if (!value)
		error_set(err, ERROR_REJECT, "not JSON at line %d, column %d: %s", why.line,
			  why.column, why.text);
	return value;
}

static char *dump(const json_t *value, size_t flags)
{
	char *text = json_dumps(value, flags | JSON_COMPACT | JSON_ENCODE_ANY);

	ENSURE(text);
	return text;
}

char *json_write(const json_t *value)
{
	return dump(value, 0);
}

char *json_canonical(const json_t *value)
{
	return dump(value, JSON_SORT_KEYS);
}

const char *json_text(const json_t *object, const char *name, const char *fallback)
{
	const json_t *value = json_object_get(object, name);

	return json_is_string(value) ? json_string_value(value) : fallback;
}

int64_t json_integer_or(const json_t *object, const char *name, int64_t fallback)
{
	const json_t *value = json_object_get(object, name);

	return json_is_integer(value) ? json_integer_value(value) : fallback;
}

double json_number_or(const json_t *object, const char *name, double fallback)
{
	const json_t *value = json_object_get(object, name);

	return json_is_number(value) ? json_number_value(value) : fallback;
}

bool json_bool_or(const json_t *object, const char *name, bool fallback)
{
	const json_t *value = json_object_get(object, name);

	return json_is_boolean(value) ? json_is_true(value) : fallback;
}

json_t *json_lenient_string(const char *bytes, size_t len)
{
	AUTO_FINISH(buffer_finish) struct buffer clean = {0};
	json_t *string;

	for (size_t at = 0; at < len;) {
		size_t step = utf8_step(bytes + at, len - at);

		if (step > 0)
			buffer_append(&clean, bytes + at, step);
		else
			buffer_text(&clean, UTF8_REPLACEMENT);
		at += step > 0 ? step : 1;
	}
	string = json_stringn(clean.data ? clean.data : "", clean.len);
	ENSURE(string);
	return string;
}
