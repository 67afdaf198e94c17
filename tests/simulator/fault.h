/*
 * What can go wrong, and when. A fault has one name everywhere: in --fault,
 * in a schedule, in a prompt's [[sim:NAME]] and over /control.
 *
 *	struct fault_plan plan = {0};
 *	fault_plan_add(&plan, "429=0.05,hang@gpt-4o=0.01", err);
 *	fault = fault_plan_draw(&plan, elapsed, scope, 3, &dice);
 */
#ifndef SIMULATOR_FAULT_H
#define SIMULATOR_FAULT_H

#include <stdbool.h>
#include <stddef.h>

#include "clock.h"
#include "dice.h"
#include "error.h"

/* X(constant, name, stage, what it does) */
#define FAULTS(X)                                                                                 \
	X(NONE, "none", ANSWER, "no fault")                                                       \
	X(429, "429", REFUSE, "rate limit; the hint is drawn from the four forms below")          \
	X(429_SECONDS, "429_seconds", REFUSE, "rate limit with Retry-After in seconds")           \
	X(429_DATE, "429_date", REFUSE, "rate limit with Retry-After as an HTTP date")            \
	X(429_MS, "429_ms", REFUSE, "rate limit with retry-after-ms")                             \
	X(429_NONE, "429_none", REFUSE, "rate limit without any header")                          \
	X(SLOW_DOWN, "slow_down", REFUSE, "429 slow_down (Anthropic: a plain 429)")               \
	X(TOO_LARGE, "429_too_large", REFUSE, "429 that can never pass (Anthropic: 413)")         \
	X(QUOTA, "insufficient_quota", REFUSE, "429 of an empty purse (Anthropic: spend cap)")    \
	X(CREDIT, "credit", REFUSE, "credit exhausted: OpenAI 429, Anthropic 400")                \
	X(USAGE_LIMIT, "usage_limit", REFUSE, "own spend limit: OpenAI 429, Anthropic 400")       \
	X(FLEX, "flex_unavailable", REFUSE, "429 of the flex tier (Anthropic: 529)")              \
	X(400, "400", REFUSE, "invalid request")                                                  \
	X(BAD_SCHEMA, "bad_schema", REFUSE, "400 that rejects the output schema")                 \
	X(CONTEXT, "context", REFUSE, "400 context length exceeded")                              \
	X(401, "401", REFUSE, "bad key")                                                          \
	X(402, "402", REFUSE, "billing (OpenAI: insufficient_quota)")                             \
	X(403, "403", REFUSE, "no permission")                                                    \
	X(404, "404", REFUSE, "unknown model")                                                    \
	X(409, "409", REFUSE, "conflict")                                                         \
	X(413, "413", REFUSE, "request too large")                                                \
	X(500, "500", REFUSE, "internal error")                                                   \
	X(502, "502", REFUSE, "HTML of a proxy")                                                  \
	X(503, "503", REFUSE, "overloaded")                                                       \
	X(504, "504", REFUSE, "timed out inside")                                                 \
	X(529, "529", REFUSE, "overloaded, Anthropic's way (OpenAI: 503)")                        \
	X(RESET, "reset", REFUSE, "RST before anything; not billed")                              \
	X(HANG_EARLY, "hang_early", REFUSE, "never answered; not billed")                         \
	X(RESET_ACCEPTED, "reset_accepted", DELIVER, "billed, then RST before the headers")       \
	X(RESET_HEADERS, "reset_headers", DELIVER, "billed, RST after the headers")               \
	X(RESET_BODY, "reset_body", DELIVER, "billed, RST in the middle of the body")             \
	X(HANG, "hang", DELIVER, "billed, never answered")                                        \
	X(HANG_BODY, "hang_body", DELIVER, "billed, silent after half of the body")               \
	X(DRIP, "drip", DELIVER, "billed, body at 1 byte a second")                               \
	X(DRIP_SLOW, "drip_slow", DELIVER, "billed, body at 1 byte in 10 seconds")                \
	X(TRUNCATED, "truncated", DELIVER, "billed, closed in the middle of the body")            \
	X(WRONG_LENGTH, "wrong_length", DELIVER, "billed, Content-Length 10 too small")           \
	X(CHUNK_ERROR, "chunk_error", DELIVER, "billed, broken chunked framing")                  \
	X(SLOW, "slow", DELIVER, "ten times the latency, at least 5 seconds")                     \
	X(ERROR_200, "error_200", BODY, "200 with an error as its body")                          \
	X(GARBAGE, "garbage", BODY, "200 with random bytes")                                      \
	X(HTML_200, "html_200", BODY, "200 with HTML")                                            \
	X(EMPTY_BODY, "empty_body", BODY, "200 without a body")                                   \
	X(NUL, "nul", BODY, "\\u0000 in the answer's text")                                       \
	X(SURROGATE, "surrogate", BODY, "a lone surrogate in the answer's text")                  \
	X(HUGE_NUMBER, "huge_number", BODY, "1e999 in the body")                                  \
	X(LONG_INTEGER, "long_integer", BODY, "an integer of 20 digits in the body")              \
	X(DEEP, "deep", BODY, "3,000 nested arrays in the body")                                  \
	X(NO_USAGE, "no_usage", BODY, "usage missing")                                            \
	X(NEGATIVE_USAGE, "negative_usage", BODY, "negative token counts")                        \
	X(STREAM_ERROR, "stream_error", BODY, "an error event in the middle of a stream")         \
	X(REFUSAL, "refusal", ANSWER, "the model refuses")                                        \
	X(EMPTY, "empty", ANSWER, "empty text")                                                   \
	X(LENGTH, "length", ANSWER, "cut off by the output cap")                                  \
	X(CONTENT_FILTER, "content_filter", ANSWER, "cut off by the content filter")              \
	X(MALFORMED, "malformed", ANSWER, "drawn from the two below")                             \
	X(NOT_JSON, "not_json", ANSWER, "text that is no JSON")                                   \
	X(VIOLATION, "violation", ANSWER, "JSON that violates the schema")                        \
	X(LOW_CONFIDENCE, "low_confidence", ANSWER, "poor log-probabilities, low scores")         \
	X(BATCH_LOST_UPLOAD, "batch_lost_upload", BATCH, "file stored, RST instead of a reply")   \
	X(BATCH_FILE_LATE, "batch_file_late", BATCH, "the first two creates can't find the file") \
	X(BATCH_LOST_CREATE, "batch_lost_create", BATCH, "batch made, RST instead of a reply")    \
	X(BATCH_HANG_CREATE, "batch_hang_create", BATCH, "batch made, never a reply")             \
	X(BATCH_HIDDEN, "batch_hidden", BATCH, "not in listings for --batch-hide")                \
	X(BATCH_FLAP, "batch_flap", BATCH, "404 at the first, second and fifth look")             \
	X(BATCH_INVALID, "batch_invalid", BATCH, "fails its validation")                          \
	X(BATCH_TOKEN_LIMIT, "batch_token_limit", BATCH, "fails: token_limit_exceeded")           \
	X(BATCH_EXPIRE, "batch_expire", BATCH, "expires with half of its lines done")             \
	X(BATCH_STUCK, "batch_stuck", BATCH, "expires with nothing done")                         \
	X(BATCH_MISSING, "batch_missing", BATCH, "a tenth of the lines, at least one, is lost")   \
	X(BATCH_DUPLICATE, "batch_duplicate", BATCH, "the first result comes twice")              \
	X(BATCH_FOREIGN, "batch_foreign", BATCH, "a result nobody asked for")                     \
	X(BATCH_EMPTY_ID, "batch_empty_id", BATCH, "error_file_id \"\" instead of null")          \
	X(BATCH_CUT, "batch_cut", BATCH, "the first download of results is cut short")            \
	X(BATCH_ZERO, "batch_zero", BATCH, "a line in ten fails with status_code 0")

