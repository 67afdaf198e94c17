/*
 * A batch goes up. The order of things is what keeps it from being paid twice:
 *
 *	no job joins any more          state intended           B02
 *	its file is written, uploaded                           B03
 *	the file's id is journaled     state uploaded
 *	a create may leave             create_intended_at
 *	it is created                                           B04
 *	its id is journaled            state created
 *
 * Found with create_intended_at and no id of the provider, a batch is looked for
 * in the provider's list: by its file and our id where the provider tells them,
 * else by its size and time among those we do not know, with at most one
 * submission of unknown fate a workspace. Only when it was not there for long
 * enough, over several whole lists, another create may leave.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "batcher.h"
#include "ensure.h"
#include "failpoint.h"
#include "log.h"
#include "metrics.h"

#define LINES_AT_ONCE 250
#define MAX_BODY ((size_t)8 * 1024 * 1024)
#define MOST_TRIES 8
#define COLUMN_OURS 10			  /* of lines.sql */
#define CLOCKS_APART (600 * NSEC_PER_SEC) /* how far the provider's clock may be behind ours */

static nsec soon(const struct batch *batch)
{
	int doublings = batch->tries < 6 ? batch->tries : 6;

	return NSEC_PER_SEC << doublings;
}

void batch_hold(struct batcher *w, struct batch *batch, const char *reason, const char *detail,
		nsec now)
{
	struct batch_step step = {.state = BATCH_HELD, .reason = reason, .detail = detail};
	char id[UUID_TEXT];

	if (!batch_step(w, batch, &step, now))
		return;
	log_error("batch_held", "batch=%s reason=%s detail=%s", uuid_format(id, &batch->id), reason,
		  detail);
	batches_forget(w, batch);
}

static void scatter(struct batcher *w, struct batch *batch, const char *reason, const char *detail,
		    nsec now)
{
	struct pg_args *args = batch_args(w, batch);
	char id[UUID_TEXT];
	struct error err;

	pg_string(args, reason);
	pg_string(args, detail);
	AUTO(pg_rows_destroy) struct pg_rows *rows = database_ask(w, "batch/scatter", args, &err);
	if (!rows) {
		batch->look_at = now + NSEC_PER_SEC;
		return;
	}
	log_warn("batch_scattered", "batch=%s reason=%s jobs=%lld", uuid_format(id, &batch->id),
		 reason, (long long)(pg_count(rows) > 0 ? pg_get_int(rows, 0, 0) : 0));
	batches_forget(w, batch);
}

/* --- intended --- */

void submission_intend(struct batcher *w, struct batch *batch, nsec now)
{
	struct pg_args *args;
	struct error err;

	if (broken_has_key(&w->broken, batch->endpoint)) { /* it would only be refused */
		batch_later(w, batch, w->config->batch.retry, 0, 0, now);
		return;
	}
	args = batch_args(w, batch);
	pg_big(args, w->config->batch.max_enqueued_tokens);
	pg_big(args, batch->tokens);
	AUTO(pg_rows_destroy) struct pg_rows *rows = database_ask(w, "batch/intend", args, &err);
	if (!rows) {
		batch->look_at = now + NSEC_PER_SEC;
		return;
	}
	if (pg_count(rows) == 0) { /* others of this model are enqueued, or it is not ours */
		batch_later(w, batch, w->config->batch.poll, 0, 0, now);
		return;
	}
	FAILPOINT("B02");
	batch->state = BATCH_INTENDED;
	batch->lines = (size_t)pg_get_int(rows, 0, 0);
	batch->look_at = now;
}

/* --- its file --- */

static const char *boundary_of(const struct batch *batch, char text[48])
{
	char id[UUID_TEXT];

	snprintf(text, 48, "sluice-%s", uuid_format(id, &batch->id));
	return text;
}

static bool put(struct batch *batch, const struct buffer *bytes)
{
	return fwrite(bytes->data, 1, bytes->len, batch->file) == bytes->len;
}

