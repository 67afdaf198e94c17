#include "batcher.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ensure.h"
#include "job_contract.h"
#include "log.h"
#include "statements.h"

#define LONGEST_NAP (100 * NSEC_PER_MSEC)
#define MAX_SCHEMAS 512
#define MAX_CALLS 64
#define READ_AHEAD ((size_t)512 * 1024) /* of each partition: nothing here is in a hurry */

void batcher_fail(struct batcher *w, const struct error *err)
{
	if (w->fatal)
		return;
	w->fatal = true;
	w->fatal_error = *err;
	log_error("fatal", "why=%s", err->text);
}

/* --- creation --- */

static void kafka_told(void *context, const char *event, const char *text)
{
	(void)context;
	log_info(event, "text=%s", text);
}

static void name_topics(struct batcher *w)
{
	const struct config *config = w->config;

	w->topics = xcalloc(config->tier_count, sizeof(*w->topics));
	for (size_t t = 0; t < config->tier_count; t++)
		w->topics[t] = (struct tier_topic){
			.name = xasprintf("%s.%s.%s", config->kafka.prefix, config->tiers[t].name,
					  lane_name(LANE_BATCH)),
			.tier = &config->tiers[t],
		};
	w->results_topic = xasprintf("%s.results", config->kafka.prefix);
	w->dead_topic = xasprintf("%s.dead", config->kafka.prefix);
}

static bool open_kafka(struct batcher *w, struct error *err)
{
	const struct kafka_settings *settings = &w->config->kafka;
	struct kafka_connection connection = {settings->brokers, "sluice-batch", settings->options};
	AUTO(xfree) const char **names = xcalloc(w->config->tier_count, sizeof(*names));
	AUTO(xfree) char *group = xasprintf("%s-batch", settings->group);
	struct kafka_consumer_settings reading = {
		.connection = connection,
		.group = group,
		.topics = names,
		.topic_count = w->config->tier_count,
		.max_message_bytes = settings->max_message_bytes,
		.partition_bytes = READ_AHEAD,
		.notice = kafka_told,
	};
	struct kafka_producer_settings writing = {
		.connection = connection,
		.max_message_bytes = settings->max_message_bytes,
		.notice = kafka_told,
	};

	for (size_t i = 0; i < w->config->tier_count; i++)
		names[i] = w->topics[i].name;
	w->consumer = kafka_consumer_create(&reading, err);
	w->producer = w->consumer ? kafka_producer_create(&writing, err) : NULL;
	return w->producer || error_wrap(err, "kafka %s", settings->brokers);
}

static void open_kept(struct batcher *w)
{
	static const char *const names[PG_KEPT] = {"sluice batch beat", "sluice batch sweep"};
	size_t count;
	const struct pg_statement *statements = statements_all(&count);

	for (int i = 0; i < PG_KEPT; i++) {
		struct pg_options options = {
			.url = w->config->postgres.url,
			.name = names[i],
			.statement_timeout = w->config->postgres.statement_timeout,
			.lock_timeout = w->config->postgres.lock_timeout,
		};

		w->kept[i] = pg_create(&options, statements, count);
	}
}

/* Prompts and answers lie there: nobody else may read it. */
static bool open_dir(const char *dir, struct error *err)
{
	if (mkdir(dir, 0700) != 0 && errno != EEXIST)
		return error_set(err, ERROR_FATAL, "batch.dir %s: %s; make it, or name another one",
				 dir, strerror(errno));
	if (access(dir, W_OK | X_OK) != 0)
		return error_set(err, ERROR_FATAL, "batch.dir %s: %s", dir, strerror(errno));
	return true;
}

struct batcher *batcher_create(const struct config *config, struct error *err)
{
	AUTO(batcher_destroy) struct batcher *w = xcalloc(1, sizeof(*w));
	struct http_settings http = {.max_in_flight = MAX_CALLS};

	w->config = config;
	w->id = uuid_make();
	random_from_kernel(&w->random);
	w->reader = job_reader_create(config->kafka.max_message_bytes);
	w->contracts = contracts_create(MAX_SCHEMAS);
	w->task_schemas = job_contract_texts(config);
	name_topics(w);
	w->court = (struct court){
		.config = config,
		.prices = &w->prices,
		.mode = MODE_BATCH,
		.results_topic = w->results_topic,
		.dead_topic = w->dead_topic,
	};
	if (!open_dir(config->batch.dir, err))
		return NULL;
	w->http = http_create(&http, err);
	if (!w->http || !open_kafka(w, err))
		return NULL;
	open_kept(w);
	if (*config->batch.listen) {
		w->door = batch_door_create(w, err);
		if (!w->door)
			return NULL;
	}
	return TAKE(w);
}

