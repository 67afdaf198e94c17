#include "turns.h"

#include <stdlib.h>
#include <string.h>

#include "ensure.h"
#include "log.h"

#define IN_HAND 8 /* batches at a time */
#define TAKE_EVERY (NSEC_PER_SEC / 2)

struct turns {
	struct api *api;
	struct turn *first;
	size_t count;
	nsec take_at;
	bool taking;
};

struct turns *turns_create(struct api *api)
{
	struct turns *turns = xcalloc(1, sizeof(*turns));

	turns->api = api;
	return turns;
}

static void drop(struct turn *turn)
{
	char *texts[] = {turn->unit,	   turn->key,  turn->feature, turn->environment,
			 turn->usage_tier, turn->task, turn->lane};

	if (turn->step && turn->step->drop)
		turn->step->drop(turn);
	for (size_t i = 0; i < COUNT_OF(texts); i++)
		free(texts[i]);
	file_lines_finish(&turn->lines);
	free(turn);
}

void turns_destroy(struct turns *turns)
{
	if (!turns)
		return;
	while (turns->first) {
		struct turn *turn = turns->first;

		turns->first = turn->next;
		drop(turn);
	}
	free(turns);
}

void turns_hurry(struct turns *turns)
{
	turns->take_at = 0;
}

/* --- for the steps --- */

void turn_end(struct turn *turn)
{
	turn->over = true;
}

static void answered(struct api *api, void *owner, struct pg_answer *answer)
{
	struct turn *turn = owner;
	turn_then *then = turn->then;

	(void)api;
	turn->open--;
	if (turn->over)
		return;
	if (!answer->rows) {
		log_warn("batch_step_failed", "step=%s why=%s", turn->step->name,
			 answer->error.text);
		turn_end(turn); /* it is taken again */
	} else if (turn->open == 0 && then) {
		turn->then = NULL;
		then(turn, answer->rows);
	}
}

void turn_ask(struct turn *turn, int which, const char *statement, struct pg_args *args,
	      turn_then *then)
{
	if (!api_ask(turn->api, which, statement, args, answered, turn)) {
		turn_end(turn);
		return;
	}
	turn->open++;
	if (then)
		turn->then = then;
}

struct pg_args *turn_args(const struct turn *turn)
{
	struct pg_args *args = pg_args_create();

	pg_uuid(args, &turn->batch);
	pg_int(args, turn->number);
	return args;
}

bool turn_holds(struct turn *turn, const struct pg_rows *rows)
{
	bool holds = pg_count(rows) > 0 && pg_get_int(rows, 0, 0) > 0;

	if (!holds)
		turn_end(turn);
	return holds;
}

void turn_next(struct turn *turn, const struct pg_rows *rows)
{
	(void)rows;
	turns_hurry(turn->api->turns);
	turn_end(turn);
}

void turn_step_to(struct turn *turn, const char *to)
{
	struct pg_args *args = turn_args(turn);

	pg_string(args, turn->step->name);
	pg_string(args, to);
	turn_ask(turn, API_FILES, "batch_step", args, turn_next);
}

static void told_piece(struct turn *turn, const struct pg_rows *rows)
{
	const char *bytes;
	size_t len;

	if (pg_count(rows) == 0) {
		file_lines_end(&turn->lines);
		return;
	}
	bytes = pg_get_bytes(rows, 0, 0, &len);
	file_lines_feed(&turn->lines, bytes, len);
}

void turn_want_piece(struct turn *turn)
{
	struct pg_args *args = pg_args_create();

	pg_uuid(args, &turn->input);
	pg_int(args, turn->lines.pieces);
	turn_ask(turn, API_FILES, "file_chunk", args, told_piece);
}

/* --- taking them --- */

enum {
	TURN_BATCH,
	TURN_NUMBER,
	TURN_STEP,
	TURN_INPUT,
	TURN_ADMITTED,
	TURN_TOTAL,
	TURN_UNIT,
	TURN_KEY,
	TURN_FEATURE,
	TURN_ENVIRONMENT,
	TURN_USAGE_TIER,
	TURN_TASK,
	TURN_LANE,
	TURN_EXPIRES,
	TURN_STATE,
};

