/*
 * The bare parts of a job's way, each by itself: what nothing can be faster
 * than on this machine. parts.c is the program, a file each measures one.
 */
#ifndef BENCH_PARTS_H
#define BENCH_PARTS_H

#include <stdint.h>

#include "arguments.h"
#include "compiler.h"
#include "error.h"

struct parts_wishes {
	struct arguments common;
	int64_t jobs;
	int64_t in_flight;
	int64_t server; /* pid whose processor time is told too; 0: none */
	const char *url;
	const char *postgres;
	const char *brokers;
	const char *topic;
};

bool parts_http(const struct parts_wishes *wishes, struct error *err) MUST_USE;
bool parts_json(const struct parts_wishes *wishes, struct error *err) MUST_USE;
bool parts_postgres(const struct parts_wishes *wishes, struct error *err) MUST_USE;
bool parts_kafka(const struct parts_wishes *wishes, struct error *err) MUST_USE;

#endif
