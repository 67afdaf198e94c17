#include "openai_batches.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "call.h"
#include "ensure.h"
#include "text.h"

/* --- the object --- */

static void write_time(struct buffer *out, const char *name, double at)
{
	if (at > 0)
		buffer_printf(out, ",\"%s\":%" PRId64, name, (int64_t)at);
	else
		buffer_printf(out, ",\"%s\":null", name);
}

static void write_file_id(const struct batch *batch, const char *name, const struct file *file,
			  struct buffer *out)
{
	if (file)
		buffer_printf(out, ",\"%s\":\"%s\"", name, file->id);
	else if (batch->faults[FAULT_BATCH_EMPTY_ID] && batch_is_final(batch))
		buffer_printf(out, ",\"%s\":\"\"", name);
	else
		buffer_printf(out, ",\"%s\":null", name);
}

static void write_usage(const struct batch *batch, struct buffer *out)
{
	int64_t input = tokens_prompt(&batch->tokens), output = batch->tokens.of[TOKEN_OUTPUT];

	buffer_printf(out,
		      ",\"usage\":{\"input_tokens\":%" PRId64
		      ",\"input_tokens_details\":{\"cached_tokens\":%" PRId64
		      "},\"output_tokens\":%" PRId64
		      ",\"output_tokens_details\":{\"reasoning_tokens\":%" PRId64
		      "},\"total_tokens\":%" PRId64 "}",
		      input, batch->tokens.of[TOKEN_CACHE_READ], output, batch->tokens.reasoning,
		      input + output);
}

static void write_times(const struct batch *batch, struct buffer *out)
{
	write_time(out, "created_at", batch->at[BATCH_VALIDATING]);
	write_time(out, "in_progress_at", batch->at[BATCH_RUNNING]);
	write_time(out, "expires_at", batch->expires);
	write_time(out, "finalizing_at", batch->at[BATCH_FINALIZING]);
	write_time(out, "completed_at", batch->at[BATCH_COMPLETED]);
	write_time(out, "failed_at", batch->at[BATCH_FAILED]);
	write_time(out, "expired_at", batch->at[BATCH_EXPIRED]);
	write_time(out, "cancelling_at", batch->at[BATCH_CANCELLING]);
	write_time(out, "cancelled_at", batch->at[BATCH_CANCELLED]);
}

static void write_batch(const struct batch *batch, struct buffer *out)
{
	size_t failed = batch->counts[LINE_FAILED] + batch->counts[LINE_EXPIRED] +
			batch->counts[LINE_CANCELLED];

	buffer_printf(out,
		      "{\"id\":\"%s\",\"object\":\"batch\",\"endpoint\":\"/v1/chat/completions\"",
		      batch->id);
	if (batch->order)
		buffer_printf(out, ",\"model\":\"%s\"", batch->model);
	if (batch->errors)
		buffer_printf(out, ",\"errors\":{\"object\":\"list\",\"data\":[%s]}",
			      batch->errors);
	else
		buffer_text(out, ",\"errors\":null");
	buffer_printf(out,
		      ",\"input_file_id\":\"%s\",\"completion_window\":\"24h\",\"status\":\"%s\"",
		      batch->input_file_id, batch_phase_name(batch->phase));
	write_file_id(batch, "output_file_id", batch->output_file, out);
	write_file_id(batch, "error_file_id", batch->error_file, out);
	write_times(batch, out);
	buffer_printf(out, ",\"request_counts\":{\"total\":%zu,\"completed\":%zu,\"failed\":%zu}",
		      batch->order ? batch->line_count : 0, batch->counts[LINE_DONE], failed);
	if (batch_is_final(batch) && batch->order)
		write_usage(batch, out);
	buffer_printf(out, ",\"metadata\":%s}", batch->metadata ? batch->metadata : "null");
}

/* --- create --- */

static void refuse(struct exchange *x, const char *request_id, int status, const char *param,
		   const char *code, const char *message)
{
	struct failure failure = failure_invalid(OPENAI, param, code, "%s", message);

	failure.status = status;
	call_refuse(x, OPENAI, &failure, request_id);
}

static bool metadata_is_fine(const struct document *doc, node_id metadata)
{
	size_t len;

	if (metadata == NONE || document_is(doc, metadata, NODE_NULL))
		return true;
	if (!document_is(doc, metadata, NODE_OBJECT) || doc->nodes[metadata].count > 16)
		return false;
	for (node_id name = document_first(doc, metadata); name != NONE;
	     name = document_after(doc, metadata, name + 1)) {
		document_raw(doc, name, &len);
		if (len > 64 || !document_is(doc, name + 1, NODE_STRING))
			return false;
		document_raw(doc, name + 1, &len);
		if (len > 512)
			return false;
	}
	return true;
}

/* The input file, unless it can't be found (yet) or the order is wrong. NULL: refused. */
static struct file *read_order(struct simulator *sim, struct exchange *x, const char *request_id)
{
	const struct document *doc = &sim->doc;
	char id[64], message[160];
	struct file *file;
	struct error err;

