#include "drill.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ensure.h"
#include "json.h"
#include "units.h"
#include "yaml.h"

#define SLOW_ANSWER (5 * NSEC_PER_SEC) /* the simulator's "slow", at least */

/* Faults whose consequences the configuration speaks of. */
static const struct {
	const char *name;
	enum drill_kind kind;
} faults[] = {
	{"500", DRILL_DOWN},	    {"502", DRILL_DOWN},      {"503", DRILL_DOWN},
	{"504", DRILL_DOWN},	    {"529", DRILL_DOWN},      {"reset", DRILL_DOWN},
	{"hang_early", DRILL_DOWN}, {"hang", DRILL_DOWN},     {"reset_body", DRILL_DOWN},
	{"truncated", DRILL_DOWN},  {"garbage", DRILL_DOWN},  {"html_200", DRILL_DOWN},
	{"empty_body", DRILL_DOWN}, {"429", DRILL_THROTTLED}, {"429_none", DRILL_THROTTLED},
	{"401", DRILL_KEY},	    {"402", DRILL_KEY},	      {"insufficient_quota", DRILL_KEY},
	{"credit", DRILL_KEY},	    {"slow", DRILL_SLOW},
};

static const char *const promise_names[] = {
#define DRILL_PROMISE(name, text) text,
	DRILL_PROMISES(DRILL_PROMISE)
#undef DRILL_PROMISE
};

const char *drill_promise_name(enum drill_promise promise)
{
	return promise_names[promise];
}

/* --- reading a script --- */

struct reading {
	const struct yaml *doc;
	const struct config *config;
	struct drill *drill;
	struct error *err;
};

/* Whether the members of an object are all among these, up to a NULL. */
static bool knows_members(const struct reading *r, const json_t *object, const char *pointer,
			  const char *const *names)
{
	const char *name;
	json_t *value;

	if (!json_is_object(object))
		return yaml_error(r->doc, pointer, r->err, "this must be a mapping of settings");
	json_object_foreach ((json_t *)(uintptr_t)object, name, value) {
		const char *const *known = names;

		while (*known && strcmp(*known, name) != 0)
			known++;
		if (!*known)
			return yaml_error(r->doc, pointer, r->err,
					  "there is no setting \"%.60s\" here", name);
	}
	return true;
}

static bool read_period(const struct reading *r, const json_t *object, const char *name,
			const char *pointer, nsec *period)
{
	const json_t *value = json_object_get(object, name);

	if (!value)
		return true;
	if (json_is_string(value) && units_duration(json_string_value(value), period))
		return true;
	return yaml_error(r->doc, pointer, r->err, "%s wants " UNITS_DURATION, name);
}

static bool read_fault(const struct reading *r, const json_t *from, const char *pointer,
		       struct drill_scene *scene)
{
	const json_t *value = json_object_get(from, "fault");

	if (json_is_integer(value))
		snprintf(scene->fault, sizeof(scene->fault), "%lld",
			 (long long)json_integer_value(value));
	else
		snprintf(scene->fault, sizeof(scene->fault), "%s", json_text(from, "fault", ""));
	for (size_t i = 0; i < COUNT_OF(faults); i++) {
		if (strcmp(faults[i].name, scene->fault) != 0)
			continue;
		scene->kind = faults[i].kind;
		return true;
	}
	return yaml_error(r->doc, pointer, r->err,
			  "fault: \"%s\" is none that a drill knows; write 500, 429, 401, slow, "
			  "garbage, hang or another of the simulator's outages",
			  scene->fault);
}

static bool read_tier(const struct reading *r, const json_t *from, const char *pointer,
		      struct drill_scene *scene)
{
	const struct config *config = r->config;
	const char *name = json_text(from, "tier", "first");

	scene->tier = config_tier(config, name);
	if (!scene->tier && strcmp(name, "first") == 0)
		scene->tier = &config->tiers[0];
	if (!scene->tier && strcmp(name, "last") == 0)
		scene->tier = &config->tiers[config->tier_count - 1];
	return scene->tier || yaml_error(r->doc, pointer, r->err,
					 "tier: \"%.60s\" is none of the configuration; first and "
					 "last work with any",
					 name);
}

static bool has_fallback(const struct task *task)
{
	return task->cheaper_allowed || *task->static_answer;
}

static void add_task(struct drill_scene *scene, const struct task *task)
{
	if (scene->task_count < DRILL_MAX_TASKS)
		scene->tasks[scene->task_count++] = task;
}

static bool read_tasks(const struct reading *r, const json_t *from, const char *pointer,
		       struct drill_scene *scene)
{
	const json_t *tasks = json_object_get(from, "tasks");
	bool each = strcmp(json_text(from, "tasks", ""), "each") == 0;
	const json_t *name;
	size_t i;

