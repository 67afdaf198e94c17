/*
 * The simulators that stand in for the providers of a configuration: found,
 * made sure to be simulators, ordered about, and set right at the end.
 *
 *	AUTO(stage_destroy) struct stage *stage = stage_open(config, err);
 *	stage_order(stage, "500@gpt-4o-mini=1", err);
 *	stage_order(stage, "", err);            -- everything works again
 *
 * Whatever is not on this host and not marked `staging`, or does not answer as a
 * simulator, is refused: a drill never touches a real provider.
 */
#ifndef SLUICE_CLI_DRILL_STAGE_H
#define SLUICE_CLI_DRILL_STAGE_H

#include "compiler.h"
#include "config.h"
#include "error.h"

struct stage;

struct stage *stage_open(const struct config *config, struct error *err) MUST_USE;
void stage_destroy(struct stage *stage); /* faults stay: order "" first */
AUTO_DEFINE(struct stage, stage_destroy)

/* These faults and no others, in all simulators. "": none. */
bool stage_order(struct stage *stage, const char *faults, struct error *err) MUST_USE;

#endif