static void destroy_kept(struct batcher *w)
{
	struct pg_answer answer;

	for (int i = 0; i < PG_KEPT; i++) {
		if (!w->kept[i])
			continue;
		pg_abandon(w->kept[i]);
		while (pg_next(w->kept[i], &answer))
			pg_rows_destroy(answer.rows);
		pg_destroy(w->kept[i]);
	}
	pg_destroy(w->pg);
}

void batcher_destroy(struct batcher *w)
{
	struct kafka_delivery delivery;

	if (!w)
		return;
	batch_door_destroy(w->door);
	while (w->batches)
		batches_forget(w, w->batches);
	gather_forget(w);
	destroy_kept(w);
	kafka_consumer_destroy(w->consumer);
	while (w->producer && kafka_producer_delivered(w->producer, &delivery))
		free(delivery.token);
	kafka_producer_destroy(w->producer);
	http_destroy(w->http);
	contracts_destroy(w->contracts);
	for (size_t i = 0; w->task_schemas && i < w->config->task_count; i++)
		free(w->task_schemas[i]);
	free(w->task_schemas);
	job_reader_destroy(w->reader);
	price_book_finish(&w->prices);
	batch_times_finish(&w->times);
	broken_finish(&w->broken);
	for (size_t i = 0; w->topics && i < w->config->tier_count; i++)
		free(w->topics[i].name);
	free(w->topics);
	free(w->results_topic);
	free(w->dead_topic);
	free(w->paid);
	free(w);
}

/* --- the loop --- */

static int open_signals(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigprocmask(SIG_BLOCK, &set, NULL);
	return signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
}

static void serve_signals(struct batcher *w, int fd)
{
	struct signalfd_siginfo info;

	while (read(fd, &info, sizeof(info)) == sizeof(info)) {
		w->stopping = true;
		log_info("stopping", "signal=%u", info.ssi_signo);
	}
}

static nsec shorter(nsec a, nsec b)
{
	return a < b ? a : b;
}

static nsec nap(const struct batcher *w, nsec now)
{
	nsec longest = LONGEST_NAP;

	if (kafka_consumer_nap(w->consumer, now) < longest)
		longest = kafka_consumer_nap(w->consumer, now);
	for (const struct batch *batch = w->batches; batch; batch = batch->next) {
		nsec wait = batch->look_at > now ? batch->look_at - now : 0;

		if (!batch->call && wait < longest)
			longest = wait;
	}
	for (size_t i = 0; w->pg && i < w->config->tier_count; i++)
		if (kafka_consumer_ready(w->consumer, i) && longest > NSEC_PER_MSEC)
			longest = NSEC_PER_MSEC;
	return longest;
}

static void sleep_until_needed(struct batcher *w, int signals, nsec longest)
{
	struct http_descriptor others[PG_KEPT + 4] = {
		{.fd = signals, .wants = HTTP_READ},
		{.fd = kafka_consumer_fd(w->consumer), .wants = HTTP_READ},
		{.fd = kafka_producer_fd(w->producer), .wants = HTTP_READ},
	};
	size_t count = 3;

	for (int i = 0; i < PG_KEPT; i++)
		others[count++] = (struct http_descriptor){
			.fd = pg_fd(w->kept[i]),
			.wants = HTTP_READ | (pg_wants_write(w->kept[i]) ? HTTP_WRITE : 0u),
		};
	if (w->door)
		others[count++] = batch_door_descriptor(w->door);
	http_wait(w->http, others, count, longest);
}

static void work(struct batcher *w, nsec now)
{
	batches_finish_calls(w, now);
	outcomes_deliveries(w);
	if (!w->pg || !batcher_may_spend(w, now) || w->prices_at == 0)
		return;
	gather_run(w, now);
	batches_run(w, now);
	rescue_run(w, now);
	outcomes_outbox(w, now);
}

bool batcher_run(struct batcher *w, struct error *err)
{
	int signals = open_signals();
	char id[UUID_TEXT];

	log_info("batch_worker_started", "worker=%s version=%s", uuid_format(id, &w->id),
		 SLUICE_VERSION);
	while (!w->fatal) {
		nsec now = clock_now(), longest;

		serve_signals(w, signals);
		database_tend(w, now);
		pulse_run(w, now);
		if (!kafka_consumer_tick(w->consumer, now, err)) {
			close(signals);
			return false;
		}
		if (w->stopping)
			break;
		work(w, now);
		longest = nap(w, clock_now());
		longest = shorter(longest, w->door ? batch_door_run(w->door) : longest);
		/* The only place we sleep. */
		sleep_until_needed(w, signals, longest);
	}
	close(signals);
	if (w->fatal) {
		*err = w->fatal_error;
		return false;
	}
	pulse_goodbye(w);
	log_info("batch_worker_stopped", "worker=%s", id);
	return true;
}
