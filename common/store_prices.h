/*
 * The price book from its rows: the answer of sql/statements/prices.sql.
 *
 *	store_prices_read(answer.rows, &w->prices);
 */
#ifndef SLUICE_STORE_PRICES_H
#define SLUICE_STORE_PRICES_H

#include "pg.h"
#include "pricing.h"

/* Replaces what the book held. */
void store_prices_read(const struct pg_rows *rows, struct price_book *prices);

#endif
