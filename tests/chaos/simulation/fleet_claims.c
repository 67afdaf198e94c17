/* From messages to jobs that are ours: workers/sync/intake.c and claims.c. */
#include <stdlib.h>
#include <string.h>

#include "ensure.h"
#include "fleet.h"
#include "oracle.h"

#define MAX_CLAIMS_OPEN 4
#define GROUP_SIZE 8
#define ROOM 24
#define LINGER (5 * NSEC_PER_MSEC)

static size_t room(const struct worker *w)
{
	size_t held = fleet_holding(w);

	return held >= ROOM ? 0 : ROOM - held;
}

static struct group *filling(struct world *world, struct worker *w)
{
	if (!w->filling) {
		w->filling = world_keep(world, sizeof(*w->filling));
		w->filling->id = world_uuid(world);
		w->filling->room = 2 * GROUP_SIZE;
		w->filling->holds = world_keep(world, w->filling->room * sizeof(struct hold *));
		w->filling->opened_at = world->now;
	}
	return w->filling;
}

/* round_id() of claims.c; "shared-claim-id" is what it once did, and paid twice by. */
static struct uuid round_id(const struct world *world, const struct group *group, size_t round)
{
	struct uuid id = group->id;

	if (!world_is_mutated(world, MUTATION_SHARED_CLAIM_ID))
		id.bytes[15] ^= (uint8_t)round;
	return id;
}

bool claims_know(const struct worker *w, const struct uuid *claim_id)
{
	for (const struct group *group = w->groups; group; group = group->after)
		if (memcmp(group->id.bytes, claim_id->bytes, sizeof(claim_id->bytes) - 2) == 0)
			return true;
	return false;
}

/* --- sending --- */

/* By job, and messages of one job in the order in which they make sense. */
static int by_job(const void *a, const void *b)
{
	const struct job *first = &(*(struct hold *const *)a)->message,
			 *second = &(*(struct hold *const *)b)->message;
	int order = uuid_compare(&first->id, &second->id);

	if (order == 0)
		order = first->thin - second->thin;
	if (order == 0)
		order = (first->run > second->run) - (first->run < second->run);
	return order ? order : (first->hop > second->hop) - (first->hop < second->hop);
}

/* first_of_each() of claims.c: one statement takes a job once. */
static size_t first_of_each(struct hold **holds, size_t from, size_t count)
{
	struct hold *repeats[64];
	size_t kept = from, repeated = 0;

	for (size_t i = from; i < count; i++) {
		if (kept > from && uuid_equal(&holds[kept - 1]->message.id, &holds[i]->message.id))
			repeats[repeated++] = holds[i];
		else
			holds[kept++] = holds[i];
	}
	memcpy(holds + kept, repeats, repeated * sizeof(struct hold *));
	return kept;
}

static void send_claim(struct world *world, struct worker *w, struct group *group,
		       const struct uuid *claim_id, struct hold **holds, size_t count)
{
	struct request *r = fleet_request(world, w, REQUEST_CLAIM, CONN_CLAIM, count);

	r->group = group;
	r->claim_id = *claim_id;
	r->holds = world_keep(world, count * sizeof(struct hold *));
	memcpy(r->holds, holds, count * sizeof(struct hold *));
	r->rows = world_keep(world, count * sizeof(*r->rows));
	for (size_t i = 0; i < count; i++) {
		struct hold *hold = holds[i];
		struct intent *intent = NULL;

		if (hold->prepared) {
			intent = world_keep(world, sizeof(*intent));
			*intent = hold->intent;
		}
		r->rows[i] = (struct claim_row){
			.job = &hold->message,
			.tier = hold->tier->name,
			.lane = LANE_NORMAL,
			.bytes = hold->bytes,
			.len = strlen(hold->bytes),
			.headers = "",
			.park_reason = hold->park_reason,
			.due = hold->park_until,
			.intent = intent,
		};
	}
	group->open++;
	fleet_send(world, w, r);
}

static struct uuid place_id(const struct reject_note *note)
{
	struct uuid id = {0};

	memcpy(id.bytes, &note->log, sizeof(note->log));
	memcpy(id.bytes + 8, &note->offset, sizeof(note->offset));
	id.bytes[6] = 0x80;
	return id;
}

