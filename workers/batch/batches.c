/*
 * The batches we hold: which they are, how long they are ours, and who moves
 * each of them one step further. Every step is a statement that names the
 * batch's fence; one that hits nothing means that the batch is somebody else's.
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "batcher.h"
#include "ensure.h"
#include "log.h"
#include "metrics.h"

#define TAKE_EVERY NSEC_PER_SEC
#define TAKE_AT_ONCE 16
#define MOST_HELD 256
#define ROOM_AT_LEAST ((size_t)64 * 1024) /* of bytes, for the frame of a file */
#define TOTAL_TIMEOUT (3600 * NSEC_PER_SEC)
#define IDLE_TIMEOUT (60 * NSEC_PER_SEC)

const char *batch_state_name(enum batch_state state)
{
	static const char *const names[] = {
#define BATCH_STATE(name, text) [BATCH_##name] = text,
		BATCH_STATES(BATCH_STATE)
#undef BATCH_STATE
	};

	return names[state];
}

static enum batch_state state_of(const char *name)
{
	enum batch_state state = BATCH_BUILDING;

	while (strcmp(batch_state_name(state), name) != 0) {
		ENSURE(state != BATCH_FAILED);
		state++;
	}
	return state;
}

void batch_close_file(struct batch *batch)
{
	if (batch->file)
		fclose(TAKE(batch->file));
	if (batch->path)
		unlink(batch->path);
	free(TAKE(batch->path));
	batch->file_len = 0;
}

static void destroy(struct batcher *w, struct batch *batch)
{
	if (batch->call)
		http_cancel(w->http, batch->call);
	batch_close_file(batch);
	buffer_finish(&batch->order);
	free(batch->model);
	free(batch);
}

void batches_forget(struct batcher *w, struct batch *batch)
{
	struct batch **link = &w->batches;

	while (*link != batch)
		link = &(*link)->next;
	*link = batch->next;
	destroy(w, batch);
}

static size_t held(const struct batcher *w)
{
	size_t count = 0;

	for (const struct batch *batch = w->batches; batch; batch = batch->next)
		count++;
	return count;
}

/* --- building --- */

static size_t most_lines(const struct batcher *w, const struct batch_wire *wire)
{
	return w->config->batch.max_lines < wire->max_lines ? w->config->batch.max_lines
							    : wire->max_lines;
}

static size_t most_bytes(const struct batcher *w, const struct batch_wire *wire)
{
	size_t most = w->config->batch.max_bytes < wire->max_bytes ? w->config->batch.max_bytes
								   : wire->max_bytes;

	return most > 2 * ROOM_AT_LEAST ? most - ROOM_AT_LEAST : most;
}

static bool is_full(const struct batcher *w, const struct batch *batch, size_t line)
{
	return batch->lines >= most_lines(w, batch->wire) ||
	       batch->bytes + line > most_bytes(w, batch->wire);
}

static struct batch *open_batch(struct batcher *w, const struct candidate *candidate, nsec now)
{
	const struct endpoint *endpoint = candidate->endpoint;
	const struct batch_wire *wire = batch_wire_find(endpoint->provider->dialect);
	struct uuid id = uuid_make();
	struct pg_args *args = pg_args_create();
	struct batch *batch;
	struct error err;

	pg_uuid(args, &id);
	pg_uuid(args, &w->id);
	pg_string(args, endpoint->name);
	pg_string(args, wire->dialect);
	pg_string(args, candidate->model);
	pg_string(args, wire->endpoint);
	pg_string(args, endpoint->credential);
	AUTO(pg_rows_destroy) struct pg_rows *rows = database_ask(w, "batch/open", args, &err);
	if (!rows)
		return NULL;
	batch = xcalloc(1, sizeof(*batch));
	batch->id = id;
	batch->fence = 1;
	batch->endpoint = endpoint;
	batch->wire = wire;
	batch->model = xstrdup(candidate->model);
	batch->candidate = *candidate;
	batch->candidate.model = batch->model;
	batch->opened_at = now;
	batch->look_at = now + w->config->batch.max_age;
	batch->next = w->batches;
	w->batches = batch;
	return batch;
}

struct batch *batches_open(struct batcher *w, const struct candidate *candidate, size_t line,
			   nsec now)
{
	for (struct batch *batch = w->batches; batch; batch = batch->next) {
		if (batch->state != BATCH_BUILDING || batch->endpoint != candidate->endpoint ||
		    strcmp(batch->model, candidate->model) != 0)
			continue;
		if (!is_full(w, batch, line))
			return batch;
		batch->look_at = now;
	}
	return held(w) < MOST_HELD ? open_batch(w, candidate, now) : NULL;
}

