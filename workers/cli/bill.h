/*
 * A provider's bill against the ledger, joined by attempt: JSON lines as
 *
 *	{"id":"<attempt id>","request":"req_1","amount":"23850000","at":1761955200000}
 *	{"id":"<attempt id>","request":"req_1","delivered":true}
 *
 * `amount` is in pico-dollars, text or number; `request` (the provider's id of
 * the call), `at` (milliseconds since 1970) and the second kind of line may be
 * left out. Other members are ignored.
 *
 *	bill_load(pg, "bill.jsonl", &err) && bill_compare(&session, …)
 */
#ifndef SLUICE_CLI_BILL_H
#define SLUICE_CLI_BILL_H

#include <stdbool.h>
#include <stddef.h>

#include "error.h"
#include "session.h"

/* Into temporary tables of the session's connection. Errors name the line. */
bool bill_load(struct session *session, const char *path, struct error *err) MUST_USE;

/* Adjusts the ledger to the bill, and prints what it did. */
bool bill_book(struct session *session, bool complete, enum table_format format,
	       struct error *err) MUST_USE;

/* Prints both sums and at most 1,000 findings; *findings is how many. */
bool bill_compare(struct session *session, bool complete, enum table_format format,
		  size_t *findings, struct error *err) MUST_USE;

#endif
