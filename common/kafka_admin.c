#include "kafka_admin.h"

#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ensure.h"
#include "kafka_internal.h"

#define COORDINATOR_MS 50 /* until a coordinator is asked for again */

/*
 * A handle that waits for an answer which never comes delays the requests after
 * it, so it is replaced after a timeout; hence the copies of the connection.
 */
struct kafka_admin {
	rd_kafka_t *handle;
	rd_kafka_t *reader; /* of the offsets of group, made when first asked for */
	char *group;
	int longest_ms;
	char *brokers;
	char *client_id;
	json_t *options;
};

static rd_kafka_t *new_handle(const struct kafka_admin *admin, rd_kafka_type_t type,
			      const struct kafka_option *insisted, struct error *err)
{
	static const struct kafka_option none[] = {{NULL, NULL}};
	struct kafka_connection connection = {.brokers = admin->brokers,
					      .client_id = admin->client_id,
					      .options = admin->options};
	rd_kafka_conf_t *conf = kafka_conf(&connection, none, insisted, err);

	if (!conf)
		return NULL;
	rd_kafka_conf_set_log_cb(conf, NULL); /* what matters comes as errors */
	return kafka_handle(type, conf, err);
}

static bool open_handle(struct kafka_admin *admin, struct error *err)
{
	static const struct kafka_option none[] = {{NULL, NULL}};

	admin->handle = new_handle(admin, RD_KAFKA_PRODUCER, none, err);
	return admin->handle;
}

static void close_reader(struct kafka_admin *admin)
{
	if (admin->reader)
		rd_kafka_destroy_flags(admin->reader, RD_KAFKA_DESTROY_F_NO_CONSUMER_CLOSE);
	admin->reader = NULL;
	free(admin->group);
	admin->group = NULL;
}

struct kafka_admin *kafka_admin_create(const struct kafka_connection *connection, nsec longest,
				       struct error *err)
{
	AUTO(kafka_admin_destroy) struct kafka_admin *admin = xcalloc(1, sizeof(*admin));

	admin->longest_ms = (int)(longest / NSEC_PER_MSEC);
	admin->brokers = xstrdup(connection->brokers);
	admin->client_id = xstrdup(connection->client_id ? connection->client_id : "sluice");
	admin->options = json_deep_copy(connection->options);
	if (!open_handle(admin, err))
		return NULL;
	return TAKE(admin);
}

void kafka_admin_destroy(struct kafka_admin *admin)
{
	if (!admin)
		return;
	close_reader(admin);
	if (admin->handle)
		rd_kafka_destroy(admin->handle);
	json_decref(admin->options);
	free(admin->brokers);
	free(admin->client_id);
	free(admin);
}

/* -- one request and its answer -- */

struct request {
	rd_kafka_AdminOptions_t *options;
	rd_kafka_queue_t *answers;
};

static struct request begin(struct kafka_admin *admin, rd_kafka_admin_op_t op)
{
	struct request r = {
		.options = rd_kafka_AdminOptions_new(admin->handle, op),
		.answers = rd_kafka_queue_new(admin->handle),
	};
	char why[128];

	ENSURE(r.options && r.answers);
	rd_kafka_AdminOptions_set_request_timeout(r.options, admin->longest_ms, why, sizeof(why));
	return r;
}

/* The answer, which the caller destroys; NULL with an error. Ends the request. */
static rd_kafka_event_t *answer_to(struct kafka_admin *admin, struct request *r, const char *doing,
				   struct error *err)
{
	rd_kafka_event_t *event = rd_kafka_queue_poll(r->answers, admin->longest_ms + 1000);
	rd_kafka_resp_err_t code = event ? rd_kafka_event_error(event)
					 : RD_KAFKA_RESP_ERR__TIMED_OUT;

	if (code) {
		error_set(err, kafka_error_kind(code), "%s: %s", doing,
			  event ? rd_kafka_event_error_string(event) : "no answer");
		if (event)
			rd_kafka_event_destroy(event);
		event = NULL;
	}
	rd_kafka_AdminOptions_destroy(r->options);
	rd_kafka_queue_destroy(r->answers);
	if (code == RD_KAFKA_RESP_ERR__TIMED_OUT) {
		struct error unused;

		rd_kafka_destroy(admin->handle);
		ENSURE(open_handle(admin, &unused)); /* the configuration has worked before */
	}
	return event;
}

