/*
 * What accepted rows owe to Kafka, published at once instead of by the next
 * sweep of a worker. If we die in between, the sweep finds it.
 *
 *	dispatch_move(dispatch, &move);
 *	dispatch_run(dispatch);                     -- deliveries, and the debts they pay
 */
#ifndef API_DISPATCH_H
#define API_DISPATCH_H

#include "api.h"
#include "uuid.h"

/* The message that moves a job, as it stands in the outbox. */
struct move {
	struct uuid event_id;
	const char *topic;
	const char *key;
	const char *headers; /* a JSON object */
	const char *message;
};

struct dispatch *dispatch_create(struct api *api);
void dispatch_destroy(struct dispatch *dispatch);

void dispatch_move(struct dispatch *dispatch, const struct move *move);
void dispatch_run(struct dispatch *dispatch);
bool dispatch_is_empty(const struct dispatch *dispatch);

#endif
