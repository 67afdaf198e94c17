#include "kafka_consumer.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ensure.h"
#include "failpoint.h"
#include "kafka_internal.h"

#define COMMIT_EVERY NSEC_PER_SEC
#define LONGEST_NAP NSEC_PER_SEC /* polling is what keeps our seat in the group */
#define COMMIT_WAIT_MS 1000	 /* when partitions are taken away */
#define LOOKUP_WAIT_MS 2000	 /* for committed offsets, when they are given */
#define CLOSE_WAIT (4 * NSEC_PER_SEC)
#define EVENTS_PER_TICK 256
#define FETCH_BYTES ((size_t)4 << 20) /* one answer of a broker, over all partitions */

/*
 * A partition of ours. `more` is false only when its queue was seen empty after
 * the bell was last silenced, so the next message is sure to ring.
 */
struct partition {
	int32_t number;
	rd_kafka_queue_t *queue;
	bool more;
	bool held;
	bool lost;	/* its committed offset is not in the log */
	bool unstored;	/* `stored` is not yet known to librdkafka */
	int64_t read;	/* -1: nothing was read yet */
	int64_t stored; /* -1: nothing is */
};

struct topic {
	char *name;
	struct partition *partitions;
	size_t count;
	size_t turn;
};

struct kafka_consumer {
	rd_kafka_t *handle;
	rd_kafka_queue_t *events; /* the group's queue: rebalances, errors, reports */
	int bell;
	struct topic *topics;
	size_t topic_count;
	uint64_t assignment;
	rd_kafka_topic_partition_list_t *given; /* assigned, but we don't know yet where to start */
	bool uncommitted;
	nsec next_commit;
	nsec next_lookup;
	struct error fatal;
	bool is_fatal;
	char trouble[256];
	kafka_notice *notice;
	void *context;
};

static void tell(const struct kafka_consumer *c, const char *event, const char *text)
{
	if (c->notice)
		c->notice(c->context, event, text);
}

static struct partition *find_partition(const struct kafka_consumer *c, size_t topic,
					int32_t number)
{
	const struct topic *t = &c->topics[topic];

	for (size_t i = 0; i < t->count; i++)
		if (t->partitions[i].number == number)
			return &t->partitions[i];
	return NULL;
}

/* -- offsets -- */

static bool has_offset(const rd_kafka_topic_partition_t *p)
{
	return p->offset >= 0 && !p->err;
}

/* Hand to librdkafka what was stored since the last time. True if there is something to commit. */
static bool store_offsets(struct kafka_consumer *c)
{
	AUTO(rd_kafka_topic_partition_list_destroy)
	rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(16);

	for (size_t t = 0; t < c->topic_count; t++) {
		for (size_t i = 0; i < c->topics[t].count; i++) {
			struct partition *p = &c->topics[t].partitions[i];

			if (p->unstored)
				rd_kafka_topic_partition_list_add(list, c->topics[t].name,
								  p->number)
					->offset = p->stored;
			p->unstored = false;
		}
	}
	if (list->cnt > 0)
		rd_kafka_offsets_store(c->handle, list); /* errors: not ours any more */
	return list->cnt > 0;
}

static void commit_later(struct kafka_consumer *c, nsec now)
{
	if (now < c->next_commit)
		return;
	c->next_commit = now + COMMIT_EVERY;
	if (store_offsets(c) || c->uncommitted) {
		c->uncommitted = false; /* on_commit() sets it again if it failed */
		rd_kafka_commit(c->handle, NULL, 1);
	}
}

/* Our last word on partitions that are about to go; waits a moment for the answer. */
static void commit_now(struct kafka_consumer *c)
{
	rd_kafka_queue_t *answer;
	rd_kafka_event_t *event;

	if (!store_offsets(c) && !c->uncommitted)
		return;
	c->uncommitted = false;
	answer = rd_kafka_queue_new(c->handle);
	if (!rd_kafka_commit_queue(c->handle, NULL, answer, NULL, NULL)) {
		event = rd_kafka_queue_poll(answer, COMMIT_WAIT_MS);
		if (!event)
			tell(c, "kafka_commit_failed", "no answer while partitions were revoked");
		else if (rd_kafka_event_error(event))
			tell(c, "kafka_commit_failed", rd_kafka_event_error_string(event));
		if (event)
			rd_kafka_event_destroy(event);
	}
	rd_kafka_queue_destroy(answer);
}

