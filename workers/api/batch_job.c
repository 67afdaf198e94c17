#include "batch_job.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ensure.h"
#include "json_writer.h"
#include "openai.h"
#include "timestamp.h"

char *batch_job_key(const struct turn *turn, int32_t number)
{
	char id[OPENAI_ID];

	return xasprintf("%s/%d", openai_id(id, BATCH_PREFIX, &turn->batch), number);
}

static void set_text(json_t *object, const char *name, const char *text)
{
	if (*text)
		json_object_set_new(object, name, json_string(text));
}

static bool has_batch(const struct model_place *place)
{
	for (size_t i = 0; i < place->tier->candidate_count; i++) {
		const struct candidate *c = &place->tier->candidates[i];

		if (c->endpoint->supports_batch &&
		    (!place->candidate || candidate_is(c, place->candidate)))
			return true;
	}
	return false;
}

/* A day is what providers take for a batch, so the batch lane it is where there is one. */
static const char *lane_of(const struct turn *turn, const struct model_place *place)
{
	if (strcmp(turn->lane, "auto") != 0)
		return turn->lane;
	return has_batch(place) ? "batch" : "normal";
}

static json_t *routing_of(const struct turn *turn, const struct model_place *place)
{
	char deadline[TIMESTAMP_TEXT];

	return json_pack("{s:s, s:s*, s:s, s:s}", "tier", place->tier->name, "candidate",
			 place->candidate, "lane", lane_of(turn, place), "deadline",
			 timestamp_format(deadline, turn->expires_at));
}

/* Who pays, where it runs, and where it comes from. */
static void complete(const struct turn *turn, const struct model_place *place,
		     struct openai_line *line)
{
	json_t *metadata = json_object_get(line->job, "metadata");
	char id[OPENAI_ID];

	if (!metadata) {
		metadata = json_object();
		json_object_set_new(line->job, "metadata", metadata);
	}
	set_text(metadata, "batch_id", openai_id(id, BATCH_PREFIX, &turn->batch));
	set_text(metadata, "custom_id", line->custom_id);
	json_object_set_new(line->job, "version", json_integer(1));
	set_text(line->job, "business_unit", turn->unit);
	set_text(line->job, "feature", turn->feature);
	set_text(line->job, "environment", turn->environment);
	set_text(line->job, "usage_tier", turn->usage_tier);
	set_text(line->job, "task", turn->task);
	json_object_set_new(line->job, "routing", routing_of(turn, place));
}

static bool pack(const struct turn *turn, int32_t number, struct batch_job *job)
{
	AUTO(xfree) char *key = batch_job_key(turn, number);
	AUTO_FINISH(buffer_finish) struct buffer bytes = {0};
	struct json_writer w = {.out = &bytes};
	json_auto_t *nothing = json_object();
	struct envelope_rules rules = {.config = turn->api->config,
				       .reader = turn->api->reader,
				       .defaults = nothing,
				       .key = key};
	struct error err;

	json_put_value(&w, job->line.job);
	if (envelope_pack(&rules, bytes.data, bytes.len, clock_wall(), &job->parcel, &err))
		return true;
	openai_problem_of_job(&job->problem, err.text);
	return false;
}

bool batch_job_make(const struct turn *turn, int32_t number, const char *bytes, size_t len,
		    struct batch_job *job)
{
	struct model_place place;

	*job = (struct batch_job){.problem = {.code = ""}};
	if (!openai_line_read(bytes, len, &job->line, &job->problem))
		return false;
	place = config_model(turn->api->config, job->line.model);
	if (!place.tier) {
		job->problem = (struct openai_problem){.code = "model_not_found", .param = "model"};
		snprintf(job->problem.message, sizeof(job->problem.message),
			 "The model `%.100s` does not exist or you do not have access to it.",
			 job->line.model);
		return false;
	}
	complete(turn, &place, &job->line);
	return pack(turn, number, job);
}

void batch_job_finish(struct batch_job *job)
{
	parcel_finish(&job->parcel);
	openai_line_finish(&job->line);
}
