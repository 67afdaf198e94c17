#include "call_clock.h"

#include "ensure.h"

#define TO(phase) (1u << CALL_##phase)

static const unsigned next_phases[] = {
	[CALL_IDLE] = TO(CONNECTING),
	[CALL_CONNECTING] = TO(SENT) | TO(FINISHED) | TO(IDLE),
	[CALL_SENT] = TO(REPLYING) | TO(FINISHED) | TO(IDLE),
	[CALL_REPLYING] = TO(FINISHED) | TO(IDLE),
	[CALL_FINISHED] = TO(IDLE),
};

void call_clock_enter(struct call_clock *clock, enum call_phase phase, nsec now)
{
	ENSURE(next_phases[clock->phase] & (1u << phase));
	clock->phase = phase;
	clock->phase_began = now;
}

void call_clock_start(struct call_clock *clock, const struct http_timeouts *timeouts, nsec now)
{
	clock->timeouts = *timeouts;
	clock->started = now;
	call_clock_enter(clock, CALL_CONNECTING, now);
}

void call_clock_byte(struct call_clock *clock, nsec now)
{
	ENSURE(clock->phase == CALL_REPLYING);
	clock->phase_began = now;
}

static void sooner(struct call_deadline *d, nsec from, nsec timeout, enum call_limit limit)
{
	if (timeout > 0 && timeout < CALL_CLOCK_NEVER - from && from + timeout < d->at)
		*d = (struct call_deadline){from + timeout, limit};
}

struct call_deadline call_clock_deadline(const struct call_clock *clock)
{
	const struct http_timeouts *t = &clock->timeouts;
	struct call_deadline d = {CALL_CLOCK_NEVER, LIMIT_NONE};

	if (clock->phase == CALL_CONNECTING)
		sooner(&d, clock->started, t->connect, LIMIT_CONNECT);
	if (clock->phase == CALL_SENT)
		sooner(&d, clock->phase_began, t->first_byte, LIMIT_FIRST_BYTE);
	if (clock->phase == CALL_REPLYING)
		sooner(&d, clock->phase_began, t->idle, LIMIT_IDLE);
	if (clock->phase != CALL_IDLE && clock->phase != CALL_FINISHED)
		sooner(&d, clock->started, t->total, LIMIT_TOTAL);
	return d;
}
