#include "call.h"

#include <stdlib.h>
#include <string.h>

#include "anthropic.h"
#include "delivery.h"
#include "ensure.h"
#include "openai.h"

struct call {
	struct simulator *sim;
	struct exchange *x; /* NULL: a line of a batch */
	enum maker maker;
	nsec now;
	const char *key;
	struct receipt *receipt;
	struct quota *quota;
	struct dice dice; /* for what may differ when the request is repeated */
	uint64_t hash;	  /* of the request's bytes */
	nsec latency;
	struct tokens tokens;
};

void call_name(struct simulator *sim, char request_id[40])
{
	struct dice dice = dice_seeded(hash_mix(sim->seed ^ 0x7265717565737473u, ++sim->serial));

	memcpy(request_id, "req_", 4);
	dice_name(&dice, request_id + 4, 24);
}

void call_headers(enum maker maker, const char *request_id, struct buffer *head)
{
	if (maker == OPENAI) {
		buffer_text(head, "x-request-id: ");
		buffer_text(head, request_id);
		buffer_text(head, "\r\nopenai-organization: org-sim\r\nopenai-processing-ms: 12\r\n"
				  "openai-version: 2020-10-01\r\n");
		return;
	}
	buffer_text(head, "request-id: ");
	buffer_text(head, request_id);
	buffer_text(head, "\r\nanthropic-organization-id: "
			  "00000000-0000-0000-0000-000000000001\r\n");
}

void call_refuse(struct exchange *x, enum maker maker, const struct failure *failure,
		 const char *request_id)
{
	x->reply.status = failure->status;
	x->reply.type = failure_type(failure);
	if (!failure->html)
		call_headers(maker, request_id, &x->reply.head);
	failure_write(failure, maker, request_id, clock_wall(), &x->reply.head, &x->reply.body);
}

static void count(struct call *call, enum stat stat)
{
	stats_add(&call->sim->stats, call->receipt->model, call->receipt->key, stat, call->now);
}

static void refuse(struct call *call, const struct failure *failure)
{
	if (call->quota && !call->sim->limits.hide_headers)
		quota_headers(call->quota, call->now, clock_wall(), &call->x->reply.head);
	if (failure->status == 429)
		count(call, STAT_THROTTLED);
	call_refuse(call->x, call->maker, failure, call->receipt->request_id);
}

/* --- is it allowed, is it valid --- */

static bool check_headers(struct call *call, struct failure *failure)
{
	const struct request *request = &call->x->request;
	const char *id = request_header(request, "x-client-request-id");

	if (!simulator_accepts_key(call->sim, call->key)) {
		*failure = failure_of(FAULT_401, call->maker, "");
		return false;
	}
	if (id && strlen(id) > 512) {
		*failure = failure_invalid(call->maker, NULL, NULL,
					   "X-Client-Request-Id is longer than 512 characters.");
		return false;
	}
	if (call->maker == ANTHROPIC && !request_header(request, "anthropic-version")) {
		*failure = failure_invalid(ANTHROPIC, NULL, NULL,
					   "anthropic-version: header is required");
		return false;
	}
	snprintf(call->receipt->id, sizeof(call->receipt->id), "%s", id ? id : "");
	return true;
}

static bool read_body(struct call *call, struct failure *failure)
{
	struct simulator *sim = call->sim;
	const struct request *request = &call->x->request;
	struct error err;

	call->hash = hash_bytes(request->body, request->body_len, sim->seed);
	if (!document_read(&sim->doc, request->body, request->body_len, &err) ||
	    sim->doc.nodes[0].type != NODE_OBJECT) {
		*failure = failure_invalid(call->maker, NULL, NULL,
					   "We could not parse the JSON body of your request.");
		return false;
	}
	ask_begin(&sim->ask, call->maker, &sim->doc, 0);
	return (call->maker == OPENAI ? openai_read : anthropic_read)(&sim->ask, sim->models,
								      failure);
}

/* Repeats of a request draw other faults and latencies, and with --vary other answers. */
static void seed_call(struct call *call)
{
	uint64_t repeats = (*map_slot(&call->sim->seen, call->hash))++;

	call->dice = dice_seeded(hash_mix(call->hash, repeats));
	if (call->sim->vary)
		call->hash = hash_mix(call->hash, repeats);
}

