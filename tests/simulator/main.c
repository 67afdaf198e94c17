#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "batch.h"
#include "control.h"
#include "files.h"
#include "simulator.h"

#define MAX_BODY ((size_t)300 * 1024 * 1024)
#define MAX_SCHEDULE ((size_t)1024 * 1024)

static const char usage[] =
	"usage: simulator [--port N] [options]\n"
	"\n"
	"Plays OpenAI and Anthropic on one port of this machine: POST /v1/chat/completions,\n"
	"/v1/files, /v1/batches; POST /v1/messages, /v1/messages/batches; GET /v1/models. Prints\n"
	"\"listening 127.0.0.1:PORT\" when ready; SIGTERM ends it, with the bill complete.\n"
	"\n"
	"  --port N            0 (default): any free one\n"
	"  --address A         default 127.0.0.1\n"
	"  --seed N            of all chance; default 1\n"
	"  --vary              repeats of a request get other answers\n"
	"  --latency SPEC      fixed:MS (default fixed:0), uniform:MS,MS or lognormal:MEDIAN,P99\n"
	"  --bill FILE         append what is charged, a JSON line a call, durable before its "
	"answer\n"
	"  --no-sync           don't fdatasync the bill: for measuring other things\n"
	"  --record FILE       append every request, without its key, as a JSON line\n"
	"  --prices FILE       models and prices instead of those built in; format below\n"
	"  --key K             accept this key only (again for more); default: any\n"
	"  --bad-key K         answer this key with 401\n"
	"  --limit SPEC        rpm=3000,tpm=200000 (Anthropic: rpm=,itpm=,otpm=)[,model=][,key=]\n"
	"                      [,provider=][,fill=]; per key and model; later ones win; buckets "
	"are full\n"
	"                      at first, or to the share `fill`; default: no limits\n"
	"  --hide-headers      never tell about limits\n"
	"  --hide-waits        nor, in a 429 of the limits, when to come back\n"
	"  --retry-after S     what the fault 429 says; default 1\n"
	"  --fault SPEC        NAME[@SCOPE]=RATE,… SCOPE is a provider, model or key; or\n"
	"                      batch (all about files and batches), line (lines of batches)\n"
	"  --schedule FILE     lines FROM TO NAME RATE [SCOPE], seconds since the start; TO may be "
	"-\n"
	"  --batch-speed F     batches' time runs so much faster; default 60: a minute a second\n"
	"  --batch-run S       a batch takes half of this to all of it; default 600; these are of\n"
	"  --batch-validate S  batches' time: until it is judged, default 10;\n"
	"  --batch-hide S      … it stays out of listings with the fault batch_hidden, default "
	"300\n"
	"  --batch-tokens N    enqueued prompt tokens per key and model; default: any number\n"
	"  --verbose           a line per request on stderr\n"
	"\n"
	"In the text of a prompt:\n"
	"  [[sim:NAME]] [[sim:NAME*2]] (first two attempts) [[sim:NAME@MODEL]] for the faults "
	"below;\n"
	"  [[sim:answer {…}]] literal answer, [[sim:tokens N]] its length, [[sim:latency MS]]\n";

enum option_code {
	OPTION_PORT = 256,
	OPTION_ADDRESS,
	OPTION_SEED,
	OPTION_VARY,
	OPTION_LATENCY,
	OPTION_BILL,
	OPTION_NO_SYNC,
	OPTION_RECORD,
	OPTION_PRICES,
	OPTION_KEY,
	OPTION_BAD_KEY,
	OPTION_LIMIT,
	OPTION_HIDE_HEADERS,
	OPTION_HIDE_WAITS,
	OPTION_RETRY_AFTER,
	OPTION_FAULT,
	OPTION_SCHEDULE,
	OPTION_BATCH_SPEED,
	OPTION_BATCH_RUN,
	OPTION_BATCH_VALIDATE,
	OPTION_BATCH_HIDE,
	OPTION_BATCH_TOKENS,
	OPTION_VERBOSE,
	OPTION_HELP,
};

