/*
 * What is hashed: a letter for the type, then the content; lengths, counts and
 * numbers as eight bytes, the lowest first; members of objects sorted by name.
 */
#include "fingerprint.h"

#include <stdlib.h>
#include <string.h>

#include "buffer.h"
#include "ensure.h"

#define FEW_MEMBERS 32

struct member {
	const char *name;
	size_t len;
	const json_t *value;
};

static void add_value(struct buffer *out, const json_t *value);

static void add_number(struct buffer *out, char type, uint64_t number)
{
	char bytes[9] = {type};

	for (int i = 1; i < 9; i++, number >>= 8)
		bytes[i] = (char)(number & 0xff);
	buffer_append(out, bytes, sizeof(bytes));
}

static void add_text(struct buffer *out, const char *text, size_t len)
{
	add_number(out, 's', len);
	buffer_append(out, text, len);
}

static void add_array(struct buffer *out, const json_t *array)
{
	const json_t *element;
	size_t i;

	add_number(out, 'a', json_array_size(array));
	json_array_foreach ((json_t *)array, i, element)
		add_value(out, element);
}

static int compare_names(const void *a, const void *b)
{
	return strcmp(((const struct member *)a)->name, ((const struct member *)b)->name);
}

static void sort(struct member *members, size_t count)
{
	if (count > FEW_MEMBERS) {
		qsort(members, count, sizeof(*members), compare_names);
		return;
	}
	for (size_t i = 1; i < count; i++) {
		struct member moving = members[i];
		size_t to = i;

		for (; to > 0 && compare_names(&members[to - 1], &moving) > 0; to--)
			members[to] = members[to - 1];
		members[to] = moving;
	}
}

static void collect(struct member *members, const json_t *object)
{
	json_t *from = (json_t *)object;

	for (void *at = json_object_iter(from); at; at = json_object_iter_next(from, at)) {
		members->name = json_object_iter_key(at);
		members->len = strlen(members->name);
		members->value = json_object_iter_value(at);
		members++;
	}
}

static void add_object(struct buffer *out, const json_t *object)
{
	size_t count = json_object_size(object);
	struct member few[FEW_MEMBERS] = {{0}};
	struct member *members = count <= FEW_MEMBERS ? few : xcalloc(count, sizeof(*members));

	collect(members, object);
	sort(members, count);
	add_number(out, 'o', count);
	for (size_t i = 0; i < count; i++) {
		add_text(out, members[i].name, members[i].len);
		add_value(out, members[i].value);
	}
	if (members != few)
		free(members);
}

static void add_real(struct buffer *out, double real)
{
	uint64_t bits;

	memcpy(&bits, &real, sizeof(bits));
	add_number(out, 'r', bits);
}

static void add_value(struct buffer *out, const json_t *value)
{
	ENSURE(value);
	switch (json_typeof(value)) {
	case JSON_OBJECT:
		add_object(out, value);
		break;
	case JSON_ARRAY:
		add_array(out, value);
		break;
	case JSON_STRING:
		add_text(out, json_string_value(value), json_string_length(value));
		break;
	case JSON_INTEGER:
		add_number(out, 'i', (uint64_t)json_integer_value(value));
		break;
	case JSON_REAL:
		add_real(out, json_real_value(value));
		break;
	case JSON_TRUE:
	case JSON_FALSE:
		buffer_byte(out, json_is_true(value) ? 't' : 'f');
		break;
	case JSON_NULL:
		buffer_byte(out, 'n');
		break;
	}
}

struct digest fingerprint_of(const json_t *value)
{
	AUTO_FINISH(buffer_finish) struct buffer out = {0};

	add_value(&out, value);
	return digest_of(out.data, out.len);
}

struct digest fingerprint_of_members(const json_t *object, const char *const *names, size_t count)
{
	AUTO_FINISH(buffer_finish) struct buffer out = {0};

	buffer_byte(&out, 'm');
	for (size_t i = 0; i < count; i++) {
		const json_t *value = json_object_get(object, names[i]);

		if (!value)
			continue;
		add_text(&out, names[i], strlen(names[i]));
		add_value(&out, value);
	}
	return digest_of(out.data, out.len);
}
