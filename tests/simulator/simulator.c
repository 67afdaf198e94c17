#include "simulator.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "call.h"
#include "control.h"
#include "ensure.h"
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

/* What needs a key but is no chat call. */
static void handle_other(struct simulator *sim, struct exchange *x, enum maker maker)
{
	static const char models[] = "/v1/models";
	const struct request *request = &x->request;
	struct failure failure = failure_of(FAULT_401, maker, "");
	char request_id[40];

	call_name(sim, request_id);
	if (!simulator_accepts_key(sim, simulator_key(request, maker))) {
		call_refuse(x, maker, &failure, request_id);
		return;
	}
	if (is(request, "GET", models)) {
		list_models(sim, x, maker);
	} else if (strcmp(request->method, "GET") == 0 &&
		   strncmp(request->path, "/v1/models/", sizeof(models)) == 0) {
		show_model(sim, x, maker, request->path + sizeof(models), request_id);
	} else if (is(request, "POST", "/v1/messages/count_tokens")) {
		count_tokens(sim, x, request_id);
	} else {
		not_found(x, maker, request_id);
		return;
	}
	if (x->reply.status == 200)
		call_headers(maker, request_id, &x->reply.head);
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
		handle_other(sim, x, anthropic ? ANTHROPIC : OPENAI);
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

void simulator_turn(void *world, nsec now)
{
	struct simulator *sim = world;

	(void)now;
	bill_flush(sim->bill);
	if (sim->record)
		fflush(sim->record);
}

void simulator_finish(struct simulator *sim)
{
	bill_close(sim->bill);
	if (sim->record)
		fclose(sim->record);
	models_destroy(sim->models);
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
