/* What producers and people do: jobs, the same again, other bodies, garbage, cancellations, reruns.
 */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "ensure.h"
#include "oracle.h"
#include "world.h"

#define SPREAD (30 * NSEC_PER_SEC) /* over which messages come */

static void make_spec(struct world *world, int number)
{
	static const char *const tasks[] = {"sure", "plain", "kept", "strict"};
	struct spec *spec = &world->specs[number];
	struct job *job = &spec->job;

	*spec = (struct spec){.tier = (int)random_below(&world->random, 2)};
	job->id = world_uuid(world);
	job->id.bytes[14] = (uint8_t)(number >> 8);
	job->id.bytes[15] = (uint8_t)number;
	job->business_unit = "claims";
	job->feature = job->environment = job->usage_tier = job->user = job->prompt_name =
		job->prompt_version = "";
	job->task = tasks[random_below(&world->random, COUNT_OF(tasks))];
	job->tier = job->max_tier = job->reply_topic = "";
	memset(job->fingerprint.bytes, number + 1, sizeof(job->fingerprint.bytes));
	if (world_chance(world, 80))
		job->deadline = world->now +
				world_between(world, 5 * NSEC_PER_SEC, 60 * NSEC_PER_SEC);
	if (world_chance(world, 60))
		job->not_before = world->now +
				  world_between(world, 5 * NSEC_PER_SEC, 40 * NSEC_PER_SEC);
	spec->other = *job;
	spec->other.fingerprint.bytes[0] ^= 0xff;
	snprintf(spec->body, sizeof(spec->body), "job %d", number);
	snprintf(spec->other_body, sizeof(spec->other_body), "other %d", number);
}

static void plan_message(struct world *world, enum message_kind kind, int job, int run, int hop,
			 nsec at)
{
	int number = world->produced_count++;
	const struct spec *spec = &world->specs[job];
	/* Producers that repeat themselves need not hit the same partition. */
	int partition = world_chance(world, 700) ? job % PARTITIONS
						 : (int)random_below(&world->random, PARTITIONS);

	ENSURE(world->produced_count < (int)COUNT_OF(world->produced));
	world->produced[number].message = (struct message){kind, job, run, hop};
	world->produced[number].log = broker_log(spec->tier, partition);
	agenda_add(&world->agenda,
		   (struct event){.at = at, .kind = EVENT_PRODUCE, .number = number});
}

static void plan_noise(struct world *world, int job, nsec at)
{
	nsec later = at + world_between(world, 0, 30 * NSEC_PER_SEC);

	if (world_chance(world, 150))
		plan_message(world, MESSAGE_FULL, job, 0, 0, later);
	if (world_chance(world, 30))
		plan_message(world, MESSAGE_OTHER_BODY, job, 0, 0, later);
	if (world_chance(world, 30))
		plan_message(world, MESSAGE_GARBAGE, job, 0, 0, later);
	if (world_chance(world, 30)) /* a follow-up nobody has decided */
		plan_message(world, MESSAGE_THIN, job, 0, 5, later);
	if (world_chance(world, 80))
		agenda_add(&world->agenda,
			   (struct event){.at = at + world_between(world, 0, 20 * NSEC_PER_SEC) -
						2 * NSEC_PER_SEC,
					  .kind = EVENT_CANCEL,
					  .number = job});
	if (world_chance(world, 60))
		agenda_add(&world->agenda,
			   (struct event){.at = later, .kind = EVENT_RERUN, .number = job});
}

void scenario_plan(struct world *world)
{
	world->spec_count = 100 + (int)random_below(&world->random, 40);
	world->counts.jobs += (uint64_t)world->spec_count;
	for (int i = 0; i < world->spec_count; i++) {
		nsec at = world->now + 3 * NSEC_PER_SEC + world_between(world, 0, SPREAD);

		make_spec(world, i);
		plan_message(world, MESSAGE_FULL, i, 0, 0, at);
		if (!world->options.quiet)
			plan_noise(world, i, at);
	}
}

static enum fault fault_of(enum message_kind kind)
{
	switch (kind) {
	case MESSAGE_OTHER_BODY:
		return FAULT_CONFLICT;
	case MESSAGE_THIN:
		return FAULT_IMPOSSIBLE;
	case MESSAGE_GARBAGE:
		return FAULT_GARBAGE;
	default:
		return FAULT_DUPLICATE;
	}
}

void scenario_produce(struct world *world, int number)
{
	const struct message *message = &world->produced[number].message;
	struct spec *spec = &world->specs[message->job];
	bool first = message->kind == MESSAGE_FULL && !spec->submitted;

	if (world->broker.away) { /* producers try again */
		agenda_add(&world->agenda,
			   (struct event){.at = world->now + world_between(world, 0, NSEC_PER_SEC),
					  .kind = EVENT_PRODUCE,
					  .number = number});
		return;
	}
	broker_append(&world->broker, world->produced[number].log, message);
	if (message->kind == MESSAGE_FULL)
		spec->submitted = true;
	if (first)
		return;
	world->faults++;
	coverage_note(&world->coverage, fault_of(message->kind),
		      coverage_job(spec->seen ? (int)spec->state : -1, spec->run, spec->hop));
}

static bool try_later(struct world *world, enum event_kind kind, int job)
{
	if (!world->db_away)
		return false;
	agenda_add(&world->agenda,
		   (struct event){.at = world->now + NSEC_PER_SEC, .kind = kind, .number = job});
	return true;
}

void scenario_cancel(struct world *world, int job)
{
	enum cancel_stood stood;

	if (try_later(world, EVENT_CANCEL, job))
		return;
	world->db->now = world->now;
	stood = tables_cancel(world->db, &world->specs[job].job.id);
	TRACE(world, "job %d is cancelled: %d", job, (int)stood);
	world->faults++;
	oracle_canceled(world, job, stood);
}

void scenario_rerun(struct world *world, int job)
{
	struct spec *spec = &world->specs[job];
	const struct tier *tier = &world->config->tiers[spec->tier];
	const char *topic = broker_topic(broker_log(spec->tier, 0));
	struct uuid event_id;
	char *message, *kept;

	if (try_later(world, EVENT_RERUN, job) || !spec->seen || spec->run + 1 >= RUNS)
		return;
	message = job_thin_message(&spec->job.id, spec->run + 1, 0);
	kept = world_keep(world, strlen(message) + 1);
	memcpy(kept, message, strlen(message) + 1);
	xfree(message);
	event_id = job_event_id(&spec->job.id, spec->run + 1, 0, "move", topic);
	coverage_note(&world->coverage, FAULT_RERUN,
		      coverage_job((int)spec->state, spec->run, spec->hop));
	world->db->now = world->now;
	if (!tables_rerun(world->db, &spec->job.id, spec->run + 1, tier->name, &event_id, topic,
			  kept))
		return;
	TRACE(world, "job %d is run again", job);
	world->counts.reruns++;
	oracle_rerun(world, job);
}