static const struct option options[] = {
	{"port", required_argument, NULL, OPTION_PORT},
	{"address", required_argument, NULL, OPTION_ADDRESS},
	{"seed", required_argument, NULL, OPTION_SEED},
	{"vary", no_argument, NULL, OPTION_VARY},
	{"latency", required_argument, NULL, OPTION_LATENCY},
	{"bill", required_argument, NULL, OPTION_BILL},
	{"no-sync", no_argument, NULL, OPTION_NO_SYNC},
	{"record", required_argument, NULL, OPTION_RECORD},
	{"prices", required_argument, NULL, OPTION_PRICES},
	{"key", required_argument, NULL, OPTION_KEY},
	{"bad-key", required_argument, NULL, OPTION_BAD_KEY},
	{"limit", required_argument, NULL, OPTION_LIMIT},
	{"hide-headers", no_argument, NULL, OPTION_HIDE_HEADERS},
	{"hide-waits", no_argument, NULL, OPTION_HIDE_WAITS},
	{"retry-after", required_argument, NULL, OPTION_RETRY_AFTER},
	{"fault", required_argument, NULL, OPTION_FAULT},
	{"schedule", required_argument, NULL, OPTION_SCHEDULE},
	{"batch-speed", required_argument, NULL, OPTION_BATCH_SPEED},
	{"batch-run", required_argument, NULL, OPTION_BATCH_RUN},
	{"batch-validate", required_argument, NULL, OPTION_BATCH_VALIDATE},
	{"batch-hide", required_argument, NULL, OPTION_BATCH_HIDE},
	{"batch-tokens", required_argument, NULL, OPTION_BATCH_TOKENS},
	{"verbose", no_argument, NULL, OPTION_VERBOSE},
	{"help", no_argument, NULL, OPTION_HELP},
	{0},
};

/* What is only needed to get started. */
struct startup {
	struct server_config server;
	const char *bill, *record, *prices;
	bool sync;
	double batch_speed;
};

static bool read_schedule(struct simulator *sim, const char *path, struct error *err)
{
	AUTO_FINISH(buffer_finish) struct buffer text = {.max = MAX_SCHEDULE};
	FILE *file = fopen(path, "re");
	char bytes[4096];
	size_t n;

	if (!file)
		return error_set(err, ERROR_FATAL, "can't read %s: %s", path, strerror(errno));
	while ((n = fread(bytes, 1, sizeof(bytes), file)) > 0 && buffer_append(&text, bytes, n))
		;
	fclose(file);
	return fault_plan_schedule(&sim->plan, text.data ? text.data : "", err);
}

static bool add_key(const char **keys, size_t *count, const char *key, struct error *err)
{
	if (*count == MAX_KEYS)
		return error_set(err, ERROR_FATAL, "more than %d keys", MAX_KEYS);
	keys[(*count)++] = key;
	return true;
}

static bool read_number(const char *text, double least, double most, double *value,
			struct error *err)
{
	char *end;

	*value = strtod(text, &end);
	if (end == text || *end || !(*value >= least && *value <= most))
		return error_set(err, ERROR_FATAL, "\"%s\" is not a number from %g to %g", text,
				 least, most);
	return true;
}

static bool take_option(struct simulator *sim, struct startup *startup, int option,
			struct error *err)
{
	double number;

