#include "coverage.h"

#include <inttypes.h>
#include <stdio.h>

#include "ensure.h"

const char *fault_name(enum fault fault)
{
	static const char *const names[] = {
#define FAULT(name, text) [FAULT_##name] = text,
		FAULTS(FAULT)
#undef FAULT
	};

	return names[fault];
}

void coverage_note(struct coverage *coverage, enum fault fault, unsigned state)
{
	ENSURE(state < COVERAGE_STATES);
	coverage->met[fault][state]++;
}

static unsigned at_most(int value, int most)
{
	return (unsigned)(value < most ? value : most);
}

/* 0–47 rows, 48–111 holds, 112–159 statements, 160–255 replies */
unsigned coverage_job(int row_state, int run, int hop)
{
	return (unsigned)(row_state + 1) * 6 + at_most(run, 1) * 3 + at_most(hop, 2);
}

unsigned coverage_hold(int hold_state, int attempts, int hop)
{
	return 48 + (unsigned)hold_state * 9 + at_most(attempts, 2) * 3 + at_most(hop, 2);
}

unsigned coverage_statement(int kind, int executed)
{
	return 112 + (unsigned)kind * 2 + (unsigned)executed;
}

unsigned coverage_reply(int kind, int attempts)
{
	return 160 + (unsigned)kind * 4 + at_most(attempts, 3);
}

unsigned coverage_pairs(const struct coverage *coverage)
{
	unsigned pairs = 0;

	for (int f = 0; f < FAULT_COUNT; f++)
		for (int s = 0; s < COVERAGE_STATES; s++)
			pairs += coverage->met[f][s] > 0;
	return pairs;
}

void coverage_print(const struct coverage *coverage)
{
	for (enum fault f = 0; f < FAULT_COUNT; f++) {
		unsigned states = 0;
		uint64_t times = 0;

		for (int s = 0; s < COVERAGE_STATES; s++) {
			states += coverage->met[f][s] > 0;
			times += coverage->met[f][s];
		}
		printf("  %-32s %4u states, %12" PRIu64 " times\n", fault_name(f), states, times);
	}
}
