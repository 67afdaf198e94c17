/*
 * What keeps a batch worker honest: it beats and renews its leases with every
 * beat, and it sweeps when its own beats make it a fit judge. Nothing here
 * waits, so a long import misses no beat.
 */
#include <string.h>
#include <unistd.h>

#include "batcher.h"
#include "ensure.h"
#include "log.h"
#include "metrics.h"
#include "store_prices.h"
#include "store_times.h"

#define BEAT_EVERY NSEC_PER_SEC
#define BEAT_GAP (5 * NSEC_PER_SEC)
#define BEAT_TOO_OLD (10 * NSEC_PER_SEC)
#define FIT_TO_JUDGE (20 * NSEC_PER_SEC)
#define SWEEP_EVERY (3 * NSEC_PER_SEC)
#define PRICES_EVERY (60 * NSEC_PER_SEC)
#define WATCH_EVERY (10 * NSEC_PER_SEC)
#define BREAKERS_EVERY NSEC_PER_SEC
#define MOST_ORPHANS 2000
#define MOST_DELTAS 20000

enum question {
	ASKED_START,
	ASKED_BEAT,
	ASKED_RENEW,
	ASKED_SWEEP,
	ASKED_PARTITIONS,
	ASKED_TIMES,
	ASKED_WATCH,
	ASKED_BREAKERS
};
static enum question questions[] = {ASKED_START,      ASKED_BEAT,  ASKED_RENEW, ASKED_SWEEP,
				    ASKED_PARTITIONS, ASKED_TIMES, ASKED_WATCH, ASKED_BREAKERS};

bool batcher_may_spend(const struct batcher *w, nsec now)
{
	return w->beat_acked > 0 && now - w->beat_acked < BEAT_TOO_OLD;
}

static struct pg_args *with_id(const struct batcher *w)
{
	struct pg_args *args = pg_args_create();

	pg_uuid(args, &w->id);
	return args;
}

static void send_start(struct batcher *w)
{
	struct pg_args *args = with_id(w);
	char host[256] = "";

	gethostname(host, sizeof(host) - 1);
	pg_string(args, host);
	pg_int(args, (int32_t)getpid());
	pg_string(args, SLUICE_VERSION);
	pg_string(args, "batch");
	pg_send(w->kept[PG_BEAT], "worker_start", args, &questions[ASKED_START]);
}

static void send_renew(struct batcher *w)
{
	struct pg_args *args = with_id(w);
	int id = pg_array(args, PG_UUID), fence = pg_array(args, PG_INT4);

	for (const struct batch *batch = w->batches; batch; batch = batch->next) {
		pg_push_uuid(args, id, &batch->id);
		pg_push_int(args, fence, batch->fence);
	}
	pg_send(w->kept[PG_BEAT], "batch_renew", args, &questions[ASKED_RENEW]);
}

static void send_beat(struct batcher *w, nsec now)
{
	struct pg_args *args = with_id(w);

	pg_bool(args, w->stopping);
	pg_int(args, (int32_t)http_in_flight(w->http));
	w->beat_open = true;
	w->beat_sent = now;
	w->beat_at = now + BEAT_EVERY;
	pg_send(w->kept[PG_BEAT], "beat", args, &questions[ASKED_BEAT]);
	if (w->batches)
		send_renew(w);
}

/* The last beat counts too: after an outage everybody looks dead until they have beaten again. */
static bool is_fit_to_judge(const struct batcher *w, nsec now)
{
	return w->unbroken_since > 0 && now - w->beat_acked <= BEAT_GAP &&
	       now - w->unbroken_since >= FIT_TO_JUDGE;
}

static void send_sweep(struct batcher *w, nsec now)
{
	struct pg_args *args = pg_args_create();

	pg_int(args, is_fit_to_judge(w, now) ? MOST_ORPHANS : 0);
	pg_int(args, MOST_DELTAS);
	pg_uuid(args, &w->id);
	w->sweep_open = true;
	w->sweep_at = now + SWEEP_EVERY / 2 + random_below(&w->random, SWEEP_EVERY);
	pg_send(w->kept[PG_SWEEP], "sweep", args, &questions[ASKED_SWEEP]);
}

/* The database's clock ran otherwise than ours since the beat before: others look as dead, or as
 * alive, as it has jumped. */
static bool has_jumped(const struct batcher *w, nsec wall)
{
	nsec ran = w->beat_sent - w->beat_acked, said = wall - w->beat_wall;

	return w->beat_wall > 0 && (wall < w->beat_wall || said > ran + BEAT_GAP);
}

static void read_beat(struct batcher *w, const struct pg_answer *answer, nsec now)
{
	struct error err;

	w->beat_open = false;
	if (!answer->rows) {
		w->unbroken_since = 0;
		return;
	}
	if (pg_count(answer->rows) == 0) {
		error_set(&err, ERROR_FATAL,
			  "the row of this worker is gone from the table of workers, or ended");
		batcher_fail(w, &err);
		return;
	}
	if (w->unbroken_since == 0 || now - w->beat_acked > BEAT_GAP ||
	    has_jumped(w, pg_get_time(answer->rows, 0, 0)))
		w->unbroken_since = now;
	w->beat_wall = pg_get_time(answer->rows, 0, 0);
	clock_agree(w->beat_wall);
	w->beat_acked = w->beat_sent;
}

static bool came_back(const struct pg_rows *rows, const struct uuid *id)
{
	for (int row = 0; row < pg_count(rows); row++) {
		struct uuid held = pg_get_uuid(rows, row, 0);

		if (uuid_equal(&held, id))
			return true;
	}
	return false;
}