static const struct turn_step *step_named(const char *name)
{
	static const struct turn_step *const steps[] = {&turn_check, &turn_admit, &turn_watch,
							&turn_cancel, &turn_write};
	size_t i = 0;

	while (strcmp(steps[i]->name, name) != 0)
		ENSURE(++i < COUNT_OF(steps)); /* the table says so */
	return steps[i];
}

static char *copy(const struct pg_rows *rows, int row, int column)
{
	return xstrdup(pg_get_text(rows, row, column));
}

static void begin(struct turns *turns, const struct pg_rows *rows, int row)
{
	struct turn *turn = xcalloc(1, sizeof(*turn));

	turn->api = turns->api;
	turn->batch = pg_get_uuid(rows, row, TURN_BATCH);
	turn->number = (int32_t)pg_get_int(rows, row, TURN_NUMBER);
	turn->step = step_named(pg_get_text(rows, row, TURN_STEP));
	turn->input = pg_get_uuid(rows, row, TURN_INPUT);
	turn->admitted = (int32_t)pg_get_int(rows, row, TURN_ADMITTED);
	turn->total = (int32_t)pg_get_int(rows, row, TURN_TOTAL);
	turn->unit = copy(rows, row, TURN_UNIT);
	turn->key = copy(rows, row, TURN_KEY);
	turn->feature = copy(rows, row, TURN_FEATURE);
	turn->environment = copy(rows, row, TURN_ENVIRONMENT);
	turn->usage_tier = copy(rows, row, TURN_USAGE_TIER);
	turn->task = copy(rows, row, TURN_TASK);
	turn->lane = copy(rows, row, TURN_LANE);
	turn->expires_at = pg_get_time(rows, row, TURN_EXPIRES);
	turn->cancelling = strcmp(pg_get_text(rows, row, TURN_STATE), "cancelling") == 0;
	turn->lines.most = turns->api->config->kafka.max_message_bytes;
	turn->next = turns->first;
	turns->first = turn;
	turns->count++;
	if (turn->step->begin)
		turn->step->begin(turn);
}

static void taken(struct api *api, void *owner, struct pg_answer *answer)
{
	struct turns *turns = owner;

	(void)api;
	turns->taking = false;
	if (!answer->rows) {
		log_warn("batches_not_taken", "why=%s", answer->error.text);
		return;
	}
	for (int row = 0; row < pg_count(answer->rows); row++)
		begin(turns, answer->rows, row);
}

static void take(struct turns *turns, nsec now)
{
	struct pg_args *args;

	if (turns->taking || turns->api->stop_at || now < turns->take_at || turns->count >= IN_HAND)
		return;
	args = pg_args_create();
	pg_int(args, (int32_t)(IN_HAND - turns->count));
	turns->taking = api_ask(turns->api, API_FILES, "batch_take", args, taken, turns);
	turns->take_at = now + TAKE_EVERY;
}

/* --- the wheel --- */

static void let_go(struct turns *turns)
{
	struct turn **link = &turns->first;

	while (*link) {
		struct turn *turn = *link;

		if (!turn->over || turn->open > 0) {
			link = &turn->next;
			continue;
		}
		*link = turn->next;
		turns->count--;
		drop(turn);
	}
}

static bool is_due(const struct turn *turn, nsec now)
{
	return !turn->over && turn->open == 0 && now >= turn->wake_at;
}

void turns_run(struct turns *turns, nsec now)
{
	if (!turns->api->stop_at)
		for (struct turn *turn = turns->first; turn; turn = turn->next)
			if (is_due(turn, now))
				turn->step->run(turn);
	let_go(turns);
	take(turns, now);
}

nsec turns_wake_at(const struct turns *turns)
{
	nsec at = turns->taking || turns->count >= IN_HAND ? UINT64_MAX : turns->take_at;

	if (turns->api->stop_at)
		return UINT64_MAX;
	for (const struct turn *turn = turns->first; turn; turn = turn->next)
		if (!turn->over && turn->open == 0 && turn->wake_at < at)
			at = turn->wake_at;
	return at;
}
