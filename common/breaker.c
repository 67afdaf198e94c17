#include "breaker.h"

#include <string.h>

#include "ensure.h"

void breaker_init(struct breaker *b, const struct breaker_rules *rules)
{
	ENSURE(rules->share > 0 && rules->window >= BREAKER_SLICES && rules->probe_after > 0);
	*b = (struct breaker){.rules = *rules};
}

static uint64_t slice_number(const struct breaker *b, nsec now)
{
	return now / (b->rules.window / BREAKER_SLICES);
}

static struct breaker_slice *slice_of(struct breaker *b, nsec now)
{
	uint64_t number = slice_number(b, now);
	struct breaker_slice *slice = &b->slices[number % BREAKER_SLICES];

	if (slice->number != number)
		*slice = (struct breaker_slice){.number = number};
	return slice;
}

static bool has_failed_too_often(const struct breaker *b, nsec now)
{
	uint64_t number = slice_number(b, now);
	double calls = 0;
	double failures = 0;

	for (size_t i = 0; i < BREAKER_SLICES; i++) {
		if (b->slices[i].number + BREAKER_SLICES <= number)
			continue; /* has slid out of the window */
		calls += b->slices[i].calls;
		failures += b->slices[i].failures;
	}
	return failures > 0 && calls >= b->rules.min_calls && failures >= calls * b->rules.share;
}

static void open_for(struct breaker *b, nsec wait, nsec now)
{
	nsec longest = b->rules.probe_after * BREAKER_LONGEST_WAIT;

	b->state = BREAKER_OPEN;
	b->wait = wait < longest ? wait : longest;
	b->until = now + b->wait;
	b->opened++;
}

static void close_again(struct breaker *b)
{
	b->state = BREAKER_CLOSED;
	b->wait = 0;
	memset(b->slices, 0, sizeof(b->slices));
}

bool breaker_allows(const struct breaker *b, nsec now)
{
	return b->state == BREAKER_CLOSED || (b->state == BREAKER_OPEN && now >= b->until);
}

nsec breaker_wait(const struct breaker *b, nsec now)
{
	if (b->state == BREAKER_HALF_OPEN)
		return b->rules.probe_after;
	return breaker_allows(b, now) ? 0 : b->until - now;
}

bool breaker_start(struct breaker *b, nsec now)
{
	ENSURE(breaker_allows(b, now));
	if (b->state == BREAKER_CLOSED)
		return false;
	b->state = BREAKER_HALF_OPEN;
	return true;
}

static void record_probe(struct breaker *b, bool failed, nsec now)
{
	if (b->state != BREAKER_HALF_OPEN)
		return; /* tripped meanwhile */
	if (failed)
		open_for(b, b->wait * 2, now);
	else
		close_again(b);
}

void breaker_record(struct breaker *b, bool probe, bool failed, nsec now)
{
	struct breaker_slice *slice;

	if (probe) {
		record_probe(b, failed, now);
		return;
	}
	if (b->state != BREAKER_CLOSED)
		return;
	slice = slice_of(b, now);
	slice->calls++;
	slice->failures += failed;
	if (failed && has_failed_too_often(b, now))
		open_for(b, b->rules.probe_after, now);
}

void breaker_release(struct breaker *b, bool probe, nsec now)
{
	if (!probe || b->state != BREAKER_HALF_OPEN)
		return;
	b->state = BREAKER_OPEN;
	b->until = now;
}

void breaker_trip(struct breaker *b, nsec now)
{
	if (b->state == BREAKER_CLOSED)
		open_for(b, b->rules.probe_after, now);
	else if (b->state == BREAKER_HALF_OPEN)
		open_for(b, b->wait * 2, now);
}

const char *breaker_state_name(enum breaker_state state)
{
	static const char *const names[] = {
		[BREAKER_CLOSED] = "closed",
		[BREAKER_OPEN] = "open",
		[BREAKER_HALF_OPEN] = "half_open",
	};

	return names[state];
}
