/* From decisions to rows, and from debts to events: workers/sync/settles.c and outlet.c. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ensure.h"
#include "fleet.h"
#include "oracle.h"

#define GROUP_SIZE 8
#define LINGER (5 * NSEC_PER_MSEC)
#define MAX_SETTLES_OPEN 4
#define TAKE_AT_ONCE 40

void settles_add(struct world *world, struct worker *w, struct hold *hold, struct settlement *s)
{
	s->owner = hold;
	hold->state = HOLD_SETTLING;
	if (w->unsettled_count == 0)
		w->settle_at = world->now;
	ENSURE(w->unsettled_count < COUNT_OF(w->unsettled));
	w->unsettled[w->unsettled_count++] = s;
}

static void send(struct world *world, struct worker *w, enum request_kind kind,
		 struct settlement *const *list, size_t count)
{
	struct request *r = fleet_request(world, w, kind, CONN_SETTLE, count);

	r->settlements = world_keep(world, count * sizeof(struct settlement *));
	memcpy(r->settlements, list, count * sizeof(struct settlement *));
	w->settles_open++;
	fleet_send(world, w, r);
}

static int by_attempt(const void *a, const void *b)
{
	return uuid_compare(&(*(struct settlement *const *)a)->attempt_id,
			    &(*(struct settlement *const *)b)->attempt_id);
}

void settles_flush(struct world *world, struct worker *w)
{
	while (w->unsettled_count > 0 && w->settles_open < MAX_SETTLES_OPEN &&
	       fleet_conn_ready(world, w, CONN_SETTLE)) {
		size_t count = w->unsettled_count < GROUP_SIZE ? w->unsettled_count : GROUP_SIZE;

		if (count < GROUP_SIZE && world->now < w->settle_at + LINGER)
			return;
		qsort(w->unsettled, count, sizeof(struct settlement *), by_attempt);
		send(world, w, REQUEST_SETTLE, w->unsettled, count);
		for (size_t i = 0; i < count && world_is_mutated(world, MUTATION_PUBLISH_EARLY);
		     i++)
			outlet_publish(world, w, w->unsettled[i]);
		w->unsettled_count -= count;
		memmove(w->unsettled, w->unsettled + count,
			w->unsettled_count * sizeof(struct settlement *));
	}
}

/* --- what came of it --- */

static void go_on(struct world *world, struct hold *hold)
{
	nsec wait = hold->wait_after;

	hold->wait_after = 0;
	hold->state = wait == 0 ? HOLD_READY : HOLD_WAITING;
	hold->wake_at = world->now + wait;
}

static void decided(struct world *world, struct worker *w, struct settlement *s)
{
	struct hold *hold = s->owner;

	if (strcmp(s->state, "CLAIMED") == 0) {
		go_on(world, hold);
		return;
	}
	outlet_publish(world, w, s);
	fleet_drop(world, w, hold);
}

/* find_decided() of settles.c; "settle-by-job" is what it once did, and told what was not decided.
 */
static bool was_decided(const struct world *world, const struct sending *sending,
			const struct settlement *s)
{
	for (size_t i = 0; i < sending->count; i++)
		if (uuid_equal(&sending->decided[i].job_id, &s->job_id) &&
		    (sending->decided[i].epoch == s->epoch ||
		     world_is_mutated(world, MUTATION_SETTLE_BY_JOB)))
			return true;
	return false;
}

static void read_settle(struct world *world, struct worker *w, struct sending *sending)
{
	struct request *r = sending->request;
	struct settlement **left = world_keep(world, r->count * sizeof(struct settlement *));
	size_t left_count = 0;

	for (size_t i = 0; i < r->count; i++) {
		if (was_decided(world, sending, r->settlements[i]))
			decided(world, w, r->settlements[i]);
		else
			left[left_count++] = r->settlements[i];
	}
	if (left_count > 0)
		send(world, w, REQUEST_LOOK, left, left_count);
}

static void look_at(struct world *world, struct worker *w, struct settlement *s,
		    const struct look *look)
{
	struct hold *hold = s->owner;
	bool same_epoch = look->epoch == s->epoch;

	if (same_epoch && look->state == ROW_CLAIMED && look->cancel_requested) {
		hold->cancel_requested = true;
		settles_add(world, w, hold, judge_end(world, hold, "CANCELLED", "cancelled", 0));
		return;
	}
	if (same_epoch && strcmp(row_state_name(look->state), s->state) == 0) {
		decided(world, w, s); /* by the first sending, whose answer was lost */
		return;
	}
	TRACE(world, "w%d is fenced from job %d: it is %s", w->slot, hold->number,
	      row_state_name(look->state));
	fleet_drop(world, w, hold);
}

