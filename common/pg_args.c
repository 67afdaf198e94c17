#include "pg_args.h"

#include <endian.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "ensure.h"

/* Object ids of the built-in types, fixed by Postgres' catalog. */
static const struct {
	uint32_t scalar;
	uint32_t array;
} oids[] = {
	[PG_BOOL] = {16, 1000},	   [PG_INT4] = {23, 1007},   [PG_INT8] = {20, 1016},
	[PG_FLOAT8] = {701, 1022}, [PG_TEXT] = {25, 1009},   [PG_BYTES] = {17, 1001},
	[PG_UUID] = {2950, 2951},  [PG_TIME] = {1184, 1185},
};

/* Microseconds from 1970 to 2000, where Postgres' time begins. */
#define EPOCH_SHIFT ((int64_t)946684800000000)

struct pg_args *pg_args_create(void)
{
	return xcalloc(1, sizeof(struct pg_args));
}

void pg_args_destroy(struct pg_args *args)
{
	if (!args)
		return;
	for (int i = 0; i < args->count; i++)
		buffer_finish(&args->values[i].bytes);
	free(args);
}

int pg_args_count(const struct pg_args *args)
{
	return args->count;
}

static struct pg_value *add_value(struct pg_args *args, enum pg_type type)
{
	struct pg_value *value;

	ENSURE(args->count < PG_MAX_ARGS);
	value = &args->values[args->count++];
	value->type = type;
	return value;
}

static void put32(struct buffer *b, uint32_t number)
{
	uint32_t wire = htobe32(number);

	buffer_append(b, &wire, sizeof(wire));
}

static void put64(struct buffer *b, uint64_t number)
{
	uint64_t wire = htobe64(number);

	buffer_append(b, &wire, sizeof(wire));
}

static void put_double(struct buffer *b, double number)
{
	uint64_t bits;

	memcpy(&bits, &number, sizeof(bits));
	put64(b, bits);
}

static uint64_t pg_microseconds(nsec wall)
{
	return (uint64_t)((int64_t)(wall / NSEC_PER_USEC) - EPOCH_SHIFT);
}

void pg_bool(struct pg_args *args, bool value)
{
	buffer_byte(&add_value(args, PG_BOOL)->bytes, value);
}

void pg_int(struct pg_args *args, int32_t value)
{
	put32(&add_value(args, PG_INT4)->bytes, (uint32_t)value);
}

void pg_big(struct pg_args *args, int64_t value)
{
	put64(&add_value(args, PG_INT8)->bytes, (uint64_t)value);
}

void pg_double(struct pg_args *args, double value)
{
	put_double(&add_value(args, PG_FLOAT8)->bytes, value);
}

void pg_string(struct pg_args *args, const char *text)
{
	struct pg_value *value = add_value(args, PG_TEXT);

	value->is_null = !text;
	buffer_text(&value->bytes, text ? text : "");
}

void pg_bytes(struct pg_args *args, const void *bytes, size_t len)
{
	buffer_append(&add_value(args, PG_BYTES)->bytes, bytes, len);
}

void pg_uuid(struct pg_args *args, const struct uuid *id)
{
	struct pg_value *value = add_value(args, PG_UUID);

	value->is_null = !id;
	if (id)
		buffer_append(&value->bytes, id->bytes, sizeof(id->bytes));
}

void pg_time(struct pg_args *args, nsec wall)
{
	struct pg_value *value = add_value(args, PG_TIME);

	value->is_null = wall == 0;
	put64(&value->bytes, pg_microseconds(wall));
}

/* The header of a one-dimensional array; the count is filled in by pg_args_seal(). */
int pg_array(struct pg_args *args, enum pg_type type)
{
	struct pg_value *value = add_value(args, type);

	value->is_array = true;
	put32(&value->bytes, 1);
	put32(&value->bytes, 0);
	put32(&value->bytes, oids[type].scalar);
	put32(&value->bytes, 0);
	put32(&value->bytes, 1);
	return args->count - 1;
}

static struct buffer *next_item(struct pg_args *args, int array, enum pg_type type, size_t len)
{
	struct pg_value *value = &args->values[array];

	ENSURE(array < args->count && value->is_array && value->type == type);
	value->items++;
	put32(&value->bytes, (uint32_t)len);
	return &value->bytes;
}

void pg_push_null(struct pg_args *args, int array)
{
	struct pg_value *value = &args->values[array];

	value->items++;
	value->has_nulls = true;
	put32(&value->bytes, UINT32_MAX);
}

