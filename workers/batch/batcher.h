/*
 * A batch worker: jobs of the batch lane become lines of providers' batches,
 * and lines of their results become outcomes. One thread, one place that
 * sleeps. What is on the wire is waited for; Postgres is asked and waited for,
 * one short statement at a time, because batches are few and groups large.
 * Only the beats have connections of their own that nothing waits for.
 *
 *	gather     messages and due rows become members of batches that are building
 *	members    a job on its way into a batch or out of it; the body of its line
 *	batches    the batches we hold: taking, leasing, one step after the other
 *	submission a batch that is full goes up: intent, file, create; or is found again
 *	results    a batch that has ended comes down and is settled, line by line
 *	rescue     jobs whose deadline nears leave for the normal lane
 *	outcomes   decisions become rows, and debts messages
 *	pulse      beats, leases, sweeps, what there is to know
 *	door       /metrics, /healthz, /readyz
 *
 * From one turn of the loop to the next it holds no claimed job: a job is a
 * message, a member of a batch, or a row for somebody else.
 */
#ifndef BATCH_BATCHER_H
#define BATCH_BATCHER_H

#include <stdbool.h>
#include <stdio.h>

#include "batch_times.h"
#include "batch_wire.h"
#include "broken.h"
#include "buffer.h"
#include "config.h"
#include "contract.h"
#include "hearing.h"
#include "http.h"
#include "job.h"
#include "kafka_consumer.h"
#include "kafka_producer.h"
#include "memo.h"
#include "pg.h"
#include "pricing.h"
#include "random.h"
#include "store_claim.h"
#include "store_settle.h"

#define BATCH_STATES(X)                                                            \
	X(BUILDING, "building") /* jobs join */                                    \
	X(INTENDED, "intended") /* none joins any more; its file is written */     \
	X(UPLOADED, "uploaded") /* the file is there, or a create may have left */ \
	X(CREATED, "created")	/* the provider has named it */                    \
	X(RUNNING, "running")                                                      \
	X(ENDED, "ended")	/* its results are fetched and settled */          \
	X(IMPORTED, "imported") /* closed */                                       \
	X(HELD, "held")		/* an operator must say what it is */              \
	X(FAILED, "failed")	/* nothing of it ran */

enum batch_state {
#define BATCH_STATE(name, text) BATCH_##name,
	BATCH_STATES(BATCH_STATE)
#undef BATCH_STATE
};

/* What a call on the wire is for. */
enum errand {
	ERRAND_NONE,
	ERRAND_UPLOAD,
	ERRAND_CREATE,
	ERRAND_SEARCH,
	ERRAND_POLL,
	ERRAND_CANCEL,
	ERRAND_FETCH
};

/* A batch that we hold. */
struct batch {
	struct uuid id;
	int32_t fence;
	enum batch_state state;
	const struct endpoint *endpoint;
	const struct batch_wire *wire;
	struct candidate candidate; /* for lines whose tier has it no more */
	char *model;
	size_t lines;	/* joined so far; of the file once it is written */
	size_t bytes;	/* of them, roughly until the file is written */
	int64_t tokens; /* of their prompts, roughly */
	nsec opened_at; /* monotonic */
	nsec look_at;	/* when to do something about it */
	int tries;	/* failures in a row */
	int unknown;	/* looks in a row at which the provider did not know it */
	char file_id[BATCH_ID_TEXT];
	char provider_id[BATCH_ID_TEXT];
	nsec create_intended; /* wall clock; 0: none is out */
	int rescued;
	bool cancel_requested;
	bool cancelled; /* the provider was told */

	char *path; /* of the file being written, read or fetched; owned, NULL: none */
	FILE *file;
	size_t file_len; /* once it is whole; 0: it is not */
	size_t file_lines;
	struct buffer order; /* the body of the create under way */
	struct uuid after;   /* the last line written */

	/* Looking for a create of unknown fate, page by page. */
	char page_after[BATCH_ID_TEXT];
	int matches;
	int looks; /* whole ones */
	char match[BATCH_ID_TEXT];

	/* Results. */
	char result_ids[2][BATCH_ID_TEXT]; /* output, errors; "": there is none */
	int import_file;
	int64_t cursor;

	enum errand errand;
	struct http_call *call;
	struct batch *next;
};

