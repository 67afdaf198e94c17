#include "api.h"

#include <inttypes.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "admit.h"
#include "dispatch.h"
#include "ensure.h"
#include "exchange.h"
#include "keyring.h"
#include "log.h"
#include "looks.h"
#include "metrics.h"
#include "routes.h"
#include "statements.h"
#include "store_prices.h"
#include "store_times.h"
#include "toll.h"
#include "turns.h"
#include "vigil.h"
#include "weather.h"

#define LONGEST_NAP (500 * NSEC_PER_MSEC)
#define GRACE (10 * NSEC_PER_SEC)
#define PRICES_EVERY (60 * NSEC_PER_SEC)
#define SWEEP_EVERY (60 * NSEC_PER_SEC)
#define UNFINISHED (3600 * NSEC_PER_SEC) /* so long an upload may take to reach Postgres */

/* --- asking --- */

struct ask {
	api_then *then;
	void *owner;
};

bool api_ask(struct api *api, int which, const char *statement, struct pg_args *args,
	     api_then *then, void *owner)
{
	struct ask *ask;

	if (!pg_ready(api->pgs[which])) {
		pg_args_destroy(args);
		return false;
	}
	ask = xcalloc(1, sizeof(*ask));
	*ask = (struct ask){then, owner};
	pg_send(api->pgs[which], statement, args, ask);
	return true;
}

/* Whether there was anything. */
static bool hear(struct api *api, struct pg *pg)
{
	struct pg_answer answer;
	bool heard = false;

	for (; pg_next(pg, &answer); heard = true) {
		struct ask ask = *(struct ask *)answer.token;

		free(answer.token);
		if (!answer.rows)
			metrics_add(METRIC_transaction_errors_total, 1,
				    LABELS("api", answer.sqlstate));
		ask.then(api, ask.owner, &answer);
		pg_rows_destroy(answer.rows);
	}
	return heard;
}

static bool serve_postgres(struct api *api, nsec now)
{
	bool heard = false;

	for (int i = 0; i < API_PG_COUNT; i++) {
		pg_pump(api->pgs[i], now);
		heard |= hear(api, api->pgs[i]);
	}
	return heard;
}

const char *api_trouble(const struct api *api)
{
	for (int i = 0; i < API_PG_COUNT; i++)
		if (!pg_ready(api->pgs[i]))
			return *pg_trouble(api->pgs[i]) ? pg_trouble(api->pgs[i])
							: "connecting to postgres";
	if (!keyring_is_loaded(api->keyring))
		return "the keys are not read yet";
	return api->stop_at ? "stopping" : NULL;
}

/* --- prices --- */

static void told_prices(struct api *api, void *owner, struct pg_answer *answer)
{
	(void)owner;
	if (answer->rows)
		store_prices_read(answer->rows, &api->prices);
	else
		log_warn("prices_not_read", "why=%s", answer->error.text);
}

static void told_times(struct api *api, void *owner, struct pg_answer *answer)
{
	(void)owner;
	if (answer->rows)
		store_times_read(answer->rows, &api->times);
	else
		log_warn("batch_times_not_read", "why=%s", answer->error.text);
}

static void read_prices(struct api *api, nsec now)
{
	if (now < api->prices_at || !api_ask(api, API_SLOW, "prices", NULL, told_prices, NULL))
		return;
	api->prices_at = now + PRICES_EVERY;
	api_ask(api, API_SLOW, "batch_times", NULL, told_times, NULL);
}

/* --- files --- */

static void swept(struct api *api, void *owner, struct pg_answer *answer)
{
	(void)api;
	(void)owner;
	if (!answer->rows)
		log_warn("files_not_swept", "why=%s", answer->error.text);
	else if (pg_get_int(answer->rows, 0, 0) > 0)
		log_info("files_swept", "count=%" PRId64, pg_get_int(answer->rows, 0, 0));
}

static void sweep_files(struct api *api, nsec now)
{
	struct uuid unfinished = uuid_at(clock_wall() - UNFINISHED, 0, 0);
	struct pg_args *args;

	if (now < api->sweep_at)
		return;
	args = pg_args_create();
	pg_uuid(args, &unfinished);
	if (api_ask(api, API_SLOW, "api_sweep", args, swept, NULL))
		api->sweep_at = now + SWEEP_EVERY;
}

