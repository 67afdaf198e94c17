/*
 * The back door: what tests change while the simulator runs, and what it has
 * seen so far. On the same port, without a key.
 *
 *	GET /control                    counters
 *	POST /control {"limit":"rpm=1500,model=gpt-4o-mini","hide_headers":true,"hide_waits":true,
 *	               "fault":"500=0.6","schedule":"0 30 429 0.5\n","pause":true,
 *	               "latency":"fixed:50","retry_after":2,"batch_speed":1440,
 *	               "batch_run":600,"batch_tokens":90000,"forget":true}
 *
 * "fault" and "schedule" replace what was in force; a schedule's clock starts
 * now. "limit" is one rule or a list; it changes the buckets in place. "forget" clears
 * counters, attempts and caches. The answer is that of GET.
 */
#ifndef SIMULATOR_CONTROL_H
#define SIMULATOR_CONTROL_H

#include "simulator.h"

extern const char control_help[];

void control_handle(struct simulator *sim, struct exchange *x, nsec now);

#endif
