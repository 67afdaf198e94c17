#include "guard.h"

#include <librdkafka/rdkafka.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "ensure.h"

#define LOOK_EVERY_MS 200
#define REPLY_TIMEOUT_MS 2000
#define LOOK_TIMEOUT_SECONDS 8
#define NOTHING_COMMITTED ((int64_t)-1)
#define EARLIEST ((int64_t)-2) /* as a timestamp, the protocol's word for the low watermark */

typedef rd_kafka_topic_partition_list_t partitions;

struct guard {
	const struct guard_options *options;
	rd_kafka_t *clients[GUARD_MAX_NAMES]; /* one per group; one without if there are none */
	size_t client_count;
	partitions *committed; /* at the look before */
	pthread_mutex_t lock;  /* of the two below */
	pthread_cond_t looked;
	uint64_t looks; /* that were answered */
	int stop_fd;
	pthread_t thread;
	bool is_running;
};

static void partitions_destroy(partitions *list)
{
	if (list)
		rd_kafka_topic_partition_list_destroy(list);
}
AUTO_DEFINE(partitions, partitions_destroy)

static bool may_drop(const struct guard *guard, const char *topic)
{
	for (size_t i = 0; i < guard->options->may_drop_count; i++)
		if (strcmp(topic, guard->options->may_drop[i]) == 0)
			return true;
	return false;
}

static void add_topic(const struct guard *guard, const rd_kafka_metadata_topic_t *topic,
		      partitions *list)
{
	if (topic->partition_cnt == 0 || may_drop(guard, topic->topic))
		return;
	rd_kafka_topic_partition_list_add_range(list, topic->topic, 0, topic->partition_cnt - 1);
}

/* All partitions that matter; NULL when the broker does not answer, as when it is down. */
static partitions *list_partitions(const struct guard *guard)
{
	const struct rd_kafka_metadata *metadata;
	partitions *list;

	if (rd_kafka_metadata(guard->clients[0], 1, NULL, &metadata, REPLY_TIMEOUT_MS))
		return NULL;
	list = rd_kafka_topic_partition_list_new(8);
	for (int i = 0; i < metadata->topic_cnt; i++)
		add_topic(guard, &metadata->topics[i], list);
	rd_kafka_metadata_destroy(metadata);
	return list;
}

static bool read_low_watermarks(const struct guard *guard, partitions *list)
{
	for (int i = 0; i < list->cnt; i++)
		list->elems[i].offset = EARLIEST;
	return !rd_kafka_offsets_for_times(guard->clients[0], list, REPLY_TIMEOUT_MS);
}

/* The smallest of the groups that read a partition. */
static void merge_committed(partitions *all, const partitions *of_group)
{
	for (int i = 0; i < all->cnt; i++) {
		int64_t offset = of_group->elems[i].offset;
		int64_t *smallest = &all->elems[i].offset;

		if (of_group->elems[i].err || offset < 0)
			continue;
		if (*smallest == NOTHING_COMMITTED || offset < *smallest)
			*smallest = offset;
	}
}

static bool read_committed(const struct guard *guard, partitions *list)
{
	for (int i = 0; i < list->cnt; i++)
		list->elems[i].offset = NOTHING_COMMITTED;
	for (size_t i = 0; i < guard->options->group_count; i++) {
		AUTO(partitions_destroy)
		partitions *of_group = rd_kafka_topic_partition_list_copy(list);

		if (rd_kafka_committed(guard->clients[i], of_group, REPLY_TIMEOUT_MS))
			return false;
		merge_committed(list, of_group);
	}
	return true;
}

static int64_t committed_before(const struct guard *guard, const char *topic, int32_t partition)
{
	const rd_kafka_topic_partition_t *found = NULL;

	if (guard->committed)
		found = rd_kafka_topic_partition_list_find(guard->committed, topic, partition);
	return found ? found->offset : NOTHING_COMMITTED;
}

NORETURN static void report_loss(const rd_kafka_topic_partition_t *low, int64_t committed)
{
	fprintf(stderr,
		"broker: LOST MESSAGES of %s[%d]: everything below offset %lld was dropped (the "
		"mock keeps 5 MiB per partition), but the watched groups had committed %s%lld. "
		"This run proves nothing: use more partitions, smaller bodies, a slower "
		"producer or the real Kafka; --may-drop if nobody has to read the topic.\n",
		low->topic, (int)low->partition, (long long)low->offset,
		committed == NOTHING_COMMITTED ? "nothing, " : "",
		committed == NOTHING_COMMITTED ? 0 : (long long)committed);
	_exit(GUARD_EXIT);
}

static void check(const struct guard *guard, const partitions *lows)
{
	for (int i = 0; i < lows->cnt; i++) {
		const rd_kafka_topic_partition_t *low = &lows->elems[i];
		int64_t committed;

		if (low->err || low->offset <= 0)
			continue;
		committed = committed_before(guard, low->topic, low->partition);
		if (low->offset > committed)
			report_loss(low, committed);
	}
}

