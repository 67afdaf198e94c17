/*
 * What keeps a worker honest: it beats, it sweeps when its own beats make it a
 * fit judge, and it compares what it holds with what the database thinks it
 * holds.
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ensure.h"
#include "log.h"
#include "metrics.h"
#include "store_prices.h"
#include "worker.h"

#define BEAT_EVERY NSEC_PER_SEC
#define BEAT_GAP (5 * NSEC_PER_SEC)	 /* a longer silence breaks the chain */
#define FIT_TO_JUDGE (20 * NSEC_PER_SEC) /* of beats without a gap */
#define SWEEP_EVERY (3 * NSEC_PER_SEC)
#define COMPARE_EVERY (60 * NSEC_PER_SEC)
#define PRICES_EVERY (60 * NSEC_PER_SEC)
#define RETIRE_EVERY (3600 * NSEC_PER_SEC)
#define MOST_ORPHANS 2000
#define MOST_DELTAS 20000

static void ask(struct worker *w, enum request_kind kind, int which, const char *statement,
		struct pg_args *args)
{
	worker_send(w, request_create(kind, which), statement, args);
}

static struct pg_args *with_id(const struct worker *w)
{
	struct pg_args *args = pg_args_create();

	pg_uuid(args, &w->id);
	return args;
}

static void send_start(struct worker *w)
{
	struct pg_args *args = with_id(w);
	char host[256] = "";

	gethostname(host, sizeof(host) - 1);
	pg_string(args, host);
	pg_int(args, (int32_t)getpid());
	pg_string(args, SLUICE_VERSION);
	pg_string(args, "sync");
	ask(w, REQUEST_START, PG_BEAT, "worker_start", args);
}

static void send_beat(struct worker *w, nsec now)
{
	struct pg_args *args = with_id(w);

	pg_bool(args, w->stop_at > 0);
	pg_int(args, (int32_t)works_in(&w->works, WORK_CALLING));
	w->beat_open = true;
	w->beat_sent = now;
	w->beat_at = now + BEAT_EVERY;
	ask(w, REQUEST_BEAT, PG_BEAT, "beat", args);
}

/* The last beat counts too: after an outage everybody looks dead until they have beaten again. */
static bool is_fit_to_judge(const struct worker *w, nsec now)
{
	return w->unbroken_since > 0 && now - w->beat_acked <= BEAT_GAP &&
	       now - w->unbroken_since >= FIT_TO_JUDGE;
}

static void send_sweep(struct worker *w, nsec now)
{
	struct pg_args *args = pg_args_create();

	pg_int(args, is_fit_to_judge(w, now) ? MOST_ORPHANS : 0);
	pg_int(args, MOST_DELTAS);
	pg_uuid(args, &w->id);
	w->sweep_open = true;
	w->sweep_at = now + SWEEP_EVERY / 2 + random_below(&w->random, SWEEP_EVERY);
	ask(w, REQUEST_SWEEP, PG_SWEEP, "sweep", args);
}

static void send_compare(struct worker *w, nsec now)
{
	w->comparing = true;
	w->compare_at = now + COMPARE_EVERY;
	w->compared_generation = pg_generation(w->pgs[PG_CLAIM]);
	ask(w, REQUEST_MINE, PG_SWEEP, "mine", with_id(w));
}

/* Whole days go when they are past retention; an advisory lock lets one worker do it. */
static void send_retire(struct worker *w, nsec now)
{
	struct pg_args *args = pg_args_create();

	pg_int(args, w->config->postgres.keep_days);
	pg_int(args, w->config->postgres.keep_tombstone_days);
	w->retire_at = now + RETIRE_EVERY / 2 + random_below(&w->random, RETIRE_EVERY);
	ask(w, REQUEST_RETIRE, PG_SWEEP, "retire", args);
}

void keeper_run(struct worker *w, nsec now)
{
	bool claim_ready = pg_ready(w->pgs[PG_CLAIM]);

	if (!w->registered && pg_ready(w->pgs[PG_BEAT]) && pg_open(w->pgs[PG_BEAT]) == 0)
		send_start(w);
	if (w->registered && !w->ended && now >= w->beat_at && !w->beat_open &&
	    pg_ready(w->pgs[PG_BEAT]))
		send_beat(w, now);
	if (pg_ready(w->pgs[PG_SWEEP]) && !w->stop_at) {
		if (now >= w->prices_at) {
			w->prices_at = now + PRICES_EVERY;
			ask(w, REQUEST_PRICES, PG_SWEEP, "prices", NULL);
			ask(w, REQUEST_PARTITIONS, PG_SWEEP, "partitions", NULL);
		}
		if (now >= w->retire_at)
			send_retire(w, now);
		if (now >= w->sweep_at && !w->sweep_open)
			send_sweep(w, now);
		if (!w->comparing && claim_ready && w->registered && !w->pull_open &&
		    (now >= w->compare_at ||
		     w->compared_generation != pg_generation(w->pgs[PG_CLAIM])))
			send_compare(w, now);
	}
	metrics_set(METRIC_beat_age_seconds,
		    w->beat_acked ? (double)(now - w->beat_acked) / (double)NSEC_PER_SEC : 0,
		    NO_LABELS);
}

/* --- answers --- */

/* The database's clock ran otherwise than ours since the beat before: others look as dead, or as
 * alive, as it has jumped. */
static bool has_jumped(const struct worker *w, nsec wall)
{
	nsec ran = w->beat_sent - w->beat_acked, said = wall - w->beat_wall;

	return w->beat_wall > 0 && (wall < w->beat_wall || said > ran + BEAT_GAP);
}

