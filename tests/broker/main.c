/*
 * A Kafka broker for tests and development, in memory: librdkafka's mock
 * cluster in a process of its own, on 127.0.0.1 and a port the kernel chooses.
 *
 *	$ broker --topic sluice.economy.normal:8 --group sluice
 *	listening 127.0.0.1:40123
 *
 * Standard input takes commands (control.h) for faults on demand; SIGTERM and
 * SIGINT end it. Exit code 70 means it dropped what nobody had consumed
 * (guard.h): such a run proves nothing.
 */
#include <argp.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "control.h"
#include "ensure.h"
#include "guard.h"
#include "units.h"

#define MAX_TOPICS 256
#define MAX_PARTITIONS 1000

struct options {
	const char *topics[MAX_TOPICS]; /* NAME or NAME:PARTITIONS */
	size_t topic_count;
	int partitions;
	int brokers;
	struct guard_options guard;
};

static const struct argp_option descriptions[] = {
	{"topic", 't', "NAME[:N]", 0, "Create a topic with N partitions; may be repeated", 0},
	{"partitions", 'p', "N", 0, "Partitions of topics that do not say (4)", 0},
	{"brokers", 'b', "N", 0, "Brokers in the cluster (1)", 0},
	{"group", 'g', "NAME", 0, "A consumer group whose commits count as consumption", 0},
	{"may-drop", 'd', "TOPIC", 0, "A topic nobody has to read: it may drop its oldest", 0},
	{0},
};

static int read_number(const char *text, int most, struct argp_state *state)
{
	int64_t number;

	if (!units_count(text, &number) || number < 1 || number > most)
		argp_error(state, "\"%s\": wants a number from 1 to %d", text, most);
	return (int)number;
}

static void add_name(const char **names, size_t *count, size_t most, const char *name,
		     struct argp_state *state)
{
	if (*count == most)
		argp_error(state, "more than %zu of these", most);
	names[(*count)++] = name;
}

