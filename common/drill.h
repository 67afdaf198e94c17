/*
 * A drill: outages in the order of a script, and what the configuration
 * promises about each of them. The script is YAML; schemas/default-drill.yaml
 * is the one that is used when none is named, and explains every setting.
 *
 *	AUTO(drill_destroy) struct drill *drill = drill_read("drill.yaml", text, len, config, err);
 *	const struct drill_scene *scene = &drill->scenes[0];
 *	drill_outage(config, scene, primary, &outage);
 *	switch (drill_promise(config, scene, task, &outage)) ...
 *
 * Pure: whoever plays it does the talking.
 */
#ifndef SLUICE_DRILL_H
#define SLUICE_DRILL_H

#include <stdbool.h>
#include <stddef.h>

#include "buffer.h"
#include "config.h"

#define DRILL_MAX_SCENES 64
#define DRILL_MAX_TASKS 32
#define DRILL_MAX_MODELS 512

enum drill_kind {
	DRILL_DOWN,	 /* no answer, or one that nobody can read: the breaker opens */
	DRILL_THROTTLED, /* 429: the model is held */
	DRILL_KEY,	 /* the credential's breaker opens */
	DRILL_SLOW,	 /* answers come late; if later than the time-outs: DRILL_DOWN */
};

/* What becomes of jobs meanwhile. */
#define DRILL_PROMISES(X)                                                     \
	X(BY_CONFIG, "")      /* in a script: whatever the config promises */ \
	X(ANSWER, "answer")   /* the model itself, if late */                 \
	X(SPILL, "spill")     /* another candidate of the tier */             \
	X(CHEAPER, "cheaper") /* a cheaper tier */                            \
	X(STATIC, "static")   /* the task's static answer */                  \
	X(PARK, "park")	      /* they wait */

enum drill_promise {
#define DRILL_PROMISE(name, text) DRILL_##name,
	DRILL_PROMISES(DRILL_PROMISE)
#undef DRILL_PROMISE
};

struct drill_scene {
	const char *name;
	char fault[32]; /* as the simulator calls it */
	enum drill_kind kind;
	const char *at; /* "primary", "credential", "tier", or a model */
	const struct tier *tier;
	nsec lasts; /* at least */
	const struct task *tasks[DRILL_MAX_TASKS];
	size_t task_count;
	enum drill_promise expect;
};

struct drill {
	json_t *tree; /* owned; texts borrow from it and from the config */
	int64_t jobs_per_minute;
	nsec spill_within; /* of the breaker's opening */
	struct drill_scene scenes[DRILL_MAX_SCENES];
	size_t scene_count;
};

/* REJECT errors name line and column. The config must outlive the drill. */
struct drill *drill_read(const char *name, const char *yaml, size_t len,
			 const struct config *config, struct error *err) MUST_USE;
void drill_destroy(struct drill *drill);
AUTO_DEFINE(struct drill, drill_destroy)

/* The models that a scene's fault is at, by the provider's dialect: a simulator tells them apart by
 * name only. */
struct drill_outage {
	const char *models[DRILL_MAX_MODELS];
	size_t count;
};

/* `primary`: the candidate that is called first while all is well. */
void drill_outage(const struct config *config, const struct drill_scene *scene,
		  const struct candidate *primary, struct drill_outage *outage);
bool drill_hits(const struct drill_outage *outage, const struct candidate *candidate);

/* As the simulator takes it: "500@gpt-4o-mini=1,500@gpt-5=1". */
void drill_order(const struct drill_scene *scene, const struct drill_outage *outage,
		 struct buffer *out);

/* Whether calls there fail, so that breakers have to open. */
bool drill_breaks(const struct drill_scene *scene, const struct candidate *candidate);

/* What the config (or the script, where it says so) promises jobs of that task. */
enum drill_promise drill_promise(const struct config *config, const struct drill_scene *scene,
				 const struct task *task, const struct drill_outage *outage);

const char *drill_promise_name(enum drill_promise promise); /* "spill" */

#endif
