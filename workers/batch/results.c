/*
 * A batch is watched until it has ended, and its results come down: to a file
 * first, then line by line through the same verdict as any answer, in groups
 * that are settled together with a cursor behind them. It may be stopped
 * anywhere and begun again from the cursor: an attempt closes once.
 *
 * Lines come in any order, twice, or of strangers; what the provider was asked
 * and never answers is an outcome too, an unknown at its bound.
 */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "answer_key.h"
#include "batcher.h"
#include "ensure.h"
#include "failpoint.h"
#include "log.h"
#include "metrics.h"

#define LINES_AT_ONCE 250
#define BYTES_AT_ONCE ((int64_t)4 * 1024 * 1024)
#define RESULT_FILES 2
#define MOST_UNKNOWN 30 /* looks, in a row */

/* --- watching --- */

static bool has_left(const struct batch *batch)
{
	return batch->cancel_requested ||
	       (batch->rescued > 0 && (size_t)batch->rescued * 2 > batch->lines);
}

void results_poll(struct batcher *w, struct batch *batch, nsec now)
{
	struct http_request request = {.method = "GET"};
	char path[256];
	bool cancel = has_left(batch) && !batch->cancelled;

	snprintf(path, sizeof(path), "%s/%s%s", batch->wire->list_path, batch->provider_id,
		 cancel ? "/cancel" : "");
	if (cancel) {
		request.method = "POST";
		request.body = "";
		batch->cancelled = true;
		log_info("batch_cancelled", "id=%s rescued=%d lines=%zu", batch->provider_id,
			 batch->rescued, batch->lines);
	}
	batch_call(w, batch, cancel ? ERRAND_CANCEL : ERRAND_POLL, &request, path, now);
}

static void ended(struct batcher *w, struct batch *batch, const struct batch_report *report,
		  nsec now)
{
	struct batch_step step = {.state = BATCH_ENDED, .report = report};

	memcpy(batch->result_ids[0], report->output_id, BATCH_ID_TEXT);
	memcpy(batch->result_ids[1], report->error_id, BATCH_ID_TEXT);
	batch_step(w, batch, &step, now);
}

static void told(struct batcher *w, struct batch *batch, const struct batch_report *report,
		 nsec now)
{
	struct batch_step step = {.state = BATCH_RUNNING, .report = report};

	FAILPOINT("B05");
	if (report->phase == BATCH_PHASE_FAILED)
		submission_failed(w, batch, report, now);
	else if (report->phase == BATCH_PHASE_ENDED)
		ended(w, batch, report, now);
	else if (batch_step(w, batch, &step, now))
		batch_later(w, batch, w->config->batch.poll, 0, 0, now);
}

/*
 * A batch the provider does not find for a while is there all the same. One that it has not found
 * for long, or whose results it has not, is for people: only they can say whether to pay once more.
 */
static void missed(struct batcher *w, struct batch *batch, const struct http_reply *reply, nsec now)
{
	bool gone = reply->failure == HTTP_NONE && (reply->status == 404 || reply->status == 410);

	batch->unknown = gone ? batch->unknown + 1 : 0;
	if (batch->unknown >= MOST_UNKNOWN)
		batch_hold(w, batch, "vanished",
			   "the provider does not know it, or its results, any more", now);
	else
		batch_later(w, batch, w->config->batch.poll, 0, 1, now);
}

void results_polled(struct batcher *w, struct batch *batch, const struct http_reply *reply,
		    nsec now)
{
	struct batch_report report;
	struct error err;

	if (reply->failure == HTTP_NONE && reply->status / 100 == 2 &&
	    batch_wire_report(batch->wire, reply->body, reply->len, &report, &err)) {
		batch->unknown = 0;
		told(w, batch, &report, now);
		return;
	}
	log_warn("batch_poll_failed", "id=%s failure=%s status=%ld", batch->provider_id,
		 http_failure_name(reply->failure), reply->status);
	missed(w, batch, reply, now);
}

/* --- coming down --- */

