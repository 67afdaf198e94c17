/*
 * The four signals of the router, measured on a job: see routing.h, which says
 * what they mean and is what callers use.
 */
#ifndef SLUICE_ROUTING_SIGNALS_H
#define SLUICE_ROUTING_SIGNALS_H

#include "routing.h"

/* Fills signals and tokens of the decision. */
void routing_measure(const struct config *config, const struct job *job, nsec wall,
		     struct routing_decision *decision);

#endif
