#include "oracle.h"

#include <stdio.h>
#include <string.h>

#include "ensure.h"
#include "fleet.h"

/* The settle in hand: what each of its jobs looked like before. */
static struct {
	const struct settlement *settlement;
	bool was_held;
	struct uuid holder;
	int32_t epoch;
} before[64];
static size_t before_count;

static int *cell(int table[RUNS][HOPS], int32_t run, int32_t hop)
{
	ENSURE(run >= 0 && run < RUNS);
	return &table[run][hop < HOPS ? hop : HOPS - 1];
}

/* --- jobs --- */

static bool has_open_attempt(const struct world *world, const struct uuid *job_id)
{
	for (size_t i = 0; i < world->db->attempts.count; i++) {
		const struct attempt_row *attempt = relation_at(&world->db->attempts, i);

		if (attempt->state == ATTEMPT_SENT && uuid_equal(&attempt->job_id, job_id))
			return true;
	}
	return false;
}

static void look_at_job(struct world *world, const struct job_row *job)
{
	struct spec *spec = world_spec(world, &job->id);
	int number = world_number(&job->id);

	if (spec->buried && !spec->seen)
		world_violate(world, "I13",
			      "job %d was cancelled before it was seen and has a row now", number);
	if (spec->seen && row_is_final(spec->state) && job->run == spec->run &&
	    job->state != spec->state)
		world_violate(world, "I2", "job %d was %s and is %s in the same run", number,
			      row_state_name(spec->state), row_state_name(job->state));
	if (spec->seen &&
	    (job->run < spec->run || (job->run == spec->run && job->hop < spec->hop) ||
	     job->epoch < spec->epoch))
		world_violate(world, "I8", "job %d went back in run, hop or epoch", number);
	if (job->state == ROW_DONE && spec->canceled)
		world_violate(world, "I13",
			      "job %d is done although its cancellation was acknowledged", number);
	if (job->state == ROW_PARKED && (!job->reason || !job->has_due))
		world_violate(world, "I10", "job %d is parked without a reason or a date", number);
	if (spec->held && job->state != ROW_CLAIMED && has_open_attempt(world, &job->id))
		world_violate(world, "I3", "job %d is %s and a call of it is still open", number,
			      row_state_name(job->state));
	spec->seen = true;
	spec->state = job->state;
	spec->run = job->run;
	spec->hop = job->hop;
	spec->epoch = job->epoch;
	spec->held = job->state == ROW_CLAIMED;
	spec->holder = job->owner;
}

/* --- money: attempt by attempt --- */

static pico billed(const struct world *world, const struct uuid *attempt_id)
{
	const struct bill_row *row = relation_find(&world->vendor.bill, attempt_id);

	return row ? row->amount : 0;
}

static void look_at_attempt(struct world *world, const struct attempt_row *attempt)
{
	pico bill = billed(world, &attempt->id);
	int number = world_number(&attempt->job_id);
	bool good = true;

	switch (attempt->state) {
	case ATTEMPT_SENT:
		good = attempt->rows == 0;
		break;
	case ATTEMPT_CLOSED:
		good = attempt->booked == bill;
		break;
	case ATTEMPT_UNKNOWN:
		good = attempt->rows == 1 && attempt->booked == attempt->bound &&
		       bill <= attempt->bound;
		break;
	case ATTEMPT_THROTTLED:
		good = attempt->booked == 0 && bill == 0;
		break;
	}
	if (!good)
		world_violate(world, "I3",
			      "an attempt of job %d (state %d) has %lld pico in %d ledger rows and "
			      "%lld on the bill",
			      number, (int)attempt->state, (long long)attempt->booked,
			      attempt->rows, (long long)bill);
}

void oracle_look(struct world *world)
{
	struct tables *db = world->db;

	for (size_t i = 0; i < db->touched_job_count; i++)
		look_at_job(world, db->touched_jobs[i]);
	for (size_t i = 0; i < db->touched_attempt_count; i++)
		look_at_attempt(world, db->touched_attempts[i]);
	tables_forget_touched(db);
}

/* --- calls --- */

void oracle_sent(struct world *world, const struct uuid *attempt_id)
{
	if (!relation_find(&world->sent, attempt_id))
		relation_add(&world->sent, attempt_id);
}

