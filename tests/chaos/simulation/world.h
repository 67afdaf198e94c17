/*
 * A whole fleet in one thread and in virtual time, driven by a seed: producers,
 * three workers that crash, stall and restart, a model of Kafka (broker.h), of
 * Postgres (tables.h) and of a provider that keeps its own bill (vendor.h). The
 * workers decide by the product's own pure core: claim_classify, cascade_judge,
 * memo, backoff, breaker, targets, pricing, job_event_id.
 *
 *	struct world *world = world_create(&options);
 *	world_run(world, seed);
 *	if (world->violation.found) …           -- which invariant, where, when
 *
 * The oracle (oracle.h) looks at what every step touched. One seed is one
 * schedule: run again with a trace, it does the same again.
 */
#ifndef SIMULATION_WORLD_H
#define SIMULATION_WORLD_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>

#include "agenda.h"
#include "broker.h"
#include "config.h"
#include "coverage.h"
#include "mutation.h"
#include "pricing.h"
#include "random.h"
#include "tables.h"
#include "targets.h"
#include "vendor.h"

#define MOST_JOBS 160
#define RUNS 3
#define HOPS 8

/* A job of a producer, and what the oracle knows of it. */
struct spec {
	struct job job;	  /* as its full message says */
	struct job other; /* the same id with another body */
	char body[12], other_body[12];
	int tier;
	bool submitted;
	bool buried;   /* cancelled before anybody saw it */
	bool canceled; /* in the present run, and acknowledged */
	bool seen;     /* has a row */
	/* The row as the oracle saw it last. */
	enum row_state state;
	int32_t run, hop, epoch;
	bool held;
	struct uuid holder;
	int calls[RUNS][HOPS];	 /* accepted by the provider */
	int excuses[RUNS][HOPS]; /* faults that hit it: each may cost one call more */
	int ends[RUNS];
};

struct parcel; /* an event on its way to the broker */
struct worker;

struct world_options {
	enum mutation mutation;
	bool trace;
	bool quiet; /* no faults: every job must take exactly the calls its answers need */
};

struct world {
	struct world_options options;
	uint64_t seed;
	struct random random;
	nsec now;	/* wall clock and the database's */
	nsec healed_at; /* 0: faults are still on */
	struct agenda agenda;
	struct tables *db;
	bool db_away;
	nsec db_slow_until;
	struct broker broker;
	struct vendor vendor;
	struct relation sent; /* attempts whose request left a worker */
	struct worker *workers[SLOTS];
	uint64_t lives;
	uint16_t ids;
	struct spec specs[MOST_JOBS];
	int spec_count;
	struct config *config;
	struct price_book prices;

	struct {
		struct message message;
		int log;
	} produced[8 * MOST_JOBS];
	int produced_count;
	struct settlement *spool[512]; /* of dead workers, to be replayed */
	size_t spool_count;

	struct arena_piece *arena;	 /* everything that lives as long as the seed */
	struct settlement **settlements; /* to be destroyed at its end, and so the memos */
	size_t settlement_count, settlement_room;
	struct memo **memos;
	size_t memo_count, memo_room;

	struct coverage coverage; /* over all seeds */
	struct {
		uint64_t steps, faults, jobs, calls, ended, reruns;
	} counts;   /* over all seeds */
	int faults; /* of this seed */

	struct {
		bool found;
		char name[8];
		char text[240];
		nsec at;
	} violation;
};

struct world *world_create(const struct world_options *options);
void world_destroy(struct world *world);

/* One seed from the beginning to its end, or to the first violation. */
void world_run(struct world *world, uint64_t seed);

/* --- for the parts of the world --- */

/* Memory until the end of the seed, zeroed. */
void *world_keep(struct world *world, size_t size);
struct settlement *world_settlement(struct world *world, struct settlement *settlement); /* takes */
void world_memo(struct world *world, struct memo *memo); /* finishes it at the end */

bool world_chance(struct world *world, unsigned in_thousand);
nsec world_between(struct world *world, nsec least, nsec most);
struct uuid world_uuid(struct world *world);
struct spec *world_spec(struct world *world, const struct uuid *job_id);
int world_number(const struct uuid *job_id); /* of the spec */

void world_violate(struct world *world, const char *invariant, const char *fmt, ...) PRINTF(3, 4);
void world_trace(struct world *world, const char *fmt, ...) PRINTF(2, 3);
#define TRACE(world, ...)                                \
	do {                                             \
		if ((world)->options.trace)              \
			world_trace(world, __VA_ARGS__); \
	} while (0)

bool world_is_mutated(const struct world *world, enum mutation mutation);

/* --- faults.c --- */
void faults_plan(struct world *world);
void faults_strike(struct world *world);
void faults_heal(struct world *world);

/* --- scenario.c --- */
void scenario_plan(struct world *world); /* jobs, messages, duplicates, cancels, reruns */
void scenario_produce(struct world *world, int number);
void scenario_cancel(struct world *world, int job);
void scenario_rerun(struct world *world, int job);

#endif
