#include "answer_key.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ensure.h"
#include "fingerprint.h"

/* A borrowed value becomes a member; one that is absent is none. */
static void put(json_t *question, const char *name, const json_t *value)
{
	if (value)
		json_object_set(question, name, (json_t *)value);
}

static void put_text(json_t *question, const char *name, const char *text)
{
	json_object_set_new(question, name, json_string(text));
}

static void put_number(json_t *question, const char *name, double number)
{
	if (!isnan(number))
		json_object_set_new(question, name, json_real(number));
}

static void put_whole(json_t *question, const char *name, int64_t number)
{
	json_object_set_new(question, name, json_integer(number));
}

static int compare_texts(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* In any order, and however they are weighted: each may be the one that answers. */
static json_t *models_of(const struct tier *tier)
{
	AUTO(xfree) char **names = xcalloc(tier->candidate_count + 1, sizeof(*names));
	json_t *models = json_array();

	for (size_t i = 0; i < tier->candidate_count; i++)
		names[i] = xasprintf("%s/%s", tier->candidates[i].endpoint->name,
				     tier->candidates[i].model);
	if (tier->candidate_count > 0)
		qsort(names, tier->candidate_count, sizeof(*names), compare_texts);
	for (size_t i = 0; i < tier->candidate_count; i++) {
		json_array_append_new(models, json_string(names[i]));
		free(names[i]);
	}
	return models;
}

static void put_asked(json_t *question, const struct job *job)
{
	put_text(question, "unit", job->business_unit);
	put_text(question, "task", job->task);
	put_text(question, "prompt", job->prompt_name);
	put_text(question, "prompt_version", job->prompt_version);
	put(question, "messages", job->messages);
	put(question, "tools", job->tools);
	put(question, "tool_choice", job->tool_choice);
	put_number(question, "temperature", job->temperature);
	put_number(question, "top_p", job->top_p);
	put(question, "stop", job->stop);
	put_text(question, "reasoning_effort", job->reasoning_effort);
	put(question, "seed", job->seed);
	put_whole(question, "data_class", (int64_t)job->data_class);
	if (*job->candidate)
		put_text(question, "candidate", job->candidate);
}

static void put_wanted(json_t *question, const struct job *job, const struct task *task,
		       const json_t *schema)
{
	put(question, "schema", schema);
	put_text(question, "schema_name", schema ? job->output_name : "");
	put_whole(question, "output_tokens",
		  job->max_output_tokens > 0 ? job->max_output_tokens : task->max_output_tokens);
	put_number(question, "min_confidence", task->min_confidence);
	put_text(question, "confidence_field", task->confidence_field);
	json_object_set_new(question, "needs_confidence", json_boolean(task->needs_confidence));
}

bool answer_key_wanted(const struct config *config, const struct job *job)
{
	return !job->thin && !job->tools && config_task(config, job->task)->cache_ttl > 0;
}

struct digest answer_key_of(const struct config *config, const struct job *job,
			    const struct tier *tier, const json_t *schema)
{
	json_auto_t *question = json_object();

	put_whole(question, "version", ANSWER_KEY_VERSION);
	put_asked(question, job);
	put_wanted(question, job, config_task(config, job->task), schema);
	json_object_set_new(question, "models", models_of(tier));
	return fingerprint_of(question);
}