bool oracle_was_sent(const struct world *world, const struct uuid *attempt_id)
{
	return relation_find(&world->sent, attempt_id) != NULL;
}

void oracle_excuse(struct world *world, const struct uuid *job_id, int32_t run, int32_t hop)
{
	++*cell(world_spec(world, job_id)->excuses, run, hop);
}

void oracle_accepted(struct world *world, const struct phone_call *call)
{
	struct spec *spec = &world->specs[call->job];
	int calls = ++*cell(spec->calls, call->run, call->hop);
	int excuses = *cell(spec->excuses, call->run, call->hop);

	if (calls > 1 + excuses)
		world_violate(world, "I4",
			      "call %d for job %d run %d hop %d, and only %d faults hit it", calls,
			      call->job, (int)call->run, (int)call->hop, excuses);
	if (call->how != VENDOR_GOOD)
		++*cell(spec->excuses, call->run, call->hop);
}

void oracle_billed(struct world *world, const struct phone_call *call)
{
	const struct attempt_row *attempt = relation_find(&world->db->attempts, &call->attempt_id);

	if (!attempt)
		world_violate(world, "I3",
			      "a call for job %d is on the bill and no row announced it",
			      call->job);
	else if (attempt->state != ATTEMPT_SENT)
		look_at_attempt(world, attempt);
}

/* --- decisions --- */

static bool is_kept(const char *state)
{
	return strcmp(state, "CLAIMED") == 0;
}

void oracle_before_settle(struct world *world, const struct uuid *sender,
			  struct settlement *const *settlements, size_t count)
{
	ENSURE(count <= COUNT_OF(before));
	before_count = 0;
	for (size_t i = 0; i < count; i++) {
		const struct spec *spec = world_spec(world, &settlements[i]->job_id);

		before[before_count].settlement = settlements[i];
		before[before_count].was_held = spec->held &&
						(!sender || uuid_equal(sender, &spec->holder));
		before[before_count].epoch = spec->epoch;
		before_count++;
		if (settlements[i]->reason && strcmp(settlements[i]->reason, "shutdown") == 0 &&
		    oracle_was_sent(world, &settlements[i]->attempt_id))
			oracle_excuse(world, &settlements[i]->job_id, spec->run, spec->hop);
	}
}

static void look_at_debts(struct world *world, const struct settlement *s)
{
	bool owes = false;

	for (size_t i = 0; i < s->debt_count; i++) {
		const struct outbox_row *row = relation_find(&world->db->outbox,
							     &s->debts[i].event_id);

		owes |= row && !row->deleted;
	}
	if (!is_kept(s->state) && strcmp(s->state, "PARKED") != 0 && !owes)
		world_violate(world, "I7", "job %d became %s and nothing is owed for it",
			      world_number(&s->job_id), s->state);
}

void oracle_after_settle(struct world *world, const struct decided_row *decided, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		size_t k = 0;

		while (k < before_count &&
		       (!uuid_equal(&before[k].settlement->job_id, &decided[i].job_id) ||
			(before[k].settlement->epoch != decided[i].epoch &&
			 world->options.mutation != MUTATION_NO_EPOCH_GUARD)))
			k++;
		ENSURE(k < before_count);
		if (!before[k].was_held || before[k].epoch != before[k].settlement->epoch)
			world_violate(
				world, "I8", "job %d was decided (%s) by one who does not hold it",
				world_number(&decided[i].job_id), before[k].settlement->state);
		look_at_debts(world, before[k].settlement);
	}
	for (size_t i = 0; i < world->db->touched_job_count; i++) {
		const struct job_row *job = world->db->touched_jobs[i];
		struct spec *spec = world_spec(world, &job->id);

		if (!row_is_final(job->state))
			continue;
		world->counts.ended++;
		if (++spec->ends[job->run] > 1)
			world_violate(world, "I2", "job %d ended twice in run %d",
				      world_number(&job->id), (int)job->run);
	}
}

/* A worker that runs, and has had the time to say so, is not dead: whatever Postgres went through.
 */