/* -- topics -- */

static rd_kafka_NewTopic_t *new_topic(const struct kafka_new_topic *topic, struct error *err)
{
	char why[256];
	rd_kafka_NewTopic_t *made = rd_kafka_NewTopic_new(
		topic->name, topic->partitions, topic->replication > 0 ? topic->replication : -1,
		why, sizeof(why));

	if (!made) {
		error_set(err, ERROR_REJECT, "topic %s: %s", topic->name, why);
		return NULL;
	}
	for (size_t i = 0; i < topic->setting_count; i++)
		rd_kafka_NewTopic_set_config(made, topic->settings[i].name,
					     topic->settings[i].value);
	return made;
}

bool kafka_admin_create_topic(struct kafka_admin *admin, const struct kafka_new_topic *topic,
			      bool *existed, struct error *err)
{
	rd_kafka_NewTopic_t *made = new_topic(topic, err);
	const rd_kafka_topic_result_t **results;
	rd_kafka_event_t *event;
	rd_kafka_resp_err_t code;
	struct request r;
	size_t count;

	if (!made)
		return false;
	r = begin(admin, RD_KAFKA_ADMIN_OP_CREATETOPICS);
	rd_kafka_CreateTopics(admin->handle, &made, 1, r.options, r.answers);
	rd_kafka_NewTopic_destroy(made);
	event = answer_to(admin, &r, "create topic", err);
	if (!event)
		return error_wrap(err,
				  "topic %s (an embedded test broker can't create topics: "
				  "name them when you start it)",
				  topic->name);
	results = rd_kafka_CreateTopics_result_topics(rd_kafka_event_CreateTopics_result(event),
						      &count);
	code = count == 1 ? rd_kafka_topic_result_error(results[0]) : RD_KAFKA_RESP_ERR__BAD_MSG;
	*existed = code == RD_KAFKA_RESP_ERR_TOPIC_ALREADY_EXISTS;
	if (code && !*existed)
		error_set(err, ERROR_REJECT, "topic %s: %s", topic->name,
			  count == 1 ? rd_kafka_topic_result_error_string(results[0])
				     : "an answer about something else");
	rd_kafka_event_destroy(event);
	return !code || *existed;
}

static int by_name(const void *a, const void *b)
{
	return strcmp(((const struct kafka_topic *)a)->name, ((const struct kafka_topic *)b)->name);
}

static void add_topic(struct kafka_topics *topics, const struct rd_kafka_metadata_topic *found)
{
	struct kafka_topic *topic = &topics->topics[topics->count++];

	*topic = (struct kafka_topic){.name = xstrdup(found->topic),
				      .partitions = found->partition_cnt};
	for (int i = 0; i < found->partition_cnt; i++)
		topic->leaderless += found->partitions[i].leader < 0;
}

bool kafka_admin_topics(struct kafka_admin *admin, struct kafka_topics *topics, struct error *err)
{
	const struct rd_kafka_metadata *metadata;
	rd_kafka_resp_err_t code = rd_kafka_metadata(admin->handle, 1, NULL, &metadata,
						     admin->longest_ms);

	*topics = (struct kafka_topics){0};
	if (code)
		return kafka_failed(err, code, "list topics");
	topics->topics = xcalloc((size_t)metadata->topic_cnt, sizeof(*topics->topics));
	for (int i = 0; i < metadata->topic_cnt; i++)
		if (!metadata->topics[i].err && strncmp(metadata->topics[i].topic, "__", 2) != 0)
			add_topic(topics, &metadata->topics[i]);
	rd_kafka_metadata_destroy(metadata);
	qsort(topics->topics, topics->count, sizeof(*topics->topics), by_name);
	return true;
}

const struct kafka_topic *kafka_topics_find(const struct kafka_topics *topics, const char *name)
{
	struct kafka_topic wanted = {.name = (char *)name};

	if (topics->count == 0)
		return NULL;
	return bsearch(&wanted, topics->topics, topics->count, sizeof(wanted), by_name);
}

