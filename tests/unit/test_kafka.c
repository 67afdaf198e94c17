/*
 * The Kafka wrappers against librdkafka's mock cluster: real connections, real
 * groups, in this process. The mock lets the first member of a group wait for
 * three seconds, so the claims about a consumer share one story and its groups
 * form side by side.
 */
#include "kafka.h"

#include <librdkafka/rdkafka.h>

#include <librdkafka/rdkafka_mock.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>

#include "clock.h"
#include "ensure.h"
#include "kafka_admin.h"
#include "kafka_consumer.h"
#include "kafka_producer.h"
#include "unit.h"

#define PATIENCE (20 * NSEC_PER_SEC)

struct cluster {
	rd_kafka_t *handle;
	rd_kafka_mock_cluster_t *mock;
	struct kafka_connection connection;
	json_t *options;
};

/* Short sessions: the mock lets a later rebalance wait for session timeout - 1 s. */
static struct cluster cluster_create(void)
{
	struct cluster c = {0};
	rd_kafka_conf_t *conf = rd_kafka_conf_new();
	char why[256];

	rd_kafka_conf_set(conf, "log_level", "3", why, sizeof(why));
	c.handle = rd_kafka_new(RD_KAFKA_PRODUCER, conf, why, sizeof(why));
	ck_assert_msg(c.handle, "%s", why);
	c.mock = rd_kafka_mock_cluster_new(c.handle, 1);
	ck_assert(c.mock);
	c.options = json_pack("{s:i, s:i, s:i}", "session.timeout.ms", 3000, "fetch.wait.max.ms",
			      10, "heartbeat.interval.ms", 500);
	c.connection = (struct kafka_connection){
		.brokers = rd_kafka_mock_cluster_bootstraps(c.mock), .options = c.options};
	return c;
}

static void cluster_finish(struct cluster *c)
{
	json_decref(c->options);
	rd_kafka_mock_cluster_destroy(c->mock);
	rd_kafka_destroy(c->handle);
}

static void print_notice(void *context, const char *event, const char *text)
{
	(void)context;
	printf("%s: %s\n", event, text);
}

static struct kafka_producer *producer_on(struct cluster *c)
{
	struct kafka_producer_settings settings = {.connection = c->connection,
						   .notice = print_notice};
	struct kafka_producer *p;
	struct error err;

	settings.connection.options = NULL;
	p = kafka_producer_create(&settings, &err);
	ck_assert_msg(p, "%s", err.text);
	return p;
}

static struct kafka_consumer *member_of(struct cluster *c, const char *group,
					const char *const *topics, size_t count)
{
	struct kafka_consumer_settings settings = {
		.connection = c->connection,
		.group = group,
		.topics = topics,
		.topic_count = count,
		.notice = print_notice,
	};
	struct error err;
	struct kafka_consumer *consumer = kafka_consumer_create(&settings, &err);

	ck_assert_msg(consumer, "%s", err.text);
	return consumer;
}

/* Make a topic; asking for it saves the first message a second of waiting. */
static void create_topic(struct cluster *c, struct kafka_producer *p, const char *name, int count)
{
	int32_t partitions;
	struct error err;

	rd_kafka_mock_topic_create(c->mock, name, count, 1);
	ck_assert_msg(kafka_producer_partitions(p, name, PATIENCE, &partitions, &err), "%s",
		      err.text);
	ck_assert_int_eq(partitions, count);
}

/* Produce one message and see it delivered. */
static void send_one(struct kafka_producer *p, struct kafka_record record)
{
	struct kafka_delivery delivery = {0};
	struct error err;

	record.token = &record;
	ck_assert_int_eq(kafka_produce(p, &record, &err), KAFKA_ACCEPTED);
	while (!kafka_producer_delivered(p, &delivery))
		ck_assert(kafka_producer_wait(p, PATIENCE));
	ck_assert_msg(delivery.ok, "%s", delivery.error.text);
	ck_assert_ptr_eq(delivery.token, &record);
	ck_assert_uint_eq(kafka_producer_unreported(p), 0);
}

static void send_text(struct kafka_producer *p, const char *topic, int32_t partition,
		      const char *text)
{
	send_one(p, (struct kafka_record){.topic = topic,
					  .partition = partition,
					  .value = text,
					  .len = strlen(text)});
}