	if (!document_read(&sim->doc, x->request.body, x->request.body_len, &err))
		return refuse(x, request_id, 400, NULL, NULL, "The body is not JSON."), NULL;
	if (!document_equals(doc, document_member(doc, 0, "endpoint"), "/v1/chat/completions"))
		return refuse(x, request_id, 400, "endpoint", "invalid_endpoint",
			      "The simulator runs batches of /v1/chat/completions only."),
		       NULL;
	if (!document_equals(doc, document_member(doc, 0, "completion_window"), "24h"))
		return refuse(x, request_id, 400, "completion_window", "invalid_value",
			      "'completion_window' must be '24h'."),
		       NULL;
	if (!metadata_is_fine(doc, document_member(doc, 0, "metadata")))
		return refuse(x, request_id, 400, "metadata", "invalid_value",
			      "'metadata' holds at most 16 strings of 512 characters."),
		       NULL;
	document_text(doc, document_member(doc, 0, "input_file_id"), id, sizeof(id));
	file = files_find(sim, id);
	snprintf(message, sizeof(message),
		 "Cannot find file %s, or organization org-sim does not have access to it.", id);
	if (!file || file->late-- > 0 || strcmp(file->purpose, "batch") != 0)
		return refuse(x, request_id, 400, "file_id", NULL, message), NULL;
	return file;
}

static void create(struct simulator *sim, struct exchange *x, const char *request_id, nsec now)
{
	struct file *file = read_order(sim, x, request_id);
	struct buffer input = {0};
	struct batch *batch;
	node_id metadata;

	if (!file)
		return;
	if (file->bytes.len > 0)
		buffer_append(&input, file->bytes.data, file->bytes.len);
	batch = batch_create(sim, OPENAI, simulator_key(&x->request, OPENAI), &input, now);
	snprintf(batch->input_file_id, sizeof(batch->input_file_id), "%s", file->id);
	metadata = document_member(&sim->doc, 0, "metadata");
	if (document_is(&sim->doc, metadata, NODE_OBJECT)) {
		struct buffer copy = {0};

		document_copy(&sim->doc, metadata, &copy);
		batch->metadata = buffer_take(&copy);
	}
	if ((*map_slot(&sim->batches->intents, hash_bytes(file->id, strlen(file->id), 2)))++)
		sim->batch_repeats++;
	batch_draw_faults(sim, batch, file->bytes.data, file->bytes.len, now);
	write_batch(batch, &x->reply.body);
	batch_lose_reply(batch, &x->reply);
}

/* --- look, list, cancel --- */

static void list(struct simulator *sim, struct exchange *x, nsec now)
{
	int64_t limit = request_parameter_integer(&x->request, "limit", 20), count = 0;
	char after[64] = "";
	bool started = !request_parameter(&x->request, "after", after, sizeof(after));
	struct buffer *body = &x->reply.body;
	const struct batch *first = NULL, *last = NULL, *batch = sim->batches->newest;

	limit = limit < 1 ? 1 : limit > 100 ? 100 : limit;
	buffer_text(body, "{\"object\":\"list\",\"data\":[");
	for (; batch; batch = batch->older) {
		if (batch->maker != OPENAI || batch_is_hidden(sim, batch, now))
			continue;
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
		write_batch(batch, body);
	}
	buffer_text(body, "],\"first_id\":");
	text_nullable(body, first ? first->id : NULL);
	buffer_text(body, ",\"last_id\":");
	text_nullable(body, last ? last->id : NULL);
	buffer_printf(body, ",\"has_more\":%s}", batch ? "true" : "false");
}

static void cancel(struct simulator *sim, struct batch *batch, struct exchange *x,
		   const char *request_id, nsec now)
{
	char message[120];

	if (batch_is_final(batch) || batch->phase == BATCH_FINALIZING) {
		snprintf(message, sizeof(message), "Cannot cancel a batch with status '%s'.",
			 batch_phase_name(batch->phase));
		refuse(x, request_id, 409, NULL, NULL, message);
		return;
	}
	if (batch->phase != BATCH_CANCELLING)
		batch_move(batch, BATCH_CANCELLING, virtual_clock_read(&sim->clock, now));
	write_batch(batch, &x->reply.body);
}

static void handle_one(struct simulator *sim, struct exchange *x, const char *rest,
		       const char *request_id, nsec now)
{
	char id[64], message[120];
	size_t len = strcspn(rest, "/");
	struct batch *batch;

	snprintf(id, sizeof(id), "%.*s", (int)len, rest);
	batch = batches_find(sim, OPENAI, id);
	snprintf(message, sizeof(message), "No batch found with id '%s'.", id);
	if (!batch)
		refuse(x, request_id, 404, NULL, NULL, message);
	else if (rest[len] == '\0' && strcmp(x->request.method, "GET") == 0)
		write_batch(batch, &x->reply.body);
	else if (strcmp(rest + len, "/cancel") == 0 && strcmp(x->request.method, "POST") == 0)
		cancel(sim, batch, x, request_id, now);
	else
		refuse(x, request_id, 404, NULL, NULL, "Unknown request URL.");
}

bool openai_batches_handle(struct simulator *sim, struct exchange *x, const char *request_id,
			   nsec now)
{
	static const char base[] = "/v1/batches";
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

/* --- results --- */

static struct file *publish_file(struct simulator *sim, struct batch *batch, const char *kind,
				 struct buffer *bytes, nsec now)
{
	char name[96];
	struct file *file;

	if (bytes->len == 0)
		return NULL;
	snprintf(name, sizeof(name), "%s_%s.jsonl", batch->id, kind);
	file = files_add(sim, name, "batch_output", bytes, now);
	file->result = batch;
	return file;
}

void openai_batch_publish(struct simulator *sim, struct batch *batch, nsec now)
{
	batch->output_file = publish_file(sim, batch, "output", &batch->output, now);
	batch->error_file = publish_file(sim, batch, "error", &batch->failures, now);
}