void kafka_topics_finish(struct kafka_topics *topics)
{
	for (size_t i = 0; i < topics->count; i++)
		free(topics->topics[i].name);
	free(topics->topics);
	*topics = (struct kafka_topics){0};
}

/* -- groups -- */

/*
 * A consumer of the group that never joins it. The admin request for this,
 * ListConsumerGroupOffsets, ends the process when the group has no coordinator yet, as in every new
 * cluster (librdkafka #5040).
 */
static rd_kafka_t *reader_of(struct kafka_admin *admin, const char *group, struct error *err)
{
	const struct kafka_option insisted[] = {
		{"group.id", group}, {"enable.auto.commit", "false"}, {NULL, NULL}};

	if (admin->reader && strcmp(admin->group, group) == 0)
		return admin->reader;
	close_reader(admin);
	admin->reader = new_handle(admin, RD_KAFKA_CONSUMER, insisted, err);
	if (admin->reader)
		admin->group = xstrdup(group);
	return admin->reader;
}

/* A new cluster makes its coordinators when first asked for one. */
static bool lacks_coordinator(rd_kafka_resp_err_t code)
{
	return code == RD_KAFKA_RESP_ERR_NOT_COORDINATOR ||
	       code == RD_KAFKA_RESP_ERR_COORDINATOR_NOT_AVAILABLE ||
	       code == RD_KAFKA_RESP_ERR_COORDINATOR_LOAD_IN_PROGRESS;
}

static rd_kafka_resp_err_t read_committed(rd_kafka_t *reader, rd_kafka_topic_partition_list_t *list,
					  int longest_ms)
{
	rd_kafka_resp_err_t code = rd_kafka_committed(reader, list, longest_ms);

	for (int i = 0; !code && i < list->cnt; i++)
		code = list->elems[i].err;
	return code;
}

static bool find_committed(struct kafka_admin *admin, const char *group,
			   const struct kafka_topic *topic, struct kafka_lag *lag,
			   struct error *err)
{
	rd_kafka_t *reader = reader_of(admin, group, err);
	AUTO(rd_kafka_topic_partition_list_destroy)
	rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(
		topic->partitions);
	nsec give_up = clock_now() + (nsec)admin->longest_ms * NSEC_PER_MSEC;
	rd_kafka_resp_err_t code;

	if (!reader)
		return false;
	rd_kafka_topic_partition_list_add_range(list, topic->name, 0, topic->partitions - 1);
	while ((code = read_committed(reader, list, admin->longest_ms)) != 0)
		if (!lacks_coordinator(code) || clock_now() > give_up)
			return kafka_failed(err, code, "read the group's offsets");
		else
			poll(NULL, 0, COORDINATOR_MS);
	for (int i = 0; i < list->cnt; i++)
		if (list->elems[i].offset >= 0)
			lag[list->elems[i].partition].committed = list->elems[i].offset;
	return true;
}

static bool find_ends(struct kafka_admin *admin, const char *topic, struct kafka_lag *lag,
		      struct error *err)
{
	rd_kafka_resp_err_t code = rd_kafka_query_watermark_offsets(
		admin->handle, topic, lag->partition, &lag->low, &lag->high, admin->longest_ms);

	if (code)
		return kafka_failed(err, code, "read the ends of a partition");
	lag->lag = lag->high - (lag->committed > lag->low ? lag->committed : lag->low);
	if (lag->lag < 0)
		lag->lag = 0; /* the topic was made anew */
	return true;
}

bool kafka_admin_lag(struct kafka_admin *admin, const char *group, const struct kafka_topic *topic,
		     struct kafka_lag *lag, struct error *err)
{
	for (int32_t p = 0; p < topic->partitions; p++)
		lag[p] = (struct kafka_lag){.partition = p, .committed = -1};
	if (topic->partitions == 0)
		return true;
	if (!find_committed(admin, group, topic, lag, err))
		return error_wrap(err, "group %s, topic %s", group, topic->name);
	for (int32_t p = 0; p < topic->partitions; p++)
		if (!find_ends(admin, topic->name, &lag[p], err))
			return error_wrap(err, "topic %s partition %" PRId32, topic->name, p);
	return true;
}

