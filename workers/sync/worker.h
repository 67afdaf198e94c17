/*
 * A sync worker: one thread, one place that sleeps. worker.c calls the steps in
 * order; each step is a file, and they share this struct.
 *
 *	intake   messages and due rows become claim groups
 *	claims   groups become rows that are ours
 *	recalls  what was answered before is not called for again
 *	starts   ours become intents, intents become calls
 *	calls    replies become verdicts
 *	settles  verdicts become rows, money and debts
 *	outlet   debts become messages
 *	hooks    debts become webhooks
 *	quota    what may be spent: turns at the fleet's allowances
 *	keeper   beats, sweeps, comparing what we hold with what the database thinks
 */
#ifndef SYNC_WORKER_H
#define SYNC_WORKER_H

#include <stdbool.h>

#include "config.h"
#include "hearing.h"
#include "http.h"
#include "kafka_consumer.h"
#include "kafka_producer.h"
#include "pg.h"
#include "pricing.h"
#include "random.h"
#include "readahead.h"
#include "store_settle.h"
#include "targets.h"
#include "work.h"

/* A topic we read: a tier and a lane. */
struct tier_topic {
	char *name;
	const struct tier *tier;
	enum lane lane;
};

/* Messages read together: claimed in one statement, their offsets stored in one go. */
struct claim_group {
	struct uuid id;
	struct work **works; /* sorted by job id when sent */
	size_t count;
	struct rejected *rejects;
	size_t reject_count;
	struct stored_offset {
		size_t topic;
		int32_t partition;
		uint64_t assignment;
		int64_t next;
	} * offsets;
	size_t offset_count;
	nsec opened_at;
	size_t open; /* statements on their way, or waiting to be sent again */
	struct claim_group *next;
};

/* A message that is no job, until its reject has committed. */
struct rejected {
	const char *topic; /* the worker's */
	int32_t partition;
	int64_t offset;
	bool has_job_id;
	struct uuid job_id;
	const char *reason;
	char detail[400];
	char *bytes; /* owned */
	size_t len;
};

/* A statement on its way: what it asked and for whom. Kept until it is answered, or sent again. */
enum request_kind {
	REQUEST_CLAIM,	  /* works [from, from + count) of the group */
	REQUEST_CLASSIFY, /* those of them that were not won */
	REQUEST_REJECT,	  /* rejects [from, from + count) of the group */
	REQUEST_PULL,
	REQUEST_RECALL,
	REQUEST_INTEND,
	REQUEST_SETTLE,
	REQUEST_LOOK,
	REQUEST_PAID,
	REQUEST_TAKE,
	REQUEST_START,
	REQUEST_BEAT,
	REQUEST_SWEEP,
	REQUEST_MINE,
	REQUEST_HAND_BACK,
	REQUEST_PRICES,
	REQUEST_PARTITIONS,
	REQUEST_RETIRE,
	REQUEST_REPLAY,
	REQUEST_TURN,
	REQUEST_ALLOWANCES,
	REQUEST_ALLOWANCE_SET,
	REQUEST_PARKED,
	REQUEST_HOOKS_TAKE,
	REQUEST_HOOKS_RECORD,
	REQUEST_ALERTS,
	REQUEST_END,
};

struct request {
	enum request_kind kind;
	int which; /* connection */
	nsec sent_at;
	nsec again_at; /* refused for a passing reason: not sent again before */
	struct claim_group *group;
	size_t from, count;
	struct uuid claim_id;		 /* of a claim, a classify, a pull */
	bool suspects;			 /* of a pull */
	struct work **works;		 /* of an intend or a recall; the array is owned */
	struct settlement **settlements; /* of a settle or look, owned with their contents */
	char *path;			 /* of a replayed spool file, owned */
	struct request *next;		 /* while it waits to be sent again */
};

enum { PG_CLAIM, PG_SETTLE, PG_BEAT, PG_SWEEP, PG_QUOTA, PG_COUNT };

struct worker {
	const struct config *config;
	struct uuid id;
	struct random random;
	struct job_reader *reader;
	struct contracts *contracts;
	char **task_schemas; /* the text of each task's schema, beside config->tasks; NULL: none */
	struct targets *targets;
	struct quota *quota;
	struct readahead *readahead;
	struct price_book prices;
	bool has_prices; /* read once; a call made before would be unpriced */
	struct http *http;
	struct hooks *hooks;
	struct kafka_consumer *consumer;
	struct kafka_producer *producer;
	struct pg *pgs[PG_COUNT];
	struct door *door; /* /metrics and its kin; NULL: off */