/* --- birth and death --- */

static void kafka_told(void *context, const char *event, const char *text)
{
	(void)context;
	log_warn(event, "text=%s", text);
}

static bool open_kafka(struct api *api, struct error *err)
{
	const struct kafka_settings *kafka = &api->config->kafka;
	struct kafka_producer_settings settings = {
		.connection = {kafka->brokers, "sluice-api", kafka->options},
		.max_message_bytes = kafka->max_message_bytes,
		.notice = kafka_told,
	};

	api->producer = kafka_producer_create(&settings, err);
	return api->producer || error_wrap(err, "kafka %s", kafka->brokers);
}

static void open_postgres(struct api *api)
{
	static const char *const names[] = {"sluice api writes", "sluice api reads",
					    "sluice api slow", "sluice api files"};
	size_t count;
	const struct pg_statement *statements = statements_of_api(&count);

	for (int i = 0; i < API_PG_COUNT; i++) {
		struct pg_options options = {
			.url = api->config->postgres.url,
			.name = names[i],
			.statement_timeout = api->config->postgres.statement_timeout,
			.lock_timeout = api->config->postgres.lock_timeout,
			.looks_up = i == API_READS,
		};

		api->pgs[i] = pg_create(&options, statements, count);
	}
}

/* An upload is only taken from a key that may bring one. */
static size_t body_limit(void *context, const struct web_request *request)
{
	struct api *api = context;
	char copy[256], allowed[64];
	const char *words[EXCHANGE_WORDS];
	const struct route *route = route_find(request->method, request->path, copy, words,
					       allowed);
	struct api_key *key;
	bool may;

	if (!route || !route->upload)
		return api->config->api.max_body;
	key = keyring_find(api->keyring, web_token(request));
	may = key && (key->rights & route->right);
	keyring_release(key);
	return may ? api->config->api.max_upload : api->config->api.max_body;
}

/* A descriptor for each connection, and some for Postgres, Kafka and uploads. */
static void allow_descriptors(size_t connections)
{
	struct rlimit limit;
	rlim_t wanted = 2 * connections + 100;

	if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur >= wanted)
		return;
	limit.rlim_cur = wanted < limit.rlim_max ? wanted : limit.rlim_max;
	if (setrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur < wanted)
		log_warn("few_descriptors", "wanted=%ju have=%ju", (uintmax_t)wanted,
			 (uintmax_t)limit.rlim_cur);
}

static bool open_web(struct api *api, struct error *err)
{
	const struct api_settings *s = &api->config->api;
	struct web_settings settings = {
		.listen = s->listen,
		.max_connections = (unsigned)s->max_connections,
		.max_per_address = (unsigned)s->max_per_address,
		.idle_timeout = s->idle_timeout,
		.max_body = s->max_body,
		.body_limit = body_limit,
		.refused = exchange_refused,
		.cert_file = *s->cert_file ? s->cert_file : NULL,
		.key_file = *s->key_file ? s->key_file : NULL,
	};

	allow_descriptors(s->max_connections);
	api->web = web_create(&settings, exchange_begin, api, err);
	return api->web || error_wrap(err, "api.listen");
}

struct api *api_create(const struct config *config, struct error *err)
{
	AUTO(api_destroy) struct api *api = xcalloc(1, sizeof(*api));
	struct http_settings http = {.max_in_flight = 64};

	api->config = config;
	api->news = (struct routing_news){.times = &api->times, .prices = &api->prices};
	api->reader = job_reader_create(config->kafka.max_message_bytes);
	api->keyring = keyring_create(api);
	api->admit = admit_create(api);
	api->dispatch = dispatch_create(api);
	api->weather = weather_create(api);
	api->vigil = vigil_create(api);
	api->toll = toll_create(api);
	api->looks = looks_create(api);
	api->turns = turns_create(api);
	api->http = http_create(&http, err);
	if (!api->http || !open_kafka(api, err) || !open_web(api, err))
		return NULL;
	open_postgres(api);
	return TAKE(api);
}

