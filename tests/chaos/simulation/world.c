#include "world.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ensure.h"
#include "fleet.h"
#include "oracle.h"

#define START ((nsec)1800000000 * NSEC_PER_SEC)
#define LONGEST (600 * NSEC_PER_SEC) /* from healing to the end of all jobs */

static const char config_text[] =
	"version: 1\n"
	"kafka: {brokers: 'sim:9092', prefix: sluice}\n"
	"postgres: {url: 'postgresql:///sim'}\n"
	"worker:\n"
	"  max_hops: 4\n"
	"  longest_wait_in_memory: 2s\n"
	"  throttled: {first: 500ms, longest: 5s, max_tries: 8}\n"
	"  unavailable: {first: 500ms, longest: 6s, max_tries: 2}\n"
	"  breaker: {share: 0.5, window: 10s, min_calls: 4, probe_after: 1s}\n"
	"providers:\n"
	"  acme: {dialect: openai, base_url: 'http://127.0.0.1:1/v1', key: k}\n"
	"  bolt: {dialect: anthropic, base_url: 'http://127.0.0.1:2/v1', key: k, max_connections: "
	"6}\n"
	"tiers:\n"
	"  - {name: economy, pick: weighted, candidates: [{provider: acme, model: mini-1, weight: "
	"2}, {provider: bolt, model: haiku-1}]}\n"
	"  - {name: standard, pick: cheapest, candidates: [{provider: acme, model: mid-1}, "
	"{provider: bolt, model: sonnet-1}]}\n"
	"  - {name: frontier, candidates: [{provider: bolt, model: opus-1}]}\n"
	"defaults: {min_confidence: 0.85, max_repairs: 2, max_attempts: 6}\n"
	"tasks:\n"
	"  sure: {}\n"
	"  plain: {min_confidence: 0}\n"
	"  kept: {degraded_allowed: true, max_attempts: 3}\n"
	"  strict: {needs_confidence: true, max_cost_usd: 0.02, max_repairs: 0}\n";

struct arena_piece {
	struct arena_piece *next;
	size_t used;
	_Alignas(16) char bytes[(size_t)1 << 20];
};

struct world *world_create(const struct world_options *options)
{
	struct world *world = xcalloc(1, sizeof(*world));
	struct error err;

	world->options = *options;
	world->config = config_read("simulation", config_text, strlen(config_text), &err);
	if (!world->config)
		fprintf(stderr, "%s\n", err.text);
	ENSURE(world->config);
	world->prices = vendor_price_list();
	world->db = tables_create();
	broker_init(&world->broker);
	vendor_init(&world->vendor);
	relation_init(&world->sent, sizeof(struct uuid), TABLES_MOST_ATTEMPTS);
	return world;
}

static void clear(struct world *world)
{
	for (int i = 0; i < SLOTS; i++) {
		if (world->workers[i])
			targets_destroy(world->workers[i]->targets);
		world->workers[i] = NULL;
	}
	for (size_t i = 0; i < world->settlement_count; i++)
		settlement_destroy(world->settlements[i]);
	for (size_t i = 0; i < world->memo_count; i++)
		memo_finish(world->memos[i]);
	world->settlement_count = world->memo_count = world->spool_count = 0;
	for (struct arena_piece *piece = world->arena; piece; piece = piece->next)
		piece->used = 0;
	agenda_clear(&world->agenda);
	tables_clear(world->db);
	broker_clear(&world->broker);
	vendor_clear(&world->vendor);
	relation_clear(&world->sent);
	world->db_away = false;
	world->db_slow_until = world->healed_at = 0;
	world->produced_count = world->spec_count = world->faults = 0;
	world->lives = 0;
	world->ids = 0;
	memset(&world->violation, 0, sizeof(world->violation));
}

void world_destroy(struct world *world)
{
	if (!world)
		return;
	clear(world);
	for (struct arena_piece *piece = world->arena, *next; piece; piece = next) {
		next = piece->next;
		free(piece);
	}
	free(world->settlements);
	free(world->memos);
	agenda_finish(&world->agenda);
	tables_destroy(world->db);
	broker_finish(&world->broker);
	vendor_finish(&world->vendor);
	relation_finish(&world->sent);
	price_book_finish(&world->prices);
	config_destroy(world->config);
	free(world);
}

void *world_keep(struct world *world, size_t size)
{
	struct arena_piece **piece = &world->arena;
	void *room;

	size = (size + 15) & ~(size_t)15;
	ENSURE(size <= sizeof((*piece)->bytes));
	while (*piece && (*piece)->used + size > sizeof((*piece)->bytes))
		piece = &(*piece)->next;
	if (!*piece) {
		*piece = malloc(sizeof(**piece));
		ENSURE(*piece);
		(*piece)->next = NULL;
		(*piece)->used = 0;
	}
	room = (*piece)->bytes + (*piece)->used;
	(*piece)->used += size;
	return memset(room, 0, size);
}

struct settlement *world_settlement(struct world *world, struct settlement *settlement)
{
	if (world->settlement_count == world->settlement_room) {
		world->settlement_room = world->settlement_room ? 2 * world->settlement_room : 512;
		world->settlements = xrealloc(world->settlements,
					      world->settlement_room * sizeof(struct settlement *));
	}
	return world->settlements[world->settlement_count++] = settlement;
}