/* The next message, as a program would wait for it: sleeping on the descriptor alone. */
static bool receive(struct kafka_consumer *c, size_t topic, struct kafka_message *message,
		    nsec patience)
{
	nsec until = clock_now() + patience;
	struct error err;

	for (nsec now = clock_now(); now < until; now = clock_now()) {
		struct pollfd bell = {.fd = kafka_consumer_fd(c), .events = POLLIN};

		ck_assert_msg(kafka_consumer_tick(c, now, &err), "%s", err.text);
		if (kafka_consumer_next(c, topic, message))
			return true;
		poll(&bell, 1, (int)(kafka_consumer_nap(c, now) / NSEC_PER_MSEC));
	}
	return false;
}

static void receive_text(struct kafka_consumer *c, size_t topic, const char *text)
{
	struct kafka_message m;

	ck_assert_msg(receive(c, topic, &m, PATIENCE), "\"%s\" did not come", text);
	ck_assert_msg(m.len == strlen(text) && memcmp(m.value, text, m.len) == 0,
		      "\"%.*s\" came for \"%s\"", (int)m.len, m.value, text);
	kafka_message_release(&m);
}

/* -- one member, many topics -- */

enum { PLAIN, SLOW, FAST, QUEUED, TURNS, HELD, LAGGING, TOPICS };
static const char *const topics[TOPICS] = {"plain", "slow", "fast",   "queued",
					   "turns", "held", "lagging"};

static void a_message_arrives_with_key_headers_and_place(struct kafka_consumer *c)
{
	struct kafka_header header;
	struct kafka_message m;

	ck_assert(receive(c, PLAIN, &m, PATIENCE));
	ck_assert_uint_eq(m.topic, PLAIN);
	ck_assert_int_eq(m.partition, 2);
	ck_assert_int_eq(m.offset, 0);
	ck_assert_uint_eq(m.key_len, 4);
	ck_assert_mem_eq(m.key, "unit", 4);
	ck_assert_uint_eq(m.len, 5);
	ck_assert_mem_eq(m.value, "hello", 5);
	ck_assert(kafka_message_header(&m, "sluice-run", &header));
	ck_assert_uint_eq(header.len, 1);
	ck_assert_mem_eq(header.value, "3", 1);
	ck_assert(!kafka_message_header(&m, "sluice-hop", &header));
	kafka_message_release(&m);
}

static void an_unread_topic_keeps_its_messages_while_another_flows(struct kafka_consumer *c,
								   struct kafka_producer *p)
{
	char text[16];

	for (int i = 0; i < 100; i++) {
		snprintf(text, sizeof(text), "%d", i);
		send_text(p, "fast", 1, text);
		receive_text(c, FAST, text);
	}
	ck_assert(kafka_consumer_ready(c, SLOW));
	receive_text(c, SLOW, "patient");
}

/* The trap of edge-triggered descriptors: one message read per ring must not stall the rest. */
static void messages_left_in_a_queue_need_no_new_ring(struct kafka_consumer *c)
{
	struct kafka_message m;

	for (int i = 0; i < 50; i++) {
		ck_assert_msg(receive(c, QUEUED, &m, PATIENCE), "message %d did not come", i);
		ck_assert_int_eq(m.offset, i);
		kafka_message_release(&m);
	}
}

static void wait_until_fetched(struct kafka_consumer *c, size_t topic, size_t partitions)
{
	nsec until = clock_now() + PATIENCE;
	struct kafka_position at;
	size_t fetched = 0;

	while (fetched < partitions && clock_now() < until) {
		fetched = 0;
		for (size_t i = 0; kafka_consumer_position(c, topic, i, &at); i++)
			fetched += at.high > 0;
	}
	ck_assert_uint_eq(fetched, partitions);
}

static void partitions_take_turns(struct kafka_consumer *c)
{
	int from[2] = {0, 0};
	struct kafka_message m;

	wait_until_fetched(c, TURNS, 2);
	for (int i = 0; i < 12; i++) {
		ck_assert(receive(c, TURNS, &m, PATIENCE));
		from[m.partition]++;
		kafka_message_release(&m);
	}
	ck_assert_msg(from[1] == 4, "of twelve messages %d came from the small partition", from[1]);
}

static void a_held_partition_waits_and_goes_on(struct kafka_consumer *c, struct kafka_producer *p)
{
	struct kafka_message m;

	receive_text(c, HELD, "first");
	kafka_consumer_hold(c, HELD, 0, true);
	send_text(p, "held", 0, "held");
	send_text(p, "held", 1, "free");
	receive_text(c, HELD, "free");
	ck_assert(!receive(c, HELD, &m, NSEC_PER_SEC / 5));
	kafka_consumer_hold(c, HELD, 0, false);
	receive_text(c, HELD, "held");
}

