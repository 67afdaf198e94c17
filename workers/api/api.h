/*
 * The REST shim: one thread, one place that sleeps, everything asked of
 * Postgres without waiting. api.c turns the wheel; a request is an exchange
 * (exchange.h) that a route (routes.h) hands to a handler.
 *
 *	keyring    whose key a request brings
 *	toll       how much it may ask, all processes together
 *	submit     jobs of a request; admit: from jobs to rows, in groups
 *	dispatch     what rows owe becomes messages
 *	looks      polls, in groups
 *	jobs       how they stand; cancel, retry, explain
 *	files      of OpenAI's shape; uploads: how they come
 *	batches    the same shape; turns: what becomes of them
 *	estimate   what a job may cost, how long it may take
 */
#ifndef API_API_H
#define API_API_H

#include <stdbool.h>

#include "config.h"
#include "http.h"
#include "job.h"
#include "kafka_producer.h"
#include "pg.h"
#include "pricing.h"
#include "routing_lane.h"
#include "web.h"

/* Connections: a slow answer holds up those behind it, so slow questions have one of their own. */
enum { API_WRITES, API_READS, API_SLOW, API_FILES, API_PG_COUNT };

struct exchange;
struct keyring;
struct admit;
struct dispatch;
struct weather;
struct vigil;
struct toll;
struct looks;
struct turns;

struct api {
	const struct config *config;
	struct job_reader *reader;
	struct price_book prices;
	struct batch_times times; /* measured, of recent batches */
	struct routing_news news; /* of these two, for the choice of a lane */
	struct web *web;
	struct http *http;
	struct pg *pgs[API_PG_COUNT];
	struct kafka_producer *producer;
	struct keyring *keyring;
	struct admit *admit;
	struct dispatch *dispatch;
	struct weather *weather;
	struct vigil *vigil;
	struct toll *toll;
	struct looks *looks;
	struct turns *turns;
	struct exchange *exchanges; /* not yet replied to */
	char *description;	    /* the OpenAPI document; NULL: nobody has asked yet */
	nsec prices_at;		    /* when to read them next */
	nsec sweep_at;		    /* when to look for files that are gone */
	bool busy;		    /* there is something to do before the next sleep */
	nsec stop_at;		    /* when the grace period ends; 0: running */
};

struct api *api_create(const struct config *config, struct error *err) MUST_USE;
void api_destroy(struct api *api);
AUTO_DEFINE(struct api, api_destroy)

/* Until it is told to stop. */
bool api_run(struct api *api, struct error *err) MUST_USE;

/*
 * Send a statement; `then` hears the answer, always, from the loop. False, and
 * args are gone: the connection is away.
 */
typedef void api_then(struct api *api, void *owner, struct pg_answer *answer);
bool api_ask(struct api *api, int which, const char *statement, struct pg_args *args,
	     api_then *then, void *owner);

/* Why it can't serve; NULL: it can. */
const char *api_trouble(const struct api *api);

#endif
