#include "vendor.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "ensure.h"
#include "oracle.h"
#include "world.h"

/* The provider's list: pico-dollars a token. */
static const struct list_price {
	const char *provider, *model;
	pico input, cached, output;
} list[] = {
	{"acme", "mini-1", 150000, 75000, 600000},
	{"bolt", "haiku-1", 1000000, 100000, 5000000},
	{"acme", "mid-1", 2500000, 1250000, 10000000},
	{"bolt", "sonnet-1", 3000000, 300000, 15000000},
	{"bolt", "opus-1", 15000000, 1500000, 75000000},
};

void vendor_init(struct vendor *vendor)
{
	*vendor = (struct vendor){0};
	relation_init(&vendor->bill, sizeof(struct bill_row), TABLES_MOST_ATTEMPTS);
}

void vendor_clear(struct vendor *vendor)
{
	relation_clear(&vendor->bill);
	vendor->trouble = 0;
}

void vendor_finish(struct vendor *vendor)
{
	relation_finish(&vendor->bill);
}

struct price_book vendor_price_list(void)
{
	struct price_book book = {.rows = xcalloc(COUNT_OF(list), sizeof(*book.rows)),
				  .count = COUNT_OF(list)};

	for (size_t i = 0; i < COUNT_OF(list); i++) {
		struct price *row = &book.rows[i];

		snprintf(row->provider, sizeof(row->provider), "%s", list[i].provider);
		snprintf(row->model, sizeof(row->model), "%s", list[i].model);
		row->rates = (struct rates){list[i].input, list[i].cached, list[i].input,
					    list[i].input, list[i].output};
	}
	price_book_sort(&book);
	return book;
}

static pico charge_for(const struct phone_call *call)
{
	for (size_t i = 0; i < COUNT_OF(list); i++)
		if (strcmp(list[i].model, call->candidate->model) == 0)
			return call->usage.input * list[i].input +
			       call->usage.cache_read * list[i].cached +
			       call->usage.output * list[i].output;
	ENSURE(false);
}

/* How often each trouble comes, beside the others. */
static const struct {
	enum misbehaviour how;
	unsigned weight;
} troubles[] = {
	{VENDOR_INVALID_OUTPUT, 5}, {VENDOR_UNSURE, 5},	       {VENDOR_TRUNCATED, 2},
	{VENDOR_REFUSES, 2},	    {VENDOR_GARBLED, 2},       {VENDOR_THROTTLES, 5},
	{VENDOR_TOO_LARGE, 1},	    {VENDOR_CREDENTIAL, 1},    {VENDOR_UNAVAILABLE, 6},
	{VENDOR_INVALID, 1},	    {VENDOR_UNKNOWN_MODEL, 1}, {VENDOR_LOSES_BILLED, 4},
	{VENDOR_LOSES_UNBILLED, 3}, {VENDOR_NEVER_SENT, 3},
};

static enum misbehaviour draw_trouble(struct world *world)
{
	unsigned total = 0, at;

	for (size_t i = 0; i < COUNT_OF(troubles); i++)
		total += troubles[i].weight;
	at = (unsigned)random_below(&world->random, total);
	for (size_t i = 0; i < COUNT_OF(troubles); i++) {
		if (at < troubles[i].weight)
			return troubles[i].how;
		at -= troubles[i].weight;
	}
	ENSURE(false);
}

void vendor_draw(struct world *world, struct phone_call *call)
{
	call->how = world_chance(world, world->vendor.trouble) ? draw_trouble(world) : VENDOR_GOOD;
	call->usage = (struct usage){
		.known = true,
		.input = (int64_t)random_below(&world->random, (uint64_t)call->most_input / 2 + 1),
		.cache_read = (int64_t)random_below(&world->random,
						    (uint64_t)call->most_input / 2 + 1),
		.output = (int64_t)random_below(&world->random, (uint64_t)call->most_output + 1),
	};
	if (call->how == VENDOR_GOOD)
		return;
	coverage_note(&world->coverage,
		      call->how >= VENDOR_LOSES_BILLED ? FAULT_LOST_ANSWER : FAULT_PROVIDER,
		      coverage_reply((int)call->how, call->attempts));
	world->faults++;
}

