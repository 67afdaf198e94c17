/*
 * sluice jobs cancel, retry: what people do to jobs.
 */
#include <stdio.h>
#include <stdlib.h>

#include "command.h"
#include "ensure.h"
#include "ids.h"
#include "jobs_change.h"
#include "session.h"
#include "store_change.h"

#define GROUP 500

struct wishes {
	struct arguments common;
	const char *file;
};

static const struct argument table[] = {
	ARGUMENT_TEXT(struct wishes, file, "file", 'f', "FILE",
		      "read ids from it, one per line (\"-\": standard input)"),
	{0},
};

/* --- jobs cancel --- */

static const struct argument_form cancel_form = {
	.usage = "[JOB...]",
	.summary = "Cancel jobs. Once this has said \"requested\" the job will not succeed: "
		   "whoever holds it,\n"
		   "or takes it next, ends it as cancelled; what it has cost stays in the ledger. "
		   "A job that\n"
		   "no worker has seen is dropped when its message comes (\"not_seen\").",
	.details =
		"  sluice jobs cancel 01890a5d-ac96-774b-bcce-b302099a8057\n"
		"  sluice jobs list --state parked --reason budget --json | sluice jobs cancel\n",
	.table = table,
	.most_words = 100000,
};

static void print_cancelled(const struct uuid *id, enum cancel_result result, bool json)
{
	char text[UUID_TEXT];

	printf(json ? "{\"job_id\":\"%s\",\"cancel\":\"%s\"}\n" : "%s  %s\n", uuid_format(text, id),
	       cancel_result_name(result));
}

static bool cancel_group(struct session *session, const struct uuid *ids, size_t count, bool json,
			 struct error *err)
{
	enum cancel_result results[GROUP];

	if (!store_cancel(session->pg, ids, count, results, err))
		return false;
	for (size_t i = 0; i < count; i++)
		print_cancelled(&ids[i], results[i], json);
	return true;
}

static bool cancel_jobs(const struct wishes *wishes, struct error *err)
{
	AUTO_FINISH(session_finish) struct session session = {0};
	AUTO_FINISH(ids_finish) struct ids ids = {0};

	if (!ids_read(&ids, &wishes->common, wishes->file, err) ||
	    !session_open(&session, &wishes->common, err))
		return false;
	for (size_t at = 0; at < ids.count; at += GROUP) {
		size_t count = ids.count - at < GROUP ? ids.count - at : GROUP;

		if (!cancel_group(&session, ids.ids + at, count, wishes->common.json, err))
			return false;
	}
	return true;
}

static int run_cancel(int argc, char **argv)
{
	struct wishes wishes = {0};
	int code = arguments_parse(&cancel_form, &wishes, argc, argv);
	struct error err;

	if (code >= 0)
		return code;
	return cancel_jobs(&wishes, &err) ? COMMAND_OK : session_fail("jobs cancel", &err);
}

const struct command command_jobs_cancel = {
	.name = "jobs cancel",
	.summary = "end jobs before their time; what they cost stays",
	.group = COMMAND_JOBS,
	.run = run_cancel,
	.form = &cancel_form,
};

/* --- jobs retry --- */

static const struct argument_form retry_form = {
	.usage = "[JOB...]",
	.summary =
		"Run jobs again that have ended, whatever the outcome: a new run with new attempts "
		"and a\n"
		"new outcome, while the old run's stay. Needs the payload, which retention drops.",
	.details = "  sluice jobs retry 01890a5d-ac96-774b-bcce-b302099a8057\n"
		   "  sluice dead replay --reason max_attempts    many at once\n",
	.table = table,
	.most_words = 100000,
};

bool jobs_rerun(struct session *session, const struct uuid *ids, size_t count, size_t *started,
		struct error *err)
{
	*started = 0;
	for (size_t at = 0; at < count; at += GROUP) {
		size_t hit, size = count - at < GROUP ? count - at : GROUP;

		if (!store_rerun(session->pg, session->config->kafka.prefix, ids + at, size, &hit,
				 err))
			return false;
		*started += hit;
	}
	return true;
}

static bool retry_jobs(const struct wishes *wishes, bool *all, struct error *err)
{
	AUTO_FINISH(session_finish) struct session session = {0};
	AUTO_FINISH(ids_finish) struct ids ids = {0};
	size_t started;

	if (!ids_read(&ids, &wishes->common, wishes->file, err) ||
	    !session_open(&session, &wishes->common, err) ||
	    !jobs_rerun(&session, ids.ids, ids.count, &started, err))
		return false;
	printf(wishes->common.json ? "{\"asked\":%zu,\"queued\":%zu}\n"
				   : "%zu jobs, %zu queued to run again\n",
	       ids.count, started);
	*all = started == ids.count;
	return true;
}

static int run_retry(int argc, char **argv)
{
	struct wishes wishes = {0};
	int code = arguments_parse(&retry_form, &wishes, argc, argv);
	struct error err;
	bool all;

	if (code >= 0)
		return code;
	if (!retry_jobs(&wishes, &all, &err))
		return session_fail("jobs retry", &err);
	if (!all)
		fputs("sluice jobs retry: the others have not ended, are not known, or their "
		      "payload is gone\n",
		      stderr);
	return all ? COMMAND_OK : COMMAND_FAILED;
}

const struct command command_jobs_retry = {
	.name = "jobs retry",
	.summary = "run ended jobs again",
	.group = COMMAND_JOBS,
	.run = run_retry,
	.form = &retry_form,
};
