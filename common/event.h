/*
 * What the outside hears of a job: the result event and the dead letter, as
 * schemas/result.json and schemas/dead-letter.json say. Written straight into
 * bytes, so that a model's output passes through unchanged.
 *
 *	struct event event = {.job = job, .outcome = "done", …};
 *	event_result(&event, &body);
 */
#ifndef SLUICE_EVENT_H
#define SLUICE_EVENT_H

#include <stdbool.h>
#include <stddef.h>

#include "buffer.h"
#include "clock.h"
#include "job.h"
#include "money.h"
#include "usage.h"
#include "uuid.h"

/* Everything is borrowed; texts may be "" where there is nothing to say. */
struct event {
	struct uuid event_id;
	const struct job *job; /* with its payload */
	int32_t run;
	int32_t hop;
	const char *outcome; /* "done", "dead", "cancelled" */
	const char *reason;
	const char *detail;
	bool degraded;
	const char *output; /* bytes of the answer; NULL: none */
	size_t output_len;
	bool is_json;		/* output goes in as it is, else as a string */
	const char *tool_calls; /* a JSON array; NULL: none */
	double confidence;	/* NAN: not measured */
	const char *tier;
	const char *lane;
	const char *provider;
	const char *model;
	int attempts;
	struct usage usage; /* of the whole run, as far as this worker knows */
	pico cost;
	nsec queued;  /* from submit to claim; 0: not known */
	nsec calling; /* time spent in calls */
	nsec total;
	nsec finished_at; /* wall clock */
};

/* Append the event's JSON. */
void event_result(const struct event *event, struct buffer *out);
void event_dead_letter(const struct event *event, struct buffer *out);

/* The dead letter of a message that is no job: its bytes in base64, at most max_bytes of them. */
struct event_message {
	struct uuid event_id;
	const struct uuid *job_id; /* NULL: not known */
	const char *topic;
	int32_t partition;
	int64_t offset;
	const char *reason;
	const char *detail;
	const char *bytes;
	size_t len;
	size_t max_bytes;
	nsec at; /* wall clock */
};

/* The stable id of such a letter: the same message is always the same letter. */
struct uuid event_message_id(const char *topic, int32_t partition, int64_t offset,
			     const char *destination);
void event_message_dead_letter(const struct event_message *message, struct buffer *out);

#endif