	switch ((enum option_code)option) {
	case OPTION_PORT:
		if (!read_number(optarg, 0, 65535, &number, err))
			return false;
		startup->server.port = (int)number;
		return true;
	case OPTION_ADDRESS:
		startup->server.address = optarg;
		return true;
	case OPTION_SEED:
		sim->seed = strtoull(optarg, NULL, 10);
		return true;
	case OPTION_VARY:
		sim->vary = true;
		return true;
	case OPTION_LATENCY:
		return latency_parse(&sim->latency, optarg, err);
	case OPTION_BILL:
		startup->bill = optarg;
		return true;
	case OPTION_NO_SYNC:
		startup->sync = false;
		return true;
	case OPTION_RECORD:
		startup->record = optarg;
		return true;
	case OPTION_PRICES:
		startup->prices = optarg;
		return true;
	case OPTION_KEY:
		return add_key(sim->keys, &sim->key_count, optarg, err);
	case OPTION_BAD_KEY:
		return add_key(sim->bad_keys, &sim->bad_key_count, optarg, err);
	case OPTION_LIMIT:
		return limits_add(&sim->limits, optarg, err);
	case OPTION_HIDE_HEADERS:
		sim->limits.hide_headers = true;
		return true;
	case OPTION_HIDE_WAITS:
		sim->limits.hide_waits = true;
		return true;
	case OPTION_RETRY_AFTER:
		return read_number(optarg, 0, 86400, &sim->retry_after, err);
	case OPTION_FAULT:
		return fault_plan_add(&sim->plan, optarg, err);
	case OPTION_SCHEDULE:
		return read_schedule(sim, optarg, err);
	case OPTION_BATCH_SPEED:
		return read_number(optarg, 0.001, 1e9, &startup->batch_speed, err);
	case OPTION_BATCH_RUN:
		return read_number(optarg, 0, 1e9, &sim->batch_run, err);
	case OPTION_BATCH_VALIDATE:
		return read_number(optarg, 0, 1e9, &sim->batch_validate, err);
	case OPTION_BATCH_HIDE:
		return read_number(optarg, 0, 1e9, &sim->batch_hide, err);
	case OPTION_BATCH_TOKENS:
		if (!read_number(optarg, 0, 1e15, &number, err))
			return false;
		sim->batch_tokens = (int64_t)number;
		return true;
	case OPTION_VERBOSE:
		sim->verbose = true;
		return true;
	case OPTION_HELP:
		break;
	}
	return error_set(err, ERROR_FATAL, "try --help");
}

static void teach(void)
{
	printf("%s\nFaults:\n%s\n/control:\n%s\nPrices:\n%s", usage, fault_help(), control_help,
	       models_format);
}

/* Thousands of connections want more descriptors than a shell allows. */
static void raise_file_limit(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
		limit.rlim_cur = limit.rlim_max;
		setrlimit(RLIMIT_NOFILE, &limit);
	}
}

static bool start(struct simulator *sim, const struct startup *startup, struct error *err)
{
	sim->models = models_create(startup->prices, err);
	if (!sim->models)
		return false;
	sim->bill = bill_open(startup->bill, startup->sync, err);
	if (!sim->bill)
		return false;
	if (startup->record) {
		sim->record = fopen(startup->record, "ae");
		if (!sim->record)
			return error_set(err, ERROR_FATAL, "can't write %s: %s", startup->record,
					 strerror(errno));
	}
	sim->start = sim->plan_start = sim->stats.start = clock_now();
	virtual_clock_set(&sim->clock, startup->batch_speed, sim->start);
	sim->server = server_create(&startup->server, err);
	return sim->server != NULL;
}

static struct files files;
static struct batches batches;
static struct simulator simulator = {
	.seed = 1,
	.retry_after = 1,
	.batch_run = 600,
	.batch_validate = 10,
	.batch_hide = 300,
	.seen = {.max = (size_t)1 << 23},
	.clients = {.max = (size_t)1 << 23},
	.files = &files,
	.batches = &batches,
};

int main(int argc, char **argv)
{
	struct simulator *sim = &simulator;
	struct startup startup = {
		.server = {.address = "127.0.0.1",
			   .max_body = MAX_BODY,
			   .world = sim,
			   .handle = simulator_handle,
			   .before_send = simulator_before_send,
			   .done = simulator_done,
			   .turn = simulator_turn},
		.sync = true,
		.batch_speed = 60,
	};
	struct error err;
	int option;

	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (option == OPTION_HELP) {
			teach();
			return EXIT_SUCCESS;
		}
		if (!take_option(sim, &startup, option, &err)) {
			fprintf(stderr, "simulator: %s\n", err.text);
			return 2;
		}
	}
	raise_file_limit();
	if (!start(sim, &startup, &err)) {
		fprintf(stderr, "simulator: %s\n", err.text);
		return EXIT_FAILURE;
	}
	printf("listening %s:%d\n", startup.server.address, server_port(sim->server));
	fflush(stdout);
	server_run(sim->server);
	server_destroy(sim->server);
	simulator_finish(sim);
	return EXIT_SUCCESS;
}