void world_memo(struct world *world, struct memo *memo)
{
	if (world->memo_count == world->memo_room) {
		world->memo_room = world->memo_room ? 2 * world->memo_room : 512;
		world->memos = xrealloc(world->memos, world->memo_room * sizeof(struct memo *));
	}
	world->memos[world->memo_count++] = memo;
}

bool world_chance(struct world *world, unsigned in_thousand)
{
	return random_below(&world->random, 1000) < in_thousand;
}

nsec world_between(struct world *world, nsec least, nsec most)
{
	return least + random_below(&world->random, most - least);
}

struct uuid world_uuid(struct world *world)
{
	return uuid_at(world->now, world->ids++, random_next(&world->random));
}

int world_number(const struct uuid *job_id)
{
	return job_id->bytes[14] << 8 | job_id->bytes[15];
}

struct spec *world_spec(struct world *world, const struct uuid *job_id)
{
	int number = world_number(job_id);

	ENSURE(number < world->spec_count);
	return &world->specs[number];
}

bool world_is_mutated(const struct world *world, enum mutation mutation)
{
	return world->options.mutation == mutation;
}

void world_trace(struct world *world, const char *fmt, ...)
{
	va_list args;

	printf("%10.4f  ", (double)(world->now - START) / (double)NSEC_PER_SEC);
	va_start(args, fmt);
	vprintf(fmt, args);
	va_end(args);
	putchar('\n');
}

void world_violate(struct world *world, const char *invariant, const char *fmt, ...)
{
	va_list args;

	if (world->violation.found)
		return;
	world->violation.found = true;
	world->violation.at = world->now - START;
	snprintf(world->violation.name, sizeof(world->violation.name), "%s", invariant);
	va_start(args, fmt);
	vsnprintf(world->violation.text, sizeof(world->violation.text), fmt, args);
	va_end(args);
	TRACE(world, "VIOLATION %s: %s", invariant, world->violation.text);
}

/* --- the run --- */

static void fault_event(struct world *world, const struct event *event)
{
	if (event->number == 1)
		world->db_away = false;
	else if (event->number == 2)
		world->broker.away = false;
	else if (!world->healed_at)
		faults_strike(world);
}

/* A member that was silent too long is out; one that is back meanwhile has joined again. */
static void expire(struct world *world, const struct event *event)
{
	const struct worker *w = world->workers[event->worker];

	if (world->broker.members[event->worker].life != event->life)
		return;
	if (w && w->life == event->life && w->stalled_until <= world->now)
		return;
	broker_leave(&world->broker, event->worker);
	broker_rebalance(&world->broker, (unsigned)event->worker);
}

static void step(struct world *world, struct event *event)
{
	struct phone_call_event *wire = event->data;

	world->counts.steps++;
	switch (event->kind) {
	case EVENT_PRODUCE:
		scenario_produce(world, event->number);
		break;
	case EVENT_EXECUTE:
		fleet_execute(world, event->data);
		break;
	case EVENT_ARRIVE:
		vendor_accept(world, &wire->call);
		break;
	case EVENT_APPEND:
		outlet_append(world, event);
		break;
	case EVENT_EXPIRE:
		expire(world, event);
		break;
	case EVENT_REBALANCE:
		broker_rebalance(&world->broker, (unsigned)(world->now / NSEC_PER_SEC));
		break;
	case EVENT_FAULT:
		fault_event(world, event);
		break;
	case EVENT_CANCEL:
		scenario_cancel(world, event->number);
		break;
	case EVENT_RERUN:
		scenario_rerun(world, event->number);
		break;
	case EVENT_WAKE:
		if (world->workers[event->worker] &&
		    world->workers[event->worker]->life == event->life)
			fleet_wake(world, world->workers[event->worker]);
		break;
	case EVENT_START:
		world->workers[event->worker] = fleet_create(world, event->worker);
		break;
	case EVENT_HEAL:
		faults_heal(world);
		break;
	default:
		fleet_event(world, event);
		break;
	}
}

void world_run(struct world *world, uint64_t seed)
{
	struct event event;
	nsec look_at;

	clear(world);
	world->seed = seed;
	world->now = START;
	world->db->mutation = world->options.mutation;
	random_seed(&world->random, seed * 0x9e3779b97f4a7c15u + 1);
	for (int i = 0; i < SLOTS; i++)
		agenda_add(&world->agenda,
			   (struct event){.at = START + world_between(world, 0, NSEC_PER_SEC),
					  .kind = EVENT_START,
					  .worker = i});
	faults_plan(world);
	scenario_plan(world);
	look_at = START;
	while (!world->violation.found && agenda_take(&world->agenda, &event)) {
		world->now = event.at;
		step(world, &event);
		if (world->now < look_at)
			continue;
		look_at = world->now + NSEC_PER_SEC;
		if (world->healed_at &&
		    (oracle_is_quiet(world) || world->now > world->healed_at + LONGEST))
			break;
	}
	if (!world->violation.found)
		oracle_end(world);
	world->counts.faults += (uint64_t)world->faults;
}
