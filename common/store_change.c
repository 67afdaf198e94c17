#include "store_change.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "buffer.h"
#include "embedded.h"
#include "ensure.h"
#include "hearing.h"
#include "job.h"
#include "memo.h"
#include "store_settle.h"
#include "topic.h"

const char *cancel_result_name(enum cancel_result result)
{
	static const char *const names[] = {
#define CANCEL_NAME(name, text) [CANCEL_##name] = text,
		CANCEL_RESULTS(CANCEL_NAME)
#undef CANCEL_NAME
	};

	return names[result];
}

static struct pg_args *id_args(const struct uuid *ids, size_t count)
{
	struct pg_args *args = pg_args_create();
	int array = pg_array(args, PG_UUID);

	for (size_t i = 0; i < count; i++)
		pg_push_uuid(args, array, &ids[i]);
	return args;
}

/* --- cancel --- */

enum {
	CANCEL_ID,
	CANCEL_STOOD,
	CANCEL_WAS_BURIED,
	CANCEL_RUN,
	CANCEL_HOP,
	CANCEL_EPOCH,
	CANCEL_TIER,
	CANCEL_LANE,
	CANCEL_PROGRESS,
	CANCEL_AGE,
	CANCEL_HEADERS,
	CANCEL_BODY,
};

/* One transaction's work: who is ended here, and who is asked to end. */
struct cancelling {
	const struct court *court;
	struct job_reader *reader;
	struct uuid us; /* the owner for the length of the transaction */
	struct settlement **ends;
	size_t end_count;
	struct pg_args *take;
	int ours, others;
};

static void cancelling_finish(struct cancelling *c)
{
	for (size_t i = 0; i < c->end_count; i++)
		settlement_destroy(c->ends[i]);
	free(c->ends);
	pg_args_destroy(c->take);
	job_reader_destroy(c->reader);
}

/* NULL: it has no payload that can be read. */
static struct job *read_waiting(const struct cancelling *c, const struct pg_rows *rows, int row)
{
	static const struct job_source nowhere = {.cluster = "", .topic = ""};
	struct error why;
	struct job *job;
	const char *body;
	size_t len;

	if (pg_is_null(rows, row, CANCEL_BODY))
		return NULL;
	body = pg_get_bytes(rows, row, CANCEL_BODY, &len);
	job = job_read(c->reader, body, len, &nowhere, &why);
	if (!job)
		return NULL;
	job->id = pg_get_uuid(rows, row, CANCEL_ID);
	job->run = (int32_t)pg_get_int(rows, row, CANCEL_RUN);
	job->hop = (int32_t)pg_get_int(rows, row, CANCEL_HOP);
	return job;
}

/* The settlement of a job that nobody holds, once it is ours. */
static struct settlement *end_of(const struct cancelling *c, const struct job *job,
				 const struct pg_rows *rows, int row)
{
	const struct tier *tier = config_tier(c->court->config,
					      pg_get_text(rows, row, CANCEL_TIER));
	AUTO_FINISH(memo_finish) struct memo memo = {0};
	struct settlement *s = settlement_create();
	struct hearing hearing = {
		.job = job,
		.headers = pg_get_text(rows, row, CANCEL_HEADERS),
		.tier = tier ? tier : &c->court->config->tiers[0],
		.epoch = (int32_t)pg_get_int(rows, row, CANCEL_EPOCH) + 1,
		.memo = &memo,
		.total = (nsec)pg_get_int(rows, row, CANCEL_AGE) * NSEC_PER_MSEC,
	};

	memo_read(&memo, pg_get_text(rows, row, CANCEL_PROGRESS));
	if (!lane_parse(pg_get_text(rows, row, CANCEL_LANE), &hearing.lane))
		hearing.lane = LANE_NORMAL;
	hearing_end(c->court, &hearing, s, "CANCELLED", "cancelled", "cancelled on request", 0);
	hearing_tell(c->court, &hearing, s);
	if (!tier)
		s->tier = NULL; /* the configuration has lost it: as it is */
	return s;
}

static enum cancel_result cancel_one(struct cancelling *c, const struct pg_rows *rows, int row)
{
	const char *stood = pg_get_text(rows, row, CANCEL_STOOD);
	struct uuid id = pg_get_uuid(rows, row, CANCEL_ID);
	AUTO(job_destroy) struct job *job = NULL;