/* A lease that was not renewed is somebody else's, unless the batch was closed or taken since we
 * asked. */
static void read_renew(struct batcher *w, const struct pg_answer *answer)
{
	size_t lost = 0;

	for (struct batch *batch = w->batches; answer->rows && batch; batch = batch->next)
		lost += !came_back(answer->rows, &batch->id);
	if (lost > 0)
		log_debug("leases_not_renewed", "batches=%zu", lost); /* the next step finds out */
}

enum { WATCH_PROVIDER, WATCH_STATE, WATCH_COUNT, WATCH_OLDEST, WATCH_RAISED };

/* What is open at the providers, of the whole fleet; the oldest of a provider is over all states.
 */
static void read_watch(const struct pg_rows *rows)
{
	metrics_zero(METRIC_batches);
	metrics_zero(METRIC_batch_oldest_seconds);
	for (int row = 0; row < pg_count(rows); row++) {
		const char *provider = pg_get_text(rows, row, WATCH_PROVIDER);
		double age = pg_get_double(rows, row, WATCH_OLDEST);

		metrics_set(METRIC_batches, (double)pg_get_int(rows, row, WATCH_COUNT),
			    LABELS(provider, pg_get_text(rows, row, WATCH_STATE)));
		if (age >
		    series_value(metrics_series(METRIC_batch_oldest_seconds, LABELS(provider))))
			metrics_set(METRIC_batch_oldest_seconds, age, LABELS(provider));
	}
	if (pg_count(rows) > 0 && pg_get_int(rows, 0, WATCH_RAISED) > 0)
		log_warn("batches_left_at_provider", "batches=%lld",
			 (long long)pg_get_int(rows, 0, WATCH_RAISED));
}

static void read_answer(struct batcher *w, struct pg_answer *answer, nsec now)
{
	if (!answer->rows && answer->error.kind == ERROR_FATAL)
		batcher_fail(w, &answer->error);
	else if (!answer->rows)
		log_warn("housekeeping_failed", "why=%s", answer->error.text);
	switch (*(const enum question *)answer->token) {
	case ASKED_START:
		w->registered |= answer->rows != NULL;
		break;
	case ASKED_BEAT:
		read_beat(w, answer, now);
		break;
	case ASKED_RENEW:
		read_renew(w, answer);
		break;
	case ASKED_SWEEP:
		w->sweep_open = false;
		break;
	case ASKED_TIMES:
		if (answer->rows)
			store_times_read(answer->rows, &w->times);
		break;
	case ASKED_WATCH:
		if (answer->rows)
			read_watch(answer->rows);
		break;
	case ASKED_BREAKERS:
		if (answer->rows)
			broken_read(&w->broken, TAKE(answer->rows));
		break;
	case ASKED_PARTITIONS:
		break;
	}
}

static void pump(struct batcher *w, nsec now)
{
	struct pg_answer answer;

	for (int i = 0; i < PG_KEPT; i++) {
		pg_pump(w->kept[i], now);
		while (pg_next(w->kept[i], &answer)) {
			read_answer(w, &answer, now);
			pg_rows_destroy(answer.rows);
		}
	}
}

static void read_prices(struct batcher *w, nsec now)
{
	struct error err;

	if (now < w->prices_at || !w->pg)
		return;
	AUTO(pg_rows_destroy)
	struct pg_rows *rows = database_ask(w, "statements/prices", NULL, &err);
	if (!rows)
		return;
	store_prices_read(rows, &w->prices);
	w->prices_at = now + PRICES_EVERY;
	if (!pg_ready(w->kept[PG_SWEEP]))
		return;
	pg_send(w->kept[PG_SWEEP], "partitions", NULL, &questions[ASKED_PARTITIONS]);
	pg_send(w->kept[PG_SWEEP], "batch_times", NULL, &questions[ASKED_TIMES]);
}

void pulse_run(struct batcher *w, nsec now)
{
	bool ready;

	pump(w, now);
	ready = pg_ready(w->kept[PG_BEAT]);
	if (!w->registered && ready && pg_open(w->kept[PG_BEAT]) == 0)
		send_start(w);
	if (w->registered && now >= w->beat_at && !w->beat_open && ready)
		send_beat(w, now);
	if (now >= w->sweep_at && !w->sweep_open && pg_ready(w->kept[PG_SWEEP]) && !w->stopping)
		send_sweep(w, now);
	if (now >= w->watch_at && pg_ready(w->kept[PG_SWEEP])) {
		w->watch_at = now + WATCH_EVERY;
		pg_send(w->kept[PG_SWEEP], "batch_watch", NULL, &questions[ASKED_WATCH]);
	}
	if (now >= w->broken_at && pg_ready(w->kept[PG_SWEEP])) {
		w->broken_at = now + BREAKERS_EVERY;
		pg_send(w->kept[PG_SWEEP], "breakers", NULL, &questions[ASKED_BREAKERS]);
	}
	read_prices(w, now);
	metrics_set(METRIC_beat_age_seconds,
		    w->beat_acked ? (double)(now - w->beat_acked) / (double)NSEC_PER_SEC : 0,
		    NO_LABELS);
}

/* Whoever lives takes our batches at once. */
void pulse_goodbye(struct batcher *w)
{
	struct error err;

	pg_rows_destroy(database_ask(w, "batch/release", with_id(w), &err));
	pg_rows_destroy(database_ask(w, "batch/give_back", with_id(w), &err));
	pg_rows_destroy(database_ask(w, "statements/worker_end", with_id(w), &err));
}
