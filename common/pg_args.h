/* Inside of the pg wrapper: arguments in the binary form that libpq takes. */
#ifndef SLUICE_PG_ARGS_H
#define SLUICE_PG_ARGS_H

#include "buffer.h"
#include "pg.h"

#define PG_MAX_ARGS 64

struct pg_value {
	enum pg_type type;
	bool is_array;
	bool is_null;
	bool has_nulls;
	uint32_t items;
	struct buffer bytes;
};

struct pg_args {
	int count;
	struct pg_value values[PG_MAX_ARGS];
	/* Filled by pg_args_seal(). */
	uint32_t types[PG_MAX_ARGS];
	const char *data[PG_MAX_ARGS];
	int lengths[PG_MAX_ARGS];
	int formats[PG_MAX_ARGS];
};

/* Make the parallel arrays of libpq from the values. May be done again. */
void pg_args_seal(struct pg_args *args);

#endif
