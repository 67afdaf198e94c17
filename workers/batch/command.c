/*
 * sluice batch: one batch worker, in the foreground.
 */
#include "command.h"

#include <malloc.h>
#include <stdio.h>

#include "batcher.h"
#include "log.h"

struct wishes {
	struct arguments common;
	const char *listen;
};

static const struct argument table[] = {
	ARGUMENT_TEXT(struct wishes, listen, "listen", 'l', "ADDRESS",
		      "serve /metrics, /healthz and /readyz here instead of batch.listen; \"\" "
		      "for nowhere"),
	{0},
};

static const struct argument_form form = {
	.usage = "",
	.summary = "Run one batch worker: jobs of the batch lane go through the providers' batch "
		   "APIs, at half price.",
	.details = "Start as many as you like: any of them takes over any batch at any step. "
		   "SIGTERM leaves at once;\n"
		   "what the provider has goes on, and the next worker finds it.\n",
	.table = table,
};

/*
 * What comes in bulk and goes at once (answers of brokers, pages of a file's
 * lines) goes back to the system; librdkafka's threads share one arena.
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
		config->batch.listen = wishes.listen;
	AUTO(batcher_destroy) struct batcher *worker = config ? batcher_create(config, &err) : NULL;
	if (worker && batcher_run(worker, &err))
		return COMMAND_OK;
	log_error("worker_failed", "why=%s", err.text);
	fprintf(stderr, "sluice batch: %s\n", err.text);
	return COMMAND_FAILED;
}

const struct command command_batch = {
	.name = "batch",
	.summary = "run one batch worker",
	.run = run,
	.group = COMMAND_RUN,
	.form = &form,
};