static void send_rejects(struct world *world, struct worker *w, struct group *group, size_t from)
{
	size_t count = group->reject_count - from;
	struct request *r;

	if (count == 0)
		return;
	r = fleet_request(world, w, REQUEST_REJECT, CONN_CLAIM, count);
	r->group = group;
	r->rejects = world_keep(world, count * sizeof(*r->rejects));
	for (size_t i = 0; i < count; i++) {
		const struct reject_note *note = &group->rejects[from + i];

		r->rejects[i] = (struct reject_row){
			.topic = broker_topic(note->log),
			.partition = note->log % PARTITIONS,
			.offset = note->offset,
			.job_id = note->has_job ? &note->job_id : NULL,
			.reason = note->reason,
			.event_id = place_id(note),
			.dead_topic = "sluice.dead",
			.dead_letter = "",
		};
	}
	group->open++;
	fleet_send(world, w, r);
}

static void store_offsets(struct worker *w, const struct group *group)
{
	for (int log = 0; log < LOGS; log++)
		if (group->next[log] && w->assignment[log] == group->assignment[log])
			w->stored[log] = group->next[log];
}

/* Offsets are stored strictly in the order in which the messages were read. */
static void finish_groups(struct worker *w)
{
	while (w->groups && w->groups->open == 0) {
		store_offsets(w, w->groups);
		w->groups = w->groups->after;
		if (!w->groups)
			w->groups_tail = &w->groups;
	}
}

static void send_group(struct world *world, struct worker *w)
{
	struct group *group = w->filling;

	w->filling = NULL;
	qsort(group->holds, group->count, sizeof(struct hold *), by_job);
	*w->groups_tail = group;
	w->groups_tail = &group->after;
	group->open++; /* ourselves, until all is sent */
	send_rejects(world, w, group, 0);
	for (size_t from = 0, next, round = 0; from < group->count; from = next, round++) {
		struct uuid id = round_id(world, group, round);

		next = first_of_each(group->holds, from, group->count);
		send_claim(world, w, group, &id, group->holds + from, next - from);
	}
	group->open--;
	if (world_is_mutated(world, MUTATION_OFFSET_BEFORE_COMMIT))
		store_offsets(w, group);
}

void claims_flush(struct world *world, struct worker *w)
{
	struct group *group = w->filling;

	if (!group || !fleet_conn_ready(world, w, CONN_CLAIM) ||
	    w->conns[CONN_CLAIM].open_count >= MAX_CLAIMS_OPEN)
		return;
	if (group->count + group->reject_count < GROUP_SIZE &&
	    world->now < group->opened_at + LINGER)
		return;
	send_group(world, w);
}

/* --- reading --- */

static void note_reject(struct group *group, enum message_kind kind, int log, int64_t offset,
			const struct uuid *job_id, const char *reason)
{
	struct reject_note *note = &group->rejects[group->reject_count++];

	ENSURE(group->reject_count <= COUNT_OF(group->rejects));
	*note = (struct reject_note){.kind = kind, .log = log, .offset = offset, .reason = reason};
	note->has_job = job_id != NULL;
	if (job_id)
		note->job_id = *job_id;
}

static struct job read_message(const struct world *world, const struct message *message)
{
	const struct spec *spec = &world->specs[message->job];
	struct job job = message->kind == MESSAGE_OTHER_BODY ? spec->other : spec->job;

	if (message->kind == MESSAGE_THIN)
		job = (struct job){.thin = true, .id = spec->job.id};
	job.run = message->run;
	job.hop = message->hop;
	return job;
}

/* is_same() and is_conflict() of intake.c: the same message, whatever its offset. */
static bool is_same(const struct job *a, const struct job *b)
{
	if (a->thin != b->thin || !uuid_equal(&a->id, &b->id))
		return false;
	return a->thin ? a->run == b->run && a->hop == b->hop
		       : digest_equal(&a->fingerprint, &b->fingerprint);
}

static bool is_conflict(const struct job *a, const struct job *b)
{
	return !a->thin && !b->thin && uuid_equal(&a->id, &b->id) &&
	       !digest_equal(&a->fingerprint, &b->fingerprint);
}

/* is_repeated() of intake.c; "drop-follow-up" is what it once did, and lost jobs by. */
static bool is_repeated(const struct world *world, struct group *group, const struct job *job,
			int log, int64_t offset)
{
	for (size_t i = 0; i < group->count; i++) {
		const struct job *other = &group->holds[i]->message;

		if (is_same(job, other))
			return true;
		if (is_conflict(job, other)) {
			note_reject(group, MESSAGE_OTHER_BODY, log, offset, &job->id, "conflict");
			return true;
		}
		if (world_is_mutated(world, MUTATION_DROP_FOLLOW_UP) &&
		    uuid_equal(&job->id, &other->id))
			return true;
	}
	return false;
}

