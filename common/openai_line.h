/*
 * A line of a batch's file as OpenAI's clients write it: a request for a chat
 * completion becomes the envelope of a job, without who pays and where it runs.
 *
 *	struct openai_line line;
 *	struct openai_problem problem;
 *
 *	if (!openai_line_read(bytes, len, &line, &problem)) ...    -- problem has code and words
 *	json_object_set_new(line.job, "business_unit", …);
 *	openai_line_finish(&line);                                 -- in any case
 *
 * Nothing is dropped silently: what Sluice can't do for a request is a problem,
 * what says nothing (null, the default) is left out. Pure.
 *
 *	max_completion_tokens, max_tokens  parameters.max_output_tokens
 *	temperature, top_p, stop, seed, reasoning_effort  the parameters of that name
 *	response_format                    output; json_object is any object
 *	tools, tool_choice                 prompt.tools, prompt.tool_choice
 *	user, safety_identifier            user
 *	metadata                           metadata.request
 */
#ifndef SLUICE_OPENAI_LINE_H
#define SLUICE_OPENAI_LINE_H

#include <stdbool.h>
#include <stddef.h>

#include "compiler.h"
#include "json.h"

#define OPENAI_CUSTOM_ID 512 /* the longest, in bytes */

struct openai_line {
	json_t *request; /* owned; the texts below borrow from it */
	json_t *job;	 /* owned: prompt, output, parameters, user, metadata */
	const char *custom_id;
	const char *model;
};

struct openai_problem {
	const char *code;
	char param[128]; /* "": none */
	char message[400];
};

bool openai_line_read(const char *bytes, size_t len, struct openai_line *line,
		      struct openai_problem *problem) MUST_USE;
void openai_line_finish(struct openai_line *line);

/* The same for what the checks of a job find: names of its members become those of the request. */
void openai_problem_of_job(struct openai_problem *problem, const char *text);

#endif