	if (tasks && !each && !json_is_array(tasks))
		return yaml_error(r->doc, pointer, r->err, "tasks: write a list of names, or each");
	json_array_foreach (tasks, i, name) {
		const char *text = json_is_string(name) ? json_string_value(name) : "";
		const struct task *task = config_task(r->config, text);

		if (strcmp(task->name, text) != 0)
			return yaml_error(r->doc, pointer, r->err,
					  "tasks: \"%.60s\" is none of the configuration", text);
		add_task(scene, task);
	}
	if (!json_is_array(tasks))
		add_task(scene, &r->config->tasks[0]);
	for (size_t t = 1; each && t < r->config->task_count; t++)
		if (has_fallback(&r->config->tasks[t]))
			add_task(scene, &r->config->tasks[t]);
	return scene->task_count > 0 ||
	       yaml_error(r->doc, pointer, r->err, "tasks: the list is empty");
}

static bool read_expect(const struct reading *r, const json_t *from, const char *pointer,
			struct drill_scene *scene)
{
	const char *text = json_text(from, "expect", "");

	for (size_t i = 0; i < COUNT_OF(promise_names); i++)
		if (strcmp(promise_names[i], text) == 0) {
			scene->expect = (enum drill_promise)i;
			return true;
		}
	return yaml_error(r->doc, pointer, r->err,
			  "expect: write answer, spill, cheaper, static or park, or leave it out");
}

static bool names_model(const struct config *config, const char *model)
{
	for (size_t t = 0; t < config->tier_count; t++)
		for (size_t c = 0; c < config->tiers[t].candidate_count; c++)
			if (strcmp(config->tiers[t].candidates[c].model, model) == 0)
				return true;
	return false;
}

static bool read_place(const struct reading *r, const json_t *from, const char *pointer,
		       struct drill_scene *scene)
{
	scene->at = json_text(from, "at", scene->kind == DRILL_KEY ? "credential" : "primary");
	if (strcmp(scene->at, "primary") == 0 || strcmp(scene->at, "credential") == 0 ||
	    strcmp(scene->at, "tier") == 0 || names_model(r->config, scene->at))
		return true;
	return yaml_error(r->doc, pointer, r->err,
			  "at: write primary, credential, tier, or a model of the configuration");
}

static bool read_scene(const struct reading *r, const json_t *from, size_t number)
{
	static const char *const names[] = {"name",  "fault", "at",	"tier",
					    "tasks", "lasts", "expect", NULL};
	struct drill_scene *scene = &r->drill->scenes[number];
	char pointer[48];

	snprintf(pointer, sizeof(pointer), "/scenes/%zu", number);
	*scene = (struct drill_scene){.lasts = 10 * NSEC_PER_SEC};
	if (!knows_members(r, from, pointer, names) || !read_fault(r, from, pointer, scene) ||
	    !read_place(r, from, pointer, scene) || !read_tier(r, from, pointer, scene) ||
	    !read_tasks(r, from, pointer, scene) || !read_expect(r, from, pointer, scene) ||
	    !read_period(r, from, "lasts", pointer, &scene->lasts))
		return false;
	scene->name = json_text(from, "name", scene->fault);
	return true;
}

static bool read_pace(const struct reading *r, const json_t *tree)
{
	r->drill->jobs_per_minute = json_integer_or(tree, "jobs_per_minute", 120);
	return (r->drill->jobs_per_minute >= 1 && r->drill->jobs_per_minute <= 60000) ||
	       yaml_error(r->doc, "/jobs_per_minute", r->err,
			  "jobs_per_minute: write a number from 1 to 60000");
}

static bool read_script(const struct reading *r, const json_t *tree)
{
	static const char *const names[] = {"version", "jobs_per_minute", "spill_within", "scenes",
					    NULL};
	const json_t *scenes = json_object_get(tree, "scenes"), *scene;
	size_t i;

	r->drill->spill_within = 2 * NSEC_PER_SEC;
	if (!knows_members(r, tree, "", names) || !read_pace(r, tree) ||
	    !read_period(r, tree, "spill_within", "/spill_within", &r->drill->spill_within))
		return false;
	if (json_integer_or(tree, "version", 1) != 1)
		return yaml_error(r->doc, "/version", r->err, "version: only 1 is known");
	if (json_array_size(scenes) == 0 || json_array_size(scenes) > DRILL_MAX_SCENES)
		return yaml_error(r->doc, "/scenes", r->err, "scenes: write 1 to %d of them",
				  DRILL_MAX_SCENES);
	json_array_foreach (scenes, i, scene)
		if (!read_scene(r, scene, i))
			return false;
	r->drill->scene_count = json_array_size(scenes);
	return true;
}