static void on_commit(rd_kafka_t *handle, rd_kafka_resp_err_t code,
		      rd_kafka_topic_partition_list_t *offsets, void *opaque)
{
	struct kafka_consumer *c = opaque;

	(void)handle;
	(void)offsets;
	if (!code)
		FAILPOINT("K21");
	if (!code || code == RD_KAFKA_RESP_ERR__NO_OFFSET)
		return;
	c->uncommitted = true; /* the stored offsets go out again with the next commit */
	tell(c, "kafka_commit_failed", rd_kafka_err2str(code));
}

/* -- rebalance -- */

static void forget_partitions(struct kafka_consumer *c)
{
	for (size_t t = 0; t < c->topic_count; t++) {
		struct topic *topic = &c->topics[t];

		for (size_t i = 0; i < topic->count; i++) {
			kafka_bell_detach(topic->partitions[i].queue);
			rd_kafka_queue_destroy(topic->partitions[i].queue);
		}
		free(topic->partitions);
		topic->partitions = NULL;
		topic->count = 0;
		topic->turn = 0;
	}
	c->trouble[0] = '\0';
	c->assignment++;
}

/*
 * The queue is cut off from the group's before fetching starts: messages then
 * wait in it until we read it.
 */
static void add_partition(struct kafka_consumer *c, const rd_kafka_topic_partition_t *given)
{
	for (size_t t = 0; t < c->topic_count; t++) {
		struct topic *topic = &c->topics[t];
		struct partition *p;

		if (strcmp(topic->name, given->topic) != 0)
			continue;
		topic->partitions = xrealloc(topic->partitions,
					     (topic->count + 1) * sizeof(*topic->partitions));
		p = &topic->partitions[topic->count++];
		*p = (struct partition){
			.number = given->partition,
			.queue = rd_kafka_queue_get_partition(c->handle, given->topic,
							      given->partition),
			.more = true,
			.read = has_offset(given) ? given->offset : -1,
			.stored = has_offset(given) ? given->offset : -1,
		};
		ENSURE(p->queue);
		rd_kafka_queue_forward(p->queue, NULL);
		kafka_bell_attach(p->queue, c->bell);
	}
}

/*
 * Where to start is decided here and not by auto.offset.reset, which knows no
 * difference between a partition nobody has read and one whose offset was lost.
 */
static bool find_starts(struct kafka_consumer *c, rd_kafka_topic_partition_list_t *list)
{
	rd_kafka_resp_err_t code = rd_kafka_committed(c->handle, list, LOOKUP_WAIT_MS);

	for (int i = 0; !code && i < list->cnt; i++)
		code = list->elems[i].err;
	if (code) {
		tell(c, "kafka_error", "can't read the group's offsets yet, trying again");
		return false;
	}
	for (int i = 0; i < list->cnt; i++)
		if (list->elems[i].offset < 0)
			list->elems[i].offset = RD_KAFKA_OFFSET_BEGINNING;
	return true;
}

static void drop_given(struct kafka_consumer *c)
{
	if (c->given)
		rd_kafka_topic_partition_list_destroy(c->given);
	c->given = NULL;
}

/* Start on the partitions given to us, once we know where. */
static void start_given(struct kafka_consumer *c)
{
	rd_kafka_resp_err_t code;
	char text[64];

	if (!find_starts(c, c->given))
		return;
	forget_partitions(c);
	for (int i = 0; i < c->given->cnt; i++)
		add_partition(c, &c->given->elems[i]);
	code = rd_kafka_assign(c->handle, c->given);
	snprintf(text, sizeof(text), "%d partitions", c->given->cnt);
	drop_given(c);
	if (code)
		tell(c, "kafka_error", rd_kafka_err2str(code));
	else
		tell(c, "kafka_assigned", text);
}

