#include "worker.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "ensure.h"
#include "failpoint.h"
#include "hooks.h"
#include "job_contract.h"
#include "log.h"
#include "metrics.h"
#include "statements.h"

#define LONGEST_NAP (100 * NSEC_PER_MSEC)
#define AGAIN_AFTER (100 * NSEC_PER_MSEC)
#define STALLED_AFTER (60 * NSEC_PER_SEC)
#define ALONE_IDLE (2 * NSEC_PER_SEC) /* so long without a suspect it is looked for */
#define ALONE_TURN                                                                               \
	(10 * NSEC_PER_SEC) /* with suspects; then the others have theirs, however many are left \
			     */
#define LAST_WORDS \
	(10 * NSEC_PER_SEC) /* after the grace period: to settle, publish and end the row */
#define MAX_SCHEMAS 512
#define READ_AHEAD ((size_t)256 * 1024) /* of each partition; there may be a hundred */
#define CLUSTER_WAIT (30 * NSEC_PER_SEC)

/* --- requests --- */

struct request *request_create(enum request_kind kind, int which)
{
	struct request *request = xcalloc(1, sizeof(*request));

	request->kind = kind;
	request->which = which;
	return request;
}

void request_destroy(struct request *request)
{
	if (!request)
		return;
	for (size_t i = 0; request->settlements && i < request->count; i++)
		settlement_destroy(request->settlements[i]);
	free(request->settlements);
	free(request->works);
	free(request->path);
	free(request);
}

void worker_send(struct worker *w, struct request *request, const char *statement,
		 struct pg_args *args)
{
	request->sent_at = clock_now();
	pg_send(w->pgs[request->which], statement, args, request);
}

void worker_send_again(struct worker *w, struct request *request)
{
	struct request **end = &w->again;

	while (*end)
		end = &(*end)->next;
	/* A full disk or a missing partition does not pass by asking at once. */
	request->again_at = pg_ready(w->pgs[request->which]) ? clock_now() + AGAIN_AFTER : 0;
	request->next = NULL;
	*end = request;
}

void worker_fail(struct worker *w, const struct error *err)
{
	if (w->fatal)
		return;
	w->fatal = true;
	w->fatal_error = *err;
	log_error("fatal", "why=%s", err->text);
}

static void dispatch(struct worker *w, struct pg_answer *answer, nsec now)
{
	struct request *request = answer->token;

	if (!answer->rows)
		metrics_add(METRIC_transaction_errors_total, 1, LABELS("any", answer->sqlstate));
	switch (request->kind) {
	case REQUEST_CLAIM:
		metrics_observe_time(METRIC_transaction_seconds, now - request->sent_at,
				     LABELS("claim"));
		claims_answer(w, request, answer, now);
		break;
	case REQUEST_CLASSIFY:
	case REQUEST_REJECT:
	case REQUEST_PULL:
		claims_answer(w, request, answer, now);
		break;
	case REQUEST_RECALL:
		recalls_answer(w, request, answer, now);
		break;
	case REQUEST_INTEND:
		starts_answer(w, request, answer, now);
		break;
	case REQUEST_SETTLE:
	case REQUEST_LOOK:
		settles_answer(w, request, answer, now);
		break;
	case REQUEST_PAID:
	case REQUEST_TAKE:
		outlet_answer(w, request, answer, now);
		break;
	case REQUEST_TURN:
	case REQUEST_ALLOWANCES:
	case REQUEST_ALLOWANCE_SET:
		quota_answer(w, request, answer, now);
		break;
	case REQUEST_PARKED:
		readahead_answer(w, request, answer, now);
		break;
	case REQUEST_HOOKS_TAKE:
	case REQUEST_HOOKS_RECORD:
	case REQUEST_ALERTS:
		hooks_answer(w->hooks, request, answer, now);
		break;
	case REQUEST_REPLAY:
		spool_answer(w, request, answer);
		break;
	default:
		keeper_answer(w, request, answer, now);
		break;
	}
}

/* Statements whose connection broke, in the order they were sent. */
static void send_again(struct worker *w, nsec now)
{
	struct request **link = &w->again;

	while (*link) {
		struct request *request = *link;

		if (!pg_ready(w->pgs[request->which]) || now < request->again_at) {
			link = &request->next;
			continue;
		}
		*link = request->next;
		request->next = NULL;
		if (request->kind == REQUEST_INTEND)
			starts_resend(w, request);
		else if (request->kind == REQUEST_RECALL)
			recalls_resend(w, request);
		else if (request->kind == REQUEST_SETTLE || request->kind == REQUEST_LOOK)
			settles_resend(w, request);
		else
			claims_resend(w, request);
	}
}

