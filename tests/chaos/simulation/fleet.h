/*
 * The simulated workers: the protocol of workers/sync/ step by step, each step
 * beside the file it mirrors, with the product's pure core for every decision
 * and models for everything outside.
 *
 *	world->workers[slot] = fleet_create(world, slot);
 *	fleet_event(world, &event);             -- an answer, a reply, a tick
 *	fleet_crash(world, slot);
 */
#ifndef SIMULATION_FLEET_H
#define SIMULATION_FLEET_H

#include "world.h"

enum hold_state {
	HOLD_CLAIMING,
	HOLD_READY,
	HOLD_INTENDING,
	HOLD_CALLING,
	HOLD_SETTLING,
	HOLD_WAITING,
	HOLD_GONE,
	HOLD_STATE_COUNT,
};

/* A job in the hands of a worker: struct work of workers/sync/work.h. */
struct hold {
	enum hold_state state;
	int number;	    /* of its spec */
	struct job message; /* as it was read */
	const char *bytes;
	int log;
	int64_t offset;
	const char *park_reason;
	nsec park_until;
	int32_t run, hop, epoch;
	const struct tier *tier;
	int crash_count;
	bool cancel_requested;
	bool ours;
	struct memo memo;
	struct intent intent;
	bool prepared, counted, is_probe, is_credential_probe;
	const struct candidate *candidate;
	struct target *target;
	const struct candidate *prefer;
	struct phone_call *call;
	nsec wake_at, wait_after;
	struct hold *next; /* in the worker's list */
};

struct reject_note {
	enum message_kind kind;
	int log;
	int64_t offset;
	bool has_job;
	struct uuid job_id;
	const char *reason;
};

/* Messages read together: struct claim_group. */
struct group {
	struct uuid id;
	struct hold **holds;
	size_t count, room;
	struct reject_note rejects[64];
	size_t reject_count;
	int64_t next[LOGS]; /* offsets to be stored; 0: none */
	uint64_t assignment[LOGS];
	size_t open;
	nsec opened_at;
	struct group *after;
};

enum { CONN_CLAIM, CONN_SETTLE, CONN_BEAT, CONN_SWEEP, CONN_COUNT };

enum request_kind {
	REQUEST_CLAIM,
	REQUEST_CLASSIFY,
	REQUEST_REJECT,
	REQUEST_PULL,
	REQUEST_INTEND,
	REQUEST_SETTLE,
	REQUEST_LOOK,
	REQUEST_START,
	REQUEST_BEAT,
	REQUEST_SWEEP,
	REQUEST_MINE,
	REQUEST_HAND_BACK,
	REQUEST_TAKE,
	REQUEST_PAID,
	REQUEST_REPLAY,
	REQUEST_END,
	REQUEST_KINDS,
};

/* A statement with all it needs, whatever becomes of the worker that asked. */
struct request {
	enum request_kind kind;
	int conn;
	int slot;
	struct uuid worker_id, claim_id;
	struct group *group;
	struct hold **holds;
	size_t count;
	struct claim_row *rows;
	struct intend_row *intends;
	struct reject_row *rejects;
	struct settlement **settlements;
	struct uuid *ids;
	unsigned tiers; /* of a pull: which, as bits */
	bool flag;	/* a beat: stopping; a pull: suspects; a sweep: fit to judge */
	struct request *next;
};

/* One sending of a request, and what Postgres answered to it. */
struct sending {
	struct request *request;
	unsigned generation;
	bool executed, dropped, answered;
	bool ok;
	struct claimed *claimed;
	struct standing *standing;
	struct uuid *ids;
	struct decided_row *decided;
	struct look *looks;
	struct outbox_row **debts;
	size_t count;
	struct sending *next; /* open ones of the connection, oldest first */
};

struct look {
	struct uuid job_id, claim_id;
	enum row_state state;
	int32_t epoch;
	bool cancel_requested;
};

struct parcel {
	struct uuid event_id;
	const char *topic, *body;
	bool ok;
};

struct deferred {
	struct event event;
	struct deferred *next;
};

