/*
 * sluice topics create, list: the topics of the configuration, and what waits in them.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "command.h"
#include "ensure.h"
#include "kafka_admin.h"
#include "session.h"
#include "topic_list.h"

#define LONGEST (15 * NSEC_PER_SEC)

struct wishes {
	struct arguments common;
	int64_t partitions; /* 0: as configured */
	int64_t replication;
	const char *group;
	bool each;
};

/* --- topics create --- */

static const struct argument create_table[] = {
	ARGUMENT_COUNT(struct wishes, partitions, "partitions", 'p',
		       "partitions of each (default kafka.partitions)", 1, 10000),
	ARGUMENT_COUNT(struct wishes, replication, "replication", 0,
		       "copies of each (default kafka.replication)", 1, 100),
	{0},
};

static const struct argument_form create_form = {
	.usage = "",
	.summary = "Create the topics of the configuration that are missing: one per tier and "
		   "lane, intake,\n"
		   "results and dead. Those that are there are left as they are.",
	.details = "  sluice topics create --partitions 24\n",
	.table = create_table,
};

static bool create_topic(struct kafka_admin *admin, const struct wishes *wishes,
			 const struct kafka_settings *kafka, const struct topic_use *use,
			 bool *existed, struct error *err)
{
	AUTO(xfree) char *max_bytes = xasprintf("%zu", topic_use_max_bytes(use, kafka));
	struct kafka_setting setting = {"max.message.bytes", max_bytes};
	struct kafka_new_topic topic = {
		.name = use->name,
		.partitions = wishes->partitions ? (int)wishes->partitions : kafka->partitions,
		.replication = wishes->replication ? (int)wishes->replication : kafka->replication,
		.settings = &setting,
		.setting_count = 1,
	};

	return kafka_admin_create_topic(admin, &topic, existed, err) ||
	       error_wrap(err, "create %s", use->name);
}

static bool ensure_topic(struct kafka_admin *admin, const struct wishes *wishes,
			 const struct kafka_settings *kafka, const struct kafka_topics *topics,
			 const struct topic_use *use, struct error *err)
{
	bool existed = kafka_topics_find(topics, use->name) != NULL;

	if (!existed && !create_topic(admin, wishes, kafka, use, &existed, err))
		return false;
	if (wishes->common.json)
		printf("{\"topic\":\"%s\",\"created\":%s}\n", use->name,
		       existed ? "false" : "true");
	else
		printf("%-8s %s\n", existed ? "exists" : "created", use->name);
	return true;
}

static struct kafka_admin *open_admin(struct session *session, const struct wishes *wishes,
				      struct error *err)
{
	struct kafka_connection connection;

	if (!session_configure(session, &wishes->common, err))
		return NULL;
	connection = (struct kafka_connection){.brokers = session->config->kafka.brokers,
					       .client_id = "sluice-topics",
					       .options = session->config->kafka.options};
	return kafka_admin_create(&connection, LONGEST, err);
}

static bool create_topics(const struct wishes *wishes, struct error *err)
{
	AUTO_FINISH(session_finish) struct session session = {0};
	AUTO(kafka_admin_destroy) struct kafka_admin *admin = open_admin(&session, wishes, err);
	AUTO_FINISH(topic_list_finish) struct topic_list list = {0};
	AUTO_FINISH(kafka_topics_finish) struct kafka_topics topics = {0};

	if (!admin || !kafka_admin_topics(admin, &topics, err))
		return false;
	topic_list_fill(&list, session.config);
	for (size_t i = 0; i < list.count; i++)
		if (!ensure_topic(admin, wishes, &session.config->kafka, &topics, &list.uses[i],
				  err))
			return false;
	return true;
}

static int run_create(int argc, char **argv)
{
	struct wishes wishes = {0};
	int code = arguments_parse(&create_form, &wishes, argc, argv);
	struct error err;

	if (code >= 0)
		return code;
	return create_topics(&wishes, &err) ? COMMAND_OK : session_fail("topics create", &err);
}

const struct command command_topics_create = {
	.name = "topics create",
	.summary = "make the topics of the configuration",
	.group = COMMAND_OPERATE,
	.run = run_create,
	.form = &create_form,
};

/* --- topics list --- */

static const struct argument list_table[] = {
	ARGUMENT_TEXT(struct wishes, group, "group", 'g', "GROUP",
		      "count what this group has left (default kafka.group)"),
	ARGUMENT_FLAG(struct wishes, each, "each", 0, "a row for each partition"),
	{0},
};

static const struct argument_form list_form = {
	.usage = "",
	.summary = "List the topics of the configuration, how much is in each, and how much of it "
		   "the\n"
		   "workers have yet to claim (lag).",
	.details = "  sluice topics list --each\n",
	.table = list_table,
};

