/*
 * The settle: an attempt closed and its money booked, always; the job decided,
 * the result stored and the debts to the outside owed, only if the job is still
 * ours. Many settlements are one statement, and it may be sent again.
 *
 *	struct settlement s = {.closes = true, .attempt_id = …, .decides = true, …};
 *	settlement_owe(&s, DEBT_RESULT, "sluice.results", key, headers, body, len);
 *	pg_send(pg, "settle", store_settle_args(&s_pointers, count), group);
 */
#ifndef SLUICE_STORE_SETTLE_H
#define SLUICE_STORE_SETTLE_H

#include <stdbool.h>
#include <stddef.h>

#include "clock.h"
#include "digest.h"
#include "job.h"
#include "money.h"
#include "pg.h"
#include "usage.h"
#include "uuid.h"

#define MAX_DEBTS 4

/* Something owed to the outside: an event for a topic. */
struct debt {
	struct uuid event_id;
	const char *kind; /* "result", "dead", "reply", "move", "webhook": a constant */
	char *topic;	  /* owned, and so below */
	char *key;
	char *headers; /* JSON object of header names and values */
	char *body;
	size_t len;
};

struct settlement {
	/* The attempt, if it ends. Texts that are not owned are constants or live as long. */
	bool closes;
	struct uuid attempt_id;
	int32_t attempt_day;
	const char *attempt_state; /* "closed", "throttled", "unknown" */
	const char *verdict;	   /* next_step_name() */
	const char *purpose;	   /* what the money bought: "accepted", "repair" … */
	const char *reply;	   /* reply_kind_name() */
	int status;
	char answered_model[96];
	char request_id[96];
	int ttfb_ms;
	int total_ms;
	char error[400];
	char signature[96];
	bool billed;
	pico cost; /* PICO_UNPRICED: no price */
	pico cache_saving;
	struct usage usage;

	/* The decision, if there is one. */
	bool decides;
	struct uuid job_id;
	int32_t epoch;
	const char *state; /* "DONE", "DEAD", "CANCELLED", "PARKED", "QUEUED", "CLAIMED" (kept) */
	int32_t hop;	   /* -1: as it is */
	const char *tier;  /* NULL: as it is */
	const char *lane;  /* NULL: as it is */
	nsec wait;	   /* PARKED: for how long */
	const char *reason;
	char *progress; /* owned; NULL: none */
	bool degraded;
	bool unmeasured;
	bool is_json;
	int attempts;
	double confidence; /* NAN: unmeasured */
	pico spent;	   /* PICO_UNPRICED: not known */
	const char *provider;
	const char *model;
	char detail[400];
	char *output; /* owned; NULL: none */
	size_t output_len;
	char *tool_calls; /* owned, a JSON array; NULL: none */

	/* The question, where the task keeps answers and the job was called for it. */
	bool has_key;
	struct digest answer_key;
	nsec keep_for; /* its answer is given again for so long; 0: it is none to keep */

	struct debt debts[MAX_DEBTS];
	size_t debt_count;

	bool spooled; /* lies in a file as well */
	void *owner;  /* the caller's */
};

struct settlement *settlement_create(void);
void settlement_destroy(struct settlement *settlement);
AUTO_DEFINE(struct settlement, settlement_destroy)

/* Adds a debt; takes headers and body, copies topic and key. */
void settlement_owe(struct settlement *settlement, const char *kind, const struct uuid *event_id,
		    const char *topic, const char *key, char *headers, char *body, size_t len);

struct pg_args *store_settle_args(struct settlement *const *settlements, size_t count);

/* Arguments that an older version has saved: what it did not know of yet is empty. */
void store_settle_complete(struct pg_args *args);

#endif