static void lag_counts_what_is_not_stored(struct kafka_consumer *c)
{
	struct kafka_position at;
	struct kafka_message m;

	ck_assert(receive(c, LAGGING, &m, PATIENCE));
	ck_assert(kafka_consumer_store(c, LAGGING, 0, m.assignment, 2));
	kafka_message_release(&m);
	ck_assert(kafka_consumer_position(c, LAGGING, 0, &at));
	ck_assert_int_eq(at.read, 1);
	ck_assert_int_eq(at.stored, 2);
	ck_assert_int_eq(at.high, 5);
	ck_assert_int_eq(at.lag, 3);
	ck_assert(!kafka_consumer_position(c, LAGGING, 1, &at));
}

static void a_store_under_an_old_assignment_is_ignored(struct kafka_consumer *c)
{
	uint64_t assignment = kafka_consumer_assignment(c);

	ck_assert(!kafka_consumer_store(c, LAGGING, 0, assignment - 1, 4));
	ck_assert(!kafka_consumer_store(c, LAGGING, 7, assignment, 4));
	ck_assert(kafka_consumer_store(c, LAGGING, 0, assignment, 4));
}

static void fill_topics(struct cluster *cluster, struct kafka_producer *p)
{
	static const int partitions[TOPICS] = {3, 2, 2, 1, 2, 2, 1};
	struct kafka_header headers[] = {{"sluice-run", "3", 1},
					 {"traceparent", "00-ab-cd-01", 11}};

	for (int t = 0; t < TOPICS; t++)
		create_topic(cluster, p, topics[t], partitions[t]);
	send_one(p, (struct kafka_record){.topic = "plain",
					  .partition = 2,
					  .key = "unit",
					  .key_len = 4,
					  .value = "hello",
					  .len = 5,
					  .headers = headers,
					  .header_count = 2});
	send_text(p, "slow", 0, "patient");
	for (int i = 0; i < 50; i++)
		send_text(p, "queued", 0, "x");
	for (int i = 0; i < 40; i++)
		send_text(p, "turns", 0, "flood");
	for (int i = 0; i < 4; i++)
		send_text(p, "turns", 1, "drop");
	send_text(p, "held", 0, "first");
	for (int i = 0; i < 5; i++)
		send_text(p, "lagging", 0, "x");
}

START_TEST(a_consumer_reads_what_it_wants_when_it_wants)
{
	struct cluster cluster = cluster_create();
	struct kafka_producer *p = producer_on(&cluster);
	struct kafka_consumer *c;

	fill_topics(&cluster, p);
	c = member_of(&cluster, "story", topics, TOPICS);
	a_message_arrives_with_key_headers_and_place(c);
	an_unread_topic_keeps_its_messages_while_another_flows(c, p);
	messages_left_in_a_queue_need_no_new_ring(c);
	partitions_take_turns(c);
	a_held_partition_waits_and_goes_on(c, p);
	lag_counts_what_is_not_stored(c);
	a_store_under_an_old_assignment_is_ignored(c);
	kafka_consumer_destroy(c);
	kafka_producer_destroy(p);
	cluster_finish(&cluster);
}
END_TEST

/* -- members that come and go; their groups form at the same time -- */

static const char *const kept[] = {"kept"}, *const lost[] = {"lost"}, *const shared[] = {"shared"};

/* The mock drops what is over 5 MiB of a partition: a committed offset falls out of the log. */
static void push_out(struct kafka_producer *p, const char *topic)
{
	static char big[900000];

	for (size_t i = 0; i < sizeof(big); i++) /* must not compress */
		big[i] = (char)(rand() & 0x7f);
	for (int i = 0; i < 8; i++)
		send_one(p,
			 (struct kafka_record){.topic = topic, .value = big, .len = sizeof(big)});
}

static void read_and_store(struct kafka_consumer *c)
{
	struct kafka_message m;

	ck_assert(receive(c, 0, &m, PATIENCE));
	ck_assert(kafka_consumer_store(c, 0, m.partition, m.assignment, m.offset + 1));
	kafka_message_release(&m);
}

static void an_offset_that_fell_out_of_the_log_is_trouble_not_a_guess(struct kafka_consumer *c)
{
	nsec until = clock_now() + PATIENCE;
	struct kafka_message m;

	while (!kafka_consumer_trouble(c) && clock_now() < until)
		ck_assert(!receive(c, 0, &m, NSEC_PER_SEC / 10));
	ck_assert_ptr_nonnull(kafka_consumer_trouble(c));
	ck_assert_ptr_nonnull(strstr(kafka_consumer_trouble(c), "lost partition 0"));
}

