/*
 * One scene of a drill: jobs flow, an outage comes, and what becomes of the jobs
 * is compared with what the configuration promises.
 *
 *	calm     until jobs are answered; whoever answers most of them is the primary
 *	outage   until what was promised is seen, or patience ends
 *	after    until the primary answers again, and every job has ended
 */
#ifndef SLUICE_CLI_DRILL_PLAY_H
#define SLUICE_CLI_DRILL_PLAY_H

#include "drill.h"
#include "drill_load.h"
#include "drill_stage.h"
#include "session.h"

struct drill_play {
	struct session *session;
	const struct drill *drill;
	struct stage *stage;
	struct load *load;
	int64_t workers; /* alive at the start */
	struct table *table;
	size_t kept, broken;
};

/* Adds a row a promise. False: it could not be played to its end, or was interrupted. */
bool drill_play(struct drill_play *play, const struct drill_scene *scene,
		struct error *err) MUST_USE;

/* SIGINT and SIGTERM end the scene, so that the stage can be set right. */
void drill_heed_signals(void);

#endif