static bool keep_bytes(void *owner, const char *bytes, size_t len)
{
	struct batch *batch = owner;

	FAILPOINT("B06");
	return fwrite(bytes, 1, len, batch->file) == len;
}

static void fetch(struct batcher *w, struct batch *batch, nsec now)
{
	struct http_request request = {.method = "GET", .sink = keep_bytes};
	char id[UUID_TEXT], path[256];

	batch_close_file(batch);
	batch->path = xasprintf("%s/%s.down", w->config->batch.dir, uuid_format(id, &batch->id));
	batch->file = fopen(batch->path, "w+e");
	if (!batch->file) {
		log_error("batch_file_failed", "path=%s why=%s", batch->path, strerror(errno));
		batch_close_file(batch);
		batch_later(w, batch, w->config->batch.poll, 0, 1, now);
		return;
	}
	if (batch->wire->has_files)
		snprintf(path, sizeof(path), "/files/%s/content",
			 batch->result_ids[batch->import_file]);
	else
		snprintf(path, sizeof(path), "%s/%s/results", batch->wire->list_path,
			 batch->provider_id);
	batch_call(w, batch, ERRAND_FETCH, &request, path, now);
}

void results_fetched(struct batcher *w, struct batch *batch, const struct http_reply *reply,
		     nsec now)
{
	if (reply->failure == HTTP_NONE && reply->status == 200 && fflush(batch->file) == 0) {
		batch->file_len = (size_t)ftello(batch->file);
		batch->unknown = 0;
		batch->look_at = now;
		return;
	}
	log_warn("batch_fetch_failed", "id=%s failure=%s status=%ld", batch->provider_id,
		 http_failure_name(reply->failure), reply->status);
	batch_close_file(batch);
	missed(w, batch, reply, now);
}

/* --- a group of lines --- */

struct answer {
	struct uuid attempt_id;
	struct batch_result result; /* its body points into the chunk's bytes */
};

struct chunk {
	struct buffer bytes;
	struct answer answers[LINES_AT_ONCE];
	size_t count;
	int foreign, repeated;
	int64_t end; /* where the next one begins */
	bool last;
};

static void chunk_destroy(struct chunk *chunk)
{
	if (!chunk)
		return;
	buffer_finish(&chunk->bytes);
	free(chunk);
}
AUTO_DEFINE(struct chunk, chunk_destroy)

/* Where the lines lie in the bytes, once these do not move any more. */
struct place {
	size_t start, len;
};

static size_t read_lines(struct batch *batch, struct chunk *chunk,
			 struct place places[LINES_AT_ONCE])
{
	AUTO(xfree) char *line = NULL;
	size_t room = 0, count = 0;
	ssize_t len;

	if (fseeko(batch->file, batch->cursor, SEEK_SET) != 0)
		return 0;
	while (count < LINES_AT_ONCE && (int64_t)chunk->bytes.len < BYTES_AT_ONCE) {
		len = getline(&line, &room, batch->file);
		if (len < 0) {
			chunk->last = true;
			break;
		}
		places[count++] = (struct place){chunk->bytes.len, (size_t)len};
		buffer_append(&chunk->bytes, line, (size_t)len);
	}
	chunk->end = batch->cursor + (int64_t)chunk->bytes.len;
	return count;
}

static void read_answer(const struct batch *batch, struct chunk *chunk, const char *line,
			size_t len)
{
	struct answer *answer = &chunk->answers[chunk->count];
	struct error err;

	if (strspn(line, " \t\r\n") >= len)
		return;
	if (batch_wire_result(batch->wire, line, len, &answer->result, &err) &&
	    uuid_parse(answer->result.custom_id, &answer->attempt_id))
		chunk->count++;
	else
		chunk->foreign++;
}

static int by_attempt(const void *a, const void *b)
{
	return uuid_compare(&((const struct answer *)a)->attempt_id,
			    &((const struct answer *)b)->attempt_id);
}

