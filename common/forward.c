#include "forward.h"

#include <stdio.h>
#include <string.h>

#include "ensure.h"
#include "event.h"
#include "routing.h"

#define DEAD_LETTER_ROOM 65536 /* the dead topic allows so much more than the others */
#define DEAD_LETTER_FRAME 8192 /* of a dead letter, for all but the bytes */

/* A message that is no job is known by where it lies. */
static struct uuid reject_id(const struct job_source *source, const char *dead_topic)
{
	struct uuid place = job_id_from_source(source);

	return job_event_id(&place, 0, 0, "reject", dead_topic);
}

/* As much of a message as fits a dead letter in base64. */
static size_t dead_letter_bytes(const struct config *config)
{
	size_t room = config->kafka.max_message_bytes + DEAD_LETTER_ROOM - DEAD_LETTER_FRAME;

	return room / 4 * 3;
}

static void bury(const struct forwarder *f, const struct intake_message *m, nsec wall,
		 const char *reason, size_t max_bytes, struct forward *out)
{
	bool known = !uuid_is_zero(&out->job_id);
	const char *topic = topic_dead(out->topic, f->config->kafka.prefix);
	struct event_message letter = {
		.event_id = reject_id(&m->source, topic),
		.job_id = known ? &out->job_id : NULL,
		.topic = m->source.topic,
		.partition = m->source.partition,
		.offset = m->source.offset,
		.reason = reason,
		.detail = out->why.text,
		.bytes = m->bytes ? m->bytes : "",
		.len = m->bytes ? m->len : 0,
		.max_bytes = max_bytes,
		.at = wall,
	};

	out->dead = true;
	out->reason = reason;
	out->tier = "";
	out->lane = "";
	out->hop = m->source.hop;
	snprintf(out->key, sizeof(out->key), "%s/%d/%lld", m->source.topic,
		 (int)m->source.partition, (long long)m->source.offset);
	buffer_clear(&out->value);
	event_message_dead_letter(&letter, &out->value);
}

/* The bytes of an object with members put in front of its own. */
static void put_in_front(const char *bytes, size_t len, const char *members, struct buffer *out)
{
	const char *brace = memchr(bytes, '{', len);

	ENSURE(brace); /* it was read as a job */
	buffer_append(out, brace, 1);
	buffer_text(out, members);
	buffer_append(out, brace + 1, (size_t)(bytes + len - brace - 1));
}

static bool has_identity(const struct job *job)
{
	return json_object_get(job->envelope, "job_id") ||
	       json_object_get(job->envelope, "idempotency_key");
}

/* The members we add, each followed by a comma. */
static void write_members(const struct job *job, const struct routing_decision *decision,
			  struct buffer *out)
{
	char id[UUID_TEXT];

	if (decision) {
		buffer_text(out, "\"routed\":");
		routing_write(decision, out);
		buffer_byte(out, ',');
	}
	if (!has_identity(job))
		buffer_printf(out, "\"job_id\":\"%s\",", uuid_format(id, &job->id));
}

static void write_envelope(const struct intake_message *m, const struct job *job,
			   const struct routing_decision *decision, struct buffer *out)
{
	AUTO_FINISH(buffer_finish) struct buffer members = {0};

	buffer_clear(out);
	write_members(job, decision, &members);
	put_in_front(m->bytes, m->len, members.data ? members.data : "", out);
}

/* A job that comes by for the second time: the older decision is replaced. */
static void replace_routed(const struct job *job, const struct routing_decision *decision,
			   struct buffer *out)
{
	json_auto_t *copy = json_copy(job->envelope);
	AUTO(xfree) char *text = NULL;
	char id[UUID_TEXT];

	json_object_set_new(copy, "routed", routing_to_json(decision));
	if (!has_identity(job))
		json_object_set_new(copy, "job_id", json_string(uuid_format(id, &job->id)));
	text = json_write(copy);
	buffer_clear(out);
	buffer_text(out, text);
}

static bool pass_on(const struct forwarder *f, const struct intake_message *m,
		    const struct job *job, nsec wall, struct forward *out)
{
	size_t most = f->config->kafka.max_message_bytes;
	struct routing_decision decision;

	if (!routing_decide(f->config, job, f->news, wall, &decision, &out->why))
		return false;
	if (json_object_get(job->envelope, "routed"))
		replace_routed(job, &decision, &out->value);
	else
		write_envelope(m, job, &decision, &out->value);
	if (out->value.len > most)
		write_envelope(m, job, NULL, &out->value);
	if (out->value.len > most)
		return error_set(&out->why, ERROR_REJECT,
				 "the job has no room for its id below %zu bytes: send a job_id "
				 "with it, or less",
				 most);
	out->tier = decision.tier->name;
	out->lane = lane_name(decision.lane);
	out->hop = m->source.hop + 1;
	topic_lane(out->topic, f->config->kafka.prefix, out->tier, decision.lane);
	snprintf(out->key, sizeof(out->key), "%s", job->business_unit);
	return true;
}

static bool is_too_old(const struct forwarder *f, const struct intake_message *m, nsec wall)
{
	nsec most = f->config->worker.max_job_age;

	return most > 0 && m->sent > 0 && wall > m->sent && wall - m->sent > most;
}

static struct job *read_job(const struct forwarder *f, const struct intake_message *m,
			    struct error *err)
{
	AUTO(job_destroy) struct job *job = NULL;

	if (!m->bytes) {
		error_set(err, ERROR_REJECT, "the message has no value");
		return NULL;
	}
	job = job_read(f->reader, m->bytes, m->len, &m->source, err);
	if (job && job->thin) {
		error_set(err, ERROR_REJECT,
			  "a follow-up message has nothing to route by: it belongs on the topic "
			  "of its tier and lane");
		return NULL;
	}
	return TAKE(job);
}

void forward_make(const struct forwarder *f, const struct intake_message *m, nsec wall,
		  struct forward *out)
{
	AUTO(job_destroy) struct job *job = read_job(f, m, &out->why);
	size_t whole = dead_letter_bytes(f->config);

	out->reason = "";
	if (!job) {
		bury(f, m, wall, "unparseable", whole, out);
		return;
	}
	out->job_id = job->id;
	if (is_too_old(f, m, wall)) {
		error_set(&out->why, ERROR_REJECT,
			  "the message is older than worker.max_job_age: what became of its job "
			  "may be forgotten, so it is not run again");
		bury(f, m, wall, "impossible", whole, out);
	} else if (!pass_on(f, m, job, wall, out)) {
		bury(f, m, wall, "unparseable", whole, out);
	}
}

void forward_bury(const struct forwarder *f, const struct intake_message *m, nsec wall,
		  const struct error *why, struct forward *out)
{
	size_t most = out->dead ? 0 : dead_letter_bytes(f->config);

	out->why = *why;
	bury(f, m, wall, "unparseable", most, out);
}

void forward_finish(struct forward *forward)
{
	buffer_finish(&forward->value);
}
