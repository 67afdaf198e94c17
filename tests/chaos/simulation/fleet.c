/* The life of a simulated worker: workers/sync/worker.c and keeper.c. */
#include "fleet.h"

#include <stdlib.h>
#include <string.h>

#include "ensure.h"
#include "oracle.h"

#define BEAT_EVERY NSEC_PER_SEC
#define BEAT_GAP (5 * NSEC_PER_SEC)
#define FIT_TO_JUDGE (20 * NSEC_PER_SEC)
#define SWEEP_EVERY (3 * NSEC_PER_SEC)
#define COMPARE_EVERY (20 * NSEC_PER_SEC) /* 60 s in the product: here it would only cost time */
#define GRACE (4 * NSEC_PER_SEC)
#define SESSION (8 * NSEC_PER_SEC)

struct worker *fleet_create(struct world *world, int slot)
{
	struct worker *w = world_keep(world, sizeof(*w));

	w->slot = slot;
	w->life = ++world->lives;
	w->id = world_uuid(world);
	w->targets = targets_create(world->config);
	w->again_tail = &w->again;
	w->deferred_tail = &w->deferred;
	w->groups_tail = &w->groups;
	w->compare_at = world->now + COMPARE_EVERY;
	w->outbox_at = w->sweep_at = world->now;
	broker_join(&world->broker, slot, w->life);
	agenda_add(&world->agenda,
		   (struct event){.at = world->now + NSEC_PER_MSEC * 100, .kind = EVENT_REBALANCE});
	agenda_add(&world->agenda,
		   (struct event){
			   .at = world->now, .kind = EVENT_TICK, .worker = slot, .life = w->life});
	TRACE(world, "w%d starts", slot);
	return w;
}

struct hold *fleet_hold(struct world *world, struct worker *w, int number)
{
	struct hold *hold = world_keep(world, sizeof(*hold)), **last = &w->holds;

	hold->number = number;
	memo_read(&hold->memo, "");
	world_memo(world, &hold->memo);
	while (*last)
		last = &(*last)->next;
	*last = hold;
	return hold;
}

void fleet_drop(struct world *world, struct worker *w, struct hold *hold)
{
	struct hold **at = &w->holds;

	while (*at != hold)
		at = &(*at)->next;
	*at = hold->next;
	starts_unprepare(world, hold);
	hold->state = HOLD_GONE;
}

struct hold *fleet_find(const struct worker *w, const struct uuid *job_id)
{
	struct hold *hold = w->holds;

	while (hold && !(hold->ours && uuid_equal(&hold->message.id, job_id)))
		hold = hold->next;
	return hold;
}

size_t fleet_holding(const struct worker *w)
{
	size_t count = 0;

	for (const struct hold *hold = w->holds; hold; hold = hold->next)
		count++;
	return count;
}

/* --- keeper.c --- */

static void ask(struct world *world, struct worker *w, enum request_kind kind, int conn, bool flag)
{
	struct request *r = fleet_request(world, w, kind, conn, 0);

	r->flag = flag;
	fleet_send(world, w, r);
}

/* is_fit_to_judge() of keeper.c; "judge-by-the-past" is what it once did: an outage killed all. */
static bool is_fit_to_judge(const struct world *world, const struct worker *w)
{
	bool fresh = world->now - w->beat_acked <= BEAT_GAP ||
		     world_is_mutated(world, MUTATION_JUDGE_BY_THE_PAST);

	return w->unbroken_since > 0 && fresh && world->now - w->unbroken_since >= FIT_TO_JUDGE;
}