	struct tier_topic *topics;
	size_t topic_count;
	char *cluster; /* Kafka's own id: part of the id of a job that brings none */
	char *results_topic;
	char *dead_topic;

	struct works works;
	struct claim_group *filling; /* NULL: none */
	struct claim_group *claims,
		**claims_tail; /* sent, oldest first: offsets are stored in this order */
	bool pull_open;
	nsec pull_at;
	size_t line_turn;	 /* of which line the next one is started */
	nsec overdue_at;	 /* when to look for READY jobs that can only end */
	struct work **to_intend; /* in INTENDING, waiting for company */
	size_t to_intend_count;
	nsec intend_at; /* when the first of them was put there */

	struct work **to_recall; /* in RECALLING, to be asked for */
	size_t to_recall_count;

	struct settlement **unsettled; /* waiting for company */
	size_t unsettled_count;
	nsec settle_at;
	size_t settles_open;   /* settle and look statements on their way */
	struct request *again; /* to be sent again when their connection is back, oldest first */

	struct uuid *paid; /* event ids delivered, to be deleted from the outbox */
	size_t paid_count;
	nsec paid_at;
	bool paying;
	nsec outbox_at;
	nsec delivered_at; /* Kafka took something, or had nothing to take */

	/* spool */
	nsec spool_at;	     /* when to look at the folder again */
	nsec spool_retry_at; /* after a file that could not be written */
	nsec settle_down_at; /* since when settles can't be sent; 0: they can */
	char **spooled;	     /* files of ours */
	size_t spooled_count;
	bool replaying;

	/* keeper */
	nsec beat_at; /* when to beat next */
	bool beat_open;
	nsec beat_sent;
	nsec beat_acked;     /* when the last acknowledged beat was sent */
	nsec beat_wall;	     /* what the database's clock said then */
	nsec unbroken_since; /* beats have succeeded without a gap since; 0: they have not */
	nsec sweep_at;
	bool sweep_open;
	nsec compare_at;
	unsigned compared_generation;
	bool comparing;
	nsec prices_at;
	nsec retire_at;
	bool registered;
	int alive; /* workers, as of the last beat */
	int suspects_due;
	bool alone;	  /* draining for, or running, a suspect */
	nsec alone_until; /* with nothing in hand; moves on while there is */
	nsec alone_ends;  /* when its turn with suspects is over; 0: the others are still leaving */

	nsec started;
	nsec progress_at; /* something was completed */
	nsec stop_at;	  /* when the grace period ends; 0: not stopping */
	bool handed_back; /* what was left at its end */
	bool ended;	  /* the workers row says so */
	bool fatal;
	struct error fatal_error;
};

/* --- worker.c --- */
struct worker *worker_create(const struct config *config, struct error *err) MUST_USE;
void worker_destroy(struct worker *w);
AUTO_DEFINE(struct worker, worker_destroy)

/* Runs until it was told to stop and has finished, or can't go on. */
bool worker_run(struct worker *w, struct error *err) MUST_USE;

/* What it is doing, one line a thing: for /statusz, SIGUSR1 and the watchdog. */
void worker_dump(const struct worker *w, nsec now);

/* Send a prepared statement on connection `which` for the request, which it takes. */
void worker_send(struct worker *w, struct request *request, const char *statement,
		 struct pg_args *args);
void worker_send_again(struct worker *w,
		       struct request *request); /* when the connection is back; takes it */
struct request *request_create(enum request_kind kind, int which);
void request_destroy(struct request *request);

/* Something only an operator can mend: stop, say why, be restarted. */
void worker_fail(struct worker *w, const struct error *err);

/* --- intake.c --- */
void intake_read(struct worker *w, nsec now);
/* Find what the answer must fit; a job whose schema is none is doomed. `bytes` are its envelope. */
void intake_contract(struct worker *w, struct work *work, const char *bytes, size_t len);
/* How many more jobs we can hold, and of one topic. */
size_t intake_room(const struct worker *w, nsec now);
size_t intake_room_of(const struct worker *w, size_t topic, nsec now);
size_t intake_pull_room_of(const struct worker *w, size_t topic, nsec now);

/* --- claims.c --- */
struct claim_group *claims_group(struct worker *w, nsec now); /* the one being filled */
void claims_flush(struct worker *w, nsec now, bool all);
void claims_answer(struct worker *w, struct request *request, struct pg_answer *answer, nsec now);
void claims_resend(struct worker *w, struct request *request); /* takes it */
void claims_pull(struct worker *w, nsec now);
bool claims_know(const struct worker *w, const struct uuid *claim_id);
void claim_group_destroy(struct worker *w, struct claim_group *group);
/* Ours now, with this payload if it brought one: make it READY. */
struct work *claims_adopt(struct worker *w, struct work *work, const struct claimed *claimed,
			  nsec now);

