/*
 * A job as its producer described it: the v1 envelope of schemas/job.json, read
 * and checked. Texts are borrowed from the envelope, which the job owns, so a
 * job is parsed once and copied never.
 *
 *	struct job *job = job_read(reader, bytes, len, &source, err);
 *	if (!job)               -- err says which member is wrong and why
 *	...
 *	job_destroy(job);
 *
 * A follow-up message (the job moved to another topic, or is run again) is
 * thin: it has only job_id, run and hop, and its payload is in Postgres.
 */
#ifndef SLUICE_JOB_H
#define SLUICE_JOB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "clock.h"
#include "digest.h"
#include "error.h"
#include "json.h"
#include "money.h"
#include "uuid.h"

/* Where a message was found; a job with neither id nor key gets its id from this. */
struct job_source {
	const char *cluster;
	const char *topic;
	int32_t partition;
	int64_t offset;
	int32_t run; /* of its headers; 0 where absent, and so below */
	int32_t hop;
};

#define LANES(X)                                               \
	X(EXPRESS, "express") /* somebody is nearly waiting */ \
	X(NORMAL, "normal")                                    \
	X(BATCH, "batch") /* through the provider's batch API */

enum lane {
#define LANE_NAME(name, text) LANE_##name,
	LANES(LANE_NAME)
#undef LANE_NAME
		LANE_AUTO, /* a wish only, never a topic */
};

enum data_class { DATA_PUBLIC, DATA_INTERNAL, DATA_RESTRICTED };
enum quality { QUALITY_LOW, QUALITY_NORMAL, QUALITY_HIGH };

struct job {
	json_t *envelope; /* owned; everything below borrows from it */
	bool thin;	  /* only id, run and hop are meaningful */

	struct uuid id;
	int32_t run;
	int32_t hop;
	struct digest fingerprint; /* of prompt, output, parameters and routing wishes */

	const char *business_unit;
	const char *feature; /* "" where the producer said nothing, and so below */
	const char *environment;
	const char *usage_tier;
	const char *user;
	const char *task;
	bool free_plan; /* plan is "free"; absent means paid */

	const char *prompt_name;
	const char *prompt_version;
	const json_t *messages;
	const json_t *tools;	   /* NULL: none */
	const json_t *tool_choice; /* NULL: none */

	bool output_given; /* the job says what it wants; otherwise the task's schema holds */
	const json_t *output_schema; /* NULL: plain text is wanted */
	const char *output_name;     /* of the schema, for providers; "answer" by default */

	int64_t max_output_tokens; /* 0: the task's or the model's default */
	double temperature;	   /* NAN: not asked for, and so below */
	double top_p;
	const json_t *stop;	      /* NULL: none */
	const char *reasoning_effort; /* "": not asked for */
	const json_t *seed;	      /* NULL: none */

	const char *tier;      /* "auto": the router decides */
	const char *max_tier;  /* "": the highest */
	const char *candidate; /* "provider/model": only that may answer; "": any of a tier */
	enum lane lane;
	nsec deadline;	 /* wall clock; 0: none */
	nsec not_before; /* wall clock; 0: at once */
	pico max_cost;	 /* 0: the task's */
	enum data_class data_class;
	enum quality quality;
	bool quality_given;

	const json_t *callback;	 /* NULL: none */
	const char *reply_topic; /* "": none */
	const char *parent;	 /* job_id of the parent as text; "" */
	const char *step;	 /* "" */
	const json_t *metadata;	 /* NULL: none */
	const json_t *routed;	 /* what the router decided and why; NULL: not routed */
};

/* Holds the compiled schema of the envelope and the caps; make one per process. */
struct job_reader;
struct job_reader *job_reader_create(size_t max_bytes);
void job_reader_destroy(struct job_reader *reader);
AUTO_DEFINE(struct job_reader, job_reader_destroy)

/*
 * Read one message. run and hop come from the source for a full envelope and
 * from the body of a thin one. REJECT errors name the
 * member by JSON pointer. The bytes may go away afterwards.
 */
struct job *job_read(const struct job_reader *reader, const char *bytes, size_t len,
		     const struct job_source *source, struct error *err) MUST_USE;
void job_destroy(struct job *job);

/* An equal schema that others hold too takes the place of the job's own, which is most of its
 * memory. */
void job_share_schema(struct job *job, json_t *schema);
AUTO_DEFINE(struct job, job_destroy)

/* The id of a job that its producer only gave a key: same unit and key, same id. */
struct uuid job_id_from_key(const char *business_unit, const char *key);

/* The id of a job that has neither: it is the message that lies there. */
struct uuid job_id_from_source(const struct job_source *source);

/* The stable id of an event: the same debt is always the same event. */
struct uuid job_event_id(const struct uuid *job_id, int32_t run, int32_t hop, const char *kind,
			 const char *destination);

/* The message that moves a job: {"version":1,"job_id":…,"run":…,"hop":…}. The caller frees it. */
char *job_thin_message(const struct uuid *job_id, int32_t run, int32_t hop);

const char *lane_name(enum lane lane); /* "auto" included */
bool lane_parse(const char *text, enum lane *lane);

#endif
