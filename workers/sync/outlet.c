/*
 * From debts to messages: events go to Kafka once what they say has committed;
 * a delivered one is deleted from the outbox. What is not delivered stays owed:
 * whoever sweeps next finds it when its time has come.
 */
#include <stdlib.h>
#include <string.h>

#include "ensure.h"
#include "failpoint.h"
#include "hooks.h"
#include "log.h"
#include "metrics.h"
#include "outbox.h"
#include "worker.h"

#define PAID_LINGER (50 * NSEC_PER_MSEC)
#define PAID_GROUP 500
#define TAKE_AT_ONCE 500
#define SILENT_AFTER (10 * NSEC_PER_SEC)

void outlet_publish(struct worker *w, struct settlement *settlement)
{
	for (size_t i = 0; i < settlement->debt_count; i++) {
		const struct debt *debt = &settlement->debts[i];

		if (strcmp(debt->kind, "webhook") == 0) {
			hooks_hurry(w->hooks, clock_now());
			continue;
		}
		outbox_produce(w->producer, &debt->event_id, debt->topic, debt->key, debt->headers,
			       debt->body, debt->len);
	}
}

static void remember_paid(struct worker *w, const struct uuid *event_id, nsec now)
{
	if (w->paid_count == 0)
		w->paid_at = now;
	w->paid = xrealloc(w->paid, (w->paid_count + 1) * sizeof(*w->paid));
	w->paid[w->paid_count++] = *event_id;
}

void outlet_deliveries(struct worker *w, nsec now)
{
	struct kafka_delivery delivery;

	if (kafka_producer_unreported(w->producer) == 0)
		w->delivered_at = now;
	while (kafka_producer_delivered(w->producer, &delivery)) {
		struct uuid *event_id = delivery.token;

		w->delivered_at = now;

		FAILPOINT("K15");
		if (delivery.ok) {
			remember_paid(w, event_id, now);
			metrics_add(METRIC_events_published_total, 1, LABELS("event"));
		} else {
			metrics_add(METRIC_events_failed_total, 1, LABELS("event"));
			log_warn("event_not_delivered", "why=%s", delivery.error.text);
		}
		free(event_id);
	}
}

static void send_paid(struct worker *w)
{
	struct request *request = request_create(REQUEST_PAID, PG_SETTLE);
	struct pg_args *args = pg_args_create();
	int ids = pg_array(args, PG_UUID);

	for (size_t i = 0; i < w->paid_count; i++)
		pg_push_uuid(args, ids, &w->paid[i]);
	w->paid_count = 0;
	w->paying = true;
	worker_send(w, request, "outbox_paid", args);
}

static void send_take(struct worker *w)
{
	struct request *request = request_create(REQUEST_TAKE, PG_SWEEP);
	struct pg_args *args = pg_args_create();

	pg_int(args, TAKE_AT_ONCE);
	worker_send(w, request, "outbox_take", args);
}

void outlet_flush(struct worker *w, nsec now)
{
	if (w->paid_count > 0 && !w->paying && pg_ready(w->pgs[PG_SETTLE]) &&
	    (w->paid_count >= PAID_GROUP || now - w->paid_at >= PAID_LINGER || w->stop_at))
		send_paid(w);
	/* While Kafka is silent our queue holds what is owed: another copy every time would follow.
	 */
	if (now >= w->outbox_at && pg_ready(w->pgs[PG_SWEEP]) && !w->stop_at &&
	    now - w->delivered_at < SILENT_AFTER) {
		w->outbox_at = now + 2 * NSEC_PER_SEC + random_below(&w->random, 2 * NSEC_PER_SEC);
		send_take(w);
	}
}

static void publish_taken(struct worker *w, const struct pg_rows *rows, nsec now)
{
	for (int row = 0; row < pg_count(rows); row++) {
		struct uuid event_id = pg_get_uuid(rows, row, 0);
		size_t len;
		const char *body = pg_get_bytes(rows, row, 4, &len);

		outbox_produce(w->producer, &event_id, pg_get_text(rows, row, 1),
			       pg_get_text(rows, row, 2), pg_get_text(rows, row, 3), body, len);
	}
	if (pg_count(rows) > 0) {
		FAILPOINT("K19");
		log_info("outbox_swept", "events=%d", pg_count(rows));
		w->outbox_at = now; /* there may be more */
	}
}

void outlet_answer(struct worker *w, struct request *request, struct pg_answer *answer, nsec now)
{
	if (request->kind == REQUEST_PAID) {
		w->paying = false;
		FAILPOINT("K16");
	}
	if (answer->rows && request->kind == REQUEST_TAKE)
		publish_taken(w, answer->rows, now);
	if (!answer->rows && answer->error.kind == ERROR_FATAL)
		worker_fail(w, &answer->error);
	else if (!answer->rows)
		log_warn("outbox_failed", "what=%s sqlstate=%s why=%s",
			 request->kind == REQUEST_TAKE ? "take" : "paid", answer->sqlstate,
			 answer->error.text);
	/* A deletion that failed leaves the debt: it is published again under the same event id. */
	request_destroy(request);
}
