#include "call_clock.h"

#include "unit.h"

static const struct http_timeouts timeouts = {
	.connect = 10, .first_byte = 60, .idle = 30, .total = 200};

static void expect(const struct call_clock *clock, nsec at, enum call_limit limit)
{
	struct call_deadline d = call_clock_deadline(clock);

	ck_assert_uint_eq(d.at, at);
	ck_assert_int_eq(d.limit, limit);
}

START_TEST(each_phase_has_its_own_limit_within_the_total)
{
	struct call_clock clock = {0};

	call_clock_start(&clock, &timeouts, 1000);
	expect(&clock, 1010, LIMIT_CONNECT);
	call_clock_enter(&clock, CALL_SENT, 1005);
	expect(&clock, 1065, LIMIT_FIRST_BYTE);
	call_clock_enter(&clock, CALL_REPLYING, 1060);
	expect(&clock, 1090, LIMIT_IDLE);
	call_clock_byte(&clock, 1080);
	expect(&clock, 1110, LIMIT_IDLE);
	call_clock_byte(&clock, 1175);
	expect(&clock, 1200, LIMIT_TOTAL);
	call_clock_enter(&clock, CALL_FINISHED, 1180);
	expect(&clock, CALL_CLOCK_NEVER, LIMIT_NONE);
}
END_TEST

START_TEST(no_timeouts_no_deadline)
{
	struct http_timeouts none = {0}, endless = {.total = UINT64_MAX, .connect = UINT64_MAX};
	struct call_clock clock = {0};

	call_clock_start(&clock, &none, 1000);
	expect(&clock, CALL_CLOCK_NEVER, LIMIT_NONE);
	call_clock_enter(&clock, CALL_SENT, 1001);
	expect(&clock, CALL_CLOCK_NEVER, LIMIT_NONE);
	call_clock_enter(&clock, CALL_IDLE, 1002);
	call_clock_start(&clock, &endless, 1003);
	expect(&clock, CALL_CLOCK_NEVER, LIMIT_NONE);
}
END_TEST

UNIT_TESTS(call_clock, each_phase_has_its_own_limit_within_the_total, no_timeouts_no_deadline)