void oracle_repaired(struct world *world)
{
	for (size_t i = 0; i < world->db->touched_job_count; i++) {
		const struct job_row *job = world->db->touched_jobs[i];
		const struct spec *spec = world_spec(world, &job->id);

		for (int slot = 0; slot < SLOTS && spec->held; slot++) {
			const struct worker *w = world->workers[slot];

			if (w && uuid_equal(&w->id, &spec->holder) && !w->ended &&
			    w->stalled_until <= world->now &&
			    world->now - w->woke_at > 10 * NSEC_PER_SEC)
				world_violate(world, "I8",
					      "job %d was taken from a worker that lives",
					      world_number(&job->id));
		}
	}
}

/* --- people --- */

void oracle_canceled(struct world *world, int job, enum cancel_stood stood)
{
	struct spec *spec = &world->specs[job];

	coverage_note(&world->coverage, FAULT_CANCEL,
		      coverage_job(spec->seen ? (int)spec->state : -1, spec->run, spec->hop));
	if (stood == STOOD_OPEN)
		spec->canceled = true;
	else if (stood == STOOD_NOWHERE)
		spec->buried = true;
	oracle_look(world);
}

void oracle_rerun(struct world *world, int job)
{
	world->specs[job].canceled = false;
	oracle_look(world);
}

/* --- Kafka --- */

static bool is_rejected(const struct world *world, int log, int64_t offset)
{
	for (size_t i = 0; i < world->db->reject_count; i++) {
		const struct reject_place *place = &world->db->rejects[i];

		if (place->offset == offset && place->partition == log % PARTITIONS &&
		    strcmp(place->topic, broker_topic(log)) == 0)
			return true;
	}
	return false;
}

/* The message may be forgotten: what it stands for is in the tables. */
static bool is_safe(const struct world *world, int log, int64_t offset)
{
	const struct message *message = &world->broker.partitions[log].messages[offset];
	const struct uuid *id = &world->specs[message->job].job.id;
	const struct job_row *job = relation_find(&world->db->jobs, id);

	if (is_rejected(world, log, offset))
		return true;
	switch (message->kind) {
	case MESSAGE_FULL:
		return job || relation_find(&world->db->tombstones, id);
	case MESSAGE_OTHER_BODY: /* dropped beside a tombstone or its own row, otherwise rejected */
		return relation_find(&world->db->tombstones, id) || (job && *job->body == 'o');
	case MESSAGE_THIN:
		return job && (job->run > message->run ||
			       (job->run == message->run &&
				(job->hop > message->hop ||
				 (job->hop == message->hop && job->state != ROW_QUEUED))));
	default:
		return false;
	}
}

void oracle_committed(struct world *world, int log, int64_t from, int64_t to)
{
	if (to < from)
		world_violate(world, "I6", "the offset of %s/%d went back", broker_topic(log),
			      log % PARTITIONS);
	for (int64_t offset = from; offset < to; offset++)
		if (!is_safe(world, log, offset))
			world_violate(world, "I5",
				      "%s/%d is committed beyond %lld (job %d), which is nowhere",
				      broker_topic(log), log % PARTITIONS, (long long)offset,
				      world->broker.partitions[log].messages[offset].job);
}

static uint64_t hash(const char *text)
{
	uint64_t hash = 1469598103934665603u;

	for (; *text; text++)
		hash = (hash ^ (uint8_t)*text) * 1099511628211u;
	return hash;
}

static const struct result_row *result_of(const struct world *world, int job, int run)
{
	for (size_t i = 0; i < world->db->result_count; i++) {
		const struct result_row *row = &world->db->results[i];

		if (row->run == run && world_number(&row->job_id) == job)
			return row;
	}
	return NULL;
}

static void look_at_event(struct world *world, const struct uuid *event_id, const char *body,
			  int job, int run)
{
	struct published *p = relation_find(&world->broker.published, event_id);

	if (!result_of(world, job, run))
		world_violate(world, "I7",
			      "an outcome of job %d run %d was published, and none is committed",
			      job, run);
	for (size_t i = 0; i < world->broker.published.count; i++) {
		const struct published *other = relation_at(&world->broker.published, i);

		if (other->job == job && other->run == run &&
		    (!uuid_equal(&other->event_id, event_id) || other->body != hash(body)))
			world_violate(world, "I2",
				      "two different outcomes of job %d run %d were published", job,
				      run);
	}
	if (!p) {
		p = relation_add(&world->broker.published, event_id);
		p->job = job;
		p->run = run;
		p->body = hash(body);
	}
	p->copies++;
}

