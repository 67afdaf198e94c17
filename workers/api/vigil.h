/*
 * Long polls: exchanges that wait for the end of a job, looked for together a
 * few times a second, so that a thousand of them cost one small question.
 *
 *	vigil_keep(vigil, x);           -- then vigil_over(x) is called, ended or not
 */
#ifndef API_VIGIL_H
#define API_VIGIL_H

#include "exchange.h"

struct vigil *vigil_create(struct api *api);
void vigil_destroy(struct vigil *vigil);

/* Until the job of x ends or x->wait_until. */
void vigil_keep(struct vigil *vigil, struct exchange *x);
void vigil_run(struct vigil *vigil, nsec now);
nsec vigil_wake_at(const struct vigil *vigil); /* UINT64_MAX: nobody waits */

/* In jobs.c: the wait is over. */
void vigil_over(struct exchange *x);

#endif
