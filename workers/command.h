/*
 * A sub-command of `sluice`. Each is defined in a file of its own folder, as
 *
 *	const struct command command_submit = {
 *		.name = "submit", .group = COMMAND_JOBS,
 *		.summary = "send jobs", .form = &form, .run = run,
 *	};
 *
 * and named in the list below, which is the table that main.c, `sluice help`
 * and the shells' completion work from.
 */
#ifndef SLUICE_COMMAND_H
#define SLUICE_COMMAND_H

#include "arguments.h"

enum command_group { COMMAND_RUN, COMMAND_JOBS, COMMAND_MONEY, COMMAND_OPERATE };

/* What run() returns and the process exits with. */
enum { COMMAND_OK = 0, COMMAND_FAILED = 1, COMMAND_USAGE = 2 };

struct command {
	const char *name;		   /* "jobs show": may be two words */
	const char *summary;		   /* one line, no full stop */
	int (*run)(int argc, char **argv); /* argv[0] is the full name, "sluice jobs show" */
	enum command_group group;
	const struct argument_form *form; /* for help and completion; NULL: it parses by itself */
};

#define COMMANDS(X)         \
	X(worker)           \
	X(batch)            \
	X(router)           \
	X(api)              \
	X(migrate)          \
	X(submit)           \
	X(wait)             \
	X(jobs_list)        \
	X(jobs_show)        \
	X(explain)          \
	X(jobs_cancel)      \
	X(jobs_retry)       \
	X(dead_list)        \
	X(dead_show)        \
	X(dead_replay)      \
	X(batches_list)     \
	X(batches_show)     \
	X(batches_cancel)   \
	X(batches_adopt)    \
	X(batches_resubmit) \
	X(costs)            \
	X(limits_list)      \
	X(limits_set)       \
	X(budgets_list)     \
	X(budgets_set)      \
	X(alerts_list)      \
	X(audit)            \
	X(status)           \
	X(route)            \
	X(doctor)           \
	X(drill)            \
	X(topics_create)    \
	X(topics_list)      \
	X(keys_create)      \
	X(keys_list)        \
	X(keys_revoke)      \
	X(cache_list)       \
	X(cache_purge)      \
	X(webhooks_list)    \
	X(webhooks_show)    \
	X(webhooks_resend)  \
	X(webhooks_secret)  \
	X(config_check)     \
	X(config_show)      \
	X(completion)       \
	X(help)

#define DECLARE_COMMAND(name) extern const struct command command_##name;
COMMANDS(DECLARE_COMMAND)
#undef DECLARE_COMMAND

extern const struct command *const all_commands[]; /* NULL at the end, in the order of the list */

#endif
