#include "control.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "compiler.h"

#define ALL_BROKERS (-1)
#define MOST_ERRORS 10000

static bool take_down(const struct control *c, const char *args)
{
	int broker = ALL_BROKERS;

	sscanf(args, "%d", &broker);
	return !rd_kafka_mock_broker_set_down(c->cluster, broker);
}

static bool bring_up(const struct control *c, const char *args)
{
	int broker = ALL_BROKERS;

	sscanf(args, "%d", &broker);
	return !rd_kafka_mock_broker_set_up(c->cluster, broker);
}

static bool delay(const struct control *c, const char *args)
{
	int ms, broker = ALL_BROKERS;

	if (sscanf(args, "%d %d", &ms, &broker) < 1 || ms < 0)
		return false;
	return !rd_kafka_mock_broker_set_rtt(c->cluster, broker, ms);
}

static bool push_errors(const struct control *c, int api, int code, int count, int ms)
{
	for (int broker = 1; broker <= c->broker_count; broker++)
		for (int i = 0; i < count; i++)
			if (rd_kafka_mock_broker_push_request_error_rtts(c->cluster, broker,
									 (int16_t)api, 1, code, ms))
				return false;
	return true;
}

static bool fail(const struct control *c, const char *args)
{
	int api, code, count, ms = 0;

	if (sscanf(args, "%d %d %d %d", &api, &code, &count, &ms) < 3)
		return false;
	if (api < 0 || api > 100 || count < 1 || count > MOST_ERRORS || ms < 0)
		return false;
	return push_errors(c, api, code, count, ms);
}

static bool move_leader(const struct control *c, const char *args)
{
	char topic[250];
	int partition, broker;

	if (sscanf(args, "%249s %d %d", topic, &partition, &broker) != 3)
		return false;
	return !rd_kafka_mock_partition_set_leader(c->cluster, topic, partition, broker);
}

static bool move_coordinator(const struct control *c, const char *args)
{
	char group[250];
	int broker;

	if (sscanf(args, "%249s %d", group, &broker) != 2)
		return false;
	return !rd_kafka_mock_coordinator_set(c->cluster, "group", group, broker);
}

static bool look(const struct control *c, const char *args UNUSED)
{
	return guard_look(c->guard);
}

static const struct command {
	const char *name;
	bool (*run)(const struct control *c, const char *args);
} commands[] = {
	{"down", take_down}, {"up", bring_up},	      {"delay", delay},
	{"fail", fail},	     {"leader", move_leader}, {"coordinator", move_coordinator},
	{"look", look},
};

static const struct command *find_command(const char *line, size_t len)
{
	for (size_t i = 0; i < COUNT_OF(commands); i++)
		if (strlen(commands[i].name) == len && strncmp(commands[i].name, line, len) == 0)
			return &commands[i];
	return NULL;
}

void control_line(const struct control *control, const char *line)
{
	size_t len = strcspn(line, " ");
	const struct command *command = find_command(line, len);

	if (command && command->run(control, line + len))
		printf("broker did %s\n", line);
	else
		printf("broker refused %s\n", line);
	fflush(stdout);
}