/* A job between its row and a line. */
struct member {
	struct job *job;
	char *bytes; /* the envelope */
	size_t len;
	char *headers;
	struct contract *contract;
	const struct tier *tier;
	enum lane lane;
	int32_t epoch;
	int crash_count;
	bool cancel_requested;
	const char *doomed; /* why it can only die; NULL: it may live */
	char doomed_detail[300];
	const char *park_reason;
	nsec park_until;
	struct memo memo;
	nsec queued;
	nsec calling;

	size_t topic; /* where its message was */
	int32_t partition;
	int64_t offset;

	/* Its line. */
	bool placed;
	struct uuid batch_id;
	struct intent intent;
	int32_t attempt_day;
	const struct candidate *candidate;
	nsec rescue_at; /* wall clock; 0: never */
};

struct tier_topic {
	char *name;
	const struct tier *tier;
};

enum { PG_BEAT, PG_SWEEP, PG_KEPT };

struct batcher {
	const struct config *config;
	struct uuid id;
	struct random random;
	struct job_reader *reader;
	struct contracts *contracts;
	char **task_schemas;
	struct price_book prices;
	struct batch_times times; /* measured, of recent batches */
	struct broken broken;
	nsec broken_at;
	struct http *http;
	struct kafka_consumer *consumer;
	struct kafka_producer *producer;
	struct pg *pg;		  /* asked and waited for; NULL: away */
	struct pg *kept[PG_KEPT]; /* the keeper's, never waited for */
	nsec pg_again;		  /* when to connect anew */
	bool pg_strays;		  /* rows may be ours without our knowing */

	struct tier_topic *topics; /* one a tier */
	char *results_topic;
	char *dead_topic;
	struct court court;

	struct gather_group *pending; /* read and not known to be claimed; NULL: none */
	nsec pull_at;
	unsigned pulls;
	struct batch *batches;
	nsec take_at;
	nsec rescue_at;
	nsec prices_at;
	nsec outbox_at;
	struct uuid *paid;
	size_t paid_count;

	struct batch_door *door; /* NULL: nobody may ask */

	bool registered, beat_open, sweep_open;
	nsec beat_at, beat_sent, beat_acked, beat_wall, unbroken_since, sweep_at, watch_at;
	bool stopping, ended, fatal;
	struct error fatal_error;
};

/* --- batcher.c --- */
struct batcher *batcher_create(const struct config *config, struct error *err) MUST_USE;
void batcher_destroy(struct batcher *w);
AUTO_DEFINE(struct batcher, batcher_destroy)
bool batcher_run(struct batcher *w, struct error *err) MUST_USE;
void batcher_fail(struct batcher *w, const struct error *err);

/* --- database.c: sql/batch/NAME.sql, or a path under sql/; takes args. NULL: said and handled ---
 */
struct pg_rows *database_ask(struct batcher *w, const char *name, struct pg_args *args,
			     struct error *err);
void database_lost(struct batcher *w, const struct error *err);
void database_tend(struct batcher *w, nsec now);
struct pg_args *batch_args(const struct batcher *w,
			   const struct batch *batch); /* id, owner, fence */

/* --- members.c --- */
struct member *member_create(struct job *job, char *bytes, size_t len, char *headers);
void member_destroy(struct member *m);
AUTO_DEFINE(struct member, member_destroy)
/* From a row of lines.sql or results.sql; NULL: its payload cannot be read. */
struct member *member_of_line(struct batcher *w, struct batch *batch, const struct pg_rows *rows,
			      int row);
void member_contract(struct batcher *w, struct member *m);
/* The body of its request, for its candidate. */
bool member_build(struct batcher *w, const struct member *m, struct buffer *body,
		  struct error *err) MUST_USE;
struct hearing member_hearing(struct batcher *w, struct member *m);
/* Where it goes: placed in a batch, or ends, or leaves, with a settlement that says so; NULL and
 * not placed: later. */
struct settlement *member_place(struct batcher *w, struct member *m, nsec now);
struct settlement *member_end(struct batcher *w, struct member *m, const char *state,
			      const char *reason, const char *detail);
struct settlement *member_leave(struct batcher *w, struct member *m, const char *reason);
struct settlement *member_move(struct batcher *w, struct member *m, const struct tier *tier,
			       enum lane lane, const char *reason);
