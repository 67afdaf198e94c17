/*
 * Statements on their way to the model of Postgres and back: in order on each
 * connection, run at once or late, their answers lost when the connection
 * breaks. What was sent before a break may still be run after it.
 */
#include <string.h>

#include "ensure.h"
#include "fleet.h"
#include "oracle.h"

bool fleet_conn_ready(const struct world *world, const struct worker *w, int conn)
{
	return !world->db_away && world->now >= w->conns[conn].up_at;
}

struct request *fleet_request(struct world *world, struct worker *w, enum request_kind kind,
			      int conn, size_t count)
{
	struct request *request = world_keep(world, sizeof(*request));

	request->kind = kind;
	request->conn = conn;
	request->slot = w->slot;
	request->worker_id = w->id;
	request->count = count;
	return request;
}

static nsec latest(nsec a, nsec b)
{
	return a > b ? a : b;
}

static nsec latency(struct world *world)
{
	if (world->now < world->db_slow_until)
		return world_between(world, 0, 4 * NSEC_PER_SEC);
	return world_between(world, 200 * NSEC_PER_USEC, 5 * NSEC_PER_MSEC);
}

void fleet_send(struct world *world, struct worker *w, struct request *request)
{
	struct connection *conn = &w->conns[request->conn];
	struct sending *sending, **last = &conn->open;

	if (!fleet_conn_ready(world, w, request->conn)) {
		fleet_send_again(w, request); /* "answer what is sent on a broken connection" */
		return;
	}
	sending = world_keep(world, sizeof(*sending));
	sending->request = request;
	sending->generation = conn->generation;
	while (*last)
		last = &(*last)->next;
	*last = sending;
	conn->open_count++;
	conn->executes_at = latest(conn->executes_at, world->now + latency(world));
	agenda_add(&world->agenda, (struct event){.at = conn->executes_at,
						  .kind = EVENT_EXECUTE,
						  .worker = w->slot,
						  .life = w->life,
						  .data = sending});
}

void fleet_send_again(struct worker *w, struct request *request)
{
	request->next = NULL;
	*w->again_tail = request;
	w->again_tail = &request->next;
}

/* worker_send_again(): oldest first, when their connection is back. */
void fleet_flush_again(struct world *world, struct worker *w)
{
	struct request **at = &w->again;

	while (*at) {
		struct request *request = *at;

		if (!fleet_conn_ready(world, w, request->conn)) {
			at = &request->next;
			continue;
		}
		*at = request->next;
		fleet_send(world, w, request);
	}
	w->again_tail = at;
}

/* --- execution --- */

static void run_claim(struct world *world, struct sending *sending)
{
	struct request *r = sending->request;

	sending->claimed = world_keep(world, r->count * sizeof(*sending->claimed));
	sending->ok = tables_claim(world->db, &r->worker_id, &r->claim_id, r->rows, r->count,
				   sending->claimed, &sending->count);
}

static void run_look(struct world *world, struct sending *sending)
{
	struct request *r = sending->request;

	sending->looks = world_keep(world, r->count * sizeof(*sending->looks));
	for (size_t i = 0; i < r->count; i++) {
		const struct job_row *job = relation_find(&world->db->jobs,
							  &r->settlements[i]->job_id);

		if (job)
			sending->looks[sending->count++] = (struct look){job->id, job->claim_id,
									 job->state, job->epoch,
									 job->cancel_requested};
	}
}

static void run_mine(struct world *world, struct sending *sending)
{
	struct request *r = sending->request;

	sending->looks = world_keep(world, MOST_JOBS * sizeof(*sending->looks));
	for (size_t i = 0; i < world->db->jobs.count; i++) {
		const struct job_row *job = relation_at(&world->db->jobs, i);

		if (job->state == ROW_CLAIMED && uuid_equal(&job->owner, &r->worker_id))
			sending->looks[sending->count++] = (struct look){job->id, job->claim_id,
									 job->state, job->epoch,
									 job->cancel_requested};
	}
}

