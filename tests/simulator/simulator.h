/*
 * The provider simulator: what it was told and what it knows. One of these
 * exists; every handler gets it as its world.
 */
#ifndef SIMULATOR_SIMULATOR_H
#define SIMULATOR_SIMULATOR_H

#include <stdio.h>

#include "answer.h"
#include "ask.h"
#include "bill.h"
#include "cache.h"
#include "fault.h"
#include "latency.h"
#include "map.h"
#include "models.h"
#include "quota.h"
#include "server.h"
#include "stats.h"
#include "virtual_clock.h"
#include "wish.h"

#define MAX_KEYS 16

struct batch;
struct batches;
struct files;

struct simulator {
	/* as told on the command line */
	uint64_t seed;
	bool vary; /* the same request gets another answer each time */
	struct latency latency;
	const char *keys[MAX_KEYS]; /* accepted; none: any */
	size_t key_count;
	const char *bad_keys[MAX_KEYS];
	size_t bad_key_count;
	double retry_after; /* what a 429 fault says, seconds */
	bool verbose;
	double batch_run;      /* virtual seconds a batch takes at most */
	double batch_validate; /* … before it is judged */
	double batch_hide;     /* … it can be missing from listings */
	int64_t batch_tokens;  /* prompt tokens enqueued per key and model; 0: any number */

	/* as it goes */
	nsec start;
	struct models *models;
	struct bill *bill;
	FILE *record;
	struct server *server;
	struct fault_plan plan;
	nsec plan_start;
	struct limits limits;
	struct stats stats;
	struct prompt_cache cache;
	struct map attempts; /* of directives */
	struct map seen;     /* how often a body came */
	struct map clients;  /* how often a client request id was accepted */
	uint64_t serial;     /* of requests */
	struct virtual_clock clock;
	struct files *files;
	struct batches *batches;
	uint64_t batch_repeats; /* batches over an input that had one already */

	/* used again for every request */
	struct document doc;
	struct ask ask;
	struct wishes wishes;
	struct answer answer;
};

/* The server's callbacks; world is the simulator. */
void simulator_handle(void *world, struct exchange *x, nsec now);
void simulator_before_send(void *world, const struct exchange *x);
void simulator_done(void *world, struct exchange *x, bool delivered);
nsec simulator_turn(void *world, nsec now);

/* The body of x is a batch's results: cut, if a fault wants it; delivered when it has left. */
void simulator_download(struct simulator *sim, struct exchange *x, struct batch *batch);

void simulator_finish(struct simulator *sim);

/* The key a request authenticates itself with; "" where there is none. */
const char *simulator_key(const struct request *request, enum maker maker);
bool simulator_accepts_key(const struct simulator *sim, const char *key);

#endif