struct settlement *member_park(struct batcher *w, struct member *m, const char *reason, nsec wait);
/* The most that its line can take of budgets. */
struct line_bound {
	int64_t input;	/* tokens */
	int64_t output; /* tokens */
	pico usd;	/* of a model without a price: the worst there is */
};
struct line_bound member_bound(const struct batcher *w, const struct member *m);
/* The time left after the wait would not do for a batch. */
bool member_must_leave(const struct batcher *w, const struct member *m, nsec wait);

/* --- gather.c --- */
void gather_run(struct batcher *w, nsec now);
void gather_forget(struct batcher *w);

/* --- batches.c --- */
void batches_run(struct batcher *w, nsec now);
void batch_advance(struct batcher *w, struct batch *batch, nsec now);
/* The one that jobs of this candidate join now; opened if need be. NULL: not possible now. */
struct batch *batches_open(struct batcher *w, const struct candidate *candidate, size_t line,
			   nsec now);
/* A line of that length is on its way into it; a full one goes up without waiting for its age. */
void batches_add(struct batcher *w, struct batch *batch, size_t len, nsec now);
void batches_forget(struct batcher *w, struct batch *batch);
const char *batch_state_name(enum batch_state state);
/* Look again after a while, counting what went wrong. False: it is not ours any more, and
 * forgotten. */
bool batch_later(struct batcher *w, struct batch *batch, nsec wait, int looks, int tries, nsec now);
/* What a step may change; zero, empty and -1 leave it as it is. */
struct batch_step {
	enum batch_state state;
	size_t lines, bytes;
	const char *file_id;
	const struct batch_report *report;
	const char *reason, *detail;
};
bool batch_step(struct batcher *w, struct batch *batch, const struct batch_step *step, nsec now);
bool batch_call(struct batcher *w, struct batch *batch, enum errand errand,
		struct http_request *request, const char *path, nsec now);
void batches_finish_calls(struct batcher *w, nsec now);
void batch_close_file(struct batch *batch);

/* --- submission.c --- */
void submission_intend(struct batcher *w, struct batch *batch, nsec now);
void submission_write(struct batcher *w, struct batch *batch, nsec now);
void batch_hold(struct batcher *w, struct batch *batch, const char *reason, const char *detail,
		nsec now);
void submission_create(struct batcher *w, struct batch *batch, nsec now);
void submission_search(struct batcher *w, struct batch *batch, nsec now);
void submission_uploaded(struct batcher *w, struct batch *batch, const struct http_reply *reply,
			 nsec now);
void submission_created(struct batcher *w, struct batch *batch, const struct http_reply *reply,
			nsec now);
void submission_searched(struct batcher *w, struct batch *batch, const struct http_reply *reply,
			 nsec now);

/* The batch as such has failed: its jobs are given back, those of the lines named go to the normal
 * lane. */
void submission_failed(struct batcher *w, struct batch *batch, const struct batch_report *report,
		       nsec now);

/* --- results.c --- */
void results_poll(struct batcher *w, struct batch *batch, nsec now);
void results_polled(struct batcher *w, struct batch *batch, const struct http_reply *reply,
		    nsec now);
void results_import(struct batcher *w, struct batch *batch, nsec now);
void results_fetched(struct batcher *w, struct batch *batch, const struct http_reply *reply,
		     nsec now);

/* --- rescue.c --- */
void rescue_run(struct batcher *w, nsec now);
/* These jobs of one batch leave for the normal lane, whatever their deadline. */
bool rescue_lines(struct batcher *w, struct batch *batch, const struct uuid *attempts, size_t count,
		  const char *reason, struct error *err);

/* --- outcomes.c --- */
/* Takes the settlements; false: Postgres is away, and nothing is known of them. */
bool outcomes_run(struct batcher *w, struct settlement **settlements, size_t count);
void outcomes_deliveries(struct batcher *w);
void outcomes_outbox(struct batcher *w, nsec now);

/* --- door.c --- */
struct batch_door *batch_door_create(const struct batcher *w, struct error *err) MUST_USE;
void batch_door_destroy(struct batch_door *door);
AUTO_DEFINE(struct batch_door, batch_door_destroy)
struct http_descriptor batch_door_descriptor(const struct batch_door *door);
nsec batch_door_run(struct batch_door *door); /* how long it may be left alone */

/* --- pulse.c --- */
void pulse_run(struct batcher *w, nsec now);
void pulse_goodbye(struct batcher *w);
/* The last beat is fresh enough to do anything that costs. */
bool batcher_may_spend(const struct batcher *w, nsec now);

#endif