static void on_rebalance(rd_kafka_t *handle, rd_kafka_resp_err_t code,
			 rd_kafka_topic_partition_list_t *list, void *opaque)
{
	struct kafka_consumer *c = opaque;

	drop_given(c);
	if (code == RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS) {
		c->given = rd_kafka_topic_partition_list_copy(list);
		start_given(c);
		return;
	}
	if (!rd_kafka_assignment_lost(handle))
		commit_now(c);
	forget_partitions(c);
	rd_kafka_assign(handle, NULL);
	tell(c, "kafka_revoked",
	     rd_kafka_assignment_lost(handle) ? "lost: too slow or cut off" : "handed back");
}

/* -- events of the group -- */

static void on_error(rd_kafka_t *handle, int code, const char *reason, void *opaque)
{
	struct kafka_consumer *c = opaque;
	char why[256];

	if (code != RD_KAFKA_RESP_ERR__FATAL) {
		tell(c, "kafka_error", reason);
		return;
	}
	rd_kafka_fatal_error(handle, why, sizeof(why));
	c->is_fatal = true;
	error_set(&c->fatal, ERROR_FATAL, "kafka consumer: %s", why);
}

static void on_log(const rd_kafka_t *handle, int level, const char *facility, const char *text)
{
	(void)level;
	(void)facility;
	tell(rd_kafka_opaque(handle), "kafka_log", text);
}

static void serve_events(struct kafka_consumer *c)
{
	for (int i = 0; i < EVENTS_PER_TICK; i++) {
		rd_kafka_message_t *message = rd_kafka_consumer_poll(c->handle, 0);

		if (!message)
			return;
		/* A message here would be lost: every partition's queue was cut off. */
		ENSURE(message->err);
		tell(c, "kafka_error", rd_kafka_message_errstr(message));
		rd_kafka_message_destroy(message);
	}
	kafka_bell_ring(c->bell);
}

/* All partitions ring the same bell, so any of them may have something now. */
static void expect_more(struct kafka_consumer *c)
{
	for (size_t t = 0; t < c->topic_count; t++)
		for (size_t i = 0; i < c->topics[t].count; i++)
			c->topics[t].partitions[i].more = true;
}

bool kafka_consumer_tick(struct kafka_consumer *c, nsec now, struct error *err)
{
	if (kafka_bell_silence(c->bell))
		expect_more(c);
	serve_events(c);
	if (c->given && now >= c->next_lookup) {
		start_given(c);
		c->next_lookup = now + NSEC_PER_SEC;
	}
	commit_later(c, now);
	if (c->is_fatal)
		*err = c->fatal;
	return !c->is_fatal;
}

nsec kafka_consumer_nap(const struct kafka_consumer *c, nsec now)
{
	nsec due = now + LONGEST_NAP;

	if (c->next_commit < due)
		due = c->next_commit;
	return due > now ? due - now : LONGEST_NAP;
}

/* -- messages -- */

static void lose_partition(struct kafka_consumer *c, const struct topic *topic, struct partition *p,
			   const char *why)
{
	p->lost = true;
	snprintf(c->trouble, sizeof(c->trouble),
		 "%s partition %" PRId32 " is not read: %s; its messages from offset %" PRId64
		 " on are gone or its topic was made anew. Set the group's offset, then restart",
		 topic->name, p->number, why, p->stored);
	tell(c, "kafka_offset_lost", c->trouble);
}

/* The next message of a partition; NULL: none, and it will ring. */
static rd_kafka_message_t *take_message(struct kafka_consumer *c, const struct topic *topic,
					struct partition *p)
{
	while (!p->lost) {
		rd_kafka_message_t *message = rd_kafka_consume_queue(p->queue, 0);

		if (!message) {
			p->more = false;
			return NULL;
		}
		if (!message->err)
			return message;
		if (message->err == RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET)
			lose_partition(c, topic, p, rd_kafka_message_errstr(message));
		else
			tell(c, "kafka_error", rd_kafka_message_errstr(message));
		rd_kafka_message_destroy(message);
	}
	return NULL;
}

bool kafka_consumer_next(struct kafka_consumer *c, size_t topic, struct kafka_message *message)
{
	struct topic *t = &c->topics[topic];

	for (size_t i = 0; i < t->count; i++) {
		size_t at = (t->turn + i) % t->count;
		struct partition *p = &t->partitions[at];
		rd_kafka_message_t *taken;

		if (!p->more || p->held || p->lost)
			continue;
		taken = take_message(c, t, p);
		if (!taken)
			continue;
		kafka_message_fill(message, taken);
		message->topic = topic;
		message->assignment = c->assignment;
		p->read = message->offset + 1;
		t->turn = at + 1;
		return true;
	}
	return false;
}

