#include "dispatch.h"

#include <stdlib.h>
#include <string.h>

#include "ensure.h"
#include "log.h"
#include "metrics.h"
#include "outbox.h"

#define PAID_GROUP 500

struct dispatch {
	struct api *api;
	struct uuid *paid; /* delivered, their debts not yet deleted */
	size_t paid_count;
	bool paying;
};

struct dispatch *dispatch_create(struct api *api)
{
	struct dispatch *dispatch = xcalloc(1, sizeof(*dispatch));

	dispatch->api = api;
	return dispatch;
}

void dispatch_destroy(struct dispatch *dispatch)
{
	if (!dispatch)
		return;
	free(dispatch->paid);
	free(dispatch);
}

void dispatch_move(struct dispatch *dispatch, const struct move *move)
{
	outbox_produce(dispatch->api->producer, &move->event_id, move->topic, move->key,
		       move->headers, move->message, strlen(move->message));
}

static void take_deliveries(struct dispatch *dispatch)
{
	struct kafka_delivery delivery;

	while (kafka_producer_delivered(dispatch->api->producer, &delivery)) {
		AUTO(xfree) struct uuid *event_id = delivery.token;

		metrics_add(delivery.ok ? METRIC_events_published_total
					: METRIC_events_failed_total,
			    1, LABELS("move"));
		if (!delivery.ok) {
			log_warn("event_not_delivered", "why=%s", delivery.error.text);
			continue;
		}
		dispatch->paid = xrealloc(dispatch->paid,
					  (dispatch->paid_count + 1) * sizeof(*dispatch->paid));
		dispatch->paid[dispatch->paid_count++] = *event_id;
	}
}

/* A deletion that fails leaves the debt: it is published again under the same event id. */
static void paid(struct api *api, void *owner, struct pg_answer *answer)
{
	struct dispatch *dispatch = owner;

	(void)api;
	dispatch->paying = false;
	if (!answer->rows)
		log_warn("debts_not_deleted", "why=%s", answer->error.text);
}

static void pay(struct dispatch *dispatch)
{
	size_t count = dispatch->paid_count < PAID_GROUP ? dispatch->paid_count : PAID_GROUP;
	struct pg_args *args = pg_args_create();
	int ids = pg_array(args, PG_UUID);

	for (size_t i = 0; i < count; i++)
		pg_push_uuid(args, ids, &dispatch->paid[dispatch->paid_count - count + i]);
	if (!api_ask(dispatch->api, API_WRITES, "paid", args, paid, dispatch))
		return;
	dispatch->paying = true;
	dispatch->paid_count -= count;
}

void dispatch_run(struct dispatch *dispatch)
{
	take_deliveries(dispatch);
	if (dispatch->paid_count > 0 && !dispatch->paying)
		pay(dispatch);
}

bool dispatch_is_empty(const struct dispatch *dispatch)
{
	return dispatch->paid_count == 0 && !dispatch->paying &&
	       kafka_producer_unreported(dispatch->api->producer) == 0;
}