static bool has_room(struct call *call, struct failure *failure)
{
	struct simulator *sim = call->sim;
	struct demand demand = {.tokens = (double)ask_prompt_tokens(&sim->ask)};

	call->quota = limits_quota(&sim->limits, call->maker, sim->ask.model->name, call->key,
				   call->now);
	if (demand.tokens < (double)sim->ask.max_output)
		demand.tokens = (double)sim->ask.max_output;
	if (call->quota->buckets[BUCKET_INPUT].limit > 0) {
		struct tokens tokens = {0};

		cache_count(&sim->cache, &sim->ask, hash_bytes(call->key, strlen(call->key), 0),
			    call->now, 0, &tokens);
		demand.input = (double)(tokens_prompt(&tokens) - tokens.of[TOKEN_CACHE_READ]);
	}
	return !quota_refuses(call->quota, &demand, call->now, failure);
}

/* --- what goes wrong --- */

static void read_wishes(struct simulator *sim, const char *body, size_t len)
{
	AUTO_FINISH(buffer_finish) struct buffer text = {0};

	wishes_clear(&sim->wishes);
	if (!memmem(body, len, "[[sim:", 6))
		return;
	for (size_t i = 0; i < sim->ask.piece_count; i++) {
		const struct piece *piece = &sim->ask.pieces[i];

		if (!piece->from_client)
			continue;
		buffer_clear(&text);
		document_unescape(sim->ask.doc, piece->node, &text);
		if (text.len > 0)
			wishes_read(&sim->wishes, text.data, text.len, sim->ask.model_name,
				    &sim->attempts);
	}
}

static enum fault choose_fault(struct call *call)
{
	struct simulator *sim = call->sim;
	const char *scopes[] = {maker_name(call->maker), sim->ask.model->name,
				sim->ask.model->snapshot, call->key};

	if (sim->wishes.fault != FAULT_NONE)
		return sim->wishes.fault;
	if (sim->plan.count == 0)
		return FAULT_NONE;
	if (!call->x)
		return fault_plan_draw_in(&sim->plan, call->now - sim->plan_start, "line",
					  &call->dice);
	return fault_plan_draw(&sim->plan, call->now - sim->plan_start, scopes, COUNT_OF(scopes),
			       &call->dice);
}

static void strike_before(struct call *call, enum fault fault)
{
	struct reply *reply = &call->x->reply;
	struct failure failure;

	if (fault == FAULT_RESET || fault == FAULT_HANG_EARLY) {
		reply->cut = CUT_AT_ONCE;
		reply->end = fault == FAULT_RESET ? END_RESET : END_HANG;
		return;
	}
	if (fault == FAULT_429)
		fault = (enum fault)(FAULT_429_SECONDS + dice_below(&call->dice, 4));
	failure = failure_of(fault, call->maker, call->sim->ask.model_name);
	if (failure.wait > 0 && !failure.wait_only_ms)
		failure.wait = call->sim->retry_after;
	if (fault == FAULT_429_NONE)
		call->quota = NULL;
	refuse(call, &failure);
}

/* --- what it says and costs --- */

static void make_answer(struct call *call, enum fault fault)
{
	struct simulator *sim = call->sim;

	answer_make(&sim->answer, &sim->ask, &sim->wishes, fault, dice_seeded(call->hash));
	cache_count(&sim->cache, &sim->ask, hash_bytes(call->key, strlen(call->key), 0), call->now,
		    call->now + call->latency + 2, &call->tokens);
	call->tokens.of[TOKEN_OUTPUT] = sim->answer.output_tokens;
	call->tokens.reasoning = sim->answer.reasoning_tokens;
	if (call->quota)
		quota_produced(call->quota, (double)sim->answer.output_tokens);
}

/* A refusal before any output costs nothing at Anthropic. */
static bool is_free(const struct call *call)
{
	return call->maker == ANTHROPIC && call->sim->answer.finish == FINISH_REFUSED;
}