struct worker {
	int slot;
	uint64_t life;
	struct uuid id;
	nsec stalled_until, woke_at;
	struct deferred *deferred, **deferred_tail; /* what happened meanwhile, in its order */
	struct targets *targets;
	struct connection {
		unsigned generation;
		nsec up_at, executes_at, answers_at;
		struct sending *open;
		size_t open_count;
	} conns[CONN_COUNT];
	struct request *again, **again_tail;
	struct hold *holds;
	struct group *filling, *groups, **groups_tail;
	struct hold *to_intend[64];
	size_t to_intend_count;
	nsec intend_at;
	struct settlement *unsettled[256];
	struct hold *unsettled_of[256];
	size_t unsettled_count, settles_open;
	nsec settle_at;
	struct uuid paid[512];
	size_t paid_count;
	bool paying;
	nsec outbox_at, pull_at, beat_at, sweep_at, compare_at, commit_at, replay_at;
	bool pull_open, beat_open, sweep_open, comparing, registered, replaying, ended;
	nsec beat_sent, beat_acked, unbroken_since;
	unsigned compared_generation;
	size_t suspects_due;
	bool alone;
	nsec alone_until;
	nsec stop_at; /* when the grace period ends; 0: not stopping */
	bool handed_back;
	/* Kafka as this worker knows it. */
	uint64_t generation;
	uint64_t assignment[LOGS]; /* 0: not ours */
	int64_t position[LOGS];
	int64_t stored[LOGS]; /* 0: nothing to commit */
};

struct worker *fleet_create(struct world *world, int slot);
void fleet_crash(struct world *world, int slot);
void fleet_event(struct world *world, struct event *event);
/* Stands still until then: what comes meanwhile waits. */
void fleet_stall(struct world *world, struct worker *w, nsec until);
void fleet_wake(struct world *world, struct worker *w);
void fleet_stop(struct world *world, struct worker *w);
size_t fleet_holding(const struct worker *w);

/* --- fleet_pg.c: statements on their way --- */
bool fleet_conn_ready(const struct world *world, const struct worker *w, int conn);
struct request *fleet_request(struct world *world, struct worker *w, enum request_kind kind,
			      int conn, size_t count);
void fleet_send(struct world *world, struct worker *w, struct request *request);
void fleet_send_again(struct worker *w, struct request *request);
void fleet_flush_again(struct world *world, struct worker *w);
void fleet_execute(struct world *world, struct sending *sending);
/* The connection breaks now; the worker hears of it when it runs. */
void fleet_break(struct world *world, struct worker *w, int conn, nsec down);
void fleet_broken(struct world *world, struct worker *w, int conn);

/* --- fleet_claims.c --- */
void claims_intake(struct world *world, struct worker *w);
void claims_flush(struct world *world, struct worker *w);
void claims_pull(struct world *world, struct worker *w);
void claims_answer(struct world *world, struct worker *w, struct sending *sending);
bool claims_know(const struct worker *w, const struct uuid *claim_id);
void claims_learn_assignment(struct world *world, struct worker *w);
void claims_commit(struct world *world, struct worker *w);

/* --- fleet_calls.c --- */
bool starts_allowed(const struct world *world, const struct worker *w);
bool starts_prepare(struct world *world, struct worker *w, struct hold *hold);
void starts_unprepare(struct world *world, struct hold *hold);
void starts_run(struct world *world, struct worker *w);
void starts_send(struct world *world, struct worker *w, struct hold *hold);
void starts_answer(struct world *world, struct worker *w, struct sending *sending);
void calls_finish(struct world *world, struct worker *w, struct phone_call *call,
		  struct hold *hold);
void calls_give_up(struct world *world, struct worker *w);
struct phone_call_event {
	struct phone_call call;
	struct hold *hold;
};

/* --- fleet_judge.c --- */
void judge_reply(struct world *world, struct worker *w, struct hold *hold, struct reply *reply,
		 bool valid, struct settlement *s);
struct settlement *judge_end(struct world *world, struct hold *hold, const char *state,
			     const char *reason, nsec wait);

/* --- fleet_settles.c --- */
void settles_add(struct world *world, struct worker *w, struct hold *hold, struct settlement *s);
void settles_flush(struct world *world, struct worker *w);
void settles_answer(struct world *world, struct worker *w, struct sending *sending);
void outlet_publish(struct world *world, struct worker *w, const struct settlement *s);
void outlet_flush(struct world *world, struct worker *w);
void outlet_answer(struct world *world, struct worker *w, struct sending *sending);
void outlet_append(struct world *world, struct event *event);
void outlet_delivered(struct world *world, struct worker *w, const struct parcel *parcel);

struct hold *fleet_hold(struct world *world, struct worker *w, int number);
void fleet_drop(struct world *world, struct worker *w, struct hold *hold);
struct hold *fleet_find(const struct worker *w, const struct uuid *job_id); /* ours */

#endif
