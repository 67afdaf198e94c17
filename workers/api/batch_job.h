/*
 * The job that a line of a batch is: the same one, with the same id, whoever
 * makes it and however often.
 *
 *	struct batch_job job;
 *	if (!batch_job_make(turn, number, bytes, len, &job)) ...        -- job.problem
 *	batch_job_finish(&job);
 */
#ifndef API_BATCH_JOB_H
#define API_BATCH_JOB_H

#include "envelope.h"
#include "openai_line.h"
#include "turns.h"

#define BATCH_PREFIX "batch_"

struct batch_job {
	struct openai_line line;
	struct parcel parcel;
	struct openai_problem problem;
};

bool batch_job_make(const struct turn *turn, int32_t number, const char *bytes, size_t len,
		    struct batch_job *job) MUST_USE;
void batch_job_finish(struct batch_job *job);

/* What names the line's job within its unit. The caller's. */
char *batch_job_key(const struct turn *turn, int32_t number);

#endif