static bool open_file(struct batcher *w, struct batch *batch)
{
	AUTO_FINISH(buffer_finish) struct buffer head = {0};
	char id[UUID_TEXT], boundary[48];

	batch->path = xasprintf("%s/%s.up", w->config->batch.dir, uuid_format(id, &batch->id));
	batch->file = fopen(batch->path, "w+e");
	batch->after = (struct uuid){0};
	batch->file_lines = 0;
	if (!batch->file)
		return false;
	batch_wire_begin(batch->wire, boundary_of(batch, boundary), id, &head);
	return put(batch, &head);
}

/* The line stays behind: what was never sent ends without money. */
static struct settlement *not_sent(struct settlement *s, const struct member *m)
{
	s->closes = true;
	s->attempt_id = m->intent.attempt_id;
	s->attempt_day = m->attempt_day;
	s->attempt_state = "throttled";
	s->verdict = s->purpose = s->reply = "not_sent";
	return s;
}

static struct settlement *write_body(struct batcher *w, struct batch *batch, struct member *m,
				     bool *written)
{
	AUTO_FINISH(buffer_finish) struct buffer body = {.max = MAX_BODY};
	AUTO_FINISH(buffer_finish) struct buffer line = {0};
	char attempt[UUID_TEXT];
	struct error err;

	if (!member_build(w, m, &body, &err))
		return member_end(w, m, "DEAD", "unsendable", err.text);
	if (batch->file_lines > 0)
		batch_wire_between(batch->wire, &line);
	batch_wire_line(batch->wire, uuid_format(attempt, &m->intent.attempt_id), body.data,
			body.len, &line);
	if ((size_t)ftello(batch->file) + line.len + 256 > batch->wire->max_bytes)
		return member_end(w, m, "PARKED", "batch_full", "");
	*written = put(batch, &line);
	batch->file_lines += *written;
	return NULL;
}

/* A page of the batch's lines, and which of them no budget has room for. */
struct page {
	struct member **members; /* owned */
	size_t count;
	const struct pg_rows *rows;
	struct pg_rows *refused; /* owned; rows of reserve.sql */
};

static void page_finish(struct page *page)
{
	for (size_t i = 0; i < page->count; i++)
		member_destroy(page->members[i]);
	free(page->members);
	pg_rows_destroy(page->refused);
}

enum { REFUSED_ATTEMPT, REFUSED_POLICY, REFUSED_WAIT };

/* The row that says why the line may not be sent; -1: it may. */
static int refusal_of(const struct page *page, const struct member *m)
{
	for (int row = 0; row < pg_count(page->refused); row++) {
		struct uuid attempt_id = pg_get_uuid(page->refused, row, REFUSED_ATTEMPT);

		if (uuid_equal(&attempt_id, &m->intent.attempt_id))
			return row;
	}
	return -1;
}

/* A budget is used up, until its period ends or for the moment: what then is its own affair. */
static struct settlement *at_the_stop(struct batcher *w, struct member *m,
				      const struct pg_rows *refused, int row)
{
	const char *policy = pg_get_text(refused, row, REFUSED_POLICY);
	nsec wait = (nsec)pg_get_int(refused, row, REFUSED_WAIT) * NSEC_PER_MSEC;

	if (strcmp(policy, "dead") == 0)
		return member_end(w, m, "DEAD", "budget", "the budget is used up for this period");
	if (strcmp(policy, "degrade") == 0 && m->tier->rank > 0 && !*m->job->candidate)
		return member_move(w, m, &w->config->tiers[0], LANE_BATCH, "budget");
	return member_park(w, m, "budget", wait);
}