	if (pg_get_bool(rows, row, CANCEL_WAS_BURIED))
		return CANCEL_BURIED;
	if (!*stood || strcmp(stood, "DONE") == 0 || strcmp(stood, "DEAD") == 0 ||
	    strcmp(stood, "CANCELLED") == 0)
		return CANCEL_ENDED;
	job = read_waiting(c, rows, row);
	if (!job) {
		pg_push_uuid(c->take, c->others, &id);
		return CANCEL_REQUESTED;
	}
	pg_push_uuid(c->take, c->ours, &id);
	c->ends[c->end_count++] = end_of(c, job, rows, row);
	return CANCEL_CANCELLED;
}

static bool run_with(struct pg *pg, const char *statement, struct pg_args *args, int *rows,
		     struct error *err)
{
	AUTO(pg_rows_destroy)
	struct pg_rows *done = pg_ask(pg, embedded_text(statement), args, err);

	if (done && rows)
		*rows = pg_count(done);
	return done != NULL;
}

static struct pg_args *events_of(const struct cancelling *c)
{
	struct pg_args *args = pg_args_create();
	int events = pg_array(args, PG_UUID);

	for (size_t i = 0; i < c->end_count; i++)
		for (size_t k = 0; k < c->ends[i]->debt_count; k++)
			pg_push_uuid(args, events, &c->ends[i]->debts[k].event_id);
	return args;
}

/* They are ours, and nobody has seen it: the ordinary settle ends them. */
static bool settle_ends(struct pg *pg, const struct cancelling *c, struct error *err)
{
	int settled = 0;

	if (c->end_count == 0)
		return true;
	if (!run_with(pg, "sql/statements/settle.sql", store_settle_args(c->ends, c->end_count),
		      &settled, err))
		return false;
	if ((size_t)settled != c->end_count)
		return error_set(err, ERROR_RETRY, "%d of %zu jobs were settled", settled,
				 c->end_count);
	return run_with(pg, "sql/queries/cancel_tell.sql", events_of(c), NULL, err);
}

static void spread_result(const struct uuid *ids, size_t count, enum cancel_result *results,
			  const struct uuid *id, enum cancel_result result)
{
	for (size_t i = 0; i < count; i++)
		if (uuid_equal(&ids[i], id))
			results[i] = result;
}

static bool cancel_in_transaction(struct pg *pg, struct cancelling *c, const struct uuid *ids,
				  size_t count, enum cancel_result *results, bool again,
				  bool *buried, struct error *err)
{
	AUTO(pg_rows_destroy)
	struct pg_rows *rows = pg_ask(pg, embedded_text("sql/queries/cancel.sql"),
				      id_args(ids, count), err);

	if (!rows)
		return false;
	c->ends = xcalloc((size_t)pg_count(rows) + 1, sizeof(struct settlement *));
	for (int row = 0; row < pg_count(rows); row++) {
		struct uuid id = pg_get_uuid(rows, row, CANCEL_ID);
		enum cancel_result result = cancel_one(c, rows, row);

		*buried |= result == CANCEL_BURIED;
		if (!again || result == CANCEL_REQUESTED || result == CANCEL_CANCELLED)
			spread_result(ids, count, results, &id, result);
	}
	return run_with(pg, "sql/queries/cancel_take.sql", TAKE(c->take), NULL, err) &&
	       settle_ends(pg, c, err) && pg_run(pg, "COMMIT", err);
}

static bool cancel_once(struct pg *pg, const struct court *court, const struct uuid *ids,
			size_t count, enum cancel_result *results, bool again, bool *buried,
			struct error *err)
{
	AUTO_FINISH(cancelling_finish)
	struct cancelling c = {
		.court = court,
		.reader = job_reader_create(court->config->kafka.max_message_bytes),
		.us = uuid_make(),
		.take = pg_args_create(),
	};
	struct error ignored;

	c.ours = pg_array(c.take, PG_UUID);
	pg_uuid(c.take, &c.us);
	c.others = pg_array(c.take, PG_UUID);
	if (!pg_run(pg, "BEGIN", err))
		return error_wrap(err, "cancel");
	if (cancel_in_transaction(pg, &c, ids, count, results, again, buried, err))
		return true;
	(void)!pg_run(pg, "ROLLBACK", &ignored);
	return error_wrap(err, "cancel");
}

/*
 * A claim may have slipped in between our look and our tombstone, each unseen
 * by the other. Once the tombstone is committed a second look sees such a row,
 * and no claim after it makes another.
 */
bool store_cancel(struct pg *pg, const struct court *court, const struct uuid *ids, size_t count,
		  enum cancel_result *results, struct error *err)
{
	bool buried = false;