static void keep_house(struct world *world, struct worker *w)
{
	nsec now = world->now;

	if (!w->registered && fleet_conn_ready(world, w, CONN_BEAT) &&
	    w->conns[CONN_BEAT].open_count == 0)
		ask(world, w, REQUEST_START, CONN_BEAT, false);
	if (w->registered && !w->ended && now >= w->beat_at && !w->beat_open &&
	    fleet_conn_ready(world, w, CONN_BEAT)) {
		w->beat_open = true;
		w->beat_sent = now;
		w->beat_at = now + BEAT_EVERY;
		ask(world, w, REQUEST_BEAT, CONN_BEAT, w->stop_at > 0);
	}
	if (!fleet_conn_ready(world, w, CONN_SWEEP) || w->stop_at)
		return;
	if (now >= w->sweep_at && !w->sweep_open) {
		w->sweep_open = true;
		w->sweep_at = now + world_between(world, SWEEP_EVERY / 2, SWEEP_EVERY * 3 / 2);
		ask(world, w, REQUEST_SWEEP, CONN_SWEEP, is_fit_to_judge(world, w));
	}
	if (!w->comparing && w->registered && !w->pull_open &&
	    fleet_conn_ready(world, w, CONN_CLAIM) &&
	    (now >= w->compare_at || w->compared_generation != w->conns[CONN_CLAIM].generation)) {
		w->comparing = true;
		w->compare_at = now + COMPARE_EVERY;
		w->compared_generation = w->conns[CONN_CLAIM].generation;
		ask(world, w, REQUEST_MINE, CONN_SWEEP, false);
	}
}

static void hand_back(struct world *world, struct worker *w, const struct uuid *ids, size_t count)
{
	struct request *r = fleet_request(world, w, REQUEST_HAND_BACK, CONN_SWEEP, count);

	r->ids = world_keep(world, count * sizeof(*ids));
	memcpy(r->ids, ids, count * sizeof(*ids));
	if (fleet_conn_ready(world, w, CONN_SWEEP))
		fleet_send(world, w, r);
}

/* What the database thinks is ours and we do not hold was lost on the way to us. */
static void read_mine(struct world *world, struct worker *w, const struct sending *sending)
{
	struct uuid strangers[MOST_JOBS];
	size_t count = 0;

	w->comparing = false;
	for (size_t i = 0; i < sending->count; i++) {
		const struct look *look = &sending->looks[i];

		if (!fleet_find(w, &look->job_id) && !claims_know(w, &look->claim_id) &&
		    !w->pull_open)
			strangers[count++] = look->job_id;
	}
	if (count > 0)
		hand_back(world, w, strangers, count);
}

static void read_beat(struct world *world, struct worker *w, const struct sending *sending)
{
	w->beat_open = false;
	if (!sending->ok) {
		fleet_crash(world, w->slot); /* its row is gone or ended: a fatal error */
		return;
	}
	if (w->unbroken_since == 0 || world->now - w->beat_acked > BEAT_GAP)
		w->unbroken_since = world->now;
	w->beat_acked = w->beat_sent;
}

static void read_sweep(struct worker *w, const struct sending *sending)
{
	w->sweep_open = false;
	w->suspects_due = sending->count;
}

/* --- the loop --- */

/* be_alone() of worker.c */
static void be_alone(struct world *world, struct worker *w)
{
	if (!w->alone && w->suspects_due > 0 && world->now >= w->alone_until) {
		w->alone = true;
		w->alone_until = world->now + 10 * NSEC_PER_SEC;
	}
	if (!w->alone)
		return;
	if (!w->holds && !w->groups && !w->filling)
		claims_pull(world, w);
	if (world->now >= w->alone_until && !w->holds) {
		w->alone = false;
		w->suspects_due = 0;
		w->alone_until = world->now + 5 * NSEC_PER_SEC;
	}
}

/* What a dead worker left in the spool is replayed through settle: spool.c */
static void replay(struct world *world, struct worker *w)
{
	struct request *r;

	if (world->spool_count == 0 || w->replaying || world->now < w->replay_at ||
	    !fleet_conn_ready(world, w, CONN_SETTLE))
		return;
	r = fleet_request(world, w, REQUEST_REPLAY, CONN_SETTLE, 1);
	r->settlements = world_keep(world, sizeof(struct settlement *));
	r->settlements[0] = world->spool[world->spool_count - 1];
	w->replaying = true;
	fleet_send(world, w, r);
}