static void drop_repeated(struct chunk *chunk)
{
	size_t kept = 0;

	qsort(chunk->answers, chunk->count, sizeof(*chunk->answers), by_attempt);
	for (size_t i = 0; i < chunk->count; i++) {
		if (kept > 0 && uuid_equal(&chunk->answers[kept - 1].attempt_id,
					   &chunk->answers[i].attempt_id)) {
			chunk->repeated++;
			continue;
		}
		chunk->answers[kept++] = chunk->answers[i];
	}
	chunk->count = kept;
}

static struct chunk *read_chunk(struct batch *batch)
{
	struct chunk *chunk = xcalloc(1, sizeof(*chunk));
	struct place places[LINES_AT_ONCE];
	size_t count = read_lines(batch, chunk, places);

	for (size_t i = 0; i < count; i++)
		read_answer(batch, chunk, chunk->bytes.data + places[i].start, places[i].len);
	drop_repeated(chunk);
	return chunk;
}

static const struct answer *answer_to(const struct chunk *chunk, const struct uuid *attempt_id)
{
	struct answer key = {.attempt_id = *attempt_id};

	return bsearch(&key, chunk->answers, chunk->count, sizeof(key), by_attempt);
}

/* --- what a line means --- */

static void no_reply(struct reply *reply, enum reply_kind kind, const char *code)
{
	*reply = (struct reply){.kind = kind, .text = xstrdup(""), .confidence = NAN};
	snprintf(reply->code, sizeof(reply->code), "%s", code);
}

/* NULL: there is no line for it. */
static void read_reply(const struct batch *batch, const struct batch_result *result,
		       struct reply *reply)
{
	struct raw_reply raw;

	if (!result) {
		no_reply(reply, REPLY_LOST, "batch_missing");
		return;
	}
	raw = (struct raw_reply){
		.status = result->status,
		.body = result->body,
		.len = result->len,
		.wall = clock_wall(),
	};
	if (result->fate == BATCH_UNDONE)
		no_reply(reply, REPLY_UNAVAILABLE, result->code);
	else if (result->status == 0)
		no_reply(reply, REPLY_UNAVAILABLE, "status_0");
	else
		batch->endpoint->provider->read(&raw, reply);
	if (!*reply->request_id)
		snprintf(reply->request_id, sizeof(reply->request_id), "%s", result->request_id);
}

static nsec wait_of(const struct batcher *w, const struct sequel *sequel, const struct reply *reply)
{
	if (sequel->wait == 0 &&
	    (reply->kind == REPLY_THROTTLED || reply->kind == REPLY_CREDENTIAL))
		return w->config->worker.throttled.longest;
	return sequel->wait;
}

/* The same tier again: in another batch, or call by call if the time is too short for that. */
static void keep(struct batcher *w, struct member *m, const struct hearing *hearing,
		 const struct sequel *sequel, const struct reply *reply, struct settlement *s)
{
	nsec wait = wait_of(w, sequel, reply);

	if (member_must_leave(w, m, wait)) {
		hearing_move(&w->court, hearing, s, m->tier, LANE_NORMAL, sequel->reason);
		return;
	}
	hearing_decide(hearing, s, "PARKED", sequel->reason);
	s->wait = wait;
	s->progress = memo_write(&m->memo);
}

/* Cancelled while it ran: what it cost is kept, what it said is dropped. */
static void cancel(struct batcher *w, const struct hearing *hearing, struct settlement *s)
{
	struct settlement *closing = settlement_create();
	struct settlement ended_by_answer = *s;

	*s = *closing;
	*closing = ended_by_answer;
	s->closes = closing->closes;
	s->attempt_id = closing->attempt_id;
	s->attempt_day = closing->attempt_day;
	s->attempt_state = closing->attempt_state;
	s->verdict = closing->verdict;
	s->purpose = strcmp(closing->purpose, "accepted") == 0 ? "late" : closing->purpose;
	s->reply = closing->reply;
	s->status = closing->status;
	memcpy(s->answered_model, closing->answered_model, sizeof(s->answered_model));
	memcpy(s->request_id, closing->request_id, sizeof(s->request_id));
	memcpy(s->error, closing->error, sizeof(s->error));
	s->billed = closing->billed;
	s->cost = closing->cost;
	s->cache_saving = closing->cache_saving;
	s->usage = closing->usage;
	settlement_destroy(closing);
	hearing_end(&w->court, hearing, s, "CANCELLED", "cancelled", "cancelled on request", 0);
}