/* NULL: it is in the file, unless the disk is full. */
static struct settlement *write_line(struct batcher *w, struct batch *batch,
				     const struct page *page, size_t i, bool *written)
{
	struct member *m = page->members[i];
	int refusal = refusal_of(page, m);
	struct settlement *s;

	if (!pg_get_bool(page->rows, (int)i, COLUMN_OURS))
		s = settlement_create(); /* rescued meanwhile */
	else if (m->cancel_requested)
		s = member_end(w, m, "CANCELLED", "cancelled", "cancelled on request");
	else if (refusal >= 0)
		s = at_the_stop(w, m, page->refused, refusal);
	else
		s = write_body(w, batch, m, written);
	return s ? not_sent(s, m) : NULL;
}

static bool read_page(struct batcher *w, struct batch *batch, const struct pg_rows *rows,
		      struct page *page)
{
	page->rows = rows;
	page->members = xcalloc((size_t)pg_count(rows), sizeof(struct member *));
	for (int row = 0; row < pg_count(rows); row++) {
		struct member *m = member_of_line(w, batch, rows, row);

		if (!m)
			return false;
		page->members[page->count++] = m;
	}
	return true;
}

/* Money is reserved before a line may leave; one that is written again has done so before. */
static bool reserve_page(struct batcher *w, struct batch *batch, struct page *page)
{
	struct pg_args *args = pg_args_create();
	struct error err;

	pg_uuid(args, &batch->id);
	int id = pg_array(args, PG_UUID), input = pg_array(args, PG_INT8),
	    output = pg_array(args, PG_INT8), worst = pg_array(args, PG_INT8);

	for (size_t i = 0; i < page->count; i++) {
		const struct member *m = page->members[i];
		struct line_bound bound = member_bound(w, m);

		if (!pg_get_bool(page->rows, (int)i, COLUMN_OURS) || m->cancel_requested)
			continue;
		pg_push_uuid(args, id, &m->intent.attempt_id);
		pg_push_big(args, input, bound.input);
		pg_push_big(args, output, bound.output);
		pg_push_big(args, worst, bound.usd);
	}
	page->refused = database_ask(w, "batch/reserve", args, &err);
	return page->refused != NULL;
}

/* True: all of the page is in the file or settled. */
static bool write_page(struct batcher *w, struct batch *batch, const struct pg_rows *rows)
{
	AUTO_FINISH(page_finish) struct page page = {0};
	size_t left = 0;
	bool good = read_page(w, batch, rows, &page) && reserve_page(w, batch, &page);
	AUTO(xfree) struct settlement **ends = xcalloc(page.count, sizeof(*ends));

	for (size_t i = 0; i < page.count && good; i++) {
		struct settlement *end = write_line(w, batch, &page, i, &good);

		if (end)
			ends[left++] = end;
		batch->after = page.members[i]->intent.attempt_id;
	}
	return outcomes_run(w, ends, left) && good;
}

static struct pg_rows *next_page(struct batcher *w, struct batch *batch)
{
	struct pg_args *args = pg_args_create();
	struct error err;

	pg_uuid(args, &batch->id);
	pg_uuid(args, &batch->after);
	pg_int(args, LINES_AT_ONCE);
	return database_ask(w, "batch/lines", args, &err);
}

static bool end_file(struct batch *batch)
{
	AUTO_FINISH(buffer_finish) struct buffer tail = {0};
	char boundary[48];

	batch_wire_end(batch->wire, boundary_of(batch, boundary), &tail);
	if (!put(batch, &tail) || fflush(batch->file) != 0)
		return false;
	batch->file_len = (size_t)ftello(batch->file);
	batch->lines = batch->file_lines;
	return true;
}

/* Begin the file anew later: the disk is full, or Postgres away. */
static void write_again(struct batcher *w, struct batch *batch, nsec now)
{
	log_warn("batch_file_failed", "path=%s why=%s", batch->path ? batch->path : "",
		 strerror(errno));
	batch_close_file(batch);
	batch_later(w, batch, soon(batch), 0, 1, now);
}

