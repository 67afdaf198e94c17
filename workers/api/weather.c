#include "weather.h"

#include <stdlib.h>
#include <string.h>

#include "ensure.h"
#include "log.h"

#define LOOK_EVERY (10 * NSEC_PER_SEC)
#define LOOKED_BACK 20.0 /* seconds, as in weather.sql */

struct weather {
	struct api *api;
	struct pg_rows *rows; /* of the last look; NULL: none yet */
	nsec look_at;
	bool looking;
};

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

void weather_run(struct weather *weather, nsec now)
{
	if (weather->looking || now < weather->look_at ||
	    !api_ask(weather->api, API_SLOW, "weather", NULL, looked, weather))
		return;
	weather->looking = true;
	weather->look_at = now + LOOK_EVERY;
}

static int64_t sum(const struct weather *weather, const char *tier, const char *lane, bool waiting)
{
	const struct pg_rows *rows = weather->rows;
	int64_t total = 0;

	for (int row = 0; rows && row < pg_count(rows); row++)
		if (pg_is_null(rows, row, WEATHER_TASK) == waiting &&
		    strcmp(pg_get_text(rows, row, WEATHER_TIER), tier) == 0 &&
		    strcmp(pg_get_text(rows, row, WEATHER_LANE), lane) == 0)
			total += pg_get_int(rows, row, WEATHER_CALLS);
	return total;
}

double weather_rate(const struct weather *weather, const char *tier, const char *lane)
{
	return (double)sum(weather, tier, lane, false) / LOOKED_BACK;
}

int64_t weather_waiting(const struct weather *weather, const char *tier, const char *lane)
{
	return sum(weather, tier, lane, true);
}

int64_t weather_output(const struct weather *weather, const char *task)
{
	const struct pg_rows *rows = weather->rows;
	int64_t calls = 0, output = 0;

	for (int row = 0; rows && row < pg_count(rows); row++) {
		if (pg_is_null(rows, row, WEATHER_TASK) ||
		    strcmp(pg_get_text(rows, row, WEATHER_TASK), task) != 0)
			continue;
		calls += pg_get_int(rows, row, WEATHER_CALLS);
		output += pg_get_int(rows, row, WEATHER_OUTPUT);
	}
	return calls > 0 ? output / calls : 0;
}