void pg_push_bool(struct pg_args *args, int array, bool flag)
{
	buffer_byte(next_item(args, array, PG_BOOL, 1), flag);
}

void pg_push_int(struct pg_args *args, int array, int32_t number)
{
	put32(next_item(args, array, PG_INT4, 4), (uint32_t)number);
}

void pg_push_big(struct pg_args *args, int array, int64_t number)
{
	put64(next_item(args, array, PG_INT8, 8), (uint64_t)number);
}

void pg_push_double(struct pg_args *args, int array, double number)
{
	if (isnan(number))
		pg_push_null(args, array);
	else
		put_double(next_item(args, array, PG_FLOAT8, 8), number);
}

void pg_push_string(struct pg_args *args, int array, const char *text)
{
	size_t len = text ? strlen(text) : 0;

	if (!text)
		pg_push_null(args, array);
	else
		buffer_append(next_item(args, array, PG_TEXT, len), text, len);
}

void pg_push_bytes(struct pg_args *args, int array, const void *bytes, size_t len)
{
	buffer_append(next_item(args, array, PG_BYTES, len), bytes, len);
}

void pg_push_uuid(struct pg_args *args, int array, const struct uuid *id)
{
	if (!id)
		pg_push_null(args, array);
	else
		buffer_append(next_item(args, array, PG_UUID, sizeof(id->bytes)), id->bytes,
			      sizeof(id->bytes));
}

void pg_push_time(struct pg_args *args, int array, nsec wall)
{
	if (wall == 0)
		pg_push_null(args, array);
	else
		put64(next_item(args, array, PG_TIME, 8), pg_microseconds(wall));
}

static void put32_at(struct buffer *b, size_t at, uint32_t number)
{
	uint32_t wire = htobe32(number);

	memcpy(b->data + at, &wire, sizeof(wire));
}

void pg_args_seal(struct pg_args *args)
{
	for (int i = 0; i < args->count; i++) {
		struct pg_value *value = &args->values[i];

		if (value->is_array) {
			put32_at(&value->bytes, 4, value->has_nulls);
			put32_at(&value->bytes, 12, value->items);
		}
		args->types[i] = value->is_array ? oids[value->type].array
						 : oids[value->type].scalar;
		args->data[i] = value->is_null ? NULL : value->bytes.data ? value->bytes.data : "";
		args->lengths[i] = (int)value->bytes.len;
		args->formats[i] = 1;
	}
}

/* The head of a saved value; numbers as this machine has them, for a file never leaves it. */
struct saved_value {
	uint32_t type;
	uint32_t items;
	uint8_t is_array, is_null, has_nulls, unused;
	uint32_t unused2;
	uint64_t len;
};

static const char saved_magic[8] = "sluice1";

bool pg_args_save(const struct pg_args *args, struct buffer *out)
{
	bool fits = buffer_append(out, saved_magic, sizeof(saved_magic));

	for (int i = 0; fits && i < args->count; i++) {
		const struct pg_value *value = &args->values[i];
		struct saved_value head = {
			.type = value->type,
			.items = value->items,
			.is_array = value->is_array,
			.is_null = value->is_null,
			.has_nulls = value->has_nulls,
			.len = value->bytes.len,
		};

		fits = buffer_append(out, &head, sizeof(head)) &&
		       buffer_append(out, value->bytes.data, value->bytes.len);
	}
	return fits;
}

static bool load_value(struct pg_args *args, const char **at, size_t *left)
{
	struct saved_value head;
	struct pg_value *value;

	if (*left < sizeof(head) || args->count == PG_MAX_ARGS)
		return false;
	memcpy(&head, *at, sizeof(head));
	*at += sizeof(head);
	*left -= sizeof(head);
	if (head.len > *left || head.type >= COUNT_OF(oids) || (head.is_array && head.len < 20))
		return false;
	value = add_value(args, (enum pg_type)head.type);
	value->is_array = head.is_array;
	value->is_null = head.is_null;
	value->has_nulls = head.has_nulls;
	value->items = head.items;
	buffer_append(&value->bytes, *at, head.len);
	*at += head.len;
	*left -= head.len;
	return true;
}

struct pg_args *pg_args_load(const char *bytes, size_t len)
{
	AUTO(pg_args_destroy) struct pg_args *args = pg_args_create();
	const char *at = bytes + sizeof(saved_magic);
	size_t left = len - sizeof(saved_magic);

	if (len < sizeof(saved_magic) || memcmp(bytes, saved_magic, sizeof(saved_magic)) != 0)
		return NULL;
	while (left > 0)
		if (!load_value(args, &at, &left))
			return NULL;
	return TAKE(args);
}
