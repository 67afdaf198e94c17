/*
 * Who used the processors while something was done: this process, and a server
 * with all its children.
 *
 *	struct meter meter;
 *	meter_start(&meter, server_pid);        -- 0: no server
 *	...
 *	meter_print(&meter, "claim", jobs);
 *
 * A line for people and scripts: name, microseconds per job of our own, of the
 * server, jobs per second.
 */
#ifndef BENCH_METER_H
#define BENCH_METER_H

#include <stddef.h>
#include <stdint.h>

#include "clock.h"

struct meter {
	int64_t server; /* pid */
	nsec own, others, wall;
};

void meter_start(struct meter *meter, int64_t server);
void meter_print(const struct meter *meter, const char *name, size_t jobs);

#endif