enum fault {
#define FAULT(constant, name, stage, what) FAULT_##constant,
	FAULTS(FAULT)
#undef FAULT
		FAULT_COUNT,
};

/* At which stage it strikes. */
enum fault_stage {
	STAGE_REFUSE,  /* before the request is accepted: never billed */
	STAGE_ANSWER,  /* what the model says */
	STAGE_BODY,    /* how the body spells it */
	STAGE_DELIVER, /* how the bytes travel */
	STAGE_BATCH,   /* a whole batch; drawn for each batch by itself */
};

const char *fault_name(enum fault fault);
enum fault_stage fault_stage(enum fault fault);
bool fault_parse(const char *name, size_t len, enum fault *fault);
const char *fault_help(void); /* all of them, a line each; static */

struct fault_rule {
	enum fault fault;
	double rate;
	nsec from, to;	/* since the start; to 0: for good */
	char scope[96]; /* a provider, model, key, "batch" or "line"; "": every call */
};

#define FAULT_MAX_RULES 256

struct fault_plan {
	struct fault_rule rules[FAULT_MAX_RULES];
	size_t count;
};

/* Add "NAME[@SCOPE]=RATE,…", in force from now on. */
bool fault_plan_add(struct fault_plan *plan, const char *text, struct error *err) MUST_USE;
/* Add the lines "FROM TO NAME RATE [SCOPE]" (seconds since the start; TO '-': for good). */
bool fault_plan_schedule(struct fault_plan *plan, const char *text, struct error *err) MUST_USE;

/* At most one fault of a call; the rates of the rules in force add up. */
enum fault fault_plan_draw(const struct fault_plan *plan, nsec elapsed, const char *const *scopes,
			   size_t scope_count, struct dice *dice);

/* The same among the rules with exactly this scope. */
enum fault fault_plan_draw_in(const struct fault_plan *plan, nsec elapsed, const char *scope,
			      struct dice *dice);
/* Does this one fault strike? For those of a batch, which do not exclude each other. */
bool fault_plan_strikes(const struct fault_plan *plan, enum fault fault, nsec elapsed,
			const char *const *scopes, size_t scope_count, struct dice *dice);

#endif