/* --- recalls.c --- */
/* Whether a job is looked for in the cache before it is called. */
bool recalls_wants(const struct worker *w, const struct work *work);
void recalls_add(struct worker *w, struct work *work);
void recalls_flush(struct worker *w);
void recalls_answer(struct worker *w, struct request *request, struct pg_answer *answer, nsec now);
void recalls_resend(struct worker *w, struct request *request); /* takes it */

/* --- starts.c --- */
/* Check everything that is asked before a call; choose where it goes. True: work->intent is made.
 */
bool starts_prepare(struct worker *w, struct work *work, nsec now);
/* A budget of the job's is used up wherever it would go: how long until its period ends. */
bool starts_is_broke(struct worker *w, const struct work *work, nsec now, nsec *wait);

/* Whether a tier's topics are read: it can take calls, or is out of order and some task has another
 * way. */
bool starts_reads(const struct worker *w, const struct tier *tier, nsec now);

/* All of its tier is out of order and its task has no other way: until a probe may tell more. */
bool starts_is_stuck(struct worker *w, struct work *work, nsec now, nsec *wait);
void starts_unprepare(struct work *work);
void starts_run(struct worker *w, nsec now);			 /* READY and due WAITING ones */
nsec starts_nap(const struct worker *w, nsec longest, nsec now); /* until a line may go on */
/* What a job counts for its unit when its turn comes: its likely tokens. */
uint64_t starts_cost(const struct worker *w, const struct work *work);
void starts_send(struct worker *w, struct work *work, nsec now); /* the intent has committed */
void starts_answer(struct worker *w, struct request *request, struct pg_answer *answer, nsec now);
void starts_flush(struct worker *w, nsec now);
void starts_resend(struct worker *w, struct request *request); /* takes it */
bool starts_allowed(const struct worker *w,
		    nsec now); /* the last beat is fresh enough to spend money */

/* --- calls.c --- */
void calls_finish(struct worker *w, nsec now);
void calls_give_up(struct worker *w, nsec now); /* the grace period is over */
void calls_uncount(struct work *work);

/* --- judge.c --- */
/* What the reply means: fills the closing and the decision. */
void judge_reply(struct worker *w, struct work *work, struct reply *reply, struct settlement *s,
		 nsec now);
/* An end without a call: fills a decision for DEAD, CANCELLED or PARKED. */
struct settlement *judge_end(struct worker *w, struct work *work, const char *state,
			     const char *reason, const char *detail, nsec wait, nsec now);

/* Done, by an answer from the cache. */
struct settlement *judge_recall(struct worker *w, struct work *work, const struct recalled *answer,
				nsec now);

/* To another tier without a call: fills a decision for QUEUED. */
bool judge_has_static(struct worker *w, struct work *work, nsec now);
struct settlement *judge_move(struct worker *w, struct work *work, const struct tier *tier,
			      const char *reason, nsec now);

/* --- settles.c --- */
void settles_add(struct worker *w, struct work *work, struct settlement *settlement, nsec now);
void settles_flush(struct worker *w, nsec now, bool all);
void settles_answer(struct worker *w, struct request *request, struct pg_answer *answer, nsec now);
void settles_resend(struct worker *w, struct request *request); /* takes it */
size_t settles_pending(const struct worker *w);

/* --- outlet.c --- */
void outlet_publish(struct worker *w, struct settlement *settlement);
void outlet_deliveries(struct worker *w, nsec now);
void outlet_flush(struct worker *w, nsec now);
void outlet_answer(struct worker *w, struct request *request, struct pg_answer *answer, nsec now);

/* --- keeper.c --- */
void keeper_run(struct worker *w, nsec now);
void keeper_answer(struct worker *w, struct request *request, struct pg_answer *answer, nsec now);
void keeper_hand_back(struct worker *w, nsec now);

/* --- spool.c --- */
void spool_run(struct worker *w, nsec now);
/* Everything not settled yet to disk, at once: for a worker that must leave while Postgres is away.
 */
bool spool_all(struct worker *w, struct error *err) MUST_USE;
void spool_answer(struct worker *w, struct request *request, struct pg_answer *answer);

/* --- door.c --- */
struct door *door_create(struct worker *w, struct error *err) MUST_USE;
void door_destroy(struct door *door);
struct http_descriptor door_descriptor(const struct door *door);
nsec door_run(struct door *door, nsec now); /* returns the longest sleep it allows */

#endif