static void add_columns(struct table *out, bool each)
{
	table_column(out, "topic", TABLE_LEFT);
	table_column(out, "use", TABLE_LEFT);
	table_column(out, each ? "partition" : "partitions", TABLE_NUMBER);
	table_column(out, "messages", TABLE_NUMBER);
	table_column(out, "lag", TABLE_NUMBER);
	table_column(out, "note", TABLE_LEFT);
}

static void add_missing(struct table *out, const struct topic_use *use)
{
	table_cell(out, "%s", use->name);
	table_cell(out, "%s", use->use);
	for (int i = 0; i < 3; i++)
		table_cell(out, "%s", "");
	table_cell(out, "missing: `sluice topics create` makes it");
}

static void add_partition(struct table *out, const struct topic_use *use,
			  const struct kafka_lag *lag)
{
	table_cell(out, "%s", use->name);
	table_cell(out, "%s", use->use);
	table_cell(out, "%" PRId32, lag->partition);
	table_cell(out, "%" PRId64, lag->high - lag->low);
	if (use->read_by_workers)
		table_cell(out, "%" PRId64, lag->lag);
	else
		table_cell(out, "%s", "");
	table_cell(out, "%s",
		   use->read_by_workers && lag->committed < 0 ? "nothing committed yet" : "");
}

static void add_sum(struct table *out, const struct topic_use *use, const struct kafka_topic *topic,
		    const struct kafka_lag *lags)
{
	int64_t messages = 0, lag = 0;

	for (int32_t i = 0; i < topic->partitions; i++) {
		messages += lags[i].high - lags[i].low;
		lag += lags[i].lag;
	}
	table_cell(out, "%s", use->name);
	table_cell(out, "%s", use->use);
	table_cell(out, "%" PRId32, topic->partitions);
	table_cell(out, "%" PRId64, messages);
	if (use->read_by_workers)
		table_cell(out, "%" PRId64, lag);
	else
		table_cell(out, "%s", "");
	table_cell(out, "%s", topic->leaderless > 0 ? "some partitions have no leader" : "");
}

static bool add_topic(struct table *out, struct kafka_admin *admin, const struct wishes *wishes,
		      const char *group, const struct topic_use *use,
		      const struct kafka_topic *topic, struct error *err)
{
	AUTO(xfree) struct kafka_lag *lags = NULL;

	if (!topic) {
		add_missing(out, use);
		return true;
	}
	lags = xcalloc((size_t)topic->partitions, sizeof(*lags));
	if (!kafka_admin_lag(admin, group, topic, lags, err))
		return error_wrap(err, "topic %s", topic->name);
	for (int32_t i = 0; wishes->each && i < topic->partitions; i++)
		add_partition(out, use, &lags[i]);
	if (!wishes->each)
		add_sum(out, use, topic, lags);
	return true;
}

static bool fill_table(struct table *out, struct kafka_admin *admin, const struct wishes *wishes,
		       const struct config *config, struct error *err)
{
	AUTO_FINISH(topic_list_finish) struct topic_list list = {0};
	AUTO_FINISH(kafka_topics_finish) struct kafka_topics topics = {0};
	const char *group = wishes->group ? wishes->group : config->kafka.group;

	if (!kafka_admin_topics(admin, &topics, err))
		return false;
	topic_list_fill(&list, config);
	for (size_t i = 0; i < list.count; i++)
		if (!add_topic(out, admin, wishes, group, &list.uses[i],
			       kafka_topics_find(&topics, list.uses[i].name), err))
			return false;
	return true;
}

static bool list_topics(const struct wishes *wishes, struct error *err)
{
	AUTO_FINISH(session_finish) struct session session = {0};
	AUTO(kafka_admin_destroy) struct kafka_admin *admin = open_admin(&session, wishes, err);
	AUTO(table_destroy) struct table *out = table_create();
	AUTO_FINISH(buffer_finish) struct buffer text = {0};

	if (!admin)
		return false;
	add_columns(out, wishes->each);
	if (!fill_table(out, admin, wishes, session.config, err))
		return false;
	table_render(out, session_format(wishes->common.json, false), &text);
	fwrite(text.data ? text.data : "", 1, text.len, stdout);
	return true;
}

static int run_list(int argc, char **argv)
{
	struct wishes wishes = {0};
	int code = arguments_parse(&list_form, &wishes, argc, argv);
	struct error err;

	if (code >= 0)
		return code;
	return list_topics(&wishes, &err) ? COMMAND_OK : session_fail("topics list", &err);
}

const struct command command_topics_list = {
	.name = "topics list",
	.summary = "topics, how much is in them, how much is left to do",
	.group = COMMAND_OPERATE,
	.run = run_list,
	.form = &list_form,
};
