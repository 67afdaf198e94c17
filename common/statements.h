/*
 * The statements of the protocol, prepared on every connection of a worker:
 * the files of sql/statements/, by their names; the api's, of sql/api/; and the few of
 * the router.
 *
 *	struct pg *pg = pg_create(&options, statements_all(&count), count);
 *	pg_send(pg, "settle", args, group);
 */
#ifndef SLUICE_STATEMENTS_H
#define SLUICE_STATEMENTS_H

#include <stddef.h>

#include "pg.h"

/* Live as long as the process. */
const struct pg_statement *statements_all(size_t *count);
const struct pg_statement *statements_of_api(size_t *count);
const struct pg_statement *statements_of_router(size_t *count);

#endif