void batches_add(struct batcher *w, struct batch *batch, size_t len, nsec now)
{
	batch->lines++;
	batch->bytes += len;
	batch->tokens += (int64_t)(len / 4);
	if (is_full(w, batch, len))
		batch->look_at = now;
}

/* --- steps --- */

/* Of what nobody told: -1. */
static void push_count(struct pg_args *args, int64_t value, bool big)
{
	if (big)
		pg_big(args, value);
	else
		pg_int(args, (int32_t)(value < INT32_MAX ? value : INT32_MAX));
}

static const char *or_null(const char *text)
{
	return text && *text ? text : NULL;
}

static void add_report(struct pg_args *args, const struct batch_report *report)
{
	static const struct batch_report none = {.total = -1,
						 .completed = -1,
						 .failed = -1,
						 .input_tokens = -1,
						 .output_tokens = -1};
	const struct batch_report *r = report ? report : &none;

	pg_string(args, or_null(r->id));
	pg_string(args, or_null(r->status));
	pg_string(args, or_null(r->output_id));
	pg_string(args, or_null(r->error_id));
	push_count(args, r->total, false);
	push_count(args, r->completed, false);
	push_count(args, r->failed, false);
	push_count(args, r->input_tokens, true);
	push_count(args, r->output_tokens, true);
}

static bool is_ours(struct batcher *w, struct batch *batch, const struct pg_rows *rows)
{
	char id[UUID_TEXT];

	if (pg_count(rows) > 0)
		return true;
	log_warn("batch_not_ours", "batch=%s fence=%d", uuid_format(id, &batch->id),
		 (int)batch->fence);
	batches_forget(w, batch);
	return false;
}

bool batch_step(struct batcher *w, struct batch *batch, const struct batch_step *step, nsec now)
{
	struct pg_args *args = batch_args(w, batch);
	char id[UUID_TEXT];
	struct error err;

	pg_string(args, batch_state_name(step->state));
	push_count(args, step->lines > 0 ? (int64_t)step->lines : -1, false);
	push_count(args, step->bytes > 0 ? (int64_t)step->bytes : -1, true);
	pg_string(args, or_null(step->file_id));
	add_report(args, step->report);
	pg_string(args, or_null(step->reason));
	pg_string(args, or_null(step->detail));
	pg_time(args, step->report ? step->report->expires : 0);
	AUTO(pg_rows_destroy) struct pg_rows *rows = database_ask(w, "batch/step", args, &err);
	if (!rows) {
		batch->look_at = now + NSEC_PER_SEC;
		if (err.kind == ERROR_REJECT)
			log_error("batch_step_refused", "batch=%s why=%s",
				  uuid_format(id, &batch->id), err.text);
		return false;
	}
	if (!is_ours(w, batch, rows))
		return false;
	if (batch->state != step->state)
		log_info("batch",
			 "batch=%s provider=%s model=%s state=%s from=%s lines=%zu id=%s reason=%s",
			 uuid_format(id, &batch->id), batch->endpoint->name, batch->model,
			 batch_state_name(step->state), batch_state_name(batch->state),
			 batch->lines, batch->provider_id, step->reason ? step->reason : "");
	if (batch->state != step->state)
		batch->tries = 0;
	batch->state = step->state;
	batch->look_at = now;
	return true;
}

bool batch_later(struct batcher *w, struct batch *batch, nsec wait, int looks, int tries, nsec now)
{
	struct pg_args *args = batch_args(w, batch);
	struct error err;

	pg_double(args, (double)wait / (double)NSEC_PER_SEC);
	pg_int(args, looks);
	pg_int(args, tries);
	batch->look_at = now + wait;
	AUTO(pg_rows_destroy) struct pg_rows *rows = database_ask(w, "batch/look", args, &err);
	if (!rows)
		return true; /* the lease decides whose it is */
	if (!is_ours(w, batch, rows))
		return false;
	batch->tries = (int)pg_get_int(rows, 0, 1);
	batch->cancel_requested = pg_get_bool(rows, 0, 2);
	if (looks > 0)
		batch->looks = (int)pg_get_int(rows, 0, 0);
	return true;
}

/* --- calls --- */

static void add_header(struct http_request *request, const char **headers, const char *line)
{
	headers[request->header_count++] = line;
}

bool batch_call(struct batcher *w, struct batch *batch, enum errand errand,
		struct http_request *request, const char *path, nsec now)
{
	const struct endpoint *endpoint = batch->endpoint;
	const char *headers[8];
	char url[1400], key[1200];
	struct error err;

