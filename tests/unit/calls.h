/*
 * A call out of a JSON description, for tests whose cases are files.
 *
 *	{"model": "gpt-4o-mini", "max_output_tokens": 64, "job": {"messages": […]}}
 *
 * Members of the description are those of struct call and struct job.
 */
#ifndef TEST_CALLS_H
#define TEST_CALLS_H

#include <math.h>
#include <string.h>

#include "json.h"
#include "provider.h"

struct test_call {
	struct call call;
	struct job job;
	struct model traits;
};

static inline void test_job_init(struct job *job, const json_t *described)
{
	*job = (struct job){
		.messages = json_object_get(described, "messages"),
		.tools = json_object_get(described, "tools"),
		.tool_choice = json_object_get(described, "tool_choice"),
		.task = json_text(described, "task", ""),
		.prompt_name = json_text(described, "prompt_name", ""),
		.prompt_version = json_text(described, "prompt_version", ""),
		.output_name = json_text(described, "output_name", "answer"),
		.temperature = json_number_or(described, "temperature", NAN),
		.top_p = json_number_or(described, "top_p", NAN),
		.stop = json_object_get(described, "stop"),
		.seed = json_object_get(described, "seed"),
		.reasoning_effort = json_text(described, "reasoning_effort", ""),
		.lane = LANE_NORMAL,
	};
}

/* Borrows from the description. */
static inline UNUSED void test_call_init(struct test_call *t, const char *dialect,
					 const json_t *described)
{
	const char *model = json_text(described, "model", "");
	const char *answer = json_text(described, "repair_answer", NULL);

	test_job_init(&t->job, json_object_get(described, "job"));
	t->traits = model_lookup(dialect, model);
	t->call = (struct call){
		.job = &t->job,
		.model = model,
		.traits = &t->traits,
		.attempt_id = "0198a000-0000-7000-8000-000000000001",
		.max_output_tokens = json_integer_or(described, "max_output_tokens", 0),
		.output_schema = json_object_get(described, "output_schema"),
		.repair_answer = answer,
		.repair_answer_len = answer ? strlen(answer) : 0,
		.repair_note = json_text(described, "repair_note", NULL),
		.want_confidence = json_bool_or(described, "want_confidence", false),
	};
}

#endif