static size_t give_file(void *owner, char *bytes, size_t room)
{
	struct batch *batch = owner;

	return fread(bytes, 1, room, batch->file);
}

static void upload(struct batcher *w, struct batch *batch, nsec now)
{
	char type[96], boundary[48];
	const char *headers[] = {type};
	struct http_request request = {
		.method = "POST",
		.headers = headers,
		.header_count = 1,
		.source = give_file,
		.len = batch->file_len,
	};

	snprintf(type, sizeof(type), "Content-Type: multipart/form-data; boundary=%s",
		 boundary_of(batch, boundary));
	rewind(batch->file);
	batch_call(w, batch, ERRAND_UPLOAD, &request, "/files", now);
}

static void go_up(struct batcher *w, struct batch *batch, nsec now)
{
	if (batch->wire->has_files)
		upload(w, batch, now);
	else
		submission_create(w, batch, now);
}

void submission_write(struct batcher *w, struct batch *batch, nsec now)
{
	if (batch->file_len > 0) {
		go_up(w, batch, now);
		return;
	}
	if (!batch->file && !open_file(w, batch)) {
		write_again(w, batch, now);
		return;
	}
	AUTO(pg_rows_destroy) struct pg_rows *rows = next_page(w, batch);
	if (!rows || !write_page(w, batch, rows)) {
		write_again(w, batch, now);
		return;
	}
	batch->look_at = now;
	if (pg_count(rows) == LINES_AT_ONCE)
		return;
	if (batch->file_lines == 0)
		scatter(w, batch, "empty", "every job has left it", now);
	else if (!end_file(batch))
		write_again(w, batch, now);
	else
		go_up(w, batch, now);
}

/* --- what the provider said --- */

static void quote_reply(const struct http_reply *reply, char *text, size_t size)
{
	if (reply->failure != HTTP_NONE)
		snprintf(text, size, "%s: %s", http_failure_name(reply->failure), reply->text);
	else
		snprintf(text, size, "status %ld: %.300s", reply->status, reply->body);
}

static bool is_good(const struct http_reply *reply)
{
	return reply->failure == HTTP_NONE && reply->status / 100 == 2;
}

/* The key, the quota or the rate: nothing is wrong with the batch. */
static bool is_for_now(long status)
{
	return status == 401 || status == 402 || status == 403 || status == 429;
}

void submission_uploaded(struct batcher *w, struct batch *batch, const struct http_reply *reply,
			 nsec now)
{
	struct batch_step step = {.state = BATCH_UPLOADED,
				  .lines = batch->lines,
				  .bytes = batch->file_len,
				  .file_id = batch->file_id};
	char detail[400];
	struct error err;

	if (is_good(reply) && batch_wire_file_id(reply->body, reply->len, batch->file_id, &err)) {
		FAILPOINT("B03");
		batch->bytes = batch->file_len;
		batch_close_file(batch);
		batch_step(w, batch, &step, now);
		return;
	}
	quote_reply(reply, detail, sizeof(detail));
	log_warn("batch_upload_failed", "provider=%s tries=%d why=%s", batch->endpoint->name,
		 batch->tries, detail);
	if (reply->failure == HTTP_NONE && reply->status / 100 == 4 && !is_for_now(reply->status) &&
	    batch->tries >= MOST_TRIES)
		batch_hold(w, batch, "upload_refused", detail, now);
	else
		batch_later(w, batch,
			    is_for_now(reply->status) ? w->config->batch.retry : soon(batch), 0, 1,
			    now);
}

/* --- create --- */

static void send_order(struct batcher *w, struct batch *batch, nsec now)
{
	static const char *const headers[] = {"Content-Type: application/json"};
	struct http_request request = {.method = "POST", .headers = headers, .header_count = 1};
	char id[UUID_TEXT];

	if (batch->wire->has_files) {
		buffer_clear(&batch->order);
		batch_wire_order(batch->file_id, uuid_format(id, &batch->id), &batch->order);
		request.body = batch->order.data;
		request.len = batch->order.len;
	} else {
		rewind(batch->file);
		request.source = give_file;
		request.len = batch->file_len;
	}
	batch_call(w, batch, ERRAND_CREATE, &request, batch->wire->list_path, now);
}