/* A quotation is used up by the call it was made for, unless that call has to be made again. */
static void mind_quotes(struct member *m, const struct reply *reply, const struct sequel *sequel,
			char *answer, char *note)
{
	if (sequel->quotes)
		memo_quote(&m->memo, reply->text, reply->len, sequel->note);
	else if (sequel->keeps && !sequel->forgets && note)
		memo_quote(&m->memo, answer, strlen(answer), note);
}

static struct settlement *judge(struct batcher *w, struct batch *batch, struct member *m,
				const struct batch_result *result)
{
	struct settlement *s = settlement_create();
	struct hearing hearing = member_hearing(w, m);
	AUTO(xfree) char *answer = TAKE(m->memo.repair_answer);
	AUTO(xfree) char *note = TAKE(m->memo.repair_note);
	struct sequel sequel;
	struct reply reply;
	struct digest key;

	read_reply(batch, result, &reply);
	if (answer_key_wanted(w->config, m->job)) {
		key = answer_key_of(w->config, m->job, m->tier,
				    m->contract ? m->contract->document : NULL);
		hearing.answer_key = &key;
	}
	hearing_judge(&w->court, &hearing, &reply, s, &sequel);
	mind_quotes(m, &reply, &sequel, answer, note);
	if (m->cancel_requested)
		cancel(w, &hearing, s);
	else if (sequel.keeps)
		keep(w, m, &hearing, &sequel, &reply, s);
	hearing_tell(&w->court, &hearing, s);
	metrics_add(METRIC_batch_lines_total, 1, LABELS(batch->endpoint->name, s->reply));
	reply_finish(&reply);
	return s;
}

/* Rows of results.sql or lines.sql; chunk NULL: there are no lines for them. */
static bool settle_rows(struct batcher *w, struct batch *batch, const struct pg_rows *rows,
			const struct chunk *chunk)
{
	size_t count = (size_t)pg_count(rows), made = 0;
	AUTO(xfree) struct settlement **settlements = xcalloc(count, sizeof(*settlements));

	for (size_t i = 0; i < count; i++) {
		AUTO(member_destroy) struct member *m = member_of_line(w, batch, rows, (int)i);
		const struct answer *answer = m && chunk ? answer_to(chunk, &m->intent.attempt_id)
							 : NULL;

		if (m)
			settlements[made++] = judge(w, batch, m, answer ? &answer->result : NULL);
	}
	return outcomes_run(w, settlements, made);
}

/* --- a chunk settled --- */

static struct pg_args *attempt_args(const struct batch *batch, const struct chunk *chunk)
{
	struct pg_args *args = pg_args_create();
	int ids;

	pg_uuid(args, &batch->id);
	ids = pg_array(args, PG_UUID);
	for (size_t i = 0; i < chunk->count; i++)
		pg_push_uuid(args, ids, &chunk->answers[i].attempt_id);
	return args;
}

/* Of those that are not open, which were never ours? */
static bool count_foreign(struct batcher *w, struct batch *batch, struct chunk *chunk, size_t open)
{
	struct error err;

	if (open == chunk->count)
		return true;
	AUTO(pg_rows_destroy)
	struct pg_rows *known = database_ask(w, "batch/known", attempt_args(batch, chunk), &err);
	if (!known)
		return false;
	chunk->repeated += pg_count(known) - (int)open;
	chunk->foreign += (int)chunk->count - pg_count(known);
	return true;
}

static bool note_cursor(struct batcher *w, struct batch *batch, int file, int64_t cursor,
			const struct chunk *chunk, int missing)
{
	struct pg_args *args = batch_args(w, batch);
	struct error err;

	pg_int(args, file);
	pg_big(args, cursor);
	pg_int(args, chunk ? chunk->foreign : 0);
	pg_int(args, chunk ? chunk->repeated : 0);
	pg_int(args, missing);
	AUTO(pg_rows_destroy) struct pg_rows *rows = database_ask(w, "batch/cursor", args, &err);
	if (!rows)
		return false;
	if (pg_count(rows) == 0) {
		batches_forget(w, batch);
		return false;
	}
	batch->import_file = file;
	batch->cursor = cursor;
	return true;
}