static void two_members_share(struct kafka_consumer *one, struct kafka_consumer *two,
			      uint64_t before)
{
	nsec until = clock_now() + PATIENCE;
	struct kafka_position at;
	struct error err;

	while (!kafka_consumer_position(two, 0, 0, &at) && clock_now() < until) {
		struct pollfd bells[] = {{.fd = kafka_consumer_fd(one), .events = POLLIN},
					 {.fd = kafka_consumer_fd(two), .events = POLLIN}};

		poll(bells, 2, 200);
		ck_assert(kafka_consumer_tick(one, clock_now(), &err));
		ck_assert(kafka_consumer_tick(two, clock_now(), &err));
	}
	ck_assert(kafka_consumer_position(two, 0, 0, &at));
	ck_assert(!kafka_consumer_position(two, 0, 1, &at));
	ck_assert_uint_ne(kafka_consumer_assignment(one), before);
}

START_TEST(offsets_outlive_members_and_partitions_move)
{
	struct cluster cluster = cluster_create();
	struct kafka_producer *p = producer_on(&cluster);
	struct kafka_consumer *keeper, *loser, *one, *two;
	uint64_t before;

	create_topic(&cluster, p, "kept", 1);
	create_topic(&cluster, p, "lost", 1);
	create_topic(&cluster, p, "shared", 2);
	send_text(p, "kept", 0, "done");
	send_text(p, "kept", 0, "read, not stored");
	send_text(p, "lost", 0, "done");
	send_text(p, "shared", 0, "x");
	keeper = member_of(&cluster, "kept", kept, 1);
	loser = member_of(&cluster, "lost", lost, 1);
	one = member_of(&cluster, "shared", shared, 1);
	read_and_store(keeper);
	receive_text(keeper, 0, "read, not stored");
	read_and_store(loser);
	receive_text(one, 0, "x");
	before = kafka_consumer_assignment(one);
	kafka_consumer_destroy(keeper);
	kafka_consumer_destroy(loser);

	push_out(p, "lost");
	keeper = member_of(&cluster, "kept", kept, 1);
	loser = member_of(&cluster, "lost", lost, 1);
	two = member_of(&cluster, "shared", shared, 1);
	two_members_share(one, two, before);
	receive_text(keeper, 0, "read, not stored");
	an_offset_that_fell_out_of_the_log_is_trouble_not_a_guess(loser);
	kafka_consumer_destroy(keeper);
	kafka_consumer_destroy(loser);
	kafka_consumer_destroy(two);
	kafka_consumer_destroy(one);
	kafka_producer_destroy(p);
	cluster_finish(&cluster);
}
END_TEST

START_TEST(an_oversized_message_is_refused_and_a_missing_partition_reported)
{
	struct cluster cluster = cluster_create();
	struct kafka_producer *p = producer_on(&cluster);
	char *big = xcalloc(1, 2 << 20);
	struct kafka_record record = {.topic = "jobs", .value = big, .len = 2 << 20};
	struct kafka_delivery delivery;
	struct error err;

	create_topic(&cluster, p, "jobs", 3);
	ck_assert_int_eq(kafka_produce(p, &record, &err), KAFKA_REFUSED);
	ck_assert_int_eq(err.kind, ERROR_REJECT);
	record.len = 5;
	record.partition = 99;
	switch (kafka_produce(p, &record, &err)) {
	case KAFKA_ACCEPTED:
		while (!kafka_producer_delivered(p, &delivery))
			ck_assert(kafka_producer_wait(p, PATIENCE));
		ck_assert(!delivery.ok);
		break;
	case KAFKA_REFUSED:
		break;
	default:
		ck_abort_msg("full");
	}
	ck_assert_uint_eq(kafka_producer_unreported(p), 0);
	kafka_producer_destroy(p);
	free(big);
	cluster_finish(&cluster);
}
END_TEST