void submission_create(struct batcher *w, struct batch *batch, nsec now)
{
	struct pg_args *args;
	struct error err;

	if (!batch->wire->has_files &&
	    batch->file_len == 0) { /* taken over: its file is elsewhere */
		struct batch_step step = {.state = BATCH_INTENDED};

		batch_step(w, batch, &step, now);
		return;
	}
	args = batch_args(w, batch);
	pg_int(args, (int32_t)batch->lines);
	pg_big(args, (int64_t)(batch->file_len > 0 ? batch->file_len : batch->bytes));
	AUTO(pg_rows_destroy) struct pg_rows *rows = database_ask(w, "batch/submit", args, &err);
	if (!rows) { /* another submission to this workspace is of unknown fate, or Postgres away */
		batch->look_at = now + NSEC_PER_SEC;
		return;
	}
	if (pg_count(rows) == 0) {
		batch_later(w, batch, NSEC_PER_SEC, 0, 0, now);
		return;
	}
	FAILPOINT("B02");
	batch->state = BATCH_UPLOADED;
	batch->create_intended = pg_get_time(rows, 0, 0);
	batch->page_after[0] = '\0';
	batch->matches = 0;
	send_order(w, batch, now);
}

/* Surely nothing was made: another create may leave after the wait. False: that is not journaled.
 */
static bool create_again(struct batcher *w, struct batch *batch, const char *reason,
			 const char *detail, nsec wait, nsec now)
{
	struct pg_args *args = batch_args(w, batch);
	struct error err;

	pg_string(args, reason);
	pg_string(args, detail);
	pg_double(args, (double)wait / (double)NSEC_PER_SEC);
	AUTO(pg_rows_destroy) struct pg_rows *rows = database_ask(w, "batch/unsubmit", args, &err);
	batch->look_at = now + (rows ? wait : NSEC_PER_SEC);
	if (!rows)
		return false; /* still of unknown fate as far as the row says: looked for, and not
				 found */
	if (pg_count(rows) == 0) {
		batches_forget(w, batch);
		return false;
	}
	batch->tries = (int)pg_get_int(rows, 0, 0);
	batch->create_intended = 0;
	batch->provider_id[0] = '\0';
	batch->state = batch->wire->has_files ? BATCH_UPLOADED : BATCH_INTENDED;
	return true;
}

static bool made_nothing(const struct http_reply *reply)
{
	if (reply->failure != HTTP_NONE)
		return !reply->maybe_sent;
	return reply->status / 100 == 4 && reply->status != 408 && reply->status != 409;
}

static void refused(struct batcher *w, struct batch *batch, const struct http_reply *reply,
		    nsec now)
{
	bool for_now = reply->failure != HTTP_NONE || is_for_now(reply->status);
	nsec wait = is_for_now(reply->status) ? w->config->batch.retry : soon(batch);
	char detail[400];

	quote_reply(reply, detail, sizeof(detail));
	log_warn("batch_create_refused", "provider=%s tries=%d why=%s", batch->endpoint->name,
		 batch->tries, detail);
	/* A file may not be visible yet, right after its upload: that passes. */
	if (create_again(w, batch, "create_refused", detail, wait, now) && !for_now &&
	    batch->tries > MOST_TRIES)
		batch_hold(w, batch, "create_refused", detail, now);
}

static void created(struct batcher *w, struct batch *batch, const struct batch_report *report,
		    nsec now)
{
	struct batch_step step = {.state = BATCH_CREATED, .report = report};

	snprintf(batch->provider_id, sizeof(batch->provider_id), "%s", report->id);
	batch_close_file(batch);
	if (batch_step(w, batch, &step, now))
		batch->look_at = now + w->config->batch.poll / 4;
}

