/* What breaks: chosen by the seed, aimed at whatever is going on. */
#include "ensure.h"
#include "fleet.h"

#define FAULTY (45 * NSEC_PER_SEC) /* from the start to healing */

void faults_plan(struct world *world)
{
	int count = 10 + (int)random_below(&world->random, 25);

	if (world->options.quiet) {
		world->healed_at = world->now;
		return;
	}
	world->vendor.trouble = (unsigned)random_below(&world->random, 450);
	for (int i = 0; i < count; i++)
		agenda_add(&world->agenda,
			   (struct event){.at = world->now +
						world_between(world, 2 * NSEC_PER_SEC, FAULTY),
					  .kind = EVENT_FAULT});
	agenda_add(&world->agenda, (struct event){.at = world->now + FAULTY, .kind = EVENT_HEAL});
}

/* What the worker has in its hands when the fault strikes. */
static void note_holds(struct world *world, const struct worker *w, enum fault fault)
{
	for (const struct hold *hold = w->holds; hold; hold = hold->next)
		coverage_note(&world->coverage, fault,
			      coverage_hold((int)hold->state, hold->memo.attempts, (int)hold->hop));
	for (int i = 0; i < CONN_COUNT; i++)
		for (const struct sending *s = w->conns[i].open; s; s = s->next)
			coverage_note(&world->coverage, fault,
				      coverage_statement((int)s->request->kind, s->executed));
}

static struct worker *some_worker(struct world *world)
{
	uint64_t first = random_below(&world->random, SLOTS);

	for (unsigned i = 0; i < SLOTS; i++)
		if (world->workers[(first + i) % SLOTS])
			return world->workers[(first + i) % SLOTS];
	return NULL;
}

static void note_all(struct world *world, enum fault fault)
{
	for (int i = 0; i < SLOTS; i++)
		if (world->workers[i])
			note_holds(world, world->workers[i], fault);
}

static void crash(struct world *world)
{
	bool all = world_chance(world, 100);

	for (int i = 0; i < SLOTS; i++) {
		struct worker *w = all ? world->workers[i] : some_worker(world);

		if (!w)
			continue;
		note_holds(world, w, FAULT_CRASH);
		fleet_crash(world, w->slot);
		if (!all)
			return;
	}
}

static void stall(struct world *world)
{
	struct worker *w = some_worker(world);
	nsec length = world_between(world, NSEC_PER_SEC, 30 * NSEC_PER_SEC);

	if (!w)
		return;
	note_holds(world, w, FAULT_STALL);
	fleet_stall(world, w, world->now + length);
	TRACE(world, "w%d stalls", w->slot);
	/* People lose patience with what it holds. */
	for (const struct hold *hold = w->holds; hold; hold = hold->next)
		if (world_chance(world, 100))
			agenda_add(
				&world->agenda,
				(struct event){.at = world->now + world_between(world, 0, length),
					       .kind = EVENT_CANCEL,
					       .number = hold->number});
	/* Connections of one who is silent break, and come back one by one. */
	for (int i = 0; i < CONN_COUNT; i++)
		if (length > 10 * NSEC_PER_SEC && world_chance(world, 250))
			fleet_break(world, w, i,
				    length + world_between(world, 0, 2 * NSEC_PER_SEC));
	if (length > 8 * NSEC_PER_SEC)
		agenda_add(&world->agenda, (struct event){.at = world->now + 8 * NSEC_PER_SEC,
							  .kind = EVENT_EXPIRE,
							  .worker = w->slot,
							  .life = w->life});
}

static void break_connection(struct world *world)
{
	struct worker *w = some_worker(world);
	int first = (int)random_below(&world->random, CONN_COUNT);
	bool all = world_chance(world, 300);

	for (int i = 0; w && i < (all ? CONN_COUNT : 1); i++)
		fleet_break(world, w, (first + i) % CONN_COUNT,
			    world_between(world, 10 * NSEC_PER_MSEC, 3 * NSEC_PER_SEC));
	TRACE(world, "%s of w%d break", all ? "all connections" : "a connection", w ? w->slot : -1);
}