static void end_grace(struct world *world, struct worker *w)
{
	struct uuid ids[MOST_JOBS];
	struct hold *next;
	size_t count = 0;

	calls_give_up(world, w);
	for (struct hold *hold = w->holds; hold; hold = next) {
		next = hold->next;
		if (hold->state != HOLD_READY && hold->state != HOLD_WAITING)
			continue;
		ids[count++] = hold->message.id;
		fleet_drop(world, w, hold);
	}
	if (count > 0)
		hand_back(world, w, ids, count);
	w->handed_back = true;
}

/* SIGTERM: no claims, calls end within the grace period, what is left goes back. */
static void stop(struct world *world, struct worker *w)
{
	bool idle = true;

	for (const struct hold *hold = w->holds; hold; hold = hold->next)
		idle &= hold->state == HOLD_READY || hold->state == HOLD_WAITING;
	if (!w->handed_back && (idle || world->now >= w->stop_at))
		end_grace(world, w);
	if (w->handed_back && !w->holds && w->settles_open == 0 && w->unsettled_count == 0 &&
	    !w->groups && !w->ended && fleet_conn_ready(world, w, CONN_BEAT)) {
		w->ended = true;
		claims_commit(world, w);
		ask(world, w, REQUEST_END, CONN_BEAT, false);
	}
	if (world->now > w->stop_at + 15 * NSEC_PER_SEC)
		fleet_crash(world, w->slot); /* whoever told it to stop kills it in the end */
}

void fleet_stop(struct world *world, struct worker *w)
{
	if (!w->stop_at)
		w->stop_at = world->now + GRACE;
}

static void turn(struct world *world, struct worker *w)
{
	fleet_flush_again(world, w);
	if (w->stop_at) {
		stop(world, w);
		if (world->workers[w->slot] != w)
			return;
	} else {
		be_alone(world, w);
	}
	claims_learn_assignment(world, w);
	claims_intake(world, w);
	claims_flush(world, w);
	starts_run(world, w);
	settles_flush(world, w);
	outlet_flush(world, w);
	replay(world, w);
	keep_house(world, w);
	if (world->now >= w->commit_at) {
		w->commit_at = world->now + NSEC_PER_SEC;
		claims_commit(world, w);
	}
}

static void forget_sending(struct worker *w, const struct sending *sending)
{
	struct connection *conn = &w->conns[sending->request->conn];
	struct sending **at = &conn->open;

	while (*at && *at != sending)
		at = &(*at)->next;
	if (*at) {
		*at = sending->next;
		conn->open_count--;
	}
}

static void answer(struct world *world, struct worker *w, struct sending *sending)
{
	if (w->conns[sending->request->conn].generation != sending->generation)
		return; /* it was told that the connection broke */
	forget_sending(w, sending);
	switch (sending->request->kind) {
	case REQUEST_CLAIM:
	case REQUEST_CLASSIFY:
	case REQUEST_REJECT:
	case REQUEST_PULL:
		claims_answer(world, w, sending);
		break;
	case REQUEST_INTEND:
		starts_answer(world, w, sending);
		break;
	case REQUEST_SETTLE:
	case REQUEST_LOOK:
		settles_answer(world, w, sending);
		break;
	case REQUEST_TAKE:
	case REQUEST_PAID:
		outlet_answer(world, w, sending);
		break;
	case REQUEST_START:
		w->registered = true;
		break;
	case REQUEST_BEAT:
		read_beat(world, w, sending);
		break;
	case REQUEST_SWEEP:
		read_sweep(w, sending);
		break;
	case REQUEST_MINE:
		read_mine(world, w, sending);
		break;
	case REQUEST_REPLAY:
		w->replaying = false;
		w->replay_at = world->now + 100 * NSEC_PER_MSEC;
		if (world->spool_count > 0 &&
		    world->spool[world->spool_count - 1] == sending->request->settlements[0])
			world->spool_count--;
		break;
	case REQUEST_END:
		fleet_crash(world, w->slot); /* the process ends; nothing is left in it */
		break;
	default:
		break;
	}
}