void submission_created(struct batcher *w, struct batch *batch, const struct http_reply *reply,
			nsec now)
{
	struct batch_report report;
	char detail[400], id[UUID_TEXT];
	struct error err;

	if (is_good(reply) &&
	    batch_wire_report(batch->wire, reply->body, reply->len, &report, &err)) {
		FAILPOINT("B04");
		created(w, batch, &report, now);
		return;
	}
	if (made_nothing(reply)) {
		refused(w, batch, reply, now);
		return;
	}
	quote_reply(reply, detail, sizeof(detail));
	log_warn("batch_create_unknown", "batch=%s why=%s", uuid_format(id, &batch->id), detail);
	batch->look_at = now; /* create_intended stands: it is looked for */
}

/* --- looking for it --- */

static nsec between_looks(const struct batcher *w)
{
	nsec wait = w->config->batch.adopt_wait / (nsec)w->config->batch.adopt_looks;

	return wait < 60 * NSEC_PER_SEC ? wait : 60 * NSEC_PER_SEC;
}

void submission_search(struct batcher *w, struct batch *batch, nsec now)
{
	struct http_request request = {.method = "GET"};
	char path[256];

	if (*batch->page_after)
		snprintf(path, sizeof(path), "%s?limit=%zu&%s=%s", batch->wire->list_path,
			 batch->wire->list_limit, batch->wire->has_files ? "after" : "after_id",
			 batch->page_after);
	else
		snprintf(path, sizeof(path), "%s?limit=%zu", batch->wire->list_path,
			 batch->wire->list_limit);
	batch_call(w, batch, ERRAND_SEARCH, &request, path, now);
}

/* One that is listed under another of ours is none. */
static bool is_known(struct batcher *w, const struct batch *batch, const char *provider_id,
		     bool *known)
{
	struct pg_args *args = pg_args_create();
	struct error err;
	int ids;

	pg_string(args, batch->endpoint->name);
	ids = pg_array(args, PG_TEXT);
	pg_push_string(args, ids, provider_id);
	AUTO(pg_rows_destroy) struct pg_rows *rows = database_ask(w, "batch/known_ids", args, &err);
	*known = rows && pg_count(rows) > 0;
	return rows != NULL;
}

/* A failed one ran nothing and cost nothing: it is as if it had not been made. */
static bool may_be(const struct batch *batch, const struct batch_report *report)
{
	char id[UUID_TEXT];

	if (report->phase == BATCH_PHASE_FAILED)
		return false;
	if (batch->wire->has_files)
		return strcmp(report->file_id, batch->file_id) == 0 ||
		       strcmp(report->our_id, uuid_format(id, &batch->id)) == 0;
	return report->created + CLOCKS_APART >= batch->create_intended &&
	       report->total == (int64_t)batch->lines;
}

static bool note_matches(struct batcher *w, struct batch *batch, const struct batch_page *page)
{
	for (size_t i = 0; i < page->count; i++) {
		bool known;

		if (!may_be(batch, &page->reports[i]))
			continue;
		if (!is_known(w, batch, page->reports[i].id, &known))
			return false;
		if (known)
			continue;
		batch->matches++;
		snprintf(batch->match, sizeof(batch->match), "%s", page->reports[i].id);
	}
	return true;
}

static void not_found(struct batcher *w, struct batch *batch, nsec now)
{
	nsec wall = clock_wall();

	if (!batch_later(w, batch, between_looks(w), 1, 0, now))
		return;
	if (batch->looks < w->config->batch.adopt_looks ||
	    wall < batch->create_intended + w->config->batch.adopt_wait)
		return;
	log_warn("batch_not_found", "provider=%s looks=%d", batch->endpoint->name, batch->looks);
	create_again(w, batch, "not_found", "the provider has not made it", 0, now);
}

