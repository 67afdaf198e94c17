/*
 * Measures one bare part. A line each: what, microseconds of processor per job
 * of this process and of the server's, jobs per second.
 *
 *	bench_parts json
 *	bench_parts http --url http://127.0.0.1:8080/v1 --server PID
 *	bench_parts postgres --postgres postgresql://… --server PID     a migrated database of its
 *own bench_parts kafka --brokers 127.0.0.1:9092 --topic T --server PID
 */
#include "parts.h"

#include <stdio.h>
#include <string.h>

#include "ensure.h"

static const struct argument table[] = {
	ARGUMENT_COUNT(struct parts_wishes, jobs, "jobs", 'n', "measure so many (default 20000)", 1,
		       10000000),
	ARGUMENT_COUNT(struct parts_wishes, in_flight, "in-flight", 0,
		       "calls at once (default 256)", 1, 512),
	ARGUMENT_COUNT(struct parts_wishes, server, "server", 0,
		       "pid of the server, to measure it too", 0, INT32_MAX),
	ARGUMENT_TEXT(struct parts_wishes, url, "url", 0, "URL", "of the simulator, with /v1"),
	ARGUMENT_TEXT(struct parts_wishes, postgres, "postgres", 0, "URL",
		      "a database that is migrated; rows are added"),
	ARGUMENT_TEXT(struct parts_wishes, brokers, "brokers", 0, "LIST", "of Kafka"),
	ARGUMENT_TEXT(struct parts_wishes, topic, "topic", 0, "TOPIC", "written to and read back"),
	{0},
};

static const struct argument_form form = {
	.usage = "http|json|postgres|kafka",
	.summary = "Measure a bare part of a job's way: microseconds of processor per job.",
	.details = "",
	.table = table,
	.least_words = 1,
	.most_words = 1,
};

static const struct {
	const char *name;
	bool (*measure)(const struct parts_wishes *wishes, struct error *err);
} parts[] = {
	{"http", parts_http},
	{"json", parts_json},
	{"postgres", parts_postgres},
	{"kafka", parts_kafka},
};

int main(int argc, char **argv)
{
	struct parts_wishes wishes = {.jobs = 20000,
				      .in_flight = 256,
				      .url = "",
				      .postgres = "",
				      .brokers = "",
				      .topic = "bench.parts"};
	int code = arguments_parse(&form, &wishes, argc, argv);
	struct error err;

	if (code >= 0)
		return code;
	for (size_t i = 0; i < COUNT_OF(parts); i++) {
		if (strcmp(parts[i].name, wishes.common.words[0]) != 0)
			continue;
		if (parts[i].measure(&wishes, &err))
			return 0;
		fprintf(stderr, "%s: %s\n", argv[0], err.text);
		return 1;
	}
	fprintf(stderr, "%s: no part is called \"%s\"\n", argv[0], wishes.common.words[0]);
	return 2;
}