static void run_settle(struct world *world, struct sending *sending)
{
	struct request *r = sending->request;

	sending->decided = world_keep(world, r->count * sizeof(*sending->decided));
	/* What is replayed from the spool was decided by a worker that is dead, under its epoch. */
	oracle_before_settle(world, r->kind == REQUEST_REPLAY ? NULL : &r->worker_id,
			     r->settlements, r->count);
	sending->ok = tables_settle(world->db, r->settlements, r->count, sending->decided,
				    &sending->count);
	if (!sending->ok)
		world_violate(world, "I2", "a settle would give a run its second outcome");
	oracle_after_settle(world, sending->decided, sending->count);
}

/* Each attempt written off may have reached the provider: that excuses one call more. */
static void excuse_lost(struct world *world)
{
	for (size_t i = 0; i < world->db->touched_attempt_count; i++) {
		const struct attempt_row *attempt = world->db->touched_attempts[i];

		if (attempt->state == ATTEMPT_UNKNOWN && oracle_was_sent(world, &attempt->id))
			oracle_excuse(world, &attempt->job_id, attempt->run, attempt->hop);
	}
}

static void run_pull(struct world *world, struct sending *sending)
{
	struct request *r = sending->request;
	struct pull_want wants[TIERS];
	size_t count = 0;

	for (size_t i = 0; i < world->config->tier_count; i++)
		if (r->tiers & 1u << i)
			wants[count++] = (struct pull_want){world->config->tiers[i].name,
							    LANE_NORMAL, (int)r->count};
	sending->claimed = world_keep(world, MOST_JOBS * sizeof(*sending->claimed));
	sending->count = tables_pull(world->db, &r->worker_id, &r->claim_id, wants, count, r->flag,
				     sending->claimed, MOST_JOBS);
}

static void run(struct world *world, struct sending *sending)
{
	struct request *r = sending->request;
	struct tables *db = world->db;

	sending->ok = true;
	switch (r->kind) {
	case REQUEST_CLAIM:
		run_claim(world, sending);
		break;
	case REQUEST_CLASSIFY:
		sending->standing = world_keep(world, r->count * sizeof(*sending->standing));
		tables_classify(db, &r->worker_id, &r->claim_id, r->ids, r->count,
				sending->standing);
		sending->count = r->count;
		break;
	case REQUEST_REJECT:
		sending->ok = tables_reject(db, r->rejects, r->count);
		break;
	case REQUEST_PULL:
		run_pull(world, sending);
		break;
	case REQUEST_INTEND:
		sending->ids = world_keep(world, r->count * sizeof(*sending->ids));
		sending->count = tables_intend(db, &r->worker_id, r->intends, r->count,
					       sending->ids);
		break;
	case REQUEST_SETTLE:
	case REQUEST_REPLAY:
		run_settle(world, sending);
		break;
	case REQUEST_LOOK:
		run_look(world, sending);
		break;
	case REQUEST_START:
		tables_worker_start(db, &r->worker_id);
		break;
	case REQUEST_BEAT:
		sending->ok = tables_beat(db, &r->worker_id, r->flag);
		break;
	case REQUEST_SWEEP:
		if (r->flag)
			tables_repair_orphans(db, 2000);
		oracle_repaired(world);
		excuse_lost(world);
		sending->count = tables_suspects(db);
		break;
	case REQUEST_MINE:
		run_mine(world, sending);
		break;
	case REQUEST_HAND_BACK:
		sending->ids = world_keep(world, r->count * sizeof(*sending->ids));
		sending->count = tables_hand_back(db, &r->worker_id, r->ids, r->count, NULL, 0,
						  sending->ids);
		excuse_lost(world);
		break;
	case REQUEST_TAKE:
		sending->debts = world_keep(world, r->count * sizeof(struct outbox_row *));
		sending->count = tables_outbox_take(db, sending->debts, r->count);
		break;
	case REQUEST_PAID:
		tables_outbox_paid(db, r->ids, r->count);
		break;
	case REQUEST_END:
		tables_worker_end(db, &r->worker_id);
		break;
	case REQUEST_KINDS:
		ENSURE(false);
	}
}

static const char *kind_name(enum request_kind kind)
{
	static const char *const names[] = {
		"claim", "classify", "reject", "pull",	    "intend", "settle", "look",	  "start",
		"beat",	 "sweep",    "mine",   "hand_back", "take",   "paid",	"replay", "end",
	};

	return names[kind];
}