bool kafka_consumer_ready(const struct kafka_consumer *c, size_t topic)
{
	const struct topic *t = &c->topics[topic];

	for (size_t i = 0; i < t->count; i++)
		if (t->partitions[i].more && !t->partitions[i].held && !t->partitions[i].lost)
			return true;
	return false;
}

void kafka_consumer_hold(struct kafka_consumer *c, size_t topic, int32_t partition, bool hold)
{
	struct partition *p = find_partition(c, topic, partition);

	if (p)
		p->held = hold;
}

uint64_t kafka_consumer_assignment(const struct kafka_consumer *c)
{
	return c->assignment;
}

bool kafka_consumer_store(struct kafka_consumer *c, size_t topic, int32_t partition,
			  uint64_t assignment, int64_t next)
{
	struct partition *p = find_partition(c, topic, partition);

	if (!p || assignment != c->assignment)
		return false;
	if (next > p->stored) {
		p->stored = next;
		p->unstored = true;
	}
	return true;
}

bool kafka_consumer_position(const struct kafka_consumer *c, size_t topic, size_t i,
			     struct kafka_position *position)
{
	const struct topic *t = &c->topics[topic];
	const struct partition *p;
	int64_t low = -1, high = -1, done;

	if (i >= t->count)
		return false;
	p = &t->partitions[i];
	rd_kafka_get_watermark_offsets(c->handle, t->name, p->number, &low, &high);
	done = p->stored > low ? p->stored : low;
	*position = (struct kafka_position){
		.partition = p->number,
		.read = p->read,
		.stored = p->stored,
		.low = low >= 0 ? low : -1,
		.high = high >= 0 ? high : -1,
		.lag = high < 0	     ? -1
		       : high > done ? high - done
				     : 0,
		.held = p->held,
		.lost = p->lost,
	};
	return true;
}

const char *kafka_consumer_trouble(const struct kafka_consumer *c)
{
	return c->trouble[0] ? c->trouble : NULL;
}

int kafka_consumer_fd(const struct kafka_consumer *c)
{
	return c->bell;
}

/* -- birth and death -- */

static bool connect_group(struct kafka_consumer *c, const struct kafka_consumer_settings *s,
			  struct error *err)
{
	size_t largest = s->max_message_bytes ? s->max_message_bytes : 1 << 20;
	size_t ahead = s->partition_bytes ? s->partition_bytes : 2 << 20;
	char largest_text[24], ahead_text[24], fetch_text[24];
	const struct kafka_option defaults[] = {
		{"auto.offset.reset", "error"},
		{"partition.assignment.strategy", "roundrobin"},
		{"session.timeout.ms", "45000"},
		{"heartbeat.interval.ms", "2000"},
		{"max.poll.interval.ms", "600000"},
		{"isolation.level", "read_committed"},
		{"fetch.wait.max.ms", "100"},
		{"fetch.message.max.bytes", largest_text},
		{"fetch.max.bytes", fetch_text},
		/* Of each partition, for its queue is its own; see librdkafka's fetcher. */
		{"queued.max.messages.kbytes", ahead_text},
		{NULL, NULL},
	};
	const struct kafka_option insisted[] = {
		{"group.id", s->group},
		{"enable.auto.commit", "false"},
		{"enable.auto.offset.store", "false"},
		{"enable.partition.eof", "false"},
		{"log.queue", "true"},
		{NULL, NULL},
	};
	AUTO(kafka_conf_destroy) rd_kafka_conf_t *conf = NULL;

	snprintf(largest_text, sizeof(largest_text), "%zu", largest);
	snprintf(ahead_text, sizeof(ahead_text), "%zu", (ahead + 1023) / 1024);
	snprintf(fetch_text, sizeof(fetch_text), "%zu",
		 largest > FETCH_BYTES ? largest : FETCH_BYTES);
	conf = kafka_conf(&s->connection, defaults, insisted, err);
	if (!conf)
		return false;
	rd_kafka_conf_set_opaque(conf, c);
	rd_kafka_conf_set_rebalance_cb(conf, on_rebalance);
	rd_kafka_conf_set_offset_commit_cb(conf, on_commit);
	rd_kafka_conf_set_error_cb(conf, on_error);
	rd_kafka_conf_set_log_cb(conf, on_log);
	c->handle = kafka_handle(RD_KAFKA_CONSUMER, TAKE(conf), err);
	return c->handle;
}