static error_t parse_option(int key, char *arg, struct argp_state *state)
{
	struct options *options = state->input;
	struct guard_options *guard = &options->guard;

	switch (key) {
	case 't':
		add_name(options->topics, &options->topic_count, MAX_TOPICS, arg, state);
		return 0;
	case 'g':
		add_name(guard->groups, &guard->group_count, GUARD_MAX_NAMES, arg, state);
		return 0;
	case 'd':
		add_name(guard->may_drop, &guard->may_drop_count, GUARD_MAX_NAMES, arg, state);
		return 0;
	case 'p':
		options->partitions = read_number(arg, MAX_PARTITIONS, state);
		return 0;
	case 'b':
		options->brokers = read_number(arg, 16, state);
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static const struct argp parser = {
	.options = descriptions,
	.parser = parse_option,
	.doc = "An in-memory Kafka broker for tests, with faults on demand on standard input.",
};

static bool create_topic(rd_kafka_mock_cluster_t *cluster, const struct options *options,
			 const char *spec, struct error *err)
{
	const char *colon = strrchr(spec, ':');
	AUTO(xfree) char *name = colon ? xstrndup(spec, (size_t)(colon - spec)) : xstrdup(spec);
	int64_t partitions = options->partitions;
	rd_kafka_resp_err_t failure;

	if (colon &&
	    (!units_count(colon + 1, &partitions) || partitions < 1 || partitions > MAX_PARTITIONS))
		return error_set(err, ERROR_REJECT, "--topic %s: wants NAME:PARTITIONS, 1 to %d",
				 spec, MAX_PARTITIONS);
	failure = rd_kafka_mock_topic_create(cluster, name, (int)partitions, options->brokers);
	if (failure)
		return error_set(err, ERROR_REJECT, "--topic %s: %s", spec,
				 rd_kafka_err2str(failure));
	return true;
}

static bool create_topics(rd_kafka_mock_cluster_t *cluster, const struct options *options,
			  struct error *err)
{
	for (size_t i = 0; i < options->topic_count; i++)
		if (!create_topic(cluster, options, options->topics[i], err))
			return false;
	return true;
}

/* Commands arrive in pieces; `line` keeps what has no end yet. False at the end of input. */
struct input {
	char line[512];
	size_t len;
};

static bool read_commands(struct input *input, const struct control *control)
{
	ssize_t got = read(STDIN_FILENO, input->line + input->len,
			   sizeof(input->line) - 1 - input->len);
	char *end;

	if (got <= 0)
		return got < 0 && (errno == EINTR || errno == EAGAIN);
	input->len += (size_t)got;
	input->line[input->len] = '\0';
	while ((end = strchr(input->line, '\n'))) {
		*end = '\0';
		control_line(control, input->line);
		input->len -= (size_t)(end + 1 - input->line);
		memmove(input->line, end + 1, input->len + 1);
	}
	if (input->len == sizeof(input->line) - 1)
		input->len = 0; /* no command is that long */
	return true;
}

static void serve(const struct control *control, int signals)
{
	struct input input = {.len = 0};
	struct pollfd fds[] = {
		{.fd = signals, .events = POLLIN},
		{.fd = STDIN_FILENO, .events = POLLIN},
	};

	for (;;) {
		if (poll(fds, COUNT_OF(fds), -1) < 0 && errno != EINTR)
			return;
		if (fds[0].revents)
			return;
		if (fds[1].revents && !read_commands(&input, control))
			fds[1].fd = -1; /* the broker outlives whoever commanded it */
	}
}

/* Blocked before any thread starts, so that they come here and nowhere else. */
static int take_signals(void)
{
	sigset_t set;
	int fd;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	ENSURE(sigprocmask(SIG_BLOCK, &set, NULL) == 0);
	fd = signalfd(-1, &set, SFD_CLOEXEC);
	ENSURE(fd >= 0);
	return fd;
}

static bool run(rd_kafka_mock_cluster_t *cluster, const struct options *options, int signals,
		struct error *err)
{
	const char *brokers = rd_kafka_mock_cluster_bootstraps(cluster);
	struct control control = {.cluster = cluster, .broker_count = options->brokers};

	if (!create_topics(cluster, options, err))
		return false;
	control.guard = guard_create(&options->guard, brokers, err);
	if (!control.guard)
		return false;
	printf("listening %s\n", brokers);
	fflush(stdout);
	serve(&control, signals);
	guard_destroy(control.guard);
	return true;
}

/* The mock needs some client to live in; that it has no brokers is not worth a warning. */
static rd_kafka_t *create_host(char *text, size_t size)
{
	rd_kafka_conf_t *conf = rd_kafka_conf_new();

	ENSURE(rd_kafka_conf_set(conf, "log_level", "4", text, size) == RD_KAFKA_CONF_OK);
	return rd_kafka_new(RD_KAFKA_PRODUCER, conf, text, size);
}

int main(int argc, char **argv)
{
	struct options options = {.partitions = 4, .brokers = 1};
	rd_kafka_mock_cluster_t *cluster;
	char text[256] = "";
	struct error err;
	rd_kafka_t *host;
	int signals;
	bool ok;

	if (argp_parse(&parser, argc, argv, 0, NULL, &options))
		return EXIT_FAILURE;
	signals = take_signals();
	host = create_host(text, sizeof(text));
	cluster = host ? rd_kafka_mock_cluster_new(host, options.brokers) : NULL;
	if (!cluster) {
		fprintf(stderr, "broker: no cluster: %s\n", text);
		return EXIT_FAILURE;
	}
	ok = run(cluster, &options, signals, &err);
	if (!ok)
		fprintf(stderr, "broker: %s\n", err.text);
	rd_kafka_mock_cluster_destroy(cluster);
	rd_kafka_destroy(host);
	return ok ? EXIT_SUCCESS : EXIT_FAILURE;
}