static void serve_postgres(struct worker *w, nsec now)
{
	struct pg_answer answer;

	for (int i = 0; i < PG_COUNT; i++) {
		pg_pump(w->pgs[i], now);
		while (pg_next(w->pgs[i], &answer)) {
			dispatch(w, &answer, now);
			pg_rows_destroy(answer.rows);
		}
	}
	send_again(w, now);
}

/* --- creation --- */

static void kafka_told(void *context, const char *event, const char *text)
{
	(void)context;
	log_info(event, "text=%s", text);
	if (strcmp(event, "kafka_assigned") == 0)
		FAILPOINT("K22");
	if (strcmp(event, "kafka_revoked") == 0)
		FAILPOINT("K20");
}

static void name_topics(struct worker *w)
{
	static const enum lane lanes[] = {LANE_EXPRESS, LANE_NORMAL};
	const struct config *config = w->config;

	w->topics = xcalloc(config->tier_count * COUNT_OF(lanes), sizeof(*w->topics));
	for (size_t t = 0; t < config->tier_count; t++)
		for (size_t l = 0; l < COUNT_OF(lanes); l++)
			w->topics[w->topic_count++] = (struct tier_topic){
				.name = xasprintf("%s.%s.%s", config->kafka.prefix,
						  config->tiers[t].name, lane_name(lanes[l])),
				.tier = &config->tiers[t],
				.lane = lanes[l],
			};
	w->results_topic = xasprintf("%s.results", config->kafka.prefix);
	w->dead_topic = xasprintf("%s.dead", config->kafka.prefix);
}

static bool open_kafka(struct worker *w, struct error *err)
{
	const struct kafka_settings *settings = &w->config->kafka;
	struct kafka_connection connection = {settings->brokers, "sluice-worker",
					      settings->options};
	AUTO(xfree) const char **names = xcalloc(w->topic_count, sizeof(*names));
	struct kafka_consumer_settings reading = {
		.connection = connection,
		.group = settings->group,
		.topics = names,
		.topic_count = w->topic_count,
		.max_message_bytes = settings->max_message_bytes,
		.partition_bytes = READ_AHEAD,
		.notice = kafka_told,
	};
	struct kafka_producer_settings writing = {
		.connection = connection,
		.max_message_bytes = settings->max_message_bytes,
		.notice = kafka_told,
	};

	for (size_t i = 0; i < w->topic_count; i++)
		names[i] = w->topics[i].name;
	w->consumer = kafka_consumer_create(&reading, err);
	w->cluster = w->consumer ? kafka_consumer_cluster(w->consumer, CLUSTER_WAIT) : NULL;
	if (w->consumer && !w->cluster)
		error_set(err, ERROR_RETRY, "no broker answers");
	w->producer = w->cluster ? kafka_producer_create(&writing, err) : NULL;
	return w->producer || error_wrap(err, "kafka %s", settings->brokers);
}

static void open_postgres(struct worker *w)
{
	static const char *const names[PG_COUNT] = {"sluice claim", "sluice settle", "sluice beat",
						    "sluice sweep", "sluice quota"};
	size_t count;
	const struct pg_statement *statements = statements_all(&count);

	for (int i = 0; i < PG_COUNT; i++) {
		struct pg_options options = {
			.url = w->config->postgres.url,
			.name = names[i],
			.statement_timeout = w->config->postgres.statement_timeout,
			.lock_timeout = w->config->postgres.lock_timeout,
			.looks_up = i == PG_CLAIM || i == PG_SETTLE,
		};

		w->pgs[i] = pg_create(&options, statements, count);
	}
}

struct worker *worker_create(const struct config *config, struct error *err)
{
	AUTO(worker_destroy) struct worker *w = xcalloc(1, sizeof(*w));
	struct http_settings http = {.max_in_flight = config->worker.max_in_flight};

	w->config = config;
	w->id = uuid_make();
	w->claims_tail = &w->claims;
	w->started = w->progress_at = clock_now();
	random_from_kernel(&w->random);
	w->reader = job_reader_create(config->kafka.max_message_bytes);
	w->contracts = contracts_create(MAX_SCHEMAS);
	w->task_schemas = job_contract_texts(config);
	w->targets = targets_create(config);
	works_init(&w->works, config);
	w->quota = quota_create(w);
	w->readahead = readahead_create();
	w->to_intend = xcalloc(config->worker.group_size, sizeof(struct work *));
	name_topics(w);
	w->http = http_create(&http, err);
	w->hooks = w->http ? hooks_create(w, err) : NULL;
	if (!w->hooks || !open_kafka(w, err))
		return NULL;
	open_postgres(w);
	if (*config->worker.listen) {
		w->door = door_create(w, err);
		if (!w->door)
			return NULL;
	}
	return TAKE(w);
}

