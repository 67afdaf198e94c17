/*
 * Webhooks that are due, posted beside the worker's own calls.
 *
 *	hooks_run(w->hooks, now);               -- once a round
 *	hooks_hurry(w->hooks, now);             -- one was just owed
 */
#ifndef SYNC_HOOKS_H
#define SYNC_HOOKS_H

#include "worker.h"

struct hooks *hooks_create(struct worker *w, struct error *err) MUST_USE;
void hooks_destroy(struct hooks *hooks);

void hooks_run(struct hooks *hooks, nsec now);
void hooks_answer(struct hooks *hooks, struct request *request, struct pg_answer *answer, nsec now);
void hooks_hurry(struct hooks *hooks, nsec now);
bool hooks_idle(const struct hooks *hooks); /* nothing on the wire or to be recorded */

/* What to wait for with the worker's own calls, and for how long at most. */
struct http_descriptor hooks_descriptor(const struct hooks *hooks);
nsec hooks_nap(const struct hooks *hooks, nsec now, nsec longest);

#endif
