/*
 * sluice route FILE: what the router would do with a job, without doing it.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "command.h"
#include "config.h"
#include "ensure.h"
#include "routing.h"
#include "table.h"
#include "topic.h"

struct wishes {
	struct arguments common;
	bool explain;
};

static const struct argument options[] = {
	ARGUMENT_FLAG(struct wishes, explain, "explain", 'e', "show the signals and every reason"),
	{0},
};

static const struct argument_form form = {
	.usage = "FILE",
	.summary = "Show where the router would send a job, and why.",
	.details = "FILE holds one job as it would be written to the intake; - is standard\n"
		   "input. Nothing is sent.\n"
		   "\n"
		   "  sluice route job.json                 the topic\n"
		   "  sluice route --explain job.json       signals, weights and reasons\n",
	.table = options,
	.least_words = 1,
	.most_words = 1,
};

static bool read_all(FILE *file, struct buffer *out, struct error *err)
{
	char piece[65536];
	size_t len;

	while ((len = fread(piece, 1, sizeof(piece), file)) > 0)
		if (!buffer_append(out, piece, len))
			return error_set(err, ERROR_REJECT, "is over %zu bytes", out->max);
	if (ferror(file))
		return error_set(err, ERROR_REJECT, "%s", strerror(errno));
	return true;
}

static bool read_file(const char *path, struct buffer *out, struct error *err)
{
	bool is_input = strcmp(path, "-") == 0;
	FILE *file = is_input ? stdin : fopen(path, "r");
	bool ok;

	if (!file)
		return error_set(err, ERROR_REJECT, "%s: %s", path, strerror(errno));
	ok = read_all(file, out, err);
	if (!is_input)
		fclose(file);
	return ok || error_wrap(err, "%s", path);
}

static struct job *read_job(const struct config *config, const char *path, struct error *err)
{
	const struct job_source source = {.cluster = "", .topic = "file"};
	AUTO_FINISH(buffer_finish) struct buffer text = {.max = config->kafka.max_message_bytes};
	AUTO(job_destroy) struct job *job = NULL;
	struct job_reader *reader;

	if (!read_file(path, &text, err))
		return NULL;
	reader = job_reader_create(config->kafka.max_message_bytes);
	job = job_read(reader, text.data ? text.data : "", text.len, &source, err);
	job_reader_destroy(reader);
	if (job && job->thin) {
		error_set(err, ERROR_REJECT, "%s: a follow-up message has nothing to route by",
			  path);
		return NULL;
	}
	if (!job)
		error_wrap(err, "%s", path);
	return TAKE(job);
}

static void print_signals(const struct routing_decision *d)
{
	AUTO_FINISH(buffer_finish) struct buffer out = {0};
	AUTO(table_destroy) struct table *table = table_create();

	table_column(table, "signal", TABLE_LEFT);
	table_column(table, "value", TABLE_NUMBER);
	table_column(table, "adds", TABLE_NUMBER);
	for (int s = 0; s < SIGNAL_COUNT; s++) {
		table_cell(table, "%s", routing_signal_name((enum routing_signal)s));
		table_cell(table, "%.3f", d->signals[s]);
		table_cell(table, "%.3f", d->parts[s]);
	}
	table_cell(table, "rules");
	table_cell(table, "%s", "");
	table_cell(table, "%.3f", d->add);
	table_cell(table, "score");
	table_cell(table, "%s", "");
	table_cell(table, "%.3f", d->score);
	table_render(table, TABLE_TEXT, &out);
	fputs(out.data, stdout);
}

static void explain(const struct routing_decision *d, const char *topic)
{
	print_signals(d);
	printf("\nabout %" PRId64 " tokens of prompt and schema\n\n", d->tokens);
	for (size_t i = 0; i < d->reason_count; i++)
		printf("%zu. %s\n", i + 1, d->reasons[i]);
	printf("\ngoes to %s\n", topic);
}

static void print_json(const struct routing_decision *d)
{
	AUTO_FINISH(buffer_finish) struct buffer out = {0};

	routing_write(d, &out);
	puts(out.data);
}

static bool route(const struct wishes *wishes, struct error *err)
{
	AUTO(config_destroy) struct config *config = config_load(wishes->common.config, err);
	AUTO(job_destroy) struct job *job = NULL;
	struct routing_decision decision;
	char topic[TOPIC_TEXT];

	if (!config)
		return false;
	job = read_job(config, wishes->common.words[0], err);
	if (!job || !routing_decide(config, job, NULL, clock_wall(), &decision, err))
		return false;
	topic_lane(topic, config->kafka.prefix, decision.tier->name, decision.lane);
	if (wishes->common.json)
		print_json(&decision);
	else if (wishes->explain)
		explain(&decision, topic);
	else
		puts(topic);
	return true;
}

static int run(int argc, char **argv)
{
	struct wishes wishes = {0};
	struct error err;
	int code = arguments_parse(&form, &wishes, argc, argv);

	if (code >= 0)
		return code;
	if (route(&wishes, &err))
		return COMMAND_OK;
	fprintf(stderr, "sluice route: %s\n", err.text);
	return COMMAND_FAILED;
}

const struct command command_route = {
	.name = "route",
	.group = COMMAND_JOBS,
	.summary = "show where the router would send a job, and why",
	.run = run,
	.form = &form,
};