static void forget_everything(struct worker *w)
{
	for (int state = 0; state < WORK_STATE_COUNT; state++) {
		struct work *work;

		while ((work = w->works.lists[state].first)) {
			if (work->call)
				http_cancel(w->http, TAKE(work->call));
			starts_unprepare(work);
			work_destroy(&w->works, work);
		}
	}
}

static void destroy_groups(struct worker *w)
{
	struct claim_group *group;

	while ((group = w->claims)) {
		w->claims = group->next;
		claim_group_destroy(w, group);
	}
	claim_group_destroy(w, w->filling);
}

static void destroy_requests(struct worker *w)
{
	struct pg_answer answer;
	struct request *request;

	for (int i = 0; i < PG_COUNT; i++) {
		if (!w->pgs[i])
			continue;
		pg_abandon(w->pgs[i]);
		while (pg_next(w->pgs[i], &answer)) {
			request_destroy(answer.token);
			pg_rows_destroy(answer.rows);
		}
		pg_destroy(w->pgs[i]);
	}
	while ((request = w->again)) {
		w->again = request->next;
		request_destroy(request);
	}
}

void worker_destroy(struct worker *w)
{
	struct kafka_delivery delivery;

	if (!w)
		return;
	door_destroy(w->door);
	destroy_requests(w);
	destroy_groups(w);
	forget_everything(w);
	works_finish(&w->works);
	for (size_t i = 0; i < w->unsettled_count; i++)
		settlement_destroy(w->unsettled[i]);
	kafka_consumer_destroy(w->consumer);
	while (w->producer && kafka_producer_delivered(w->producer, &delivery))
		free(delivery.token);
	kafka_producer_destroy(w->producer);
	hooks_destroy(w->hooks);
	http_destroy(w->http);
	quota_destroy(w->quota);
	readahead_destroy(w->readahead);
	targets_destroy(w->targets);
	contracts_destroy(w->contracts);
	for (size_t i = 0; w->task_schemas && i < w->config->task_count; i++)
		free(w->task_schemas[i]);
	free(w->task_schemas);
	job_reader_destroy(w->reader);
	price_book_finish(&w->prices);
	for (size_t i = 0; i < w->topic_count; i++)
		free(w->topics[i].name);
	for (size_t i = 0; i < w->spooled_count; i++)
		free(w->spooled[i]);
	free(w->spooled);
	free(w->topics);
	free(w->cluster);
	free(w->results_topic);
	free(w->dead_topic);
	free(w->unsettled);
	free(w->to_intend);
	free(w->to_recall);
	free(w->paid);
	free(w);
}

/* --- the loop --- */

void worker_dump(const struct worker *w, nsec now)
{
	for (int state = 0; state < WORK_STATE_COUNT; state++)
		log_info("dump_state", "state=%s jobs=%zu", work_state_name((enum work_state)state),
			 works_in(&w->works, (enum work_state)state));
	for (int i = 0; i < PG_COUNT; i++)
		log_info("dump_postgres", "connection=%d ready=%d open=%zu trouble=%s", i,
			 pg_ready(w->pgs[i]), pg_open(w->pgs[i]), pg_trouble(w->pgs[i]));
	for (size_t i = 0; i < targets_count(w->targets); i++) {
		const struct target *target = targets_at(w->targets, i);

		log_info("dump_target",
			 "endpoint=%s model=%s in_flight=%zu held_ms=%llu breaker=%s credential=%s",
			 target->account->endpoint->name, target->model, target->in_flight,
			 (unsigned long long)(target->held_until > now
						      ? (target->held_until - now) / NSEC_PER_MSEC
						      : 0),
			 breaker_state_name(target->breaker.state),
			 breaker_state_name(target->account->credential.state));
	}
	log_info("dump_rest", "unsettled=%zu unreported=%zu trouble=%s alive=%d",
		 settles_pending(w), kafka_producer_unreported(w->producer),
		 kafka_consumer_trouble(w->consumer) ? kafka_consumer_trouble(w->consumer) : "",
		 w->alive);
}

