/*
 * How a job of a batch ended, as the line of a file that OpenAI's clients read:
 * a chat completion, or an error.
 *
 *	struct openai_answer answer = {.job_id = …, .custom_id = "request-1", …};
 *	openai_answer_write(&answer, &out);     -- with its line break
 *
 * The ids of line, request and completion are the job's. The model is the one
 * that answered. A model's JSON goes through byte by byte, as the text of the
 * message.
 */
#ifndef SLUICE_OPENAI_ANSWER_H
#define SLUICE_OPENAI_ANSWER_H

#include <stdbool.h>
#include <stddef.h>

#include "buffer.h"
#include "clock.h"
#include "usage.h"
#include "uuid.h"

enum openai_end {
	OPENAI_DONE,
	OPENAI_DEAD,
	OPENAI_CANCELLED, /* with its batch, or by itself */
	OPENAI_EXPIRED,	  /* the completion window has passed */
};

struct openai_answer {
	struct uuid job_id;
	const char *custom_id;
	enum openai_end end;

	/* Of one that is done. */
	const char *output; /* bytes that are UTF-8, or nearly */
	size_t len;
	const char *tool_calls; /* a JSON array; "" : none */
	const char *model;
	nsec finished_at; /* wall clock */
	struct usage usage;

	/* Of one that is dead. */
	const char *reason; /* a code of ours */
	const char *detail; /* "": none */
};

void openai_answer_write(const struct openai_answer *answer, struct buffer *out);

/* The sum, as a batch tells of it. */
void openai_usage_write(const struct usage *usage, struct buffer *out);

#endif