/* The group's protocol is eager here; a cooperative assignor would need other answers. */
static bool assignor_is_eager(const struct kafka_connection *connection, struct error *err)
{
	const char *strategy = json_text(connection->options, "partition.assignment.strategy", "");

	if (!strstr(strategy, "cooperative"))
		return true;
	return error_set(err, ERROR_FATAL,
			 "kafka option partition.assignment.strategy: \"%s\" is not supported, "
			 "use roundrobin or range",
			 strategy);
}

static bool subscribe(struct kafka_consumer *c, struct error *err)
{
	AUTO(rd_kafka_topic_partition_list_destroy)
	rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(
		(int)c->topic_count);
	rd_kafka_resp_err_t code;

	for (size_t t = 0; t < c->topic_count; t++)
		rd_kafka_topic_partition_list_add(list, c->topics[t].name, RD_KAFKA_PARTITION_UA);
	code = rd_kafka_subscribe(c->handle, list);
	return !code || kafka_failed(err, code, "subscribe");
}

struct kafka_consumer *kafka_consumer_create(const struct kafka_consumer_settings *settings,
					     struct error *err)
{
	AUTO(kafka_consumer_destroy) struct kafka_consumer *c = xcalloc(1, sizeof(*c));

	c->bell = kafka_bell_create();
	c->notice = settings->notice;
	c->context = settings->context;
	c->topics = xcalloc(settings->topic_count, sizeof(*c->topics));
	c->topic_count = settings->topic_count;
	for (size_t t = 0; t < c->topic_count; t++)
		c->topics[t].name = xstrdup(settings->topics[t]);
	if (!assignor_is_eager(&settings->connection, err) || !connect_group(c, settings, err))
		return NULL;
	rd_kafka_set_log_queue(c->handle, NULL);
	rd_kafka_poll_set_consumer(c->handle);
	c->events = rd_kafka_queue_get_consumer(c->handle);
	kafka_bell_attach(c->events, c->bell);
	if (!subscribe(c, err))
		return NULL;
	return TAKE(c);
}

/*
 * Leaves the group as far as the time allows. A consumer that can't be closed
 * in time (an unreachable coordinator) is left to the end of the process:
 * librdkafka has no bounded way to free it.
 */
static bool leave_group(struct kafka_consumer *c)
{
	nsec until = clock_now() + CLOSE_WAIT;
	rd_kafka_error_t *error = rd_kafka_consumer_close_queue(c->handle, c->events);

	if (error)
		rd_kafka_error_destroy(error);
	while (!rd_kafka_consumer_closed(c->handle) && clock_now() < until) {
		rd_kafka_message_t *message = rd_kafka_consume_queue(c->events, 50);

		if (message)
			rd_kafka_message_destroy(message);
	}
	return rd_kafka_consumer_closed(c->handle);
}

void kafka_consumer_destroy(struct kafka_consumer *c)
{
	bool closed;

	if (!c)
		return;
	closed = !c->handle || !c->events || leave_group(c);
	if (c->handle && !closed)
		return;
	drop_given(c);
	forget_partitions(c);
	if (c->events) {
		kafka_bell_detach(c->events);
		rd_kafka_queue_destroy(c->events);
	}
	if (c->handle)
		rd_kafka_destroy_flags(c->handle, RD_KAFKA_DESTROY_F_NO_CONSUMER_CLOSE);
	for (size_t t = 0; t < c->topic_count; t++)
		free(c->topics[t].name);
	free(c->topics);
	close(c->bell);
	free(c);
}

char *kafka_consumer_cluster(const struct kafka_consumer *consumer, nsec longest)
{
	char *id = rd_kafka_clusterid(consumer->handle, (int)(longest / NSEC_PER_MSEC));
	char *copy = id ? xstrdup(id) : NULL;

	if (id)
		rd_kafka_mem_free(consumer->handle, id);
	return copy;
}