static void charge(struct call *call, enum bill_mode mode, const char *batch)
{
	struct simulator *sim = call->sim;
	struct charge charge = {
		.id = call->receipt->id,
		.request = call->receipt->request_id,
		.key = call->key,
		.batch = batch,
		.model = sim->ask.model,
		.tokens = &call->tokens,
		.mode = mode,
		.amount = model_bill(sim->ask.model, &call->tokens, mode),
		.wall = clock_wall(),
	};

	if (is_free(call))
		return;
	call->receipt->billed = true;
	call->receipt->mark = bill_accept(sim->bill, &charge);
}

static void write_answer(struct call *call, enum fault fault, const char *tier, bool stream,
			 struct buffer *body)
{
	const struct simulator *sim = call->sim;
	char id[25];
	struct spelling spelling = {
		.id = id,
		.created = (int64_t)(clock_wall() / NSEC_PER_SEC),
		.tier = tier,
		.fault = fault,
	};

	dice_name(&call->dice, id, 24);
	if (call->maker == OPENAI)
		(stream ? openai_stream : openai_write)(&sim->ask, &sim->answer, &call->tokens,
							&spelling, body);
	else
		(stream ? anthropic_stream : anthropic_write)(&sim->ask, &sim->answer,
							      &call->tokens, &spelling, body);
}

static void draw_latency(struct call *call, enum fault fault)
{
	const struct simulator *sim = call->sim;

	call->latency = latency_draw(&sim->latency, &call->dice);
	if (sim->wishes.latency_ms >= 0)
		call->latency = (nsec)sim->wishes.latency_ms * NSEC_PER_MSEC;
	if (fault != FAULT_SLOW)
		return;
	call->latency *= 10;
	if (call->latency < 5 * NSEC_PER_SEC)
		call->latency = 5 * NSEC_PER_SEC;
}

/* A stream starts after a third of the time and comes in eight pieces. */
static void schedule(struct call *call)
{
	struct reply *reply = &call->x->reply;

	call->x->due = call->now + call->latency;
	if (!call->sim->ask.stream || call->latency == 0 || reply->pace > 0)
		return;
	call->x->due = call->now + call->latency / 3;
	reply->piece = reply->body.len / 8 + 1;
	reply->pace = call->latency / 12;
}

/* The same client request id or custom_id, accepted again. */
static void count_repeats(struct call *call)
{
	const char *id = call->receipt->id;

	if (id[0] && (*map_slot(&call->sim->clients, hash_bytes(id, strlen(id), 1)))++)
		count(call, STAT_DUPLICATES);
}

static void accept_call(struct call *call, enum fault fault)
{
	struct simulator *sim = call->sim;
	struct reply *reply = &call->x->reply;
	const char *tier = call->maker == ANTHROPIC ? "standard"
			   : sim->ask.flex	    ? "flex"
						    : "default";

	draw_latency(call, fault);
	make_answer(call, fault);
	charge(call, sim->ask.flex ? BILL_FLEX : BILL_SYNC, NULL);
	count(call, STAT_ACCEPTED);
	count_repeats(call);
	call_headers(call->maker, call->receipt->request_id, &reply->head);
	if (!sim->limits.hide_headers)
		quota_headers(call->quota, call->now, clock_wall(), &reply->head);
	reply->chunked = sim->ask.stream;
	reply->type = sim->ask.stream ? "text/event-stream; charset=utf-8" : "application/json";
	write_answer(call, fault, tier, sim->ask.stream, &reply->body);
	delivery_spoil(reply, fault, call->maker, call->receipt->request_id, &call->dice);
	delivery_plan(reply, fault);
	schedule(call);
}

