#include "weather.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "ensure.h"
#include "log.h"

#define LOOK_EVERY (10 * NSEC_PER_SEC)
#define QUEUE_EVERY (2 * NSEC_PER_SEC) /* or, where queues are long, … */
#define QUEUE_SHARE 50		       /* … so often that looking takes a fiftieth of the time */
#define LOOKED_BACK 20.0	       /* seconds, as in weather.sql */

struct weather {
	struct api *api;
	struct pg_rows *rows; /* of the last look; NULL: none yet */
	nsec look_at;
	bool looking;
	struct pg_rows *queue; /* marks along the queues; NULL: none yet */
	nsec queue_at;
	nsec queue_asked_at;
	bool queue_looking;
};

enum { QUEUE_TIER, QUEUE_LANE, QUEUE_PLACE, QUEUE_CREATED };
enum { WEATHER_TIER, WEATHER_LANE, WEATHER_TASK, WEATHER_CALLS, WEATHER_OUTPUT };

struct weather *weather_create(struct api *api)
{
	struct weather *weather = xcalloc(1, sizeof(*weather));

	weather->api = api;
	return weather;
}

void weather_destroy(struct weather *weather)
{
	if (!weather)
		return;
	pg_rows_destroy(weather->rows);
	pg_rows_destroy(weather->queue);
	free(weather);
}

static void looked(struct api *api, void *owner, struct pg_answer *answer)
{
	struct weather *weather = owner;

	(void)api;
	weather->looking = false;
	if (!answer->rows) {
		log_warn("weather_not_read", "why=%s", answer->error.text);
		return;
	}
	pg_rows_destroy(weather->rows);
	weather->rows = TAKE(answer->rows);
}

static void looked_along(struct api *api, void *owner, struct pg_answer *answer)
{
	struct weather *weather = owner;
	nsec now = clock_now(), pause = QUEUE_SHARE * (now - weather->queue_asked_at);

	(void)api;
	weather->queue_looking = false;
	weather->queue_at = now + (pause > QUEUE_EVERY ? pause : QUEUE_EVERY);
	if (!answer->rows) {
		log_warn("queue_not_read", "why=%s", answer->error.text);
		return;
	}
	pg_rows_destroy(weather->queue);
	weather->queue = TAKE(answer->rows);
}

static void look_along_queues(struct weather *weather, nsec now)
{
	if (weather->queue_looking || now < weather->queue_at)
		return;
	weather->queue_asked_at = now;
	weather->queue_looking = api_ask(weather->api, API_SLOW, "queue", NULL, looked_along,
					 weather);
}

void weather_run(struct weather *weather, nsec now)
{
	look_along_queues(weather, now);
	if (weather->looking || now < weather->look_at ||
	    !api_ask(weather->api, API_SLOW, "weather", NULL, looked, weather))
		return;
	weather->looking = true;
	weather->look_at = now + LOOK_EVERY;
}

double weather_rate(const struct weather *weather, const char *tier, const char *lane)
{
	const struct pg_rows *rows = weather->rows;
	int64_t calls = 0;

	for (int row = 0; rows && row < pg_count(rows); row++)
		if (strcmp(pg_get_text(rows, row, WEATHER_TIER), tier) == 0 &&
		    strcmp(pg_get_text(rows, row, WEATHER_LANE), lane) == 0)
			calls += pg_get_int(rows, row, WEATHER_CALLS);
	return (double)calls / LOOKED_BACK;
}

int64_t weather_ahead(const struct weather *weather, const char *tier, const char *lane, nsec wall)
{
	const struct pg_rows *rows = weather->queue;
	int64_t ahead = 0;

	for (int row = 0; rows && row < pg_count(rows); row++)
		if (strcmp(pg_get_text(rows, row, QUEUE_TIER), tier) == 0 &&
		    strcmp(pg_get_text(rows, row, QUEUE_LANE), lane) == 0 &&
		    pg_get_time(rows, row, QUEUE_CREATED) < wall)
			ahead = pg_get_int(rows, row, QUEUE_PLACE);
	return ahead;
}

int64_t weather_waiting(const struct weather *weather, const char *tier, const char *lane)
{
	return weather_ahead(weather, tier, lane, UINT64_MAX);
}

int64_t weather_output(const struct weather *weather, const char *task)
{
	const struct pg_rows *rows = weather->rows;
	int64_t calls = 0, output = 0;

	for (int row = 0; rows && row < pg_count(rows); row++) {
		if (strcmp(pg_get_text(rows, row, WEATHER_TASK), task) != 0)
			continue;
		calls += pg_get_int(rows, row, WEATHER_CALLS);
		output += pg_get_int(rows, row, WEATHER_OUTPUT);
	}
	return calls > 0 ? output / calls : 0;
}