static bool offset_was_set(rd_kafka_event_t *event, struct error *err)
{
	size_t count;
	const rd_kafka_group_result_t **groups = rd_kafka_AlterConsumerGroupOffsets_result_groups(
		rd_kafka_event_AlterConsumerGroupOffsets_result(event), &count);
	const rd_kafka_topic_partition_list_t *list;
	const rd_kafka_error_t *error;

	if (count != 1)
		return error_set(err, ERROR_RETRY, "an answer about something else");
	error = rd_kafka_group_result_error(groups[0]);
	if (error)
		return error_set(err, ERROR_REJECT, "%s", rd_kafka_error_string(error));
	list = rd_kafka_group_result_partitions(groups[0]);
	if (list->cnt == 1 && list->elems[0].err)
		return kafka_failed(err, list->elems[0].err, "set the offset");
	return true;
}

bool kafka_admin_set_offset(struct kafka_admin *admin, const char *group, const char *topic,
			    int32_t partition, int64_t offset, struct error *err)
{
	AUTO(rd_kafka_topic_partition_list_destroy)
	rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);
	rd_kafka_AlterConsumerGroupOffsets_t *wish;
	rd_kafka_event_t *event;
	struct request r;
	bool done;

	rd_kafka_topic_partition_list_add(list, topic, partition)->offset = offset;
	wish = rd_kafka_AlterConsumerGroupOffsets_new(group, list);
	r = begin(admin, RD_KAFKA_ADMIN_OP_ALTERCONSUMERGROUPOFFSETS);
	rd_kafka_AlterConsumerGroupOffsets(admin->handle, &wish, 1, r.options, r.answers);
	rd_kafka_AlterConsumerGroupOffsets_destroy(wish);
	event = answer_to(admin, &r, "set the offset", err);
	done = event && offset_was_set(event, err);
	if (event)
		rd_kafka_event_destroy(event);
	return done ||
	       error_wrap(err, "group %s, topic %s partition %" PRId32, group, topic, partition);
}

/* -- settings -- */

static char *find_setting(rd_kafka_event_t *event, const char *name, struct error *err)
{
	size_t count, entries;
	const rd_kafka_ConfigResource_t **resources = rd_kafka_DescribeConfigs_result_resources(
		rd_kafka_event_DescribeConfigs_result(event), &count);
	const rd_kafka_ConfigEntry_t **list;

	if (count == 1 && rd_kafka_ConfigResource_error(resources[0])) {
		error_set(err, ERROR_REJECT, "%s",
			  rd_kafka_ConfigResource_error_string(resources[0]));
		return NULL;
	}
	list = count == 1 ? rd_kafka_ConfigResource_configs(resources[0], &entries) : NULL;
	for (size_t i = 0; list && i < entries; i++)
		if (strcmp(rd_kafka_ConfigEntry_name(list[i]), name) == 0 &&
		    rd_kafka_ConfigEntry_value(list[i]))
			return xstrdup(rd_kafka_ConfigEntry_value(list[i]));
	error_set(err, ERROR_REJECT, "the brokers don't tell %s", name);
	return NULL;
}

char *kafka_admin_setting(struct kafka_admin *admin, const char *topic, const char *name,
			  struct error *err)
{
	rd_kafka_ConfigResource_t *resource = rd_kafka_ConfigResource_new(RD_KAFKA_RESOURCE_TOPIC,
									  topic);
	rd_kafka_event_t *event;
	struct request r;
	char *value = NULL;

	ENSURE(resource);
	r = begin(admin, RD_KAFKA_ADMIN_OP_DESCRIBECONFIGS);
	rd_kafka_DescribeConfigs(admin->handle, &resource, 1, r.options, r.answers);
	rd_kafka_ConfigResource_destroy(resource);
	event = answer_to(admin, &r, "read a topic's settings", err);
	if (event) {
		value = find_setting(event, name, err);
		rd_kafka_event_destroy(event);
	}
	if (!value)
		error_wrap(err, "topic %s", topic);
	return value;
}
