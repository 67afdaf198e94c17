/*
 * sluice worker: one sync worker, in the foreground.
 */
#include "command.h"

#include <malloc.h>
#include <stdio.h>

#include "log.h"
#include "metrics.h"
#include "worker.h"

struct wishes {
	struct arguments common;
	const char *listen;
};

static const struct argument table[] = {
	ARGUMENT_TEXT(struct wishes, listen, "listen", 'l', "ADDRESS",
		      "serve /metrics, /healthz and /readyz here instead of worker.listen; \"\" "
		      "for nowhere"),
	{0},
};

static const struct argument_form form = {
	.usage = "",
	.summary = "Run one worker: claim jobs from the tier topics and from Postgres, call "
		   "providers, settle.",
	.details = "Start as many as you like, on as many hosts: Kafka spreads the topics over "
		   "them and every\n"
		   "limit is the fleet's. SIGTERM finishes what is on the wire within worker.grace "
		   "and hands\n"
		   "back the rest; a second one ends it now. SIGUSR1 logs what it is doing.\n",
	.table = table,
};

/*
 * What comes in bulk and goes at once (answers of brokers, arguments of whole
 * groups) goes back to the system; librdkafka's threads share one arena.
 */
static void keep_memory_small(void)
{
	mallopt(M_ARENA_MAX, 2);
	mallopt(M_MMAP_THRESHOLD, 512 * 1024);
	mallopt(M_TRIM_THRESHOLD, 2 * 1024 * 1024);
}

static int run(int argc, char **argv)
{
	struct wishes wishes = {0};
	int code = arguments_parse(&form, &wishes, argc, argv);
	struct error err;

	if (code >= 0)
		return code;
	keep_memory_small();
	AUTO(config_destroy) struct config *config = config_load(wishes.common.config, &err);
	if (config && wishes.listen)
		config->worker.listen = wishes.listen;
	AUTO(worker_destroy) struct worker *worker = config ? worker_create(config, &err) : NULL;
	if (worker && worker_run(worker, &err))
		return COMMAND_OK;
	log_error("worker_failed", "why=%s", err.text);
	fprintf(stderr, "sluice worker: %s\n", err.text);
	return COMMAND_FAILED;
}

const struct command command_worker = {
	.name = "worker",
	.summary = "run one worker",
	.run = run,
	.group = COMMAND_RUN,
	.form = &form,
};
