/*
 * How fast work flows just now, measured: calls a second and the length of
 * answers, by tier, lane and task, and how many accepted jobs wait. For
 * estimates; nothing hangs on it.
 */
#ifndef API_WEATHER_H
#define API_WEATHER_H

#include <stdint.h>

#include "api.h"

struct weather *weather_create(struct api *api);
void weather_destroy(struct weather *weather);
void weather_run(struct weather *weather, nsec now);

/* Calls a second of a tier's lane; 0: none were made lately. */
double weather_rate(const struct weather *weather, const char *tier, const char *lane);

/* Accepted jobs that waited for a worker there when it was looked last: all, or those accepted
 * before `wall`. */
int64_t weather_waiting(const struct weather *weather, const char *tier, const char *lane);
int64_t weather_ahead(const struct weather *weather, const char *tier, const char *lane, nsec wall);

/* Mean length of a task's answers in tokens; 0: not measured. */
int64_t weather_output(const struct weather *weather, const char *task);

#endif
