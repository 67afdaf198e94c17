/*
 * What the provider will charge, kept as a provider would: by itself, and
 * durable before the answer leaves. One JSON line for every accepted call,
 *
 *	{"id":"…","request":"req_…","provider":"openai","model":"gpt-4o-mini-2024-07-18",
 *	 "mode":"sync","key":"sk-test","input":91,"cache_read":0,"cache_write":0,
 *	 "cache_write_1h":0,"output":17,"amount":"23850000","at":1761955200000}
 *
 * and later one that says how it ended: {"id":"…","request":"…","delivered":true}.
 * Where a fault spoilt the answer that line names it, "fault":"garbage".
 * `id` is the client's request id (or the custom_id of a batch line), `amount` pico-dollars.
 * delivered:true means that a sound answer was handed to the system whole, not that it
 * was read.
 *
 *	mark = bill_accept(bill, &charge);
 *	bill_secure(bill, mark);        -- before the answer leaves
 */
#ifndef SIMULATOR_BILL_H
#define SIMULATOR_BILL_H

#include <stdbool.h>
#include <stddef.h>

#include "clock.h"
#include "compiler.h"
#include "error.h"
#include "models.h"

struct charge {
	const char *id;
	const char *request;
	const char *key;
	const char *batch; /* NULL: none */
	const struct model *model;
	const struct tokens *tokens;
	enum bill_mode mode;
	int64_t amount; /* pico-dollars */
	nsec wall;
};

struct bill;

/* path NULL: everything is counted and nothing written. sync: fdatasync in bill_secure(). */
struct bill *bill_open(const char *path, bool sync, struct error *err) MUST_USE;
void bill_close(struct bill *bill);

/* Returns the mark to give to bill_secure(). */
size_t bill_accept(struct bill *bill, const struct charge *charge);
/* fault: NULL, or the name of what spoilt it. */
void bill_delivered(struct bill *bill, const char *id, const char *request, bool delivered,
		    const char *fault);

void bill_flush(struct bill *bill);		  /* hand to the system */
void bill_secure(struct bill *bill, size_t mark); /* and on to the disk, up to the mark */

int64_t bill_total(const struct bill *bill); /* pico-dollars */
size_t bill_count(const struct bill *bill);

AUTO_DEFINE(struct bill, bill_close)

#endif
