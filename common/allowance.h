/*
 * What one worker holds of an allowance, a limit that the whole fleet shares.
 * The row in Postgres is the truth; a worker leases a chunk of it for at most two
 * seconds and spends from that without asking anyone.
 *
 *	if (!allowance_has(&a, amount, now))
 *		return allowance_refuse(&a, amount), wait allowance_wait(&a, now);
 *	allowance_take(&a, amount, now);                -- a call starts
 *	...
 *	struct allowance_ask ask = allowance_ask(&a, calls_waiting, now);   -- a few times a second
 *	allowance_grant(&a, granted, sent_at, now);     -- what the row gave
 *
 * Rates refill, and a chunk is paced: its calls spread over the time until the
 * next one. Balances don't refill; what is left of one can be had at once.
 *
 * Pure: never reads a clock, never allocates. Amounts are in the allowance's
 * unit: requests, tokens, calls, or pico-dollars.
 */
#ifndef SLUICE_ALLOWANCE_H
#define SLUICE_ALLOWANCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "clock.h"

#define ALLOWANCE_LEASE (2 * NSEC_PER_SEC)   /* the longest a chunk lasts */
#define ALLOWANCE_TURN (250 * NSEC_PER_MSEC) /* how often it is renewed */

enum allowance_kind { ALLOWANCE_RATE, ALLOWANCE_BALANCE };

#define ALLOWANCE_UNITS(X)                                                               \
	X(REQUESTS, "requests")                                                          \
	X(INPUT_TOKENS, "input_tokens")                                                  \
	X(OUTPUT_TOKENS, "output_tokens")                                                \
	X(TOKENS, "tokens")		      /* as the provider counts them together */ \
	X(USD, "usd")			      /* pico-dollars */                         \
	X(CALLS, "calls")		      /* at once */                              \
	X(ENQUEUED_TOKENS, "enqueued_tokens") /* in batches not ended */

enum allowance_unit {
#define ALLOWANCE_UNIT(name, text) UNIT_##name,
	ALLOWANCE_UNITS(ALLOWANCE_UNIT)
#undef ALLOWANCE_UNIT
		UNIT_COUNT,
};

const char *allowance_unit_name(enum allowance_unit unit);
bool allowance_unit_parse(const char *name, enum allowance_unit *unit);

struct allowance {
	enum allowance_kind kind;
	int64_t left;  /* unspent, here */
	nsec until;    /* what is left then is nobody's */
	int64_t chunk; /* what was there when the last grant came … */
	nsec chunk_at;
	int64_t taken; /* … and how much of it is gone */
	int64_t spent; /* since the last ask, for the pace */
	double pace;   /* units a second, smoothed */
	double mean;   /* units a call, smoothed */
	nsec asked_at;
	int64_t least;	 /* smallest amount refused since the last grant; 0: none */
	nsec held_until; /* nothing starts before */
	int64_t most;	 /* BALANCE: an amount above it cannot be had before the period ends */
};

void allowance_init(struct allowance *a, enum allowance_kind kind);

bool allowance_has(const struct allowance *a, int64_t amount, nsec now);
void allowance_take(struct allowance *a, int64_t amount, nsec now);
void allowance_give_back(struct allowance *a,
			 int64_t amount);		    /* taken, but the call did not start */
void allowance_refuse(struct allowance *a, int64_t amount); /* somebody waits for so much */

/* When it is worth looking again. */
nsec allowance_wait(const struct allowance *a, nsec now);

/* Above `most`: no lease will ever cover it in this period. */
bool allowance_is_out_of_reach(const struct allowance *a, int64_t amount);

struct allowance_ask {
	int64_t want; /* as much as can be used until the next turn */
	int64_t need; /* less is of no use */
};

/* `waiting`: calls that could start now if there were enough. */
struct allowance_ask allowance_ask(struct allowance *a, size_t waiting, nsec now);

/* The row gave so much, asked at `sent_at`: the lease runs from there. */
void allowance_grant(struct allowance *a, int64_t amount, nsec sent_at, nsec now);

/*
 * How many tokens so many bytes are (or how many of a cap are used): a smoothed
 * ratio of what was observed, and a margin as wide as it scatters.
 *
 *	token_guess_learn(&g, bytes, usage_prompt(&usage));
 *	int64_t tokens = token_guess(&g, bytes);
 */
struct token_guess {
	double ratio;	/* tokens per byte */
	double scatter; /* mean distance from it */
	uint32_t seen;
};

void token_guess_init(struct token_guess *g, double ratio);
void token_guess_learn(struct token_guess *g, int64_t bytes, int64_t tokens);
int64_t token_guess(const struct token_guess *g, int64_t bytes);

/* What one call takes of a provider's rate, before and after. */
struct call_size {
	int64_t input;	    /* tokens, likely or as counted, whether cached or not */
	int64_t cache_read; /* part of input */
	int64_t output;	    /* likely or produced */
	int64_t output_cap;
};

/*
 * `reserves_cap`: tokens are counted when a call comes in, as the larger of its
 * cap and its prompt (OpenAI); cached ones are tokens like others. Otherwise
 * as they are read and produced, cache reads for free (Anthropic).
 */
int64_t call_size_in(const struct call_size *size, enum allowance_unit unit, bool reserves_cap);

#endif