static void take(struct world *world, struct worker *w, int log, int64_t offset,
		 const struct message *message)
{
	struct group *group = filling(world, w);
	struct job job = read_message(world, message);
	struct hold *hold;

	group->next[log] = offset + 1;
	group->assignment[log] = w->assignment[log];
	if (message->kind == MESSAGE_GARBAGE) {
		note_reject(group, MESSAGE_GARBAGE, log, offset, NULL, "unparseable");
		return;
	}
	if (is_repeated(world, group, &job, log, offset))
		return;
	hold = fleet_hold(world, w, message->job);
	hold->message = job;
	hold->bytes = message->kind == MESSAGE_OTHER_BODY ? world->specs[message->job].other_body
							  : world->specs[message->job].body;
	hold->run = job.run;
	hold->hop = job.hop;
	hold->log = log;
	hold->offset = offset;
	hold->tier = &world->config->tiers[log / PARTITIONS];
	if (!job.thin && job.not_before > world->now) {
		hold->park_reason = "not_before";
		hold->park_until = job.not_before;
	}
	if (!job.thin && !hold->park_reason)
		starts_prepare(world, w, hold);
	group->holds[group->count++] = hold;
}

void claims_intake(struct world *world, struct worker *w)
{
	size_t most = room(w);

	if (w->stop_at || w->alone || most == 0 || !fleet_conn_ready(world, w, CONN_CLAIM) ||
	    !starts_allowed(world, w))
		return;
	claims_pull(world, w);
	if (world->broker.away)
		return;
	for (int log = 0; log < LOGS; log++) {
		const struct partition *p = &world->broker.partitions[log];

		if (!w->assignment[log] ||
		    !targets_open(w->targets, &world->config->tiers[log / PARTITIONS], world->now))
			continue;
		for (int n = 0; n < 3 && most > 0 && w->position[log] < p->count; n++, most--) {
			int64_t at = w->position[log]++;

			if (filling(world, w)->count + w->filling->reject_count >= GROUP_SIZE) {
				w->position[log]--;
				return;
			}
			take(world, w, log, at, &p->messages[at]);
		}
	}
}

/* --- what came of it --- */

/* claims_adopt() */
static void adopt(struct world *world, struct worker *w, struct hold *hold,
		  const struct claimed *claimed)
{
	hold->ours = true;
	hold->epoch = claimed->epoch;
	hold->run = claimed->run;
	hold->hop = claimed->hop;
	hold->crash_count = claimed->crash_count;
	hold->cancel_requested = claimed->cancel_requested;
	if (*claimed->tier)
		hold->tier = config_tier(world->config, claimed->tier);
	memo_finish(&hold->memo);
	memo_read(&hold->memo, claimed->progress);
	if (claimed->body && hold->message.thin) {
		struct spec *spec = &world->specs[hold->number];

		hold->message = strcmp(claimed->body, spec->body) == 0 ? spec->job : spec->other;
	}
	if (hold->prepared)
		starts_send(world, w, hold);
	else
		hold->state = HOLD_READY;
}

static void won(struct world *world, struct worker *w, struct hold *hold,
		const struct claimed *claimed)
{
	if (claimed->parked)
		fleet_drop(world, w, hold);
	else
		adopt(world, w, hold, claimed);
}

static struct hold *find_in(const struct request *r, const struct uuid *id)
{
	for (size_t i = 0; i < r->count; i++)
		if (r->holds[i]->state == HOLD_CLAIMING && uuid_equal(&r->holds[i]->message.id, id))
			return r->holds[i];
	return NULL;
}

static void read_claim(struct world *world, struct worker *w, struct sending *sending)
{
	const struct request *claim = sending->request;
	struct request *r;

	for (size_t i = 0; i < sending->count; i++) {
		struct hold *hold = find_in(claim, &sending->claimed[i].job_id);

		ENSURE(hold);
		won(world, w, hold, &sending->claimed[i]);
	}
	r = fleet_request(world, w, REQUEST_CLASSIFY, CONN_CLAIM, 0);
	r->group = claim->group;
	r->claim_id = claim->claim_id;
	r->ids = world_keep(world, claim->count * sizeof(*r->ids));
	r->holds = world_keep(world, claim->count * sizeof(struct hold *));
	for (size_t i = 0; i < claim->count; i++) {
		if (claim->holds[i]->state != HOLD_CLAIMING)
			continue;
		r->holds[r->count] = claim->holds[i];
		r->ids[r->count++] = claim->holds[i]->message.id;
	}
	if (r->count == 0)
		return;
	r->group->open++;
	fleet_send(world, w, r);
}