/* Decide and answer. The result is what to count it as. */
static void decide(struct call *call)
{
	struct simulator *sim = call->sim;
	struct failure failure;
	enum fault fault;

	if (!check_headers(call, &failure) || !read_body(call, &failure)) {
		count(call, STAT_REQUESTS);
		count(call, STAT_REFUSED);
		refuse(call, &failure);
		return;
	}
	snprintf(call->receipt->model, sizeof(call->receipt->model), "%s", sim->ask.model->name);
	count(call, STAT_REQUESTS);
	if (!has_room(call, &failure)) {
		count(call, STAT_LIMITED);
		if (sim->limits.hide_waits)
			failure.wait = -1;
		refuse(call, &failure);
		return;
	}
	seed_call(call);
	read_wishes(sim, call->x->request.body, call->x->request.body_len);
	fault = choose_fault(call);
	call->receipt->fault = fault;
	if (fault != FAULT_NONE) {
		sim->stats.faults[fault]++;
		count(call, STAT_FAULTED);
	}
	if (fault != FAULT_NONE && fault_stage(fault) == STAGE_REFUSE)
		strike_before(call, fault);
	else
		accept_call(call, fault);
}

void call_answer(struct simulator *sim, struct exchange *x, enum maker maker, nsec now)
{
	struct receipt *receipt = xcalloc(1, sizeof(*receipt));
	struct call call = {
		.sim = sim,
		.x = x,
		.maker = maker,
		.now = now,
		.key = simulator_key(&x->request, maker),
		.receipt = receipt,
	};

	x->note = receipt;
	x->holdable = true;
	sim->stats.in_flight++;
	call_name(sim, receipt->request_id);
	snprintf(receipt->key, sizeof(receipt->key), "%s", call.key);
	decide(&call);
}

static bool read_line(struct ask *ask, const struct models *models, struct failure *failure)
{
	if (!(ask->maker == OPENAI ? openai_read : anthropic_read)(ask, models, failure))
		return false;
	if (!ask->stream)
		return true;
	*failure = failure_invalid(ask->maker, "stream", NULL, "stream: not supported in a batch");
	return false;
}

int call_answer_line(struct simulator *sim, const struct batch_call *line, struct buffer *body,
		     struct tokens *tokens, nsec now)
{
	struct receipt receipt = {0};
	struct call call = {.sim = sim,
			    .maker = line->maker,
			    .now = now,
			    .key = line->key,
			    .receipt = &receipt};
	const char *raw;
	struct failure failure;
	size_t len;

	snprintf(receipt.request_id, sizeof(receipt.request_id), "%s", line->request_id);
	snprintf(receipt.id, sizeof(receipt.id), "%s", line->custom_id);
	ask_begin(&sim->ask, line->maker, line->doc, line->root);
	*tokens = (struct tokens){0};
	if (!read_line(&sim->ask, sim->models, &failure)) {
		failure_write_body(&failure, line->maker, line->request_id, body);
		return failure.status;
	}
	raw = document_raw(line->doc, line->root, &len);
	call.hash = hash_bytes(raw, len, sim->seed);
	seed_call(&call);
	read_wishes(sim, raw, len);
	receipt.fault = choose_fault(&call);
	if (receipt.fault != FAULT_NONE && fault_stage(receipt.fault) == STAGE_REFUSE) {
		failure = failure_of(receipt.fault, line->maker, sim->ask.model_name);
		failure_write_body(&failure, line->maker, line->request_id, body);
		return failure.status;
	}
	make_answer(&call, receipt.fault);
	snprintf(receipt.model, sizeof(receipt.model), "%s", sim->ask.model->name);
	snprintf(receipt.key, sizeof(receipt.key), "%s", line->key);
	charge(&call, BILL_BATCH, line->batch_id);
	count_repeats(&call);
	write_answer(&call, receipt.fault, line->maker == OPENAI ? "default" : "batch", false,
		     body);
	*tokens = call.tokens;
	return 200;
}

void call_strike(struct simulator *sim, struct exchange *x, enum maker maker, enum fault fault,
		 const char *request_id)
{
	struct receipt receipt = {0};
	struct call call = {
		.sim = sim,
		.x = x,
		.maker = maker,
		.receipt = &receipt,
		.dice = dice_seeded(hash_bytes(request_id, strlen(request_id), sim->seed))};

	snprintf(receipt.request_id, sizeof(receipt.request_id), "%s", request_id);
	sim->stats.faults[fault]++;
	if (fault_stage(fault) == STAGE_REFUSE) {
		sim->ask.model_name[0] = '\0';
		strike_before(&call, fault);
	} else if (fault_stage(fault) == STAGE_DELIVER) {
		delivery_plan(&x->reply, fault);
	}
}