void fleet_execute(struct world *world, struct sending *sending)
{
	struct request *r = sending->request;
	struct worker *w = world->workers[r->slot];
	struct connection *conn;

	if (sending->dropped || world->db_away)
		return;
	world->db->now = world->now;
	run(world, sending);
	sending->executed = true;
	if (r->kind != REQUEST_BEAT)
		TRACE(world, "w%d %s of %zu runs: %zu", r->slot, kind_name(r->kind), r->count,
		      sending->count);
	oracle_look(world);
	if (!w || !uuid_equal(&w->id, &r->worker_id))
		return;
	conn = &w->conns[r->conn];
	if (conn->generation != sending->generation)
		return;
	conn->answers_at = latest(conn->answers_at, world->now + latency(world));
	agenda_add(&world->agenda, (struct event){.at = conn->answers_at,
						  .kind = EVENT_ANSWER,
						  .worker = r->slot,
						  .life = w->life,
						  .data = sending});
}

/* --- breaks --- */

/* What was not run yet is cut off somewhere; what is before the cut runs, perhaps late. */
static void cut(struct world *world, struct sending *open)
{
	bool dropping = world_chance(world, 400);
	nsec late = world_chance(world, 300) ? world_between(world, 0, 10 * NSEC_PER_SEC) : 0;

	for (struct sending *s = open; s; s = s->next) {
		coverage_note(&world->coverage, FAULT_BREAK,
			      coverage_statement((int)s->request->kind, s->executed));
		if (s->executed)
			continue;
		dropping = dropping || world_chance(world, 300);
		s->dropped = dropping || late > 0;
		if (dropping || late == 0)
			continue;
		/* The one that was planned is dropped; this one runs when it is through at last. */
		struct sending *again = world_keep(world, sizeof(*again));

		*again = *s;
		again->dropped = false;
		again->next = NULL;
		agenda_add(&world->agenda, (struct event){.at = world->now + late,
							  .kind = EVENT_EXECUTE,
							  .worker = s->request->slot,
							  .data = again});
	}
}

void fleet_break(struct world *world, struct worker *w, int number, nsec down)
{
	struct connection *conn = &w->conns[number];

	cut(world, conn->open);
	conn->generation++;
	conn->up_at = world->now + down;
	conn->executes_at = conn->answers_at = 0;
	agenda_add(&world->agenda, (struct event){.at = world->now,
						  .kind = EVENT_BROKEN,
						  .worker = w->slot,
						  .life = w->life,
						  .number = number});
}

/* Every open statement is answered with a RETRY error: its fate is unknown. */
void fleet_broken(struct world *world, struct worker *w, int number)
{
	struct connection *conn = &w->conns[number];
	struct sending *open = conn->open, *next;

	conn->open = NULL;
	conn->open_count = 0;
	for (; open; open = next) {
		struct request *r = open->request;

		next = open->next;
		if (open->generation == conn->generation) {
			/* Sent on the new connection already. */
			struct sending **last = &conn->open;

			while (*last)
				last = &(*last)->next;
			open->next = NULL;
			*last = open;
			conn->open_count++;
			continue;
		}
		switch (r->kind) {
		case REQUEST_CLAIM:
		case REQUEST_CLASSIFY:
		case REQUEST_REJECT:
		case REQUEST_INTEND:
		case REQUEST_SETTLE:
		case REQUEST_LOOK:
			fleet_send_again(w, r);
			break;
		case REQUEST_PULL:
			w->pull_open = false;
			w->compare_at = 0; /* some may be ours without our knowing */
			break;
		case REQUEST_BEAT:
			w->beat_open = false;
			w->unbroken_since = 0;
			break;
		case REQUEST_SWEEP:
			w->sweep_open = false;
			break;
		case REQUEST_MINE:
			w->comparing = false;
			break;
		case REQUEST_PAID:
			w->paying = false;
			break;
		case REQUEST_REPLAY:
			w->replaying = false; /* the file is still there */
			break;
		default:
			break;
		}
	}
	(void)world;
}