static void classify(struct world *world, struct worker *w, struct request *r,
		     const struct standing *standing)
{
	struct hold *hold = find_in(r, &standing->job_id);

	ENSURE(hold);
	switch (claim_classify(&hold->message, standing)) {
	case CLAIM_WON:
		won(world, w, hold, &standing->claimed);
		return;
	case CLAIM_AGAIN:
		send_claim(world, w, r->group, &r->claim_id, &hold, 1);
		return;
	case CLAIM_DUPLICATE:
		break;
	case CLAIM_CONFLICT:
		note_reject(r->group, MESSAGE_OTHER_BODY, hold->log, hold->offset,
			    &hold->message.id, "conflict");
		break;
	case CLAIM_IMPOSSIBLE:
		note_reject(r->group, MESSAGE_THIN, hold->log, hold->offset, &hold->message.id,
			    "impossible");
		break;
	}
	fleet_drop(world, w, hold);
}

static void read_pull(struct world *world, struct worker *w, struct sending *sending)
{
	for (size_t i = 0; i < sending->count; i++) {
		const struct claimed *claimed = &sending->claimed[i];
		struct hold *hold = fleet_hold(world, w, world_number(&claimed->job_id));

		hold->message = (struct job){.thin = true, .id = claimed->job_id};
		hold->tier = &world->config->tiers[0];
		adopt(world, w, hold, claimed);
	}
	if (sending->count > 0)
		w->pull_at = world->now;
}

void claims_answer(struct world *world, struct worker *w, struct sending *sending)
{
	struct request *r = sending->request;
	size_t before;

	if (r->kind == REQUEST_PULL) {
		w->pull_open = false;
		read_pull(world, w, sending);
		return;
	}
	if (!sending->ok)
		world_violate(world, "I3", "the same attempt id was announced twice");
	before = r->group->reject_count;
	if (r->kind == REQUEST_CLAIM)
		read_claim(world, w, sending);
	else if (r->kind == REQUEST_CLASSIFY)
		for (size_t i = 0; i < sending->count; i++)
			classify(world, w, r, &sending->standing[i]);
	if (r->group->reject_count > before)
		send_rejects(world, w, r->group, before);
	r->group->open--;
	finish_groups(w);
}

/* claims_pull() and send_pull() */
void claims_pull(struct world *world, struct worker *w)
{
	struct request *r;
	size_t most = room(w);

	if (w->pull_open || world->now < w->pull_at || !fleet_conn_ready(world, w, CONN_CLAIM))
		return;
	w->pull_at = world->now + world_between(world, 100 * NSEC_PER_MSEC, 300 * NSEC_PER_MSEC);
	if (w->alone ? fleet_holding(w) > 0 : most == 0)
		return;
	r = fleet_request(world, w, REQUEST_PULL, CONN_CLAIM, (most / 2 + 1) / TIERS + 1);
	r->claim_id = world_uuid(world);
	r->flag = w->alone;
	for (size_t i = 0; i < world->config->tier_count; i++)
		if (w->alone || targets_open(w->targets, &world->config->tiers[i], world->now))
			r->tiers |= 1u << i;
	w->pull_open = true;
	fleet_send(world, w, r);
}

/* --- Kafka, as this worker knows it --- */

void claims_learn_assignment(struct world *world, struct worker *w)
{
	struct broker *broker = &world->broker;

	if (w->generation == broker->generation || broker->away)
		return;
	w->generation = broker->generation;
	if (!broker->members[w->slot].in || broker->members[w->slot].life != w->life) {
		broker_join(
			broker, w->slot,
			w->life); /* expelled meanwhile: again a member after the next rebalance */
		memset(w->assignment, 0, sizeof(w->assignment));
		agenda_add(&world->agenda, (struct event){.at = world->now + NSEC_PER_SEC,
							  .kind = EVENT_REBALANCE});
		return;
	}
	for (int log = 0; log < LOGS; log++) {
		const struct partition *p = &broker->partitions[log];
		bool ours = p->owner == w->slot && p->life == w->life;

		w->assignment[log] = ours ? p->assignment : 0;
		w->position[log] = p->committed;
		w->stored[log] = 0;
	}
}

void claims_commit(struct world *world, struct worker *w)
{
	for (int log = 0; log < LOGS; log++) {
		int64_t was = world->broker.partitions[log].committed;

		if (!w->stored[log] || !w->assignment[log])
			continue;
		if (w->generation == world->broker.generation &&
		    broker_commit(&world->broker, w->slot, w->life, log, w->stored[log]))
			oracle_committed(world, log, was, w->stored[log]);
		else if (!world->broker.away)
			w->generation = 0; /* it will learn */
		if (!world->broker.away)
			w->stored[log] = 0;
	}
}
