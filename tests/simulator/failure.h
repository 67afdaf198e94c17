/*
 * An error answer as the providers spell it: status, body, headers.
 *
 *	struct failure failure = failure_of(FAULT_500, ANTHROPIC, "claude-sonnet-5");
 *	failure_write(&failure, ANTHROPIC, request_id, &reply->head, &reply->body);
 */
#ifndef SIMULATOR_FAILURE_H
#define SIMULATOR_FAILURE_H

#include "buffer.h"
#include "compiler.h"
#include "fault.h"
#include "models.h"

struct failure {
	int status;
	const char *type;
	const char *code;   /* OpenAI; NULL: null */
	const char *param;  /* OpenAI; NULL: null */
	const char *detail; /* Anthropic: details.error_code; NULL: none */
	bool html;
	char message[400];
	/* What it says about waiting. */
	double wait;	/* seconds; below 0: nothing */
	bool wait_date; /* Retry-After as a date */
	bool wait_ms;	/* retry-after-ms beside (or, with wait_only_ms, instead of) Retry-After */
	bool wait_only_ms;
};

/* The provider's error for a fault of STAGE_REFUSE that has a body. */
struct failure failure_of(enum fault fault, enum maker maker, const char *model);

/* A 400 of the request itself. */
struct failure failure_invalid(enum maker maker, const char *param, const char *code,
			       const char *fmt, ...) PRINTF(4, 5);
struct failure failure_missing(enum maker maker, const char *field);

/* Appends header lines to head and the body to body; wall is now, for dates. */
void failure_write(const struct failure *failure, enum maker maker, const char *request_id,
		   nsec wall, struct buffer *head, struct buffer *body);
/* The body alone; a batch line carries nothing else. */
void failure_write_body(const struct failure *failure, enum maker maker, const char *request_id,
			struct buffer *body);
const char *failure_type(const struct failure *failure); /* Content-Type */

#endif