static void read_look(struct world *world, struct worker *w, struct sending *sending)
{
	struct request *r = sending->request;

	for (size_t i = 0; i < r->count; i++)
		for (size_t k = 0; k < sending->count; k++)
			if (uuid_equal(&sending->looks[k].job_id, &r->settlements[i]->job_id))
				look_at(world, w, r->settlements[i], &sending->looks[k]);
}

void settles_answer(struct world *world, struct worker *w, struct sending *sending)
{
	w->settles_open--;
	if (sending->request->kind == REQUEST_SETTLE)
		read_settle(world, w, sending);
	else
		read_look(world, w, sending);
}

/* --- outlet --- */

static void publish(struct world *world, struct worker *w, const struct uuid *event_id,
		    const char *topic, const char *body)
{
	struct parcel *parcel = world_keep(world, sizeof(*parcel));

	*parcel = (struct parcel){*event_id, topic, body, false};
	agenda_add(&world->agenda,
		   (struct event){.at = world->now +
					world_between(world, NSEC_PER_MSEC, 20 * NSEC_PER_MSEC),
				  .kind = EVENT_APPEND,
				  .worker = w->slot,
				  .life = w->life,
				  .data = parcel});
}

void outlet_publish(struct world *world, struct worker *w, const struct settlement *s)
{
	for (size_t i = 0; i < s->debt_count; i++)
		publish(world, w, &s->debts[i].event_id, s->debts[i].topic, s->debts[i].body);
}

/* The broker has it, or not; and the worker hears of it, or hears that it failed. */
void outlet_append(struct world *world, struct event *event)
{
	struct parcel *parcel = event->data;
	int run = 0, hop = 0;
	int log = broker_log_of(parcel->topic, parcel->event_id.bytes[15]);
	bool fate = world->healed_at > 0 || !world_chance(world, 60);

	if (!world->broker.away) {
		const char *numbers = log >= 0 ? strstr(parcel->body, "\"run\":") : NULL;

		oracle_published(world, parcel->topic, &parcel->event_id, parcel->body);
		if (numbers && sscanf(numbers, "\"run\":%d,\"hop\":%d", &run, &hop) == 2) {
			struct uuid job_id = {0};
			char text[UUID_TEXT] = "";

			memcpy(text, strstr(parcel->body, "\"job_id\":\"") + 10, UUID_TEXT - 1);
			ENSURE(uuid_parse(text, &job_id));
			broker_append(
				&world->broker, log,
				&(struct message){MESSAGE_THIN, world_number(&job_id), run, hop});
		}
		parcel->ok = fate;
		if (!fate) {
			coverage_note(&world->coverage, FAULT_DELIVERY, coverage_job(-1, run, hop));
			world->faults++;
		}
	}
	event->kind = EVENT_DELIVERED;
	event->at = world->now + world_between(world, NSEC_PER_MSEC, 20 * NSEC_PER_MSEC);
	agenda_add(&world->agenda, *event);
}

void outlet_delivered(struct world *world, struct worker *w, const struct parcel *parcel)
{
	if (!parcel->ok && !world_is_mutated(world, MUTATION_SWALLOW_DELIVERY))
		return; /* still owed */
	if (w->paid_count < COUNT_OF(w->paid))
		w->paid[w->paid_count++] = parcel->event_id;
}

void outlet_flush(struct world *world, struct worker *w)
{
	struct request *r;

	if (w->paid_count > 0 && !w->paying && fleet_conn_ready(world, w, CONN_SETTLE)) {
		r = fleet_request(world, w, REQUEST_PAID, CONN_SETTLE, w->paid_count);
		r->ids = world_keep(world, w->paid_count * sizeof(*r->ids));
		memcpy(r->ids, w->paid, w->paid_count * sizeof(*r->ids));
		w->paid_count = 0;
		w->paying = true;
		fleet_send(world, w, r);
	}
	if (world->now >= w->outbox_at && fleet_conn_ready(world, w, CONN_SWEEP) && !w->stop_at) {
		w->outbox_at = world->now +
			       world_between(world, 2 * NSEC_PER_SEC, 4 * NSEC_PER_SEC);
		fleet_send(world, w,
			   fleet_request(world, w, REQUEST_TAKE, CONN_SWEEP, TAKE_AT_ONCE));
	}
}

void outlet_answer(struct world *world, struct worker *w, struct sending *sending)
{
	if (sending->request->kind == REQUEST_PAID) {
		w->paying = false;
		return;
	}
	for (size_t i = 0; i < sending->count; i++)
		publish(world, w, &sending->debts[i]->event_id, sending->debts[i]->topic,
			sending->debts[i]->body);
	if (sending->count > 0)
		w->outbox_at = world->now;
}
