/*
 * From decisions to rows, money and debts, as in the sync lane and by the same
 * statement; and from debts to messages.
 */
#include <stdlib.h>
#include <string.h>

#include "batcher.h"
#include "ensure.h"
#include "failpoint.h"
#include "log.h"
#include "metrics.h"
#include "outbox.h"
#include "utf8.h"

#define TAKE_AT_ONCE 500
#define OUTBOX_EVERY (2 * NSEC_PER_SEC)

static int by_attempt(const void *a, const void *b)
{
	return uuid_compare(&(*(struct settlement *const *)a)->attempt_id,
			    &(*(struct settlement *const *)b)->attempt_id);
}

static bool was_decided(const struct pg_rows *rows, const struct settlement *s)
{
	for (int row = 0; row < pg_count(rows); row++) {
		struct uuid job_id = pg_get_uuid(rows, row, 0);

		if (uuid_equal(&job_id, &s->job_id) && pg_get_int(rows, row, 1) == s->epoch)
			return true;
	}
	return false;
}

static void publish(struct batcher *w, const struct settlement *s)
{
	for (size_t i = 0; i < s->debt_count; i++) {
		const struct debt *debt = &s->debts[i];

		if (strcmp(debt->kind, "webhook") == 0)
			continue; /* the sync workers post them */
		outbox_produce(w->producer, &debt->event_id, debt->topic, debt->key, debt->headers,
			       debt->body, debt->len);
	}
}

static void count(const struct settlement *s)
{
	static const struct {
		const char *state, *outcome;
	} outcomes[] = {{"DONE", "done"}, {"DEAD", "dead"}, {"CANCELLED", "cancelled"}};

	metrics_add(METRIC_jobs_settled_total, 1, NO_LABELS);
	for (size_t i = 0; i < COUNT_OF(outcomes); i++)
		if (strcmp(s->state, outcomes[i].state) == 0)
			metrics_add(METRIC_jobs_terminal_total, 1,
				    LABELS(s->tier ? s->tier : "", "", outcomes[i].outcome));
}

/* A row that Postgres will not take, alone: the job ends, its answer is kept as bytes. */
static void make_stub(struct settlement *s, const struct error *why)
{
	s->state = "DEAD";
	s->reason = "unstorable";
	free(TAKE(s->progress));
	s->answered_model[0] = s->request_id[0] = s->error[0] = s->signature[0] = '\0';
	utf8_copy(s->detail, sizeof(s->detail), why->text);
	s->confidence = 0;
	s->is_json = false;
}

static bool settle(struct batcher *w, struct settlement **all, size_t total);

static bool bisect(struct batcher *w, struct settlement **all, size_t total,
		   const struct error *why)
{
	size_t half = total / 2;
	bool is_stub = total == 1 && all[0]->reason && strcmp(all[0]->reason, "unstorable") == 0;

	metrics_add(METRIC_bisections_total, 1, LABELS("settle"));
	log_error("settle_refused", "rows=%zu why=%s", total, why->text);
	if (total > 1)
		return settle(w, all, half) && settle(w, all + half, total - half);
	if (is_stub || !all[0]->decides) {
		batcher_fail(w, why);
		return false;
	}
	make_stub(all[0], why);
	return settle(w, all, total);
}

static bool settle(struct batcher *w, struct settlement **all, size_t total)
{
	struct error err;
	AUTO(pg_rows_destroy)
	struct pg_rows *rows = database_ask(w, "statements/settle", store_settle_args(all, total),
					    &err);

	if (!rows)
		return err.kind == ERROR_REJECT && bisect(w, all, total, &err);
	metrics_observe(METRIC_transaction_rows, (double)total, LABELS("settle"));
	for (size_t i = 0; i < total; i++) {
		if (!all[i]->decides || !was_decided(rows, all[i]))
			continue;
		count(all[i]);
		publish(w, all[i]);
	}
	return true;
}

bool outcomes_run(struct batcher *w, struct settlement **settlements, size_t total)
{
	bool done = true;

	if (total > 0) {
		qsort(settlements, total, sizeof(*settlements), by_attempt);
		done = settle(w, settlements, total);
	}
	for (size_t i = 0; i < total; i++)
		settlement_destroy(settlements[i]);
	return done;
}

/* --- debts --- */

static void pay(struct batcher *w)
{
	struct pg_args *args = pg_args_create();
	int ids = pg_array(args, PG_UUID);
	struct error err;

	for (size_t i = 0; i < w->paid_count; i++)
		pg_push_uuid(args, ids, &w->paid[i]);
	w->paid_count =
		0; /* a deletion that fails leaves the debt: published again under the same id */
	pg_rows_destroy(database_ask(w, "statements/outbox_paid", args, &err));
}

void outcomes_deliveries(struct batcher *w)
{
	struct kafka_delivery delivery;

	while (kafka_producer_delivered(w->producer, &delivery)) {
		struct uuid *event_id = delivery.token;

		if (delivery.ok) {
			w->paid = xrealloc(w->paid, (w->paid_count + 1) * sizeof(*w->paid));
			w->paid[w->paid_count++] = *event_id;
			metrics_add(METRIC_events_published_total, 1, LABELS("event"));
		} else {
			log_warn("event_not_delivered", "why=%s", delivery.error.text);
		}
		free(event_id);
	}
	if (w->paid_count > 0 && w->pg)
		pay(w);
}

/* What was owed by somebody who is gone. */
void outcomes_outbox(struct batcher *w, nsec now)
{
	struct pg_args *args;
	struct error err;

	if (now < w->outbox_at || !w->pg)
		return;
	w->outbox_at = now + OUTBOX_EVERY / 2 + random_below(&w->random, OUTBOX_EVERY);
	args = pg_args_create();
	pg_int(args, TAKE_AT_ONCE);
	AUTO(pg_rows_destroy)
	struct pg_rows *rows = database_ask(w, "statements/outbox_take", args, &err);
	for (int row = 0; rows && row < pg_count(rows); row++) {
		struct uuid event_id = pg_get_uuid(rows, row, 0);
		size_t len;
		const char *body = pg_get_bytes(rows, row, 4, &len);

		outbox_produce(w->producer, &event_id, pg_get_text(rows, row, 1),
			       pg_get_text(rows, row, 2), pg_get_text(rows, row, 3), body, len);
	}
}