	if (!cancel_once(pg, court, ids, count, results, false, &buried, err))
		return false;
	return !buried || cancel_once(pg, court, ids, count, results, true, &buried, err);
}

/* --- run again --- */

enum { LOOK_ID, LOOK_RUN, LOOK_TIER, LOOK_LANE, LOOK_HEADERS };

/* Arrays of the statement, in the order of its parameters. */
struct rerun_args {
	struct pg_args *args;
	int ids, runs, tiers, events, topics, keys, headers, messages;
};

static struct rerun_args rerun_begin(void)
{
	struct rerun_args a = {.args = pg_args_create()};

	a.ids = pg_array(a.args, PG_UUID);
	a.runs = pg_array(a.args, PG_INT4);
	a.tiers = pg_array(a.args, PG_TEXT);
	a.events = pg_array(a.args, PG_UUID);
	a.topics = pg_array(a.args, PG_TEXT);
	a.keys = pg_array(a.args, PG_TEXT);
	a.headers = pg_array(a.args, PG_TEXT);
	a.messages = pg_array(a.args, PG_BYTES);
	return a;
}

void store_move_headers(struct buffer *out, const struct uuid *event_id, int32_t run,
			const char *others)
{
	char text[UUID_TEXT];

	buffer_printf(
		out,
		"{\"sluice-event-id\":\"%s\",\"sluice-event\":\"move\",\"sluice-run\":\"%" PRId32
		"\",\"sluice-hop\":\"0\"",
		uuid_format(text, event_id), run);
	if (others[0] == '{' && others[1] != '}' && others[1] != '\0')
		buffer_printf(out, ",%s", others + 1);
	else
		buffer_byte(out, '}');
}

static void rerun_add(const struct rerun_args *a, const char *prefix, const struct pg_rows *rows,
		      int row)
{
	AUTO_FINISH(buffer_finish) struct buffer headers = {0};
	struct uuid id = pg_get_uuid(rows, row, LOOK_ID), event_id;
	int32_t run = (int32_t)pg_get_int(rows, row, LOOK_RUN) + 1;
	AUTO(xfree) char *message = job_thin_message(&id, run, 0);
	char topic[TOPIC_TEXT], key[UUID_TEXT];

	snprintf(topic, sizeof(topic), "%s.%s.%s", prefix, pg_get_text(rows, row, LOOK_TIER),
		 pg_get_text(rows, row, LOOK_LANE));
	event_id = job_event_id(&id, run, 0, "move", topic);
	store_move_headers(&headers, &event_id, run, pg_get_text(rows, row, LOOK_HEADERS));
	pg_push_uuid(a->args, a->ids, &id);
	pg_push_int(a->args, a->runs, run);
	pg_push_string(a->args, a->tiers, pg_get_text(rows, row, LOOK_TIER));
	pg_push_uuid(a->args, a->events, &event_id);
	pg_push_string(a->args, a->topics, topic);
	pg_push_string(a->args, a->keys, uuid_format(key, &id));
	pg_push_string(a->args, a->headers, headers.data);
	pg_push_bytes(a->args, a->messages, message, strlen(message));
}

struct pg_args *store_rerun_args(const char *prefix, const struct pg_rows *found)
{
	struct rerun_args a = rerun_begin();

	for (int row = 0; row < pg_count(found); row++)
		rerun_add(&a, prefix, found, row);
	return a.args;
}

static bool rerun_in_transaction(struct pg *pg, const char *prefix, const struct uuid *ids,
				 size_t count, size_t *started, struct error *err)
{
	AUTO(pg_rows_destroy)
	struct pg_rows *found = pg_ask(pg, embedded_text("sql/queries/rerun_look.sql"),
				       id_args(ids, count), err);

	if (!found)
		return false;
	AUTO(pg_rows_destroy)
	struct pg_rows *done = pg_ask(pg, embedded_text("sql/queries/rerun.sql"),
				      store_rerun_args(prefix, found), err);
	if (!done)
		return false;
	*started = (size_t)pg_affected(done);
	return pg_run(pg, "COMMIT", err);
}

bool store_rerun(struct pg *pg, const char *prefix, const struct uuid *ids, size_t count,
		 size_t *started, struct error *err)
{
	struct error ignored;

	if (!pg_run(pg, "BEGIN", err))
		return error_wrap(err, "run again");
	if (rerun_in_transaction(pg, prefix, ids, count, started, err))
		return true;
	(void)!pg_run(pg, "ROLLBACK", &ignored);
	return error_wrap(err, "run again");
}
