#include "anthropic_batches.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "call.h"
#include "ensure.h"
#include "text.h"

#define MAX_BODY ((size_t)256 * 1024 * 1024)

static const char base[] = "/v1/messages/batches";

/* --- the object --- */

static void write_time(struct buffer *out, const char *name, double at)
{
	char date[32];
	struct tm tm;
	time_t when = (time_t)at;

	if (at <= 0) {
		buffer_printf(out, ",\"%s\":null", name);
		return;
	}
	gmtime_r(&when, &tm);
	strftime(date, sizeof(date), "%Y-%m-%dT%H:%M:%S", &tm);
	buffer_printf(out, ",\"%s\":\"%s.%06dZ\"", name, date, (int)((at - floor(at)) * 1e6));
}

static double ended_at(const struct batch *batch)
{
	return batch_is_final(batch) ? batch->at[batch->phase] : 0;
}

/* Until the end everything counts as processing, however much is done. */
static void write_counts(const struct batch *batch, struct buffer *out)
{
	bool ended = batch_is_final(batch);

	buffer_printf(out,
		      ",\"request_counts\":{\"processing\":%zu,\"succeeded\":%zu,\"errored\":%zu,"
		      "\"canceled\":%zu,\"expired\":%zu}",
		      ended ? 0 : batch->line_count,
		      ended ? batch->counts[LINE_DONE] + batch->counts[LINE_LOST] : 0,
		      ended ? batch->counts[LINE_FAILED] : 0,
		      ended ? batch->counts[LINE_CANCELLED] : 0,
		      ended ? batch->counts[LINE_EXPIRED] : 0);
}

static void write_batch(const struct simulator *sim, const struct batch *batch,
			const struct request *request, struct buffer *out)
{
	const char *host = request_header(request, "host");
	char own[64];

	snprintf(own, sizeof(own), "127.0.0.1:%d", server_port(sim->server));
	buffer_printf(out, "{\"id\":\"%s\",\"type\":\"message_batch\",\"processing_status\":\"%s\"",
		      batch->id,
		      batch_is_final(batch)		 ? "ended"
		      : batch->phase == BATCH_CANCELLING ? "canceling"
							 : "in_progress");
	write_counts(batch, out);
	write_time(out, "ended_at", ended_at(batch));
	write_time(out, "created_at", batch->at[BATCH_VALIDATING]);
	write_time(out, "expires_at", batch->expires);
	write_time(out, "archived_at", 0);
	write_time(out, "cancel_initiated_at", batch->at[BATCH_CANCELLING]);
	if (batch_is_final(batch))
		buffer_printf(out, ",\"results_url\":\"http://%s%s/%s/results\"}",
			      host ? host : own, base, batch->id);
	else
		buffer_text(out, ",\"results_url\":null}");
}

/* --- create --- */

static void refuse(struct exchange *x, const char *request_id, int status, const char *type,
		   const char *message)
{
	struct failure failure = failure_invalid(ANTHROPIC, NULL, NULL, "%s", message);

	failure.status = status;
	failure.type = type;
	call_refuse(x, ANTHROPIC, &failure, request_id);
}

static bool is_custom_id(const char *id, size_t len)
{
	if (len == 0 || len > 64)
		return false;
	for (size_t i = 0; i < len; i++)
		if (!strchr("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-",
			    id[i]))
			return false;
	return true;
}

/* Custom ids are checked at once, everything else when the line's moment comes. */
static const char *check_requests(const struct document *doc, node_id requests)
{
	static char message[160];
	struct map seen = {.max = BATCH_MAX_ANTHROPIC * 2};
	const char *trouble = NULL;
	size_t len, i = 0;

	for (node_id at = document_first(doc, requests); at != NONE && !trouble;
	     at = document_after(doc, requests, at), i++) {
		node_id custom = document_member(doc, at, "custom_id");
		const char *id = custom == NONE ? "" : document_raw(doc, custom, &len);

		len = custom == NONE ? 0 : len;
		if (!is_custom_id(id, len)) {
			snprintf(message, sizeof(message),
				 "requests.%zu.custom_id: String should match pattern "
				 "'^[a-zA-Z0-9_-]{1,64}$'",
				 i);
			trouble = message;
		} else if ((*map_slot(&seen, hash_bytes(id, len, 0)))++) {
			trouble = "requests: custom_id must be unique";
		}
	}
	map_finish(&seen);
	return trouble;
}

static void add_lines(struct batch *batch, const struct document *doc, node_id requests)
{
	char custom_id[65];
	size_t len;

	for (node_id at = document_first(doc, requests); at != NONE;
	     at = document_after(doc, requests, at)) {
		const char *raw = document_raw(doc, at, &len);

		document_text(doc, document_member(doc, at, "custom_id"), custom_id,
			      sizeof(custom_id));
		batch_add_line(batch, (size_t)(raw - doc->text), len, custom_id);
	}
}

