#include "store_change.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "buffer.h"
#include "embedded.h"
#include "ensure.h"
#include "job.h"
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

enum { CANCEL_ID, CANCEL_STOOD, CANCEL_ASKED, CANCEL_WAS_BURIED };

static enum cancel_result read_result(const struct pg_rows *rows, int row)
{
	if (pg_get_bool(rows, row, CANCEL_ASKED))
		return CANCEL_REQUESTED;
	return pg_get_bool(rows, row, CANCEL_WAS_BURIED) ? CANCEL_BURIED : CANCEL_ENDED;
}

static void spread_result(const struct uuid *ids, size_t count, enum cancel_result *results,
			  const struct uuid *id, enum cancel_result result)
{
	for (size_t i = 0; i < count; i++)
		if (uuid_equal(&ids[i], id))
			results[i] = result;
}

static bool cancel_once(struct pg *pg, const struct uuid *ids, size_t count,
			enum cancel_result *results, bool again, bool *buried, struct error *err)
{
	AUTO(pg_rows_destroy)
	struct pg_rows *rows = pg_ask(pg, embedded_text("sql/queries/cancel.sql"),
				      id_args(ids, count), err);

	if (!rows)
		return error_wrap(err, "cancel");
	for (int row = 0; row < pg_count(rows); row++) {
		struct uuid id = pg_get_uuid(rows, row, CANCEL_ID);
		enum cancel_result result = read_result(rows, row);

		*buried |= result == CANCEL_BURIED;
		if (!again || result == CANCEL_REQUESTED)
			spread_result(ids, count, results, &id, result);
	}
	return true;
}

/*
 * A claim may have slipped in between our look and our tombstone, each unseen
 * by the other. Once the tombstone is committed a second look sees such a row,
 * and no claim after it makes another.
 */
bool store_cancel(struct pg *pg, const struct uuid *ids, size_t count, enum cancel_result *results,
		  struct error *err)
{
	bool buried = false;

	if (!cancel_once(pg, ids, count, results, false, &buried, err))
		return false;
	return !buried || cancel_once(pg, ids, count, results, true, &buried, err);
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