START_TEST(a_full_queue_says_so_and_takes_more_later)
{
	struct cluster cluster = cluster_create();
	json_t *options = json_pack("{s:i}", "queue.buffering.max.messages", 10);
	struct kafka_producer_settings settings = {.connection = cluster.connection};
	struct kafka_record record = {.topic = "jobs", .partition = 0, .value = "x", .len = 1};
	struct kafka_delivery delivery;
	struct kafka_producer *p;
	struct error err;
	int accepted = 0, delivered = 0;

	settings.connection.options = options;
	p = kafka_producer_create(&settings, &err);
	ck_assert_msg(p, "%s", err.text);
	create_topic(&cluster, p, "jobs", 1);
	while (kafka_produce(p, &record, &err) == KAFKA_ACCEPTED)
		ck_assert_int_lt(accepted++, 1000);
	ck_assert_int_eq(accepted, 10);
	while (delivered < accepted) {
		ck_assert(kafka_producer_wait(p, PATIENCE));
		while (kafka_producer_delivered(p, &delivery))
			delivered += delivery.ok;
	}
	ck_assert_int_eq(kafka_produce(p, &record, &err), KAFKA_ACCEPTED);
	kafka_producer_destroy(p);
	json_decref(options);
	cluster_finish(&cluster);
}
END_TEST

static void count_notice(void *context, const char *event, const char *text)
{
	print_notice(NULL, event, text);
	++*(int *)context;
}

START_TEST(news_that_is_no_delivery_does_not_end_the_wait_for_one)
{
	struct cluster cluster = cluster_create();
	int told = 0;
	struct kafka_producer_settings settings = {
		.connection = cluster.connection, .notice = count_notice, .context = &told};
	struct kafka_record record = {.topic = "jobs", .partition = 0, .value = "x", .len = 1};
	nsec until = clock_now() + PATIENCE;
	struct kafka_delivery delivery;
	struct kafka_producer *p;
	struct error err;

	settings.connection.options = NULL;
	p = kafka_producer_create(&settings, &err);
	ck_assert_msg(p, "%s", err.text);
	create_topic(&cluster, p, "jobs", 1);
	told = 0;
	rd_kafka_mock_broker_set_down(cluster.mock, 1);
	ck_assert_int_eq(kafka_produce(p, &record, &err), KAFKA_ACCEPTED);
	while (told == 0 && clock_now() < until)
		ck_assert(!kafka_producer_wait(p, NSEC_PER_SEC / 10));
	ck_assert_int_gt(told, 0);
	rd_kafka_mock_broker_set_up(cluster.mock, 1);
	ck_assert(kafka_producer_wait(p, PATIENCE));
	ck_assert(kafka_producer_delivered(p, &delivery));
	ck_assert_msg(delivery.ok, "%s", delivery.error.text);
	kafka_producer_destroy(p);
	cluster_finish(&cluster);
}
END_TEST

START_TEST(options_our_promises_hang_on_are_refused)
{
	static const char *const bad[][2] = {
		{"enable.auto.commit", "true"},
		{"enable.auto.offset.store", "true"},
		{"group.id", "mine"},
		{"partition.assignment.strategy", "cooperative-sticky"},
		{"no.such.option", "1"},
	};

	for (size_t i = 0; i < COUNT_OF(bad); i++) {
		json_t *options = json_pack("{s:s}", bad[i][0], bad[i][1]);
		struct kafka_consumer_settings settings = {
			.connection = {.brokers = "127.0.0.1:1", .options = options},
			.group = "unit",
			.topics = topics,
			.topic_count = 1,
		};
		struct error err;

		ck_assert(!kafka_consumer_create(&settings, &err));
		ck_assert_int_eq(err.kind, ERROR_FATAL);
		ck_assert_msg(strstr(err.text, bad[i][0]), "%s", err.text);
		json_decref(options);
	}
}
END_TEST

START_TEST(an_absent_cluster_holds_up_neither_birth_nor_death)
{
	struct kafka_consumer_settings settings = {
		.connection = {.brokers = "127.0.0.1:1"},
		.group = "unit",
		.topics = topics,
		.topic_count = 1,
	};
	nsec start = clock_now();
	struct kafka_message m;
	struct error err;
	struct kafka_consumer *c = kafka_consumer_create(&settings, &err);

	ck_assert_msg(c, "%s", err.text);
	ck_assert(!receive(c, 0, &m, NSEC_PER_SEC / 5));
	kafka_consumer_destroy(c);
	ck_assert_uint_lt(clock_now() - start, 8 * NSEC_PER_SEC);
}
END_TEST