static bool is_billed(enum misbehaviour how)
{
	switch (how) {
	case VENDOR_GOOD:
	case VENDOR_INVALID_OUTPUT:
	case VENDOR_UNSURE:
	case VENDOR_TRUNCATED:
	case VENDOR_REFUSES:
	case VENDOR_GARBLED:
	case VENDOR_LOSES_BILLED:
		return true;
	default:
		return false;
	}
}

void vendor_accept(struct world *world, const struct phone_call *call)
{
	struct bill_row *row;

	if (call->how == VENDOR_NEVER_SENT)
		return;
	world->counts.calls++;
	oracle_accepted(world, call);
	if (!is_billed(call->how))
		return;
	row = relation_find(&world->vendor.bill, &call->attempt_id);
	if (!row)
		row = relation_add(&world->vendor.bill, &call->attempt_id);
	row->amount += charge_for(call);
	oracle_billed(world, call);
}

nsec vendor_latency(struct world *world, const struct phone_call *call)
{
	nsec latency = world_between(world, 100 * NSEC_PER_MSEC, 3 * NSEC_PER_SEC);

	if (call->how == VENDOR_LOSES_BILLED || call->how == VENDOR_LOSES_UNBILLED)
		return latency + 10 * NSEC_PER_SEC; /* the worker's own time-out */
	if (world_chance(world, 20))
		latency += 12 * NSEC_PER_SEC;
	return latency;
}

static enum reply_kind kind_of(enum misbehaviour how)
{
	static const enum reply_kind kinds[] = {
		[VENDOR_GOOD] = REPLY_ANSWER,
		[VENDOR_INVALID_OUTPUT] = REPLY_ANSWER,
		[VENDOR_UNSURE] = REPLY_ANSWER,
		[VENDOR_TRUNCATED] = REPLY_TRUNCATED,
		[VENDOR_REFUSES] = REPLY_REFUSED,
		[VENDOR_GARBLED] = REPLY_GARBLED,
		[VENDOR_THROTTLES] = REPLY_THROTTLED,
		[VENDOR_TOO_LARGE] = REPLY_TOO_LARGE,
		[VENDOR_CREDENTIAL] = REPLY_CREDENTIAL,
		[VENDOR_UNAVAILABLE] = REPLY_UNAVAILABLE,
		[VENDOR_INVALID] = REPLY_INVALID,
		[VENDOR_UNKNOWN_MODEL] = REPLY_UNKNOWN_MODEL,
		[VENDOR_LOSES_BILLED] = REPLY_LOST,
		[VENDOR_LOSES_UNBILLED] = REPLY_LOST,
		[VENDOR_NEVER_SENT] = REPLY_UNAVAILABLE,
	};

	return kinds[how];
}

/* What the worker's adapter would have made of it. */
void vendor_reply(struct world *world, const struct phone_call *call, struct reply *reply,
		  bool *valid)
{
	*reply = (struct reply){.kind = kind_of(call->how), .confidence = NAN};
	*valid = call->how == VENDOR_GOOD || call->how == VENDOR_UNSURE;
	reply->billed = is_billed(call->how) && call->how != VENDOR_LOSES_BILLED;
	if (reply->billed && call->how != VENDOR_GARBLED)
		reply->usage = call->usage;
	if (*valid && !world_chance(world, 100))
		reply->confidence = call->how == VENDOR_GOOD ? 0.99 : 0.4;
	if (call->how == VENDOR_THROTTLES && world_chance(world, 500))
		reply->retry_after = world_between(world, 0, 8 * NSEC_PER_SEC);
	if (!*valid)
		reply->never_retry = world_chance(world, 30);
}