void oracle_published(struct world *world, const char *topic, const struct uuid *event_id,
		      const char *body)
{
	int job, run, hop;
	const char *numbers;

	TRACE(world, "published to %s: %s", topic, body);
	if (sscanf(body, "{\"job\":%d,\"run\":%d", &job, &run) == 2 &&
	    (strcmp(topic, "sluice.results") == 0 || strcmp(topic, "sluice.dead") == 0)) {
		look_at_event(world, event_id, body, job, run);
		return;
	}
	numbers = strstr(body, "\"run\":");
	if (numbers && sscanf(numbers, "\"run\":%d,\"hop\":%d", &run, &hop) == 2) {
		const struct outbox_row *row = relation_find(&world->db->outbox, event_id);
		const struct job_row *moved = row ? relation_find(&world->db->jobs, &row->job_id)
						  : NULL;

		if (!moved || moved->run < run || (moved->run == run && moved->hop < hop))
			world_violate(
				world, "I7",
				"a move to run %d hop %d was published before it was committed",
				run, hop);
	}
}

/* --- the end --- */

bool oracle_is_quiet(const struct world *world)
{
	for (int i = 0; i < world->spec_count; i++) {
		const struct spec *spec = &world->specs[i];

		if (!spec->submitted || (spec->seen && !row_is_final(spec->state)) ||
		    (!spec->seen && !spec->buried))
			return false;
	}
	for (size_t i = 0; i < world->db->outbox.count; i++)
		if (!((struct outbox_row *)relation_at(&world->db->outbox, i))->deleted)
			return false;
	for (size_t i = 0; i < world->db->attempts.count; i++)
		if (((struct attempt_row *)relation_at(&world->db->attempts, i))->state ==
		    ATTEMPT_SENT)
			return false;
	for (int log = 0; log < LOGS; log++)
		if (world->broker.partitions[log].committed < world->broker.partitions[log].count)
			return false;
	return world->spool_count == 0;
}

static void look_at_end_of(struct world *world, int number)
{
	const struct spec *spec = &world->specs[number];

	if (!spec->seen) {
		if (!spec->buried)
			world_violate(world, "I1",
				      "job %d is lost: it was submitted and has no row", number);
		return;
	}
	if (!row_is_final(spec->state))
		world_violate(world, "I1", "job %d has not ended: it is %s", number,
			      row_state_name(spec->state));
	for (int run = 0; run <= spec->run; run++) {
		size_t events = 0;

		if (!result_of(world, number, run))
			world_violate(world, "I2", "job %d ended run %d without a result", number,
				      run);
		for (size_t i = 0; i < world->broker.published.count; i++) {
			const struct published *p = relation_at(&world->broker.published, i);

			events += p->job == number && p->run == run;
		}
		if (events != 1)
			world_violate(world, "I7",
				      "the outcome of job %d run %d was published as %zu events",
				      number, run, events);
	}
}

/* Every ledger row belongs to an attempt, and the whole of it is at or above the whole bill. */
static void look_at_sums(struct world *world)
{
	pico ledger = 0, bill = 0, open = 0;

	for (size_t i = 0; i < world->db->ledger_count; i++)
		ledger += world->db->ledger[i].amount;
	for (size_t i = 0; i < world->vendor.bill.count; i++)
		bill += ((struct bill_row *)relation_at(&world->vendor.bill, i))->amount;
	for (size_t i = 0; i < world->db->attempts.count; i++) {
		const struct attempt_row *attempt = relation_at(&world->db->attempts, i);

		look_at_attempt(world, attempt);
		if (attempt->state == ATTEMPT_UNKNOWN)
			open += attempt->bound - billed(world, &attempt->id);
	}
	if (ledger != bill + open)
		world_violate(world, "I3",
			      "the ledger has %lld pico, the bill %lld, and %lld are open",
			      (long long)ledger, (long long)bill, (long long)open);
}

void oracle_end(struct world *world)
{
	for (int i = 0; i < world->spec_count && !world->violation.found; i++)
		look_at_end_of(world, i);
	look_at_sums(world);
	if (!world->violation.found && !oracle_is_quiet(world))
		world_violate(
			world, "I10",
			"all jobs have ended, but something is still open long after healing");
}