static void take_db_away(struct world *world)
{
	nsec down = world_between(world, NSEC_PER_SEC, 25 * NSEC_PER_SEC);

	note_all(world, FAULT_DB_AWAY);
	for (int i = 0; i < SLOTS; i++)
		for (int c = 0; world->workers[i] && c < CONN_COUNT; c++)
			fleet_break(world, world->workers[i], c, down);
	world->db_away = true;
	TRACE(world, "Postgres is away");
	agenda_add(&world->agenda,
		   (struct event){.at = world->now + down, .kind = EVENT_FAULT, .number = 1});
}

static void take_broker_away(struct world *world)
{
	note_all(world, FAULT_BROKER_AWAY);
	world->broker.away = true;
	TRACE(world, "Kafka is away");
	agenda_add(&world->agenda,
		   (struct event){.at = world->now +
					world_between(world, NSEC_PER_SEC, 15 * NSEC_PER_SEC),
				  .kind = EVENT_FAULT,
				  .number = 2});
}

/* An operator, or a bug, sets the group back: an old topic is replayed. */
static void rewind_log(struct world *world)
{
	int log = (int)random_below(&world->random, LOGS);
	struct partition *p = &world->broker.partitions[log];

	for (int64_t i = 0; i < p->committed; i++) {
		const struct spec *spec = &world->specs[p->messages[i].job];

		coverage_note(
			&world->coverage, FAULT_REWIND,
			coverage_job(spec->seen ? (int)spec->state : -1, spec->run, spec->hop));
	}
	p->committed = (int64_t)random_below(&world->random, (uint64_t)p->committed + 1);
	broker_rebalance(&world->broker, (unsigned)log);
}

static void stop(struct world *world)
{
	struct worker *w = some_worker(world);

	if (!w)
		return;
	note_holds(world, w, FAULT_TERM);
	TRACE(world, "w%d is told to stop", w->slot);
	fleet_stop(world, w);
}

static void slow_db(struct world *world)
{
	note_all(world, FAULT_DB_SLOW);
	world->db_slow_until = world->now + world_between(world, NSEC_PER_SEC, 6 * NSEC_PER_SEC);
}

static void rebalance(struct world *world)
{
	note_all(world, FAULT_REBALANCE);
	broker_rebalance(&world->broker, (unsigned)random_below(&world->random, SLOTS));
}

static const struct {
	void (*strike)(struct world *world);
	unsigned weight;
} faults[] = {
	{crash, 22},
	{stall, 14},
	{stop, 6},
	{break_connection, 22},
	{take_db_away, 5},
	{slow_db, 6},
	{take_broker_away, 5},
	{rebalance, 14},
	{rewind_log, 6},
};

static size_t draw(struct world *world)
{
	uint64_t at = random_below(&world->random, 100);
	size_t i = 0;

	for (; at >= faults[i].weight; i++)
		at -= faults[i].weight;
	return i;
}

/* Every other seed has a theme: one fault that comes again and again. */
void faults_strike(struct world *world)
{
	bool themed = world->seed % 2 && world_chance(world, 600);

	world->faults++;
	faults[themed ? world->seed / 2 % COUNT_OF(faults) : draw(world)].strike(world);
}

void faults_heal(struct world *world)
{
	world->healed_at = world->now;
	world->db_away = world->broker.away = false;
	world->db_slow_until = 0;
	world->vendor.trouble = 0;
	for (int i = 0; i < SLOTS; i++) {
		struct worker *w = world->workers[i];

		if (w && w->stalled_until > world->now) {
			w->stalled_until = world->now;
			fleet_wake(world, w);
		}
		for (int c = 0; w && c < CONN_COUNT; c++)
			if (w->conns[c].up_at > world->now)
				w->conns[c].up_at = world->now;
	}
	TRACE(world, "healed");
}