/* A look that gets no answer changes nothing: the next one compares with an older commit. */
static bool look(struct guard *guard)
{
	AUTO(partitions_destroy) partitions *lows = list_partitions(guard);
	AUTO(partitions_destroy) partitions *committed = NULL;

	if (!lows)
		return false;
	if (lows->cnt == 0)
		return true;
	committed = rd_kafka_topic_partition_list_copy(lows);
	if (!read_low_watermarks(guard, lows))
		return false;
	check(guard, lows);
	if (!read_committed(guard, committed))
		return false;
	partitions_destroy(guard->committed);
	guard->committed = TAKE(committed);
	return true;
}

static void count_look(struct guard *guard)
{
	pthread_mutex_lock(&guard->lock);
	guard->looks++;
	pthread_cond_broadcast(&guard->looked);
	pthread_mutex_unlock(&guard->lock);
}

static void *run(void *arg)
{
	struct guard *guard = arg;
	struct pollfd stop = {.fd = guard->stop_fd, .events = POLLIN};

	while (poll(&stop, 1, LOOK_EVERY_MS) == 0)
		if (look(guard))
			count_look(guard);
	return NULL;
}

/* The next look to end may have begun before the call; the one after it has not. */
bool guard_look(struct guard *guard)
{
	struct timespec deadline;
	uint64_t wanted;
	int late = 0;

	clock_gettime(CLOCK_REALTIME, &deadline);
	deadline.tv_sec += LOOK_TIMEOUT_SECONDS;
	pthread_mutex_lock(&guard->lock);
	wanted = guard->looks + 2;
	while (guard->looks < wanted && !late)
		late = pthread_cond_timedwait(&guard->looked, &guard->lock, &deadline);
	pthread_mutex_unlock(&guard->lock);
	return !late;
}

static void set_option(rd_kafka_conf_t *conf, const char *name, const char *value)
{
	char text[256];

	ENSURE(rd_kafka_conf_set(conf, name, value, text, sizeof(text)) == RD_KAFKA_CONF_OK);
}

/* When the broker is down on purpose its own clients have nothing to say about it. */
static void drop_log(const rd_kafka_t *client UNUSED, int level UNUSED, const char *what UNUSED,
		     const char *text UNUSED)
{
}

static bool add_client(struct guard *guard, const char *brokers, const char *group,
		       struct error *err)
{
	rd_kafka_conf_t *conf = rd_kafka_conf_new();
	char text[256];
	rd_kafka_t *client;

	set_option(conf, "bootstrap.servers", brokers);
	set_option(conf, "group.id", group);
	set_option(conf, "allow.auto.create.topics", "false");
	set_option(conf, "reconnect.backoff.max.ms", "500");
	rd_kafka_conf_set_log_cb(conf, drop_log);
	client = rd_kafka_new(RD_KAFKA_CONSUMER, conf, text, sizeof(text));
	if (!client) {
		rd_kafka_conf_destroy(conf);
		return error_set(err, ERROR_FATAL, "client of group %s: %s", group, text);
	}
	guard->clients[guard->client_count++] = client;
	return true;
}

static bool add_clients(struct guard *guard, const char *brokers, struct error *err)
{
	if (guard->options->group_count == 0)
		return add_client(guard, brokers, "guard", err);
	for (size_t i = 0; i < guard->options->group_count; i++)
		if (!add_client(guard, brokers, guard->options->groups[i], err))
			return false;
	return true;
}

struct guard *guard_create(const struct guard_options *options, const char *brokers,
			   struct error *err)
{
	AUTO(guard_destroy) struct guard *guard = xcalloc(1, sizeof(*guard));

	guard->options = options;
	guard->stop_fd = eventfd(0, EFD_CLOEXEC);
	ENSURE(guard->stop_fd >= 0);
	pthread_mutex_init(&guard->lock, NULL);
	pthread_cond_init(&guard->looked, NULL);
	if (!add_clients(guard, brokers, err))
		return NULL;
	ENSURE(pthread_create(&guard->thread, NULL, run, guard) == 0);
	guard->is_running = true;
	return TAKE(guard);
}

void guard_destroy(struct guard *guard)
{
	if (!guard)
		return;
	if (guard->is_running) {
		ENSURE(eventfd_write(guard->stop_fd, 1) == 0);
		ENSURE(pthread_join(guard->thread, NULL) == 0);
	}
	for (size_t i = 0; i < guard->client_count; i++)
		rd_kafka_destroy(guard->clients[i]);
	partitions_destroy(guard->committed);
	pthread_cond_destroy(&guard->looked);
	pthread_mutex_destroy(&guard->lock);
	close(guard->stop_fd);
	xfree(guard);
}
