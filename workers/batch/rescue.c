/*
 * Jobs that leave their batch: because their deadline nears, or because the
 * provider refuses their line. They go to the normal lane, a hop further, and
 * their epoch stays: until a sync worker claims them an accepted line still
 * wins, afterwards it is only charged.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "batcher.h"
#include "ensure.h"
#include "log.h"
#include "metrics.h"
#include "outbox.h"
#include "topic.h"

#define LOOK_EVERY NSEC_PER_SEC
#define MOST_AT_ONCE 500

enum { LOOK_ID, LOOK_RUN, LOOK_HOP, LOOK_TIER, LOOK_HEADERS, LOOK_BATCH };

struct rescue_args {
	struct pg_args *args;
	int ids, hops, events, topics, keys, headers, messages;
};

static struct rescue_args begin_args(void)
{
	struct rescue_args a = {.args = pg_args_create()};

	a.ids = pg_array(a.args, PG_UUID);
	a.hops = pg_array(a.args, PG_INT4);
	a.events = pg_array(a.args, PG_UUID);
	a.topics = pg_array(a.args, PG_TEXT);
	a.keys = pg_array(a.args, PG_TEXT);
	a.headers = pg_array(a.args, PG_TEXT);
	a.messages = pg_array(a.args, PG_BYTES);
	return a;
}

/* Ours, and those the job came with, which are a JSON object or nothing. */
static void write_headers(struct buffer *out, const struct uuid *event_id, int32_t run, int32_t hop,
			  const char *others)
{
	char text[UUID_TEXT];

	buffer_printf(
		out,
		"{\"sluice-event-id\":\"%s\",\"sluice-event\":\"move\",\"sluice-run\":\"%" PRId32
		"\",\"sluice-hop\":\"%" PRId32 "\"",
		uuid_format(text, event_id), run, hop);
	if (others[0] == '{' && others[1] != '}' && others[1] != '\0')
		buffer_printf(out, ",%s", others + 1);
	else
		buffer_byte(out, '}');
}

/* The message that moves one job. */
struct move {
	struct uuid job_id;
	struct uuid event_id;
	int32_t hop;
	char topic[TOPIC_TEXT];
	char key[UUID_TEXT];
	struct buffer headers;
	char *message; /* owned */
};

static void move_finish(struct move *move)
{
	buffer_finish(&move->headers);
	free(move->message);
}

static void make_move(const struct batcher *w, const struct pg_rows *rows, int row,
		      struct move *move)
{
	int32_t run = (int32_t)pg_get_int(rows, row, LOOK_RUN);

	move->job_id = pg_get_uuid(rows, row, LOOK_ID);
	move->hop = (int32_t)pg_get_int(rows, row, LOOK_HOP) + 1;
	move->message = job_thin_message(&move->job_id, run, move->hop);
	snprintf(move->topic, sizeof(move->topic), "%s.%s.%s", w->config->kafka.prefix,
		 pg_get_text(rows, row, LOOK_TIER), lane_name(LANE_NORMAL));
	move->event_id = job_event_id(&move->job_id, run, move->hop, "move", move->topic);
	uuid_format(move->key, &move->job_id);
	write_headers(&move->headers, &move->event_id, run, move->hop,
		      pg_get_text(rows, row, LOOK_HEADERS));
}

static void add(const struct batcher *w, const struct rescue_args *a, const struct pg_rows *rows,
		int row)
{
	AUTO_FINISH(move_finish) struct move move = {0};

	make_move(w, rows, row, &move);
	pg_push_uuid(a->args, a->ids, &move.job_id);
	pg_push_int(a->args, a->hops, move.hop);
	pg_push_uuid(a->args, a->events, &move.event_id);
	pg_push_string(a->args, a->topics, move.topic);
	pg_push_string(a->args, a->keys, move.key);
	pg_push_string(a->args, a->headers, move.headers.data);
	pg_push_bytes(a->args, a->messages, move.message, strlen(move.message));
	metrics_add(METRIC_batch_rescues_total, 1, LABELS(pg_get_text(rows, row, LOOK_TIER)));
}

/* Committed: time matters, so nobody waits for the next sweep. */
static void publish(struct batcher *w, const struct pg_rows *rows)
{
	for (int row = 0; row < pg_count(rows); row++) {
		AUTO_FINISH(move_finish) struct move move = {0};

		make_move(w, rows, row, &move);
		outbox_produce(w->producer, &move.event_id, move.topic, move.key, move.headers.data,
			       move.message, strlen(move.message));
	}
}

static bool move(struct batcher *w, const struct pg_rows *rows, const char *reason,
		 struct error *err)
{
	struct rescue_args a = begin_args();

	for (int row = 0; row < pg_count(rows); row++)
		add(w, &a, rows, row);
	pg_string(a.args, reason);
	AUTO(pg_rows_destroy) struct pg_rows *done = database_ask(w, "batch/rescue", a.args, err);
	return done != NULL;
}

/* How many of each batch are gone, so that one most have left is cancelled. */
static void count_rescued(struct batcher *w, const struct pg_rows *rows)
{
	for (int row = 0; row < pg_count(rows); row++) {
		struct uuid id = pg_get_uuid(rows, row, LOOK_BATCH);

		for (struct batch *batch = w->batches; batch; batch = batch->next)
			batch->rescued += uuid_equal(&batch->id, &id);
	}
}

/* Looked at and moved in one transaction, so that the rows stay as they were seen. */
static bool look_and_move(struct batcher *w, const char *look, struct pg_args *args,
			  const char *reason, int *moved, struct error *err)
{
	if (!w->pg || !pg_run(w->pg, "BEGIN", err)) {
		pg_args_destroy(args);
		if (!w->pg)
			return error_set(err, ERROR_RETRY, "Postgres is away");
		database_lost(w, err);
		return false;
	}
	AUTO(pg_rows_destroy) struct pg_rows *rows = database_ask(w, look, args, err);
	if (!rows)
		return false;
	*moved = pg_count(rows);
	if (*moved > 0 && !move(w, rows, reason, err)) {
		if (w->pg && !pg_run(w->pg, "ROLLBACK", err))
			database_lost(w, err);
		return false;
	}
	if (!pg_run(w->pg, "COMMIT", err)) {
		database_lost(w, err);
		return false;
	}
	publish(w, rows);
	count_rescued(w, rows);
	return true;
}

void rescue_run(struct batcher *w, nsec now)
{
	struct pg_args *args;
	struct error err;
	int moved = 0;

	if (now < w->rescue_at || !w->pg)
		return;
	w->rescue_at = now + LOOK_EVERY / 2 + random_below(&w->random, LOOK_EVERY);
	args = pg_args_create();
	pg_int(args, MOST_AT_ONCE);
	if (!look_and_move(w, "batch/rescue_look", args, "rescue", &moved, &err) || moved == 0)
		return;
	log_info("jobs_rescued", "jobs=%d", moved);
	w->rescue_at = now; /* there may be more */
}

bool rescue_lines(struct batcher *w, struct batch *batch, const struct uuid *attempts, size_t count,
		  const char *reason, struct error *err)
{
	struct pg_args *args = pg_args_create();
	int ids, moved = 0;

	pg_uuid(args, &batch->id);
	ids = pg_array(args, PG_UUID);
	for (size_t i = 0; i < count; i++)
		pg_push_uuid(args, ids, &attempts[i]);
	return look_and_move(w, "batch/rescue_lines", args, reason, &moved, err);
}
