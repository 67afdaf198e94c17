/*
 * sluice router: reads the intake, decides tier and lane of each job (routing.h)
 * and passes it on to their topic. At least once: an offset is stored when the
 * broker has acknowledged what was passed on; duplicates fall to the claim. Run
 * as many as there are partitions; they share them as one consumer group.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "command.h"
#include "ensure.h"
#include "log.h"
#include "metrics.h"
#include "news.h"
#include "passage.h"
#include "router_door.h"

#define WAITING_NAP (100 * NSEC_PER_MSEC)
#define LONGEST_NAP NSEC_PER_SEC
#define DEAD_LETTER_ROOM 65536 /* the dead topic allows so much more than the others */

struct wishes {
	struct arguments common;
	const char *listen;
};

struct router {
	struct config *config;
	struct job_reader *reader;
	struct forwarder forwarder;
	struct news *news;
	char intake[TOPIC_TEXT];
	char group[TOPIC_TEXT];
	struct kafka_producer *producer;
	struct kafka_consumer *consumer;
	struct passage *passage;
	struct router_door *door; /* NULL: nobody may ask */
	int signals;
	nsec stop_at; /* when the grace period ends; 0: running */
};

static const struct argument options[] = {
	ARGUMENT_TEXT(struct wishes, listen, "listen", 'l', "HOST:PORT",
		      "serve /metrics, /healthz and /readyz there"),
	{0},
};

static const struct argument_form form = {
	.usage = "",
	.summary = "Read the intake topic, choose tier and lane of each job, and pass it on.",
	.details = "Jobs whose producers know their tier need no router: they are written\n"
		   "straight to the topic of their tier and lane. `sluice route --explain FILE`\n"
		   "shows what the router would do with a job.\n"
		   "\n"
		   "SIGTERM ends it after what was read is passed on.\n",
	.table = options,
};

static void notice(void *context, const char *event, const char *text)
{
	(void)context;
	log_warn(event, "what=%s", text);
}

static bool open_kafka(struct router *r, struct error *err)
{
	const struct kafka_settings *kafka = &r->config->kafka;
	const char *topics[] = {r->intake};
	struct kafka_connection connection = {
		.brokers = kafka->brokers, .client_id = "sluice-router", .options = kafka->options};
	struct kafka_producer_settings producer = {
		.connection = connection,
		.max_message_bytes = kafka->max_message_bytes + DEAD_LETTER_ROOM,
		.notice = notice,
	};
	struct kafka_consumer_settings consumer = {
		.connection = connection,
		.group = r->group,
		.topics = topics,
		.topic_count = 1,
		.max_message_bytes = kafka->max_message_bytes,
		.notice = notice,
	};

	snprintf(r->group, sizeof(r->group), "%s-router", kafka->group);
	r->producer = kafka_producer_create(&producer, err);
	if (!r->producer)
		return false;
	r->consumer = kafka_consumer_create(&consumer, err);
	return r->consumer != NULL;
}

/* Before any thread is started, so that all of them leave the signals to us. */
static int watch_signals(void)
{
	sigset_t set;
	int fd;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigprocmask(SIG_BLOCK, &set, NULL);
	fd = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
	ENSURE(fd >= 0);
	return fd;
}

static bool open_router(struct router *r, const struct wishes *wishes, struct error *err)
{
	r->signals = watch_signals();
	r->config = config_load(wishes->common.config, err);
	if (!r->config)
		return false;
	r->reader = job_reader_create(r->config->kafka.max_message_bytes);
	r->news = news_create(r->config);
	r->forwarder = (struct forwarder){r->config, r->reader, news_facts(r->news)};
	topic_intake(r->intake, r->config->kafka.prefix);
	if (!open_kafka(r, err))
		return error_wrap(err, "kafka %s", r->config->kafka.brokers);
	r->passage = passage_create(&r->forwarder, r->intake, r->consumer, r->producer);
	if (!wishes->listen)
		return true;
	r->door = router_door_create(wishes->listen, r->config->worker.listen_token, r->consumer,
				     err);
	return r->door != NULL;
}

