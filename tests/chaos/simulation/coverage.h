/*
 * Which faults met which states: the measure of what a number of seeds has
 * tried. A pair is counted once, however often it comes.
 */
#ifndef SIMULATION_COVERAGE_H
#define SIMULATION_COVERAGE_H

#include <stdint.h>

#define FAULTS(X)                                   \
	X(CRASH, "worker crashes")                  \
	X(STALL, "worker stalls")                   \
	X(TERM, "worker is told to stop")           \
	X(BREAK, "connection to Postgres breaks")   \
	X(DB_AWAY, "Postgres is away")              \
	X(DB_SLOW, "Postgres is slow")              \
	X(BROKER_AWAY, "Kafka is away")             \
	X(REBALANCE, "group is rebalanced")         \
	X(REWIND, "offsets are set back")           \
	X(DUPLICATE, "message comes again")         \
	X(CONFLICT, "same id, other body")          \
	X(GARBAGE, "message is no job")             \
	X(IMPOSSIBLE, "follow-up of nothing")       \
	X(DELIVERY, "delivery report is lost")      \
	X(PROVIDER, "provider misbehaves")          \
	X(LOST_ANSWER, "provider's answer is lost") \
	X(CANCEL, "job is cancelled")               \
	X(RERUN, "job is run again")

enum fault {
#define FAULT(name, text) FAULT_##name,
	FAULTS(FAULT)
#undef FAULT
		FAULT_COUNT,
};

#define COVERAGE_STATES 256

struct coverage {
	uint64_t met[FAULT_COUNT][COVERAGE_STATES];
};

void coverage_note(struct coverage *coverage, enum fault fault, unsigned state);
unsigned coverage_pairs(const struct coverage *coverage);
void coverage_print(const struct coverage *coverage);
const char *fault_name(enum fault fault);

/* States, so that those of different things do not run together. */
unsigned coverage_job(int row_state, int run, int hop);	       /* of a row; -1: there is none */
unsigned coverage_hold(int hold_state, int attempts, int hop); /* of a job in a worker's hands */
unsigned coverage_statement(int kind, int executed);	       /* of a statement on its way */
unsigned coverage_reply(int kind, int attempts);	       /* of a call's reply */

#endif