static void read_beat(struct worker *w, const struct pg_answer *answer, nsec now)
{
	w->beat_open = false;
	if (!answer->rows) {
		w->unbroken_since = 0;
		return;
	}
	if (pg_count(answer->rows) == 0) {
		struct error err;

		error_set(&err, ERROR_FATAL,
			  "the row of this worker is gone from the table of workers, or ended");
		worker_fail(w, &err);
		return;
	}
	if (w->unbroken_since == 0 || now - w->beat_acked > BEAT_GAP ||
	    has_jumped(w, pg_get_time(answer->rows, 0, 0)))
		w->unbroken_since = now;
	w->beat_wall = pg_get_time(answer->rows, 0, 0);
	clock_agree(w->beat_wall);
	w->beat_acked = w->beat_sent;
	w->alive = (int)pg_get_int(answer->rows, 0, 1);
}

/* What a call of a thousand tokens in and 250 out costs each target, for tiers that pick the
 * cheapest. */
static void price_targets(struct worker *w)
{
	for (size_t i = 0; i < targets_count(w->targets); i++) {
		struct target *target = targets_at(w->targets, i);
		const struct price *price = price_book_find(&w->prices,
							    target->account->endpoint->name, "",
							    target->model, MODE_SYNC, clock_wall());

		target->price = price ? price_bound(price, 1000, 250) : 0;
	}
}

static void read_sweep(struct worker *w, const struct pg_answer *answer)
{
	int64_t orphans;

	w->sweep_open = false;
	if (!answer->rows)
		return;
	orphans = pg_get_int(answer->rows, 0, 0);
	w->suspects_due = (int)pg_get_int(answer->rows, 0, 2);
	if (orphans > 0) {
		metrics_add(METRIC_repairs_total, (double)orphans, LABELS("orphan"));
		log_warn("orphans_repaired", "jobs=%lld", (long long)orphans);
		w->pull_at = 0;
	}
}

static void hand_back(struct worker *w, const struct uuid *ids, size_t count,
		      const struct uuid *unsent, const int32_t *days, size_t unsent_count)
{
	struct pg_args *args = with_id(w);
	int jobs = pg_array(args, PG_UUID), attempts = pg_array(args, PG_UUID),
	    day = pg_array(args, PG_INT4);

	for (size_t i = 0; i < count; i++)
		pg_push_uuid(args, jobs, &ids[i]);
	for (size_t i = 0; i < unsent_count; i++) {
		pg_push_uuid(args, attempts, &unsent[i]);
		pg_push_int(args, day, days[i]);
	}
	ask(w, REQUEST_HAND_BACK, PG_SWEEP, "hand_back", args);
}

/* What the database thinks is ours and we do not hold was lost on the way to us. */
static void read_mine(struct worker *w, const struct pg_answer *answer)
{
	AUTO(xfree) struct uuid *strangers = NULL;
	size_t count = 0;

	w->comparing = false;
	if (!answer->rows)
		return;
	strangers = xcalloc((size_t)pg_count(answer->rows), sizeof(*strangers));
	for (int row = 0; row < pg_count(answer->rows); row++) {
		struct uuid job_id = pg_get_uuid(answer->rows, row, 0);
		struct uuid claim_id = pg_get_uuid(answer->rows, row, 2);

		if (!work_find(&w->works, &job_id) && !claims_know(w, &claim_id) && !w->pull_open)
			strangers[count++] = job_id;
	}
	if (count == 0)
		return;
	metrics_add(METRIC_repairs_total, (double)count, LABELS("handed_back"));
	log_warn("strangers_handed_back", "jobs=%zu", count);
	hand_back(w, strangers, count, NULL, NULL, 0);
}

void keeper_answer(struct worker *w, struct request *request, struct pg_answer *answer, nsec now)
{
	if (!answer->rows && answer->error.kind == ERROR_FATAL)
		worker_fail(w, &answer->error);
	else if (!answer->rows)
		log_warn("housekeeping_failed", "why=%s", answer->error.text);
	switch (request->kind) {
	case REQUEST_START:
		w->registered |= answer->rows != NULL;
		break;
	case REQUEST_BEAT:
		read_beat(w, answer, now);
		break;
	case REQUEST_SWEEP:
		read_sweep(w, answer);
		break;
	case REQUEST_MINE:
		read_mine(w, answer);
		break;
	case REQUEST_PRICES:
		if (answer->rows) {
			store_prices_read(answer->rows, &w->prices);
			price_targets(w);
		}
		w->has_prices |= answer->rows != NULL;
		if (!w->has_prices)
			w->prices_at = now + NSEC_PER_SEC;
		break;
	case REQUEST_END:
		w->ended = true;
		break;
	default:
		break;
	}
	request_destroy(request);
}

/* At the end of the grace period: what was never sent goes back without a trace. */
void keeper_hand_back(struct worker *w, nsec now)
{
	static const enum work_state states[] = {WORK_READY, WORK_WAITING};
	AUTO(xfree) struct uuid *ids = xcalloc(w->works.held, sizeof(*ids));
	size_t count = 0;

	(void)now;
	for (size_t i = 0; i < COUNT_OF(states); i++) {
		struct work *work;

		while ((work = w->works.lists[states[i]].first)) {
			ids[count++] = work->job->id;
			starts_unprepare(work);
			work_destroy(&w->works, work);
		}
	}
	if (count > 0) {
		log_info("handed_back", "jobs=%zu", count);
		hand_back(w, ids, count, NULL, NULL, 0);
	}
	w->handed_back = true;
}