static void defer(struct world *world, struct worker *w, const struct event *event)
{
	struct deferred *deferred = world_keep(world, sizeof(*deferred));

	deferred->event = *event;
	*w->deferred_tail = deferred;
	w->deferred_tail = &deferred->next;
}

void fleet_stall(struct world *world, struct worker *w, nsec until)
{
	if (until > w->stalled_until)
		w->stalled_until = until;
	agenda_add(&world->agenda,
		   (struct event){
			   .at = until, .kind = EVENT_WAKE, .worker = w->slot, .life = w->life});
}

void fleet_wake(struct world *world, struct worker *w)
{
	if (w->stalled_until > world->now)
		return; /* stalled again */
	w->woke_at = world->now;
	for (struct deferred *d = w->deferred; d; d = d->next) {
		d->event.at = world->now;
		agenda_add(&world->agenda, d->event);
	}
	w->deferred = NULL;
	w->deferred_tail = &w->deferred;
}

void fleet_event(struct world *world, struct event *event)
{
	struct worker *w = world->workers[event->worker];
	struct phone_call_event *wire = event->data;

	if (!w || w->life != event->life)
		return;
	if (w->stalled_until > world->now) {
		defer(world, w, event);
		return;
	}
	switch (event->kind) {
	case EVENT_ANSWER:
		answer(world, w, event->data);
		break;
	case EVENT_BROKEN:
		fleet_broken(world, w, event->number);
		break;
	case EVENT_REPLY:
		calls_finish(world, w, &wire->call, wire->hold);
		break;
	case EVENT_DELIVERED:
		outlet_delivered(world, w, event->data);
		break;
	default:
		agenda_add(
			&world->agenda,
			(struct event){.at = world->now + world_between(world, 50 * NSEC_PER_MSEC,
									150 * NSEC_PER_MSEC),
				       .kind = EVENT_TICK,
				       .worker = w->slot,
				       .life = w->life});
		break;
	}
	if (world->workers[event->worker] == w)
		turn(world, w);
}

/* Calls that ended and were not settled while Postgres was away are in the spool: spool_all(). */
static void leave_spool(struct world *world, const struct worker *w)
{
	if (fleet_conn_ready(world, w, CONN_SETTLE))
		return;
	for (size_t i = 0; i < w->unsettled_count && world->spool_count < COUNT_OF(world->spool);
	     i++)
		if (w->unsettled[i]->closes)
			world->spool[world->spool_count++] = w->unsettled[i];
	for (const struct request *r = w->again; r; r = r->next)
		for (size_t i = 0; r->kind == REQUEST_SETTLE && i < r->count; i++)
			if (r->settlements[i]->closes &&
			    world->spool_count < COUNT_OF(world->spool))
				world->spool[world->spool_count++] = r->settlements[i];
}

void fleet_crash(struct world *world, int slot)
{
	struct worker *w = world->workers[slot];

	TRACE(world, "w%d ends%s", slot, w->ended ? " tidily" : "");
	leave_spool(world, w);
	for (int i = 0; i < CONN_COUNT; i++)
		fleet_break(world, w, i, 0);
	if (w->ended) {
		broker_leave(&world->broker, slot);
		agenda_add(&world->agenda,
			   (struct event){.at = world->now, .kind = EVENT_REBALANCE});
	} else {
		agenda_add(&world->agenda, (struct event){.at = world->now + SESSION,
							  .kind = EVENT_EXPIRE,
							  .worker = slot,
							  .life = w->life});
	}
	targets_destroy(w->targets);
	w->targets = NULL;
	world->workers[slot] = NULL;
	agenda_add(&world->agenda,
		   (struct event){.at = world->now + world_between(world, 0, 12 * NSEC_PER_SEC),
				  .kind = EVENT_START,
				  .worker = slot});
}
