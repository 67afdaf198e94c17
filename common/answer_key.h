/*
 * What makes two jobs the same question: the key of the exact answer cache.
 * Everything that an accepted answer depends on is in it, and nothing else: who
 * pays, the task, the prompt's name, version and words, the parameters, what the
 * answer must fit, the tools, the models that may be asked, and how sure the
 * answer must be. Which job asked, by when, and whom to tell, is not.
 *
 *	struct digest key = answer_key_of(config, job, tier, schema);   -- schema NULL: any text
 *
 * Keys are kept in rows: when the rule changes, so must ANSWER_KEY_VERSION.
 */
#ifndef SLUICE_ANSWER_KEY_H
#define SLUICE_ANSWER_KEY_H

#include <stdbool.h>

#include "config.h"
#include "digest.h"
#include "job.h"
#include "json.h"

#define ANSWER_KEY_VERSION 1

/* Whether its answer is kept and looked for at all. Calls of tools are no answers to give again. */
bool answer_key_wanted(const struct config *config, const struct job *job);

/* Of a job with its payload, in that tier. The schema is the one that holds: the job's, or its
 * task's. */
struct digest answer_key_of(const struct config *config, const struct job *job,
			    const struct tier *tier, const json_t *schema);

#endif