/* What is open is answered as lost, so that nobody waits for ever. */
static void close_postgres(struct api *api)
{
	for (int i = 0; i < API_PG_COUNT; i++) {
		if (!api->pgs[i])
			continue;
		pg_abandon(api->pgs[i]);
		hear(api, api->pgs[i]);
	}
	for (int i = 0; i < API_PG_COUNT; i++)
		pg_destroy(api->pgs[i]);
}

void api_destroy(struct api *api)
{
	if (!api)
		return;
	close_postgres(api);
	web_destroy(api->web);
	exchange_drop_all(api);
	http_destroy(api->http);
	vigil_destroy(api->vigil);
	toll_destroy(api->toll);
	looks_destroy(api->looks);
	turns_destroy(api->turns);
	weather_destroy(api->weather);
	admit_destroy(api->admit);
	dispatch_destroy(api->dispatch);
	keyring_destroy(api->keyring);
	kafka_producer_destroy(api->producer);
	price_book_finish(&api->prices);
	batch_times_finish(&api->times);
	job_reader_destroy(api->reader);
	free(api->description);
	free(api);
}

/* --- the wheel --- */

/* Before any thread is started, so that all of them leave the signals to us. */
static int open_signals(void)
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

static void hear_signals(struct api *api, int signals, nsec now)
{
	struct signalfd_siginfo info;

	while (read(signals, &info, sizeof(info)) == sizeof(info)) {
		log_info("api_stopping", "signal=%u", info.ssi_signo);
		api->stop_at = api->stop_at ? now : now + GRACE;
	}
}

static bool is_done(const struct api *api, nsec now)
{
	if (!api->stop_at)
		return false;
	return now >= api->stop_at ||
	       (!api->exchanges && admit_is_empty(api->admit) && dispatch_is_empty(api->dispatch));
}

static nsec sooner(nsec nap, nsec now, nsec at)
{
	nsec wait = at > now ? at - now : 0;

	return wait < nap ? wait : nap;
}

static nsec nap(const struct api *api, nsec now)
{
	nsec longest = LONGEST_NAP, web = web_nap(api->web);

	if (api->busy)
		return 0;
	longest = sooner(longest, now, vigil_wake_at(api->vigil));
	longest = sooner(longest, now, keyring_wake_at(api->keyring));
	longest = sooner(longest, now, turns_wake_at(api->turns));
	return web < longest ? web : longest;
}

/* The only place where it sleeps. */
static void sleep_until_needed(struct api *api, int signals, nsec longest)
{
	struct http_descriptor others[API_PG_COUNT + 3] = {
		{.fd = signals, .wants = HTTP_READ},
		{.fd = kafka_producer_fd(api->producer), .wants = HTTP_READ},
		{.fd = web_fd(api->web), .wants = HTTP_READ},
	};
	size_t count = 3;

	for (int i = 0; i < API_PG_COUNT; i++)
		others[count++] = (struct http_descriptor){
			.fd = pg_fd(api->pgs[i]),
			.wants = HTTP_READ | (pg_wants_write(api->pgs[i]) ? HTTP_WRITE : 0u),
		};
	http_wait(api->http, others, count, longest);
}

static void turn(struct api *api, nsec now)
{
	serve_postgres(api, now);
	keyring_run(api->keyring, now);
	read_prices(api, now);
	sweep_files(api, now);
	weather_run(api->weather, now);
	vigil_run(api->vigil, now);
	turns_run(api->turns, now);
	toll_run(api->toll);
	looks_run(api->looks);
	admit_run(api->admit);
	dispatch_run(api->dispatch);
	/* What was sent just now leaves at once. An answer that comes in with that wakes nobody:
	   its socket is silent then. */
	api->busy = serve_postgres(api, now);
}

bool api_run(struct api *api, struct error *err)
{
	int signals = open_signals();
	nsec now = clock_now();

	(void)err;
	log_info("api_started", "listen=%s port=%u version=%s", api->config->api.listen,
		 web_port(api->web), SLUICE_VERSION);
	for (; !is_done(api, now); now = clock_now()) {
		hear_signals(api, signals, now);
		turn(api, now);
		sleep_until_needed(api, signals, nap(api, now));
		web_run(api->web);
	}
	close(signals);
	log_info("api_stopped", "unanswered=%zu", web_open_requests(api->web));
	return true;
}
