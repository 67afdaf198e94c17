#include "simulator.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "anthropic_batches.h"
#include "batch.h"
#include "call.h"
#include "control.h"
#include "ensure.h"
#include "files.h"
#include "openai_batches.h"
#include "record.h"
#include "text.h"

const char *simulator_key(const struct request *request, enum maker maker)
{
	const char *authorization = request_header(request, "authorization");
	const char *key = request_header(request, "x-api-key");

	if (maker == ANTHROPIC && key)
		return key;
	if (authorization && strncasecmp(authorization, "Bearer ", 7) == 0)
		return authorization + 7 + strspn(authorization + 7, " ");
	return "";
}

static bool is_one_of(const char *key, const char *const *keys, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (strcmp(key, keys[i]) == 0)
			return true;
	return false;
}

bool simulator_accepts_key(const struct simulator *sim, const char *key)
{
	if (key[0] == '\0' || is_one_of(key, sim->bad_keys, sim->bad_key_count))
		return false;
	return sim->key_count == 0 || is_one_of(key, sim->keys, sim->key_count);
}

/* --- models, counting tokens --- */

static void write_model(const struct model *model, struct buffer *body)
{
	buffer_text(body, model->maker == OPENAI ? "{\"id\":" : "{\"type\":\"model\",\"id\":");
	text_quote(body, model->name);
	if (model->maker == OPENAI)
		buffer_text(body, ",\"object\":\"model\",\"created\":1721172741,"
				  "\"owned_by\":\"system\"}");
	else
		buffer_printf(body,
			      ",\"display_name\":\"%s\",\"created_at\":\"2025-10-01T00:00:00Z\"}",
			      model->name);
}

static void list_models(struct simulator *sim, struct exchange *x, enum maker maker)
{
	struct buffer *body = &x->reply.body;
	const char *comma = "";

	buffer_text(body, maker == OPENAI ? "{\"object\":\"list\",\"data\":[" : "{\"data\":[");
	for (size_t i = 0; i < models_count(sim->models); i++) {
		const struct model *model = models_at(sim->models, i);

		if (model->maker != maker)
			continue;
		buffer_text(body, comma);
		write_model(model, body);
		comma = ",";
	}
	buffer_text(body, maker == OPENAI ? "]}" : "],\"has_more\":false}");
}

static void show_model(struct simulator *sim, struct exchange *x, enum maker maker,
		       const char *name, const char *request_id)
{
	const struct model *model = models_find(sim->models, maker, name);
	struct failure failure = failure_of(FAULT_404, maker, name);

	if (model)
		write_model(model, &x->reply.body);
	else
		call_refuse(x, maker, &failure, request_id);
}

static void count_tokens(struct simulator *sim, struct exchange *x, const char *request_id)
{
	struct document *doc = &sim->doc;
	size_t bytes = 0, len;
	struct error err;
	struct failure failure = failure_invalid(ANTHROPIC, NULL, NULL, "The body is not JSON.");

	if (!document_read(doc, x->request.body, x->request.body_len, &err)) {
		call_refuse(x, ANTHROPIC, &failure, request_id);
		return;
	}
	for (node_id at = 0; at < doc->count; at++)
		if (doc->nodes[at].type == NODE_STRING) {
			document_raw(doc, at, &len);
			bytes += len;
		}
	buffer_printf(&x->reply.body, "{\"input_tokens\":%zu}", bytes / 4 + 3);
}

/* --- routes --- */

static bool is(const struct request *request, const char *method, const char *path)
{
	return strcmp(request->method, method) == 0 && strcmp(request->path, path) == 0;
}

static void not_found(struct exchange *x, enum maker maker, const char *request_id)
{
	struct failure failure = failure_invalid(maker, NULL, NULL, "Unknown request URL: %s %s.",
						 x->request.method, x->request.path);

	failure.status = 404;
	if (maker == ANTHROPIC)
		failure.type = "not_found_error";
	call_refuse(x, maker, &failure, request_id);
}

static void route_other(struct simulator *sim, struct exchange *x, enum maker maker,
			const char *request_id, nsec now)
{
	static const char models[] = "/v1/models";
	const struct request *request = &x->request;

	if (files_handle(sim, x, request_id, now) ||
	    openai_batches_handle(sim, x, request_id, now) ||
	    anthropic_batches_handle(sim, x, request_id, now))
		return;
	if (is(request, "GET", models))
		list_models(sim, x, maker);
	else if (strcmp(request->method, "GET") == 0 &&
		 strncmp(request->path, "/v1/models/", sizeof(models)) == 0)
		show_model(sim, x, maker, request->path + sizeof(models), request_id);
	else if (is(request, "POST", "/v1/messages/count_tokens"))
		count_tokens(sim, x, request_id);
	else
		not_found(x, maker, request_id);
}

/* Faults of the scope "batch" strike everything about files and batches. */
static enum fault draw_fault(struct simulator *sim, const char *request_id, nsec now)
{
	struct dice dice = dice_seeded(hash_bytes(request_id, strlen(request_id), sim->seed));

