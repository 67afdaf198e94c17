/*
 * The jobs of a drill: sent at a steady pace, in turn for each of the tasks, and
 * remembered by the part of the scene in which they were sent.
 *
 *	AUTO(load_destroy) struct load *load = load_create(config, jobs_per_minute, err);
 *	load_begin(load, scene);
 *	while (...)
 *		load_run(load, now, err);       -- sends what is due
 *	load->crowds[i].during.ids …
 */
#ifndef SLUICE_CLI_DRILL_LOAD_H
#define SLUICE_CLI_DRILL_LOAD_H

#include "drill.h"
#include "error.h"
#include "ids.h"

enum load_part { LOAD_CALM, LOAD_OUTAGE, LOAD_AFTER, LOAD_PARTS };

/* The jobs of one task. */
struct crowd {
	const struct task *task;
	struct ids parts[LOAD_PARTS];
};

struct load {
	struct crowd crowds[DRILL_MAX_TASKS];
	size_t crowd_count;
	enum load_part part; /* set by whoever plays the scene */
	struct load_work *work;
};

struct load *load_create(const struct config *config, int64_t jobs_per_minute,
			 struct error *err) MUST_USE;
void load_destroy(struct load *load);
AUTO_DEFINE(struct load, load_destroy)

void load_begin(struct load *load, const struct drill_scene *scene, nsec now);
bool load_run(struct load *load, nsec now, struct error *err) MUST_USE;
/* Until Kafka has them all. */
bool load_flush(struct load *load, struct error *err) MUST_USE;

#endif