/* Jobs whose worker died twice run with nobody else in hand, so that only they can be to blame. */
static void be_alone(struct worker *w, nsec now)
{
	if (!w->alone && w->suspects_due > 0 && now >= w->alone_until) {
		w->alone = true;
		w->alone_until = now + ALONE_IDLE;
		w->alone_ends = 0;
		log_info("alone", "suspects=%d", w->suspects_due);
	}
	if (!w->alone)
		return;
	if (w->works.held > 0 || w->claims || w->filling) {
		w->alone_until = now +
				 ALONE_IDLE; /* the others are still leaving, or it is running */
		return;
	}
	if (w->alone_ends == 0)
		w->alone_ends = now + ALONE_TURN;
	if (now < w->alone_ends)
		claims_pull(w, now);
	if ((now >= w->alone_until || now >= w->alone_ends) && !w->pull_open) {
		w->alone = false;
		w->suspects_due = 0;
		w->alone_until = now + 5 * NSEC_PER_SEC; /* the others have their turn */
	}
}

static void watch(struct worker *w, nsec now)
{
	bool has_work = works_in(&w->works, WORK_CALLING) + works_in(&w->works, WORK_SETTLING) > 0;
	struct error err;

	if (!has_work || !starts_allowed(w, now) || now - w->progress_at < STALLED_AFTER) {
		if (!has_work)
			w->progress_at = now;
		return;
	}
	/* Calls may rightly take long: it is a stall only when the oldest is past its time-out. */
	if (w->works.lists[WORK_CALLING].first &&
	    now - w->works.lists[WORK_CALLING].first->sent_at <
		    w->works.lists[WORK_CALLING].first->candidate->endpoint->total_timeout +
			    STALLED_AFTER)
		return;
	metrics_add(METRIC_stalls_total, 1, NO_LABELS);
	worker_dump(w, now);
	error_set(&err, ERROR_FATAL, "work and quota, but nothing was completed for 60 s");
	worker_fail(w, &err);
}

static void stop(struct worker *w, nsec now)
{
	if (w->stop_at) {
		log_warn("stop_now", "calls=%zu", works_in(&w->works, WORK_CALLING));
		w->stop_at = now;
		return;
	}
	w->stop_at = now + w->config->worker.grace;
	w->beat_at = now; /* tell at once that we are stopping */
	log_info("stopping", "calls=%zu grace_s=%llu", works_in(&w->works, WORK_CALLING),
		 (unsigned long long)(w->config->worker.grace / NSEC_PER_SEC));
	FAILPOINT("S01");
}

static bool has_left(struct worker *w)
{
	return w->works.held == 0 && settles_pending(w) == 0 && w->settles_open == 0 &&
	       !w->claims && !w->filling && !w->again;
}

/* SIGTERM: finish what is on the wire, hand back the rest, settle, publish, say goodbye. */
static bool wind_down(struct worker *w, nsec now)
{
	if (!w->stop_at)
		return false;
	if (!w->handed_back && !w->claims && !w->filling &&
	    works_in(&w->works, WORK_INTENDING) + works_in(&w->works, WORK_RECALLING) == 0 &&
	    pg_ready(w->pgs[PG_SWEEP]))
		keeper_hand_back(w, now);
	if (works_in(&w->works, WORK_READY) + works_in(&w->works, WORK_WAITING) > 0)
		w->handed_back = false; /* kept by a settlement since */
	if (now >= w->stop_at && works_in(&w->works, WORK_CALLING) > 0)
		calls_give_up(w, now);
	if (now >= w->stop_at + LAST_WORDS) {
		struct error err;

		log_warn("left_undone", "held=%zu unsettled=%zu", w->works.held,
			 settles_pending(w));
		if (!spool_all(w, &err))
			log_error("spool_failed", "why=%s", err.text);
		return true;
	}
	if (!has_left(w) || kafka_producer_unreported(w->producer) > 0 || w->paid_count > 0 ||
	    w->paying || pg_open(w->pgs[PG_SWEEP]) > 0)
		return false;
	if (now < w->stop_at && !hooks_idle(w->hooks))
		return false;
	if (!w->ended && pg_ready(w->pgs[PG_BEAT]) && pg_open(w->pgs[PG_BEAT]) == 0) {
		struct pg_args *args = pg_args_create();

		pg_uuid(args, &w->id);
		worker_send(w, request_create(REQUEST_END, PG_BEAT), "worker_end", args);
	}
	return w->ended;
}

static int open_signals(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGUSR1);
	sigprocmask(SIG_BLOCK, &set, NULL);
	return signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
}