/* Not one line of it is ours: another's batch was taken for ours. */
static bool is_anothers(const struct batch *batch, const struct chunk *chunk)
{
	return batch->cursor == 0 && batch->import_file == 0 && chunk->foreign > 0 &&
	       (size_t)chunk->foreign >= chunk->count && chunk->repeated == 0 && batch->lines > 1;
}

static void import_chunk(struct batcher *w, struct batch *batch, nsec now)
{
	AUTO(chunk_destroy) struct chunk *chunk = read_chunk(batch);
	struct error err;

	AUTO(pg_rows_destroy)
	struct pg_rows *rows = database_ask(w, "batch/results", attempt_args(batch, chunk), &err);
	batch->look_at = now + (rows ? 0 : NSEC_PER_SEC);
	if (!rows || !count_foreign(w, batch, chunk, (size_t)pg_count(rows)))
		return;
	if (is_anothers(batch, chunk)) {
		batch_hold(w, batch, "not_ours", "its results are of lines that we never sent",
			   now);
		return;
	}
	if (!settle_rows(w, batch, rows, chunk)) {
		batch->look_at = now + NSEC_PER_SEC;
		return;
	}
	FAILPOINT("B07");
	if (chunk->last)
		batch_close_file(batch);
	note_cursor(w, batch, batch->import_file + chunk->last, chunk->last ? 0 : chunk->end, chunk,
		    0);
}

/* --- the end --- */

static struct pg_rows *open_lines(struct batcher *w, const struct batch *batch)
{
	static const struct uuid first;
	struct pg_args *args = pg_args_create();
	struct error err;

	pg_uuid(args, &batch->id);
	pg_uuid(args, &first);
	pg_int(args, LINES_AT_ONCE);
	return database_ask(w, "batch/lines", args, &err);
}

static void close_batch(struct batcher *w, struct batch *batch, nsec now)
{
	char id[UUID_TEXT];
	struct error err;

	FAILPOINT("B08");
	AUTO(pg_rows_destroy)
	struct pg_rows *rows = database_ask(w, "batch/close", batch_args(w, batch), &err);
	if (!rows) {
		batch->look_at = now + NSEC_PER_SEC;
		return;
	}
	if (pg_count(rows) > 0)
		log_info("batch_imported", "batch=%s id=%s lines=%zu cost=%s strays=%lld",
			 uuid_format(id, &batch->id), batch->provider_id, batch->lines,
			 pg_get_text(rows, 0, 0), (long long)pg_get_int(rows, 0, 1));
	batches_forget(w, batch);
}

/* Every file is settled: what is open now has no line at all. */
static void settle_missing(struct batcher *w, struct batch *batch, nsec now)
{
	AUTO(pg_rows_destroy) struct pg_rows *rows = open_lines(w, batch);
	char id[UUID_TEXT];

	batch->look_at = now + (rows ? 0 : NSEC_PER_SEC);
	if (!rows)
		return;
	if (pg_count(rows) == 0) {
		close_batch(w, batch, now);
		return;
	}
	log_warn("batch_lines_missing", "batch=%s lines=%d", uuid_format(id, &batch->id),
		 pg_count(rows));
	if (!settle_rows(w, batch, rows, NULL))
		batch->look_at = now + NSEC_PER_SEC;
	else
		note_cursor(w, batch, RESULT_FILES, 0, NULL, pg_count(rows));
}

void results_import(struct batcher *w, struct batch *batch, nsec now)
{
	while (batch->import_file < RESULT_FILES && !*batch->result_ids[batch->import_file]) {
		batch->import_file++; /* the provider has no such file */
		batch->cursor = 0;
	}
	if (batch->import_file >= RESULT_FILES)
		settle_missing(w, batch, now);
	else if (!batch->file)
		fetch(w, batch, now);
	else
		import_chunk(w, batch, now);
}