static void close_router(struct router *r)
{
	router_door_destroy(r->door);
	passage_destroy(r->passage);
	news_destroy(r->news);
	kafka_consumer_destroy(r->consumer);
	kafka_producer_destroy(r->producer);
	job_reader_destroy(r->reader);
	config_destroy(r->config);
	close(r->signals);
}

static void read_intake(struct router *r, nsec now)
{
	struct kafka_message message;
	nsec wall = clock_wall();

	while (passage_has_room(r->passage) && kafka_consumer_next(r->consumer, 0, &message))
		passage_take(r->passage, &message, wall, now);
}

static void hear_signals(struct router *r, nsec now)
{
	struct signalfd_siginfo info;

	if (read(r->signals, &info, sizeof(info)) != sizeof(info) || r->stop_at)
		return;
	r->stop_at = now + r->config->worker.grace;
	log_info("router_stopping", "signal=%u unfinished=%zu", info.ssi_signo,
		 passage_unfinished(r->passage));
}

static nsec shorter(nsec a, nsec b)
{
	return a < b ? a : b;
}

static nsec nap(const struct router *r, nsec now)
{
	nsec longest = passage_is_waiting(r->passage) ? WAITING_NAP : LONGEST_NAP;

	if (!r->stop_at && passage_has_room(r->passage) && kafka_consumer_ready(r->consumer, 0))
		return 0;
	if (r->door)
		longest = shorter(longest, web_nap(router_door_web(r->door)));
	return shorter(longest, kafka_consumer_nap(r->consumer, now));
}

/* The only place where it sleeps. */
static void sleep_until_something(const struct router *r, nsec now)
{
	struct pollfd fds[] = {
		{.fd = kafka_consumer_fd(r->consumer), .events = POLLIN},
		{.fd = kafka_producer_fd(r->producer), .events = POLLIN},
		{.fd = r->signals, .events = POLLIN},
		{.fd = r->door ? web_fd(router_door_web(r->door)) : -1, .events = POLLIN},
		{.fd = news_fd(r->news),
		 .events = (short)(POLLIN | (news_wants_write(r->news) ? POLLOUT : 0))},
	};
	nsec longest = nap(r, now);
	int ms = (int)((longest + NSEC_PER_MSEC - 1) / NSEC_PER_MSEC);

	ENSURE(poll(fds, COUNT_OF(fds), ms) >= 0 || errno == EINTR);
}

static bool is_done(const struct router *r, nsec now)
{
	return r->stop_at && (passage_unfinished(r->passage) == 0 || now >= r->stop_at);
}

static bool run_router(struct router *r, struct error *err)
{
	for (nsec now = clock_now(); !is_done(r, now); now = clock_now()) {
		if (!kafka_consumer_tick(r->consumer, now, err))
			return false;
		news_run(r->news, now);
		if (!r->stop_at)
			read_intake(r, now);
		passage_settle(r->passage, now);
		sleep_until_something(r, now);
		hear_signals(r, clock_now());
		if (r->door)
			web_run(router_door_web(r->door));
	}
	log_info("router_stopped", "unfinished=%zu", passage_unfinished(r->passage));
	return true;
}

static int run(int argc, char **argv)
{
	struct wishes wishes = {0};
	struct router router = {0};
	struct error err;
	int code = arguments_parse(&form, &wishes, argc, argv);

	if (code >= 0)
		return code;
	code = COMMAND_FAILED;
	if (open_router(&router, &wishes, &err)) {
		log_info("router_started", "intake=%s group=%s", router.intake, router.group);
		if (run_router(&router, &err))
			code = COMMAND_OK;
	}
	if (code != COMMAND_OK)
		log_error("router_failed", "why=%s", err.text);
	close_router(&router);
	return code;
}

const struct command command_router = {
	.name = "router",
	.group = COMMAND_RUN,
	.summary = "choose tier and lane of the jobs in the intake",
	.run = run,
	.form = &form,
};