	ENSURE(!batch->call && request->header_count <= 4);
	for (size_t i = 0; i < request->header_count; i++)
		headers[i] = request->headers[i];
	request->headers = headers;
	if (*endpoint->key) {
		const char *at = strstr(endpoint->provider->key_header, "%s");

		ENSURE(at);
		snprintf(key, sizeof(key), "%.*s%s", (int)(at - endpoint->provider->key_header),
			 endpoint->provider->key_header, endpoint->key);
		add_header(request, headers, key);
	}
	if (endpoint->provider->version_header)
		add_header(request, headers, endpoint->provider->version_header);
	snprintf(url, sizeof(url), "%s%s", endpoint->base_url, path);
	request->url = url;
	request->timeouts = (struct http_timeouts){endpoint->connect_timeout, TOTAL_TIMEOUT / 6,
						   IDLE_TIMEOUT, TOTAL_TIMEOUT};
	if (errand != ERRAND_UPLOAD && errand != ERRAND_CREATE)
		request->timeouts.first_byte = endpoint->first_byte_timeout;
	request->ca_file = *endpoint->ca_file ? endpoint->ca_file : NULL;
	batch->call = http_start(w->http, request, batch, now, &err);
	if (!batch->call) {
		log_error("batch_call_impossible", "why=%s", err.text);
		batch->look_at = now + w->config->batch.retry;
		return false;
	}
	batch->errand = errand;
	return true;
}

static void finish_call(struct batcher *w, struct batch *batch, const struct http_reply *reply,
			nsec now)
{
	enum errand errand = batch->errand;

	batch->call = NULL;
	batch->errand = ERRAND_NONE;
	switch (errand) {
	case ERRAND_UPLOAD:
		submission_uploaded(w, batch, reply, now);
		break;
	case ERRAND_CREATE:
		submission_created(w, batch, reply, now);
		break;
	case ERRAND_SEARCH:
		submission_searched(w, batch, reply, now);
		break;
	case ERRAND_POLL:
	case ERRAND_CANCEL:
		results_polled(w, batch, reply, now);
		break;
	case ERRAND_FETCH:
		results_fetched(w, batch, reply, now);
		break;
	case ERRAND_NONE:
		ENSURE(errand != ERRAND_NONE);
	}
}

void batches_finish_calls(struct batcher *w, nsec now)
{
	struct http_reply *reply;

	while ((reply = http_finished(w->http))) {
		finish_call(w, reply->owner, reply, now);
		http_reply_release(w->http, reply);
	}
}

/* --- taking over --- */

enum {
	TAKEN_ID,
	TAKEN_FENCE,
	TAKEN_STATE,
	TAKEN_PROVIDER,
	TAKEN_MODEL,
	TAKEN_ENDPOINT,
	TAKEN_CREDENTIAL,
	TAKEN_LINES,
	TAKEN_BYTES,
	TAKEN_CREATES,
	TAKEN_LOOKS,
	TAKEN_TRIES,
	TAKEN_FILE,
	TAKEN_PROVIDER_ID,
	TAKEN_OUTPUT,
	TAKEN_ERRORS,
	TAKEN_IMPORT_FILE,
	TAKEN_CURSOR,
	TAKEN_INTENDED,
	TAKEN_SUBMITTED,
	TAKEN_CANCEL,
	TAKEN_OPENED,
	TAKEN_TOKENS,
	TAKEN_RESCUED,
};

static void copy_text(char id[BATCH_ID_TEXT], const struct pg_rows *rows, int row, int column)
{
	snprintf(id, BATCH_ID_TEXT, "%s", pg_get_text(rows, row, column));
}

static void read_taken(struct batch *batch, const struct pg_rows *rows, int row)
{
	batch->id = pg_get_uuid(rows, row, TAKEN_ID);
	batch->fence = (int32_t)pg_get_int(rows, row, TAKEN_FENCE);
	batch->state = state_of(pg_get_text(rows, row, TAKEN_STATE));
	batch->lines = (size_t)pg_get_int(rows, row, TAKEN_LINES);
	batch->bytes = (size_t)pg_get_int(rows, row, TAKEN_BYTES);
	batch->tokens = pg_get_int(rows, row, TAKEN_TOKENS);
	batch->tries = (int)pg_get_int(rows, row, TAKEN_TRIES);
	batch->rescued = (int)pg_get_int(rows, row, TAKEN_RESCUED);
	batch->import_file = (int)pg_get_int(rows, row, TAKEN_IMPORT_FILE);
	batch->cursor = pg_get_int(rows, row, TAKEN_CURSOR);
	batch->create_intended = pg_get_time(rows, row, TAKEN_SUBMITTED);
	batch->cancel_requested = pg_get_bool(rows, row, TAKEN_CANCEL);
	copy_text(batch->file_id, rows, row, TAKEN_FILE);
	copy_text(batch->provider_id, rows, row, TAKEN_PROVIDER_ID);
	copy_text(batch->result_ids[0], rows, row, TAKEN_OUTPUT);
	copy_text(batch->result_ids[1], rows, row, TAKEN_ERRORS);
}