START_TEST(the_admin_sees_topics_and_lag_and_moves_a_group)
{
	struct cluster cluster = cluster_create();
	struct kafka_producer *p = producer_on(&cluster);
	struct kafka_admin *admin;
	struct kafka_topics list;
	struct kafka_lag lag[3];
	struct error err;

	create_topic(&cluster, p, "jobs", 3);
	create_topic(&cluster, p, "another", 1);
	for (int i = 0; i < 5; i++)
		send_text(p, "jobs", 1, "x");
	admin = kafka_admin_create(&cluster.connection, PATIENCE, &err);
	ck_assert_msg(admin, "%s", err.text);
	ck_assert_msg(kafka_admin_topics(admin, &list, &err), "%s", err.text);
	ck_assert_uint_eq(list.count, 2);
	ck_assert_str_eq(list.topics[0].name, "another");
	ck_assert_ptr_null(kafka_topics_find(&list, "missing"));
	ck_assert_int_eq(kafka_topics_find(&list, "jobs")->partitions, 3);
	ck_assert_msg(kafka_admin_lag(admin, "unit", &list.topics[1], lag, &err), "%s", err.text);
	ck_assert_int_eq(lag[1].committed, -1);
	ck_assert_int_eq(lag[1].lag, 5);
	ck_assert_int_eq(lag[2].lag, 0);
	ck_assert_msg(kafka_admin_set_offset(admin, "unit", "jobs", 1, 3, &err), "%s", err.text);
	ck_assert(kafka_admin_lag(admin, "unit", &list.topics[1], lag, &err));
	ck_assert_int_eq(lag[1].committed, 3);
	ck_assert_int_eq(lag[1].lag, 2);
	kafka_topics_finish(&list);
	kafka_admin_destroy(admin);
	kafka_producer_destroy(p);
	cluster_finish(&cluster);
}
END_TEST

START_TEST(a_group_whose_coordinator_is_not_there_yet_is_asked_again)
{
	static const int16_t offset_fetch = 9; /* the request's number in Kafka's protocol */
	struct cluster cluster = cluster_create();
	struct kafka_producer *p = producer_on(&cluster);
	struct kafka_topic topic = {.name = "jobs", .partitions = 2};
	struct kafka_admin *admin;
	struct kafka_lag lag[2];
	struct error err;

	create_topic(&cluster, p, "jobs", 2);
	admin = kafka_admin_create(&cluster.connection, PATIENCE, &err);
	ck_assert_msg(admin, "%s", err.text);
	rd_kafka_mock_push_request_errors(cluster.mock, offset_fetch, 2,
					  RD_KAFKA_RESP_ERR_NOT_COORDINATOR,
					  RD_KAFKA_RESP_ERR_COORDINATOR_NOT_AVAILABLE);
	ck_assert_msg(kafka_admin_lag(admin, "unit", &topic, lag, &err), "%s", err.text);
	ck_assert_int_eq(lag[1].committed, -1);
	kafka_admin_destroy(admin);
	kafka_producer_destroy(p);
	cluster_finish(&cluster);
}
END_TEST

START_TEST(a_broker_that_can_not_create_topics_is_told_in_time)
{
	struct cluster cluster = cluster_create();
	struct kafka_new_topic topic = {.name = "jobs", .partitions = 1, .replication = 1};
	struct kafka_admin *admin;
	struct kafka_topics list;
	nsec start = clock_now();
	struct error err;
	bool existed;

	admin = kafka_admin_create(&cluster.connection, NSEC_PER_SEC / 2, &err);
	ck_assert_msg(admin, "%s", err.text);
	ck_assert(!kafka_admin_create_topic(admin, &topic, &existed, &err));
	ck_assert_ptr_nonnull(strstr(err.text, "jobs"));
	ck_assert_uint_lt(clock_now() - start, 4 * NSEC_PER_SEC);
	ck_assert_msg(kafka_admin_topics(admin, &list, &err), "%s", err.text);
	kafka_topics_finish(&list);
	kafka_admin_destroy(admin);
	cluster_finish(&cluster);
}
END_TEST

UNIT_TESTS(kafka, a_consumer_reads_what_it_wants_when_it_wants,
	   offsets_outlive_members_and_partitions_move,
	   an_oversized_message_is_refused_and_a_missing_partition_reported,
	   a_full_queue_says_so_and_takes_more_later,
	   news_that_is_no_delivery_does_not_end_the_wait_for_one,
	   options_our_promises_hang_on_are_refused,
	   an_absent_cluster_holds_up_neither_birth_nor_death,
	   the_admin_sees_topics_and_lag_and_moves_a_group,
	   a_group_whose_coordinator_is_not_there_yet_is_asked_again,
	   a_broker_that_can_not_create_topics_is_told_in_time)
