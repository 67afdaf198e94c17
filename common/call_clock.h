/*
 * How far a call over HTTP has come and how long each part of it may last. Pure:
 * http.c moves it on, asks for its deadline and acts on it.
 *
 *	call_clock_start(&clock, &timeouts, now);
 *	call_clock_enter(&clock, CALL_SENT, now);
 *	if (call_clock_deadline(&clock).at <= now) ...
 */
#ifndef SLUICE_CALL_CLOCK_H
#define SLUICE_CALL_CLOCK_H

#include <stdint.h>

#include "clock.h"

/* Each from the moment in brackets; 0: none. */
struct http_timeouts {
	nsec connect;	 /* [start] until the connection stands, TLS included */
	nsec first_byte; /* [connected] until the reply begins; covers sending the body */
	nsec idle;	 /* [last byte of the reply] until the next */
	nsec total;	 /* [start] until the end */
};

/*
 *	IDLE -> CONNECTING -> SENT -> REPLYING -> FINISHED -> IDLE
 *	             \          \_________\__________/
 *	              \______________________________/
 */
enum call_phase {
	CALL_IDLE,
	CALL_CONNECTING, /* the server has surely not seen the request */
	CALL_SENT,	 /* it may have */
	CALL_REPLYING,
	CALL_FINISHED,
};

enum call_limit { LIMIT_NONE, LIMIT_CONNECT, LIMIT_FIRST_BYTE, LIMIT_IDLE, LIMIT_TOTAL };

#define CALL_CLOCK_NEVER UINT64_MAX

struct call_clock {
	struct http_timeouts timeouts;
	enum call_phase phase;
	nsec started;
	nsec phase_began; /* while REPLYING: when the last byte came */
};

struct call_deadline {
	nsec at; /* CALL_CLOCK_NEVER: there is none */
	enum call_limit limit;
};

void call_clock_start(struct call_clock *clock, const struct http_timeouts *timeouts, nsec now);
void call_clock_enter(struct call_clock *clock, enum call_phase phase, nsec now);

/* A byte of the reply came. */
void call_clock_byte(struct call_clock *clock, nsec now);

/* What ends the call first if nothing happens. */
struct call_deadline call_clock_deadline(const struct call_clock *clock);

#endif