static void name_candidate(struct batch *batch, const struct config *config)
{
	batch->candidate = (struct candidate){
		.endpoint = batch->endpoint,
		.model = batch->model,
		.traits = model_lookup(batch->wire->dialect, batch->model),
	};
	for (size_t t = 0; t < config->tier_count; t++)
		for (size_t i = 0; i < config->tiers[t].candidate_count; i++) {
			const struct candidate *candidate = &config->tiers[t].candidates[i];

			if (candidate->endpoint == batch->endpoint &&
			    strcmp(candidate->model, batch->model) == 0)
				batch->candidate.traits = candidate->traits;
		}
}

static void adopt(struct batcher *w, const struct pg_rows *rows, int row, nsec now)
{
	const struct endpoint *endpoint = config_endpoint(w->config,
							  pg_get_text(rows, row, TAKEN_PROVIDER));
	const struct batch_wire *wire = endpoint ? batch_wire_find(endpoint->provider->dialect)
						 : NULL;
	struct batch *batch = xcalloc(1, sizeof(*batch));
	char id[UUID_TEXT];

	read_taken(batch, rows, row);
	if (!wire || strcmp(endpoint->credential, pg_get_text(rows, row, TAKEN_CREDENTIAL)) != 0) {
		log_error("batch_of_unknown_account", "batch=%s provider=%s credential=%s",
			  uuid_format(id, &batch->id), pg_get_text(rows, row, TAKEN_PROVIDER),
			  pg_get_text(rows, row, TAKEN_CREDENTIAL));
		free(batch);
		return;
	}
	batch->endpoint = endpoint;
	batch->wire = wire;
	batch->model = xstrdup(pg_get_text(rows, row, TAKEN_MODEL));
	name_candidate(batch, w->config);
	batch->opened_at = 0; /* one that was building is closed at once: nobody knows its size */
	batch->look_at = now;
	batch->next = w->batches;
	w->batches = batch;
	log_info("batch_taken", "batch=%s state=%s fence=%d", uuid_format(id, &batch->id),
		 batch_state_name(batch->state), (int)batch->fence);
}

static void take(struct batcher *w, nsec now)
{
	struct pg_args *args;
	struct error err;

	if (now < w->take_at || held(w) >= MOST_HELD)
		return;
	w->take_at = now + TAKE_EVERY / 2 + random_below(&w->random, TAKE_EVERY);
	args = pg_args_create();
	pg_uuid(args, &w->id);
	pg_int(args, TAKE_AT_ONCE);
	AUTO(pg_rows_destroy) struct pg_rows *rows = database_ask(w, "batch/take", args, &err);
	for (int row = 0; rows && row < pg_count(rows); row++)
		adopt(w, rows, row, now);
}

/* Two of us with one lease would be a bug: what we were given again we have lost before. */
static void drop_older(struct batcher *w)
{
	for (struct batch *batch = w->batches; batch; batch = batch->next)
		for (struct batch **link = &batch->next; *link;) {
			struct batch *older = *link;

			if (!uuid_equal(&older->id, &batch->id)) {
				link = &older->next;
				continue;
			}
			*link = older->next;
			destroy(w, older);
		}
}

/* --- one step --- */

void batch_advance(struct batcher *w, struct batch *batch, nsec now)
{
	switch (batch->state) {
	case BATCH_BUILDING:
		submission_intend(w, batch, now);
		break;
	case BATCH_INTENDED:
		submission_write(w, batch, now);
		break;
	case BATCH_UPLOADED:
		if (batch->create_intended == 0)
			submission_create(w, batch, now);
		else
			submission_search(w, batch, now);
		break;
	case BATCH_CREATED:
	case BATCH_RUNNING:
		results_poll(w, batch, now);
		break;
	case BATCH_ENDED:
		results_import(w, batch, now);
		break;
	case BATCH_IMPORTED:
	case BATCH_HELD:
	case BATCH_FAILED:
		batches_forget(w, batch);
		break;
	}
}

void batches_run(struct batcher *w, nsec now)
{
	struct batch *next;

	take(w, now);
	drop_older(w);
	for (struct batch *batch = w->batches; batch && w->pg; batch = next) {
		next = batch->next;
		if (!batch->call && now >= batch->look_at)
			batch_advance(w, batch, now);
	}
}