static void serve_signals(struct worker *w, int fd, nsec now)
{
	struct signalfd_siginfo info;

	while (read(fd, &info, sizeof(info)) == sizeof(info)) {
		if (info.ssi_signo == SIGUSR1)
			worker_dump(w, now);
		else
			stop(w, now);
	}
}

static nsec sooner(nsec nap, nsec now, nsec at)
{
	nsec wait = at > now ? at - now : 0;

	return wait < nap ? wait : nap;
}

/* Of two lengths of sleep; one may be "never", the largest there is. */
static nsec shorter(nsec a, nsec b)
{
	return a < b ? a : b;
}

static nsec linger_ends(const struct worker *w, nsec nap, nsec now)
{
	nsec linger = w->config->worker.linger;
	bool claims = pg_ready(w->pgs[PG_CLAIM]);

	/* Without its connection nothing can leave: then it is no reason to wake. */
	if (w->filling && claims && pg_open(w->pgs[PG_CLAIM]) == 0)
		nap = sooner(nap, now, w->filling->opened_at + linger);
	if (w->to_intend_count > 0 && claims)
		nap = sooner(nap, now, w->intend_at + linger);
	if (w->unsettled_count > 0 && w->settles_open == 0 && pg_ready(w->pgs[PG_SETTLE]))
		nap = sooner(nap, now, w->settle_at + linger);
	return nap;
}

static nsec nap(const struct worker *w, nsec now)
{
	nsec longest = linger_ends(w, LONGEST_NAP, now);

	longest = shorter(longest, kafka_consumer_nap(w->consumer, now));
	longest = hooks_nap(w->hooks, now, longest);
	if (quota_wake_at(w) > 0)
		longest = sooner(longest, now, quota_wake_at(w));
	for (const struct work *work = w->works.lists[WORK_WAITING].first; work; work = work->next)
		longest = sooner(longest, now, work->wake_at);
	longest = starts_nap(w, longest, now);
	for (size_t i = 0; !w->stop_at && i < w->topic_count; i++)
		if (intake_room_of(w, i, now) > 0 && kafka_consumer_ready(w->consumer, i) &&
		    pg_ready(w->pgs[PG_CLAIM]) && starts_allowed(w, now) &&
		    starts_reads(w, w->topics[i].tier, now) && !w->alone)
			return sooner(longest, now, now + NSEC_PER_MSEC);
	return longest;
}

static void sleep_until_needed(struct worker *w, int signals, nsec now, nsec longest)
{
	struct http_descriptor others[PG_COUNT + 5] = {
		{.fd = signals, .wants = HTTP_READ},
		{.fd = kafka_consumer_fd(w->consumer), .wants = HTTP_READ},
		{.fd = kafka_producer_fd(w->producer), .wants = HTTP_READ},
	};
	size_t count = 3;

	for (int i = 0; i < PG_COUNT; i++)
		others[count++] = (struct http_descriptor){
			.fd = pg_fd(w->pgs[i]),
			.wants = HTTP_READ | (pg_wants_write(w->pgs[i]) ? HTTP_WRITE : 0u),
		};
	others[count++] = hooks_descriptor(w->hooks);
	if (w->door)
		others[count++] = door_descriptor(w->door);
	(void)now;
	http_wait(w->http, others, count, longest);
}

bool worker_run(struct worker *w, struct error *err)
{
	int signals = open_signals();
	char id[UUID_TEXT];

	log_info("worker_started", "worker=%s version=%s in_flight=%zu", uuid_format(id, &w->id),
		 SLUICE_VERSION, w->config->worker.max_in_flight);
	for (;;) {
		nsec now = clock_now();
		nsec longest;

		serve_signals(w, signals, now);
		serve_postgres(w, now);
		calls_finish(w, now);
		if (!kafka_consumer_tick(w->consumer, now, err))
			break;
		outlet_deliveries(w, now);
		be_alone(w, now);
		intake_read(w, now);
		claims_flush(w, now, false);
		recalls_flush(w);
		starts_run(w, now);
		settles_flush(w, now, false);
		outlet_flush(w, now);
		spool_run(w, now);
		quota_run(w, now);
		readahead_run(w, now);
		hooks_run(w->hooks, now);
		keeper_run(w, now);
		watch(w, now);
		longest = nap(w, now);
		longest = shorter(longest, w->door ? door_run(w->door, now) : longest);
		if (w->fatal) {
			*err = w->fatal_error;
			break;
		}
		if (wind_down(w, now)) {
			close(signals);
			log_info("worker_stopped", "worker=%s", id);
			return true;
		}
		/* The only place we sleep. */
		sleep_until_needed(w, signals, now, longest);
	}
	close(signals);
	return false;
}
