/*
 * Which contract a job's answer must fit: the schema it brings, or its task's.
 *
 *	struct error err = {0};
 *	contract = job_contract(contracts, config, task_schemas, job, bytes, len, &err);
 *	if (!contract && *err.text)     -- the schema is none
 */
#ifndef SLUICE_JOB_CONTRACT_H
#define SLUICE_JOB_CONTRACT_H

#include <stddef.h>

#include "config.h"
#include "contract.h"
#include "job.h"

/* NULL: any text will do, or err has words in it. `bytes` are the job's envelope. */
struct contract *job_contract(struct contracts *contracts, const struct config *config,
			      char *const *task_schemas, const struct job *job, const char *bytes,
			      size_t len, struct error *err);

/* The text of each task's schema, beside config->tasks; NULL: none. The caller's, each and all. */
char **job_contract_texts(const struct config *config);

#endif