struct drill *drill_read(const char *name, const char *yaml, size_t len,
			 const struct config *config, struct error *err)
{
	AUTO(drill_destroy) struct drill *drill = xcalloc(1, sizeof(*drill));
	AUTO(yaml_destroy) struct yaml *doc = yaml_read(name, yaml, len, err);
	struct reading r = {.doc = doc, .config = config, .drill = drill, .err = err};

	if (!doc)
		return NULL;
	drill->tree = json_incref(yaml_tree(doc));
	return read_script(&r, drill->tree) ? TAKE(drill) : NULL;
}

void drill_destroy(struct drill *drill)
{
	if (!drill)
		return;
	json_decref(drill->tree);
	free(drill);
}

/* --- what is out of order --- */

static void add_model(struct drill_outage *outage, const char *model)
{
	for (size_t i = 0; i < outage->count; i++)
		if (strcmp(outage->models[i], model) == 0)
			return;
	if (outage->count < DRILL_MAX_MODELS)
		outage->models[outage->count++] = model;
}

static void add_tier(struct drill_outage *outage, const struct tier *tier,
		     const struct endpoint *endpoint)
{
	for (size_t c = 0; c < tier->candidate_count; c++)
		if (!endpoint || tier->candidates[c].endpoint == endpoint)
			add_model(outage, tier->candidates[c].model);
}

void drill_outage(const struct config *config, const struct drill_scene *scene,
		  const struct candidate *primary, struct drill_outage *outage)
{
	outage->count = 0;
	if (strcmp(scene->at, "tier") == 0)
		add_tier(outage, scene->tier, NULL);
	else if (strcmp(scene->at, "primary") == 0)
		add_model(outage, primary->model);
	else if (strcmp(scene->at, "credential") != 0)
		add_model(outage, scene->at);
	else
		for (size_t t = 0; t < config->tier_count; t++)
			add_tier(outage, &config->tiers[t], primary->endpoint);
}

bool drill_hits(const struct drill_outage *outage, const struct candidate *candidate)
{
	for (size_t i = 0; i < outage->count; i++)
		if (strcmp(outage->models[i], candidate->model) == 0)
			return true;
	return false;
}

void drill_order(const struct drill_scene *scene, const struct drill_outage *outage,
		 struct buffer *out)
{
	for (size_t i = 0; i < outage->count; i++)
		buffer_printf(out, "%s%s@%s=1", i > 0 ? "," : "", scene->fault, outage->models[i]);
}

bool drill_breaks(const struct drill_scene *scene, const struct candidate *candidate)
{
	const struct endpoint *endpoint = candidate->endpoint;

	if (scene->kind == DRILL_SLOW)
		return endpoint->first_byte_timeout < SLOW_ANSWER ||
		       endpoint->total_timeout < SLOW_ANSWER;
	return scene->kind != DRILL_THROTTLED;
}

/* --- what is promised --- */

/* Any candidate of the tier that goes on as before. */
static bool goes_on(const struct tier *tier, const struct drill_outage *outage)
{
	for (size_t c = 0; c < tier->candidate_count; c++)
		if (!drill_hits(outage, &tier->candidates[c]))
			return true;
	return false;
}

static bool cheaper_goes_on(const struct config *config, const struct tier *tier,
			    const struct drill_outage *outage)
{
	for (size_t i = 0; i < tier->rank; i++)
		if (goes_on(&config->tiers[i], outage))
			return true;
	return false;
}

/* Slow answers that still come in time stop nothing. */
static bool stops_nothing(const struct drill_scene *scene, const struct drill_outage *outage)
{
	for (size_t c = 0; c < scene->tier->candidate_count; c++) {
		const struct candidate *candidate = &scene->tier->candidates[c];

		if (drill_hits(outage, candidate) &&
		    (scene->kind != DRILL_SLOW || drill_breaks(scene, candidate)))
			return false;
	}
	return true;
}

enum drill_promise drill_promise(const struct config *config, const struct drill_scene *scene,
				 const struct task *task, const struct drill_outage *outage)
{
	if (scene->expect != DRILL_BY_CONFIG)
		return scene->expect;
	if (stops_nothing(scene, outage))
		return DRILL_ANSWER;
	if (goes_on(scene->tier, outage))
		return DRILL_SPILL;
	if (scene->kind == DRILL_THROTTLED) /* a hold is short: it is waited for */
		return DRILL_PARK;
	if (task->cheaper_allowed && cheaper_goes_on(config, scene->tier, outage))
		return DRILL_CHEAPER;
	return *task->static_answer ? DRILL_STATIC : DRILL_PARK;
}