static void conclude(struct batcher *w, struct batch *batch, nsec now)
{
	struct batch_report found = {.total = -1,
				     .completed = -1,
				     .failed = -1,
				     .input_tokens = -1,
				     .output_tokens = -1};
	char id[UUID_TEXT], detail[200];

	batch->page_after[0] = '\0';
	if (batch->matches == 0) {
		not_found(w, batch, now);
	} else if (batch->matches == 1) {
		log_warn("batch_found_again", "batch=%s id=%s", uuid_format(id, &batch->id),
			 batch->match);
		snprintf(found.id, sizeof(found.id), "%s", batch->match);
		created(w, batch, &found, now);
	} else {
		snprintf(detail, sizeof(detail),
			 "%d of the provider's batches may be it; see `sluice batches adopt`",
			 batch->matches);
		batch_hold(w, batch, "ambiguous", detail, now);
	}
}

static bool goes_on(const struct batch *batch, const struct batch_page *page)
{
	return page->has_more && page->count > 0 &&
	       page->reports[page->count - 1].created + CLOCKS_APART >= batch->create_intended;
}

void submission_searched(struct batcher *w, struct batch *batch, const struct http_reply *reply,
			 nsec now)
{
	AUTO_FINISH(batch_page_finish) struct batch_page page = {0};
	struct error err;
	bool read = is_good(reply) &&
		    batch_wire_page(batch->wire, reply->body, reply->len, &page, &err);

	if (!*batch->page_after)
		batch->matches = 0;
	if (!read || !note_matches(w, batch, &page)) {
		batch->page_after[0] = '\0';
		batch_later(w, batch, between_looks(w), 0, 1, now);
	} else if (goes_on(batch, &page)) {
		memcpy(batch->page_after, page.last_id, sizeof(batch->page_after));
		batch->look_at = now;
	} else {
		conclude(w, batch, now);
	}
}

/* --- it failed --- */

/* The attempts of these lines of the file, which was written in the order of attempts. */
static struct uuid *attempts_of(struct batcher *w, struct batch *batch,
				const struct batch_report *report, size_t *count)
{
	struct pg_args *args = pg_args_create();
	struct uuid *attempts;
	struct error err;
	int lines;

	pg_uuid(args, &batch->id);
	lines = pg_array(args, PG_INT8);
	for (size_t i = 0; i < report->bad_line_count; i++)
		pg_push_big(args, lines, report->bad_lines[i]);
	AUTO(pg_rows_destroy) struct pg_rows *rows = database_ask(w, "batch/numbered", args, &err);
	if (!rows)
		return NULL;
	*count = (size_t)pg_count(rows);
	attempts = xcalloc(*count + 1, sizeof(*attempts));
	for (size_t i = 0; i < *count; i++)
		attempts[i] = pg_get_uuid(rows, (int)i, 0);
	return attempts;
}

void submission_failed(struct batcher *w, struct batch *batch, const struct batch_report *report,
		       nsec now)
{
	AUTO(xfree) struct uuid *attempts = NULL;
	size_t count = 0;
	char detail[400];
	struct error err;

	snprintf(detail, sizeof(detail), "%s: %s", report->code, report->message);
	if (report->token_limit && batch->wire->has_files) {
		log_warn("batch_token_limit", "provider=%s model=%s", batch->endpoint->name,
			 batch->model);
		create_again(w, batch, "token_limit_exceeded", detail, w->config->batch.retry, now);
		return;
	}
	/* Lines at fault leave for the normal lane, where each is judged alone; all of them if none
	 * is named. */
	attempts = attempts_of(w, batch, report, &count);
	if (!attempts || !rescue_lines(w, batch, attempts, count, "batch_refused", &err)) {
		batch->look_at = now + NSEC_PER_SEC;
		return;
	}
	scatter(w, batch, "batch_failed", detail, now);
}
