#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ensure.h"
#include "openai_batches.h"
#include "text.h"

#define MAX_ERRORS 50

/* The errors found so far, as the elements of a JSON list. */
struct findings {
	struct buffer list;
	int count;
};

static void find(struct findings *f, const char *code, const char *param, int64_t line,
		 const char *fmt, ...) PRINTF(5, 6);

static void find(struct findings *f, const char *code, const char *param, int64_t line,
		 const char *fmt, ...)
{
	char message[400];
	va_list args;

	if (f->count++ >= MAX_ERRORS)
		return;
	va_start(args, fmt);
	vsnprintf(message, sizeof(message), fmt, args);
	va_end(args);
	buffer_printf(&f->list, "%s{\"code\":\"%s\",\"message\":", f->list.len ? "," : "", code);
	text_quote(&f->list, message);
	if (param)
		buffer_printf(&f->list, ",\"param\":\"%s\"", param);
	else
		buffer_text(&f->list, ",\"param\":null");
	if (line > 0)
		buffer_printf(&f->list, ",\"line\":%" PRId64 "}", line);
	else
		buffer_text(&f->list, ",\"line\":null}");
}

static void check_custom_id(struct findings *f, struct map *seen, const char *custom_id,
			    int64_t number)
{
	if (custom_id[0] == '\0')
		find(f, "missing_required_parameter", "custom_id", number,
		     "Missing required parameter: 'custom_id'.");
	else if ((*map_slot(seen, hash_bytes(custom_id, strlen(custom_id), 0)))++)
		find(f, "duplicate_custom_id", "custom_id", number,
		     "The custom_id '%s' for this request is a duplicate of another request. The "
		     "custom_id parameter must be unique for each request in a batch.",
		     custom_id);
}

static void check_body(const struct simulator *sim, struct batch *batch, struct findings *f,
		       int64_t number)
{
	const struct document *doc = &sim->doc;
	node_id body = document_member(doc, 0, "body");
	char model[96] = "";

	if (!document_is(doc, body, NODE_OBJECT)) {
		find(f, "missing_required_parameter", "body", number,
		     "Missing required parameter: 'body'.");
		return;
	}
	document_text(doc, document_member(doc, body, "model"), model, sizeof(model));
	if (!models_find(sim->models, OPENAI, model))
		find(f, "model_not_found", "body.model", number,
		     "The provided model '%s' is not supported by the Batch API.", model);
	else if (batch->model[0] && strcmp(batch->model, model) != 0)
		find(f, "model_mismatch", "body.model", number,
		     "The model '%s' does not match the batch's model '%s'.", model, batch->model);
	else
		snprintf(batch->model, sizeof(batch->model), "%s", model);
	if (document_true(doc, document_member(doc, body, "stream")))
		find(f, "invalid_request", "body.stream", number,
		     "'stream' is not supported by the Batch API.");
}

static void check_line(struct simulator *sim, struct batch *batch, struct findings *f,
		       struct map *seen, size_t start, size_t len, int64_t number)
{
	struct document *doc = &sim->doc;
	char custom_id[65];
	struct error err;

	if (!document_read(doc, batch->input.data + start, len, &err) ||
	    doc->nodes[0].type != NODE_OBJECT) {
		find(f, "invalid_json_line", NULL, number,
		     "This line is not parseable as valid JSON.");
		return;
	}
	document_text(doc, document_member(doc, 0, "custom_id"), custom_id, sizeof(custom_id));
	check_custom_id(f, seen, custom_id, number);
	if (!document_equals(doc, document_member(doc, 0, "method"), "POST"))
		find(f, "invalid_method", "method", number, "The method must be POST.");
	if (!document_equals(doc, document_member(doc, 0, "url"), "/v1/chat/completions"))
		find(f, "invalid_url", "url", number,
		     "The URL provided for this request does not match the batch endpoint.");
	check_body(sim, batch, f, number);
	if (f->count == 0 && !batch_add_line(batch, start, len, custom_id))
		find(f, "too_many_tasks", NULL, 0, "The batch has more than %d requests.",
		     BATCH_MAX_OPENAI);
}

static void check_lines(struct simulator *sim, struct batch *batch, struct findings *f)
{
	struct map seen = {.max = BATCH_MAX_OPENAI * 2};
	const char *text = batch->input.data;
	size_t at = 0;
	int64_t number = 0;

	while (at < batch->input.len && f->count < MAX_ERRORS) {
		const char *newline = memchr(text + at, '\n', batch->input.len - at);
		size_t end = newline ? (size_t)(newline - text) : batch->input.len;
		size_t blank = strspn(text + at, " \t\r");

		number++;
		if (at + blank < end)
			check_line(sim, batch, f, &seen, at, end - at, number);
		at = end + 1;
	}
	if (batch->line_count == 0 && f->count == 0)
		find(f, "empty_file", NULL, 0, "The batch input file is empty.");
	map_finish(&seen);
}

/* Prompt tokens of the other batches that wait or run with this model. */
static int64_t enqueued(const struct simulator *sim, const struct batch *batch)
{
	int64_t sum = 0;

	for (const struct batch *other = sim->batches->newest; other; other = other->older)
		if (other != batch && !batch_is_final(other) && other->order &&
		    strcmp(other->model, batch->model) == 0 && strcmp(other->key, batch->key) == 0)
			sum += other->enqueued;
	return sum;
}

void openai_batch_validate(struct simulator *sim, struct batch *batch, double at)
{
	struct findings f = {0};

	check_lines(sim, batch, &f);
	if (f.count == 0 && batch->faults[FAULT_BATCH_INVALID])
		find(&f, "invalid_json_line", NULL, 1, "This line is not parseable as valid JSON.");
	if (f.count == 0 &&
	    (batch->faults[FAULT_BATCH_TOKEN_LIMIT] ||
	     (sim->batch_tokens > 0 && enqueued(sim, batch) + batch->enqueued > sim->batch_tokens)))
		find(&f, "token_limit_exceeded", NULL, 0,
		     "Enqueued token limit reached for %s in organization org-sim. Limit: %" PRId64
		     " enqueued tokens. Please try again once some in_progress batches have been "
		     "completed.",
		     batch->model, sim->batch_tokens);
	if (f.count > 0) {
		batch->errors = buffer_take(&f.list);
		batch_move(batch, BATCH_FAILED, at);
	} else {
		batch_start(sim, batch, at);
	}
	buffer_finish(&f.list);
}
