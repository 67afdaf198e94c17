#include "failpoint.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "clock.h"
#include "ensure.h"
#include "units.h"

static const struct {
	const char *name;
	const char *step;
} places[] = {
#define PLACE(name, step) {#name, step},
	FAILPOINTS_LIST(PLACE)
#undef PLACE
};
_Static_assert(COUNT_OF(places) <= FAILPOINTS_MAX, "the plan holds every place");

static const struct {
	const char *name;
	enum failpoint_action action;
} actions[] = {
	{"crash", FAILPOINT_CRASH},
	{"segv", FAILPOINT_SEGV},
	{"stall", FAILPOINT_STALL},
	{"error", FAILPOINT_FAIL},
};

static const char *const action_names[] = {
	[FAILPOINT_NONE] = "none",   [FAILPOINT_CRASH] = "crash", [FAILPOINT_SEGV] = "segv",
	[FAILPOINT_STALL] = "stall", [FAILPOINT_FAIL] = "error",
};

/* Index in the list, or its length. */
static size_t find_place(const char *name, size_t len)
{
	size_t i = 0;

	while (i < COUNT_OF(places) &&
	       (strlen(places[i].name) != len || memcmp(places[i].name, name, len) != 0))
		i++;
	return i;
}

const char *failpoint_step(const char *name)
{
	size_t place = find_place(name, strlen(name));

	return place < COUNT_OF(places) ? places[place].step : NULL;
}

/* --- reading the plan --- */

static bool parse_when(struct failpoint *point, const char *text, struct error *err)
{
	char *end;

	if (strchr(text, '.')) {
		point->chance = strtod(text, &end);
		if (*end == '\0' && point->chance >= 0 && point->chance <= 1)
			return true;
	} else {
		point->nth = strtoull(text, &end, 10);
		if (*end == '\0' && point->nth > 0 && text[0] != '-')
			return true;
	}
	return error_set(err, ERROR_FATAL,
			 "failpoint: \"@%s\" is neither a hit (@3) nor a probability (@0.1)", text);
}

static bool parse_action(struct failpoint *point, char *text, struct error *err)
{
	char *argument = strchr(text, ':');

	if (argument)
		*argument++ = '\0';
	for (size_t i = 0; i < COUNT_OF(actions); i++)
		if (strcmp(actions[i].name, text) == 0)
			point->action = actions[i].action;
	if (point->action == FAILPOINT_NONE)
		return error_set(
			err, ERROR_FATAL,
			"failpoint: no action \"%s\"; there are crash, segv, stall:DURATION, "
			"error",
			text);
	if ((point->action == FAILPOINT_STALL) != (argument != NULL))
		return error_set(err, ERROR_FATAL,
				 "failpoint: stall, and only stall, takes a duration");
	if (argument && !units_duration(argument, &point->stall))
		return error_set(err, ERROR_FATAL, "failpoint: \"%s\" is not " UNITS_DURATION,
				 argument);
	return true;
}

/* "K07=crash@3" */
static bool parse_one(struct failpoint_plan *plan, char *text, struct error *err)
{
	size_t name_len = strcspn(text, "=");
	size_t place = find_place(text, name_len);
	struct failpoint point = {0};
	char *when = strchr(text, '@');

	if (place == COUNT_OF(places) || text[name_len] != '=')
		return error_set(err, ERROR_FATAL, "failpoint: no place \"%.*s\"; see failpoint.h",
				 (int)name_len, text);
	if (when)
		*when++ = '\0';
	if (!parse_action(&point, text + name_len + 1, err))
		return false;
	if (point.action == FAILPOINT_CRASH || point.action == FAILPOINT_SEGV)
		point.nth = when ? 0 : 1;
	point.chance = 1;
	plan->points[place] = point;
	return !when || parse_when(&plan->points[place], when, err);
}

bool failpoint_plan_parse(struct failpoint_plan *plan, const char *text, uint64_t seed,
			  struct error *err)
{
	AUTO(xfree) char *copy = xstrdup(text);
	char *rest = copy;

	memset(plan, 0, sizeof(*plan));
	random_seed(&plan->random, seed);
	for (char *one; (one = strsep(&rest, ","));)
		if (*one && !parse_one(plan, one, err))
			return false;
	return true;
}

enum failpoint_action failpoint_plan_hit(struct failpoint_plan *plan, const char *name,
					 uint64_t *stall)
{
	size_t place = find_place(name, strlen(name));
	struct failpoint *point = &plan->points[place];

	ENSURE(place < COUNT_OF(places));
	if (point->action == FAILPOINT_NONE)
		return FAILPOINT_NONE;
	point->hits++;
	*stall = point->stall;
	if (point->nth > 0)
		return point->hits == point->nth ? point->action : FAILPOINT_NONE;
	return random_unit(&plan->random) < point->chance ? point->action : FAILPOINT_NONE;
}

/* --- the process's own plan --- */

static struct failpoint_plan process_plan;
static bool process_has_plan;
static pthread_mutex_t process_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_once_t process_once = PTHREAD_ONCE_INIT;

static void read_environment(void)
{
	const char *text = getenv("SLUICE_FAILPOINTS");
	const char *seed = getenv("SLUICE_FAILPOINT_SEED");
	struct error err;

	if (!text || !*text)
		return;
	if (!failpoint_plan_parse(&process_plan, text, seed ? strtoull(seed, NULL, 10) : 0, &err)) {
		fprintf(stderr, "SLUICE_FAILPOINTS: %s\n", err.text);
		_exit(2);
	}
	process_has_plan = true;
}

/* The driver of a test reads this to know that its fault was no blank. */
static void tell(const char *name, enum failpoint_action action)
{
	const char *path = getenv("SLUICE_FAILPOINT_LOG");
	char line[96];
	int len = snprintf(line, sizeof(line), "%s %s pid=%d\n", name, action_names[action],
			   (int)getpid());
	int fd = path ? open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644) : -1;

	if (fd < 0)
		return;
	if (write(fd, line, (size_t)len) != len)
		perror(path);
	close(fd);
}

static void stall_for(nsec duration)
{
	struct timespec left = {.tv_sec = (time_t)(duration / NSEC_PER_SEC),
				.tv_nsec = (long)(duration % NSEC_PER_SEC)};

	while (nanosleep(&left, &left) != 0)
		;
}

bool failpoint_hit(const char *name)
{
	enum failpoint_action action;
	uint64_t stall = 0;

	pthread_once(&process_once, read_environment);
	if (!process_has_plan)
		return false;
	pthread_mutex_lock(&process_lock);
	action = failpoint_plan_hit(&process_plan, name, &stall);
	pthread_mutex_unlock(&process_lock);
	if (action == FAILPOINT_NONE)
		return false;
	tell(name, action);
	if (action == FAILPOINT_CRASH)
		kill(getpid(), SIGKILL);
	if (action == FAILPOINT_SEGV)
		raise(SIGSEGV);
	if (action == FAILPOINT_STALL)
		stall_for(stall);
	return action == FAILPOINT_FAIL;
}
