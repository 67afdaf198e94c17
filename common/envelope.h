/*
 * From a line of input to a message ready to be sent: what the line leaves out
 * is filled in, and the whole is checked as a worker would check it.
 *
 *	struct envelope_rules rules = {.config = config, .reader = reader, .defaults = defaults};
 *	struct parcel parcel;
 *	if (!envelope_pack(&rules, line, len, clock_wall(), &parcel, &err)) ...
 *	parcel_finish(&parcel);
 *
 * Members are added at the end of the line's own bytes; what is there is never
 * written anew, so numbers in prompts and schemas keep their spelling.
 */
#ifndef SLUICE_ENVELOPE_H
#define SLUICE_ENVELOPE_H

#include <stdbool.h>
#include <stddef.h>

#include "buffer.h"
#include "config.h"
#include "error.h"
#include "job.h"
#include "routing_lane.h"
#include "topic.h"

struct envelope_rules {
	const struct config *config;
	const struct job_reader *reader;
	const json_t *defaults; /* object: members for lines that leave them out */
	const struct routing_news
		*news;	 /* for the lane of jobs that leave it open; NULL: nothing is known */
	const char *key; /* idempotency key of lines without one; NULL: a new id */
	bool route;	 /* decide tier and lane here where the job says auto */
};

struct parcel {
	struct buffer bytes;
	struct job *job; /* owned; "routed", if we routed it, is in the bytes only */
	char topic[TOPIC_TEXT];
	const struct tier *tier; /* of the topic; NULL: the router is to decide */
	enum lane lane;		 /* of the topic, where there is a tier */
	char *business_unit;	 /* owned */
	struct uuid id;
};

/* REJECT errors name the member. The parcel is to be finished also after a failure. */
bool envelope_pack(const struct envelope_rules *rules, const char *line, size_t len, nsec wall,
		   struct parcel *parcel, struct error *err) MUST_USE;
void parcel_finish(struct parcel *parcel);

#endif