static void create(struct simulator *sim, struct exchange *x, const char *request_id, nsec now)
{
	const struct request *request = &x->request;
	struct document *doc = &sim->doc;
	struct buffer input = {0};
	const char *trouble, *first;
	struct batch *batch;
	node_id requests;
	struct error err;

	if (request->body_len > MAX_BODY) {
		refuse(x, request_id, 413, "request_too_large", "Request exceeds the maximum size");
		return;
	}
	requests = document_read(doc, request->body, request->body_len, &err)
			   ? document_member(doc, 0, "requests")
			   : NONE;
	if (!document_is(doc, requests, NODE_ARRAY) || doc->nodes[requests].count == 0 ||
	    doc->nodes[requests].count > BATCH_MAX_ANTHROPIC) {
		refuse(x, request_id, 400, "invalid_request_error",
		       "requests: a list of 1 to 100000 requests is required");
		return;
	}
	trouble = check_requests(doc, requests);
	if (trouble) {
		refuse(x, request_id, 400, "invalid_request_error", trouble);
		return;
	}
	buffer_append(&input, request->body, request->body_len);
	batch = batch_create(sim, ANTHROPIC, simulator_key(request, ANTHROPIC), &input, now);
	add_lines(batch, doc, requests);
	batch_draw_faults(sim, batch, batch->input.data, batch->input.len, now);
	first = batch->lines[0].custom_id;
	if ((*map_slot(&sim->batches->intents, hash_bytes(first, strlen(first), 3)))++)
		sim->batch_repeats++;
	batch_start(sim, batch, batch->at[BATCH_VALIDATING]);
	write_batch(sim, batch, request, &x->reply.body);
	batch_lose_reply(batch, &x->reply);
}

/* --- list --- */

static bool shows(const struct simulator *sim, const struct batch *batch, nsec now)
{
	return batch->maker == ANTHROPIC && !batch_is_hidden(sim, batch, now);
}

/* Newest first. after_id: those older than it; before_id: those newer. */
static void list(struct simulator *sim, struct exchange *x, nsec now)
{
	int64_t limit = request_parameter_integer(&x->request, "limit", 20), count = 0;
	char after[64] = "", before[64] = "";
	bool started = !request_parameter(&x->request, "after_id", after, sizeof(after));
	struct buffer *body = &x->reply.body;
	const struct batch *first = NULL, *last = NULL, *batch = sim->batches->newest;

	request_parameter(&x->request, "before_id", before, sizeof(before));
	limit = limit < 1 ? 1 : limit > 1000 ? 1000 : limit;
	buffer_text(body, "{\"data\":[");
	for (; batch; batch = batch->older) {
		if (!shows(sim, batch, now))
			continue;
		if (before[0] && strcmp(batch->id, before) == 0) {
			batch = NULL;
			break;
		}
		if (!started) {
			started = strcmp(batch->id, after) == 0;
			continue;
		}
		if (count++ == limit)
			break;
		if (last)
			buffer_byte(body, ',');
		first = first ? first : batch;
		last = batch;
		write_batch(sim, batch, &x->request, body);
	}
	buffer_printf(body, "],\"has_more\":%s,\"first_id\":", batch ? "true" : "false");
	text_nullable(body, first ? first->id : NULL);
	buffer_text(body, ",\"last_id\":");
	text_nullable(body, last ? last->id : NULL);
	buffer_byte(body, '}');
}

/* --- one batch --- */

static void cancel(struct simulator *sim, struct batch *batch, struct exchange *x,
		   const char *request_id, nsec now)
{
	if (batch_is_final(batch)) {
		refuse(x, request_id, 400, "invalid_request_error",
		       "A batch that has ended cannot be canceled.");
		return;
	}
	if (batch->phase != BATCH_CANCELLING)
		batch_move(batch, BATCH_CANCELLING, virtual_clock_read(&sim->clock, now));
	write_batch(sim, batch, &x->request, &x->reply.body);
}

static void delete (struct batch *batch, struct exchange *x, const char *request_id)
{
	if (!batch_is_final(batch)) {
		refuse(x, request_id, 400, "invalid_request_error",
		       "A batch in progress cannot be deleted; cancel it first.");
		return;
	}
	batch->deleted = true;
	buffer_printf(&x->reply.body, "{\"id\":\"%s\",\"type\":\"message_batch_deleted\"}",
		      batch->id);
}

static void results(struct simulator *sim, struct batch *batch, struct exchange *x,
		    const char *request_id)
{
	if (!batch_is_final(batch)) {
		refuse(x, request_id, 404, "not_found_error", "The batch has not ended yet.");
		return;
	}
	x->reply.type = "application/x-jsonl";
	if (batch->output.len > 0)
		buffer_append(&x->reply.body, batch->output.data, batch->output.len);
	simulator_download(sim, x, batch);
}

static void handle_one(struct simulator *sim, struct exchange *x, const char *rest,
		       const char *request_id, nsec now)
{
	const char *method = x->request.method;
	size_t len = strcspn(rest, "/");
	struct batch *batch;
	char id[64];

	snprintf(id, sizeof(id), "%.*s", (int)len, rest);
	batch = batches_find(sim, ANTHROPIC, id);
	if (!batch)
		refuse(x, request_id, 404, "not_found_error", "There is no such batch.");
	else if (rest[len] == '\0' && strcmp(method, "GET") == 0)
		write_batch(sim, batch, &x->request, &x->reply.body);
	else if (rest[len] == '\0' && strcmp(method, "DELETE") == 0)
		delete (batch, x, request_id);
	else if (strcmp(rest + len, "/cancel") == 0 && strcmp(method, "POST") == 0)
		cancel(sim, batch, x, request_id, now);
	else if (strcmp(rest + len, "/results") == 0 && strcmp(method, "GET") == 0)
		results(sim, batch, x, request_id);
	else
		refuse(x, request_id, 404, "not_found_error", "Not found");
}

bool anthropic_batches_handle(struct simulator *sim, struct exchange *x, const char *request_id,
			      nsec now)
{
	const struct request *request = &x->request;

	if (strncmp(request->path, base, sizeof(base) - 1) != 0)
		return false;
	if (strcmp(request->path, base) == 0 && strcmp(request->method, "POST") == 0)
		create(sim, x, request_id, now);
	else if (strcmp(request->path, base) == 0 && strcmp(request->method, "GET") == 0)
		list(sim, x, now);
	else if (request->path[sizeof(base) - 1] == '/')
		handle_one(sim, x, request->path + sizeof(base), request_id, now);
	else
		return false;
	return true;
}