	return fault_plan_draw_in(&sim->plan, now - sim->plan_start, "batch", &dice);
}

/* What needs a key but is no chat call. */
static void handle_other(struct simulator *sim, struct exchange *x, enum maker maker, nsec now)
{
	struct failure failure = failure_of(FAULT_401, maker, "");
	char request_id[40];
	enum fault fault;

	call_name(sim, request_id);
	if (!simulator_accepts_key(sim, simulator_key(&x->request, maker))) {
		call_refuse(x, maker, &failure, request_id);
		return;
	}
	fault = draw_fault(sim, request_id, now);
	if (fault != FAULT_NONE && fault_stage(fault) == STAGE_REFUSE) {
		call_strike(sim, x, maker, fault, request_id);
		return;
	}
	route_other(sim, x, maker, request_id, now);
	if (x->reply.status < 300)
		call_headers(maker, request_id, &x->reply.head);
	if (fault != FAULT_NONE && fault_stage(fault) == STAGE_DELIVER)
		call_strike(sim, x, maker, fault, request_id);
}

void simulator_download(struct simulator *sim, struct exchange *x, struct batch *batch)
{
	struct receipt *receipt;

	if (batch->faults[FAULT_BATCH_CUT] && batch->cuts++ == 0) {
		x->reply.cut = CUT_IN_BODY;
		x->reply.end = END_CLOSE;
		return;
	}
	(void)sim;
	receipt = xcalloc(1, sizeof(*receipt));
	receipt->download = batch;
	x->note = receipt;
}

/* "/openai/v1/…" and "/anthropic/v1/…" are the same as without. */
static void strip_prefix(struct request *request)
{
	if (strncmp(request->path, "/openai/", 8) == 0)
		request->path += 7;
	else if (strncmp(request->path, "/anthropic/", 11) == 0)
		request->path += 10;
}

void simulator_handle(void *world, struct exchange *x, nsec now)
{
	struct simulator *sim = world;
	struct request *request = &x->request;
	bool anthropic;

	strip_prefix(request);
	if (sim->verbose)
		fprintf(stderr, "%s %s %zu bytes\n", request->method, request->path,
			request->body_len);
	if (strcmp(request->path, "/control") == 0) {
		control_handle(sim, x, now);
		return;
	}
	if (sim->record)
		record_request(sim->record, request);
	anthropic = strncmp(request->path, "/v1/messages", 12) == 0 ||
		    request_header(request, "anthropic-version") != NULL;
	if (is(request, "POST", "/v1/chat/completions"))
		call_answer(sim, x, OPENAI, now);
	else if (is(request, "POST", "/v1/messages"))
		call_answer(sim, x, ANTHROPIC, now);
	else
		handle_other(sim, x, anthropic ? ANTHROPIC : OPENAI, now);
}

void simulator_before_send(void *world, const struct exchange *x)
{
	const struct simulator *sim = world;
	const struct receipt *receipt = x->note;

	if (receipt && receipt->billed)
		bill_secure(sim->bill, receipt->mark);
}

void simulator_done(void *world, struct exchange *x, bool delivered)
{
	struct simulator *sim = world;
	struct receipt *receipt = x->note;
	bool spoilt;

	if (!receipt)
		return;
	if (receipt->download) {
		if (delivered)
			batch_delivered(sim, receipt->download);
		free(receipt);
		return;
	}
	sim->stats.in_flight--;
	spoilt = receipt->fault != FAULT_NONE && fault_stage(receipt->fault) != STAGE_ANSWER;
	if (receipt->billed) {
		if (fault_stage(receipt->fault) == STAGE_BODY ||
		    receipt->fault == FAULT_CHUNK_ERROR)
			delivered = false;
		bill_delivered(sim->bill, receipt->id, receipt->request_id, delivered,
			       spoilt ? fault_name(receipt->fault) : NULL);
		if (delivered)
			stats_add(&sim->stats, receipt->model, receipt->key, STAT_DELIVERED,
				  clock_now());
	}
	free(receipt);
}

/* Batches move on fifty times a second, or at once while there are lines to answer. */
nsec simulator_turn(void *world, nsec now)
{
	struct simulator *sim = world;
	bool more = batches_advance(sim, now);

	bill_flush(sim->bill);
	if (sim->record)
		fflush(sim->record);
	if (more)
		return now;
	return now + (sim->batches->newest ? 20 * NSEC_PER_MSEC : NSEC_PER_SEC);
}

void simulator_finish(struct simulator *sim)
{
	bill_close(sim->bill);
	if (sim->record)
		fclose(sim->record);
	models_destroy(sim->models);
	files_finish(sim->files);
	batches_finish(sim->batches);
	limits_finish(&sim->limits);
	cache_finish(&sim->cache);
	map_finish(&sim->attempts);
	map_finish(&sim->seen);
	map_finish(&sim->clients);
	document_finish(&sim->doc);
	ask_finish(&sim->ask);
	wishes_finish(&sim->wishes);
	answer_finish(&sim->answer);
}
