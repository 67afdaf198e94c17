/*
 * The first step of a batch: every line of its file is read and made a job in
 * thought. If all are good their ids are noted, and they may be run; if one is
 * bad none is, and the batch tells which lines are wrong and why.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "batch_job.h"
#include "digest.h"
#include "ensure.h"
#include "json.h"
#include "utf8.h"

#define MOST_LINES 50000
#define MOST_ERRORS 100
#define SLICE 25 /* lines between two looks at everything else */
#define GROUP 500
#define SLOTS (1u << 17) /* of custom ids; more than twice the lines */

struct seen {
	uint8_t bytes[16];
};

struct check {
	struct seen *seen; /* digests of custom ids, a table that is never full; zero: free */
	struct pg_args *group;
	int lines, jobs, ids; /* its arrays */
	int32_t in_group;
	int32_t count;
	json_t *errors; /* owned: array */
	char model[128];
	bool several; /* models */
	bool all;     /* were read */
};

static void open_group(struct turn *turn, struct check *c)
{
	c->group = turn_args(turn);
	c->lines = pg_array(c->group, PG_INT4);
	c->jobs = pg_array(c->group, PG_UUID);
	c->ids = pg_array(c->group, PG_TEXT);
	c->in_group = 0;
}

static void begin(struct turn *turn)
{
	struct check *c = xcalloc(1, sizeof(*c));

	c->seen = xcalloc(SLOTS, sizeof(*c->seen));
	c->errors = json_array();
	turn->data = c;
	open_group(turn, c);
}

static void drop(struct turn *turn)
{
	struct check *c = turn->data;

	pg_args_destroy(c->group);
	json_decref(c->errors);
	free(c->seen);
	free(c);
}

/* --- lines --- */

/* Whether this custom id came before. */
static bool note_id(struct check *c, const char *custom_id)
{
	static const struct seen none;
	struct digest digest = digest_of(custom_id, strlen(custom_id));
	uint32_t slot;

	memcpy(&slot, digest.bytes + 16, sizeof(slot));
	for (slot %= SLOTS; memcmp(&c->seen[slot], &none, sizeof(none)) != 0;
	     slot = (slot + 1) % SLOTS)
		if (memcmp(&c->seen[slot], digest.bytes, sizeof(none)) == 0)
			return true;
	memcpy(&c->seen[slot], digest.bytes, sizeof(none));
	return false;
}

static void note_error(struct check *c, int32_t line, const char *code, const char *param,
		       const char *message)
{
	json_t *at = line > 0 ? json_integer(line) : json_null();
	json_t *what = *param ? json_lenient_string(param, strlen(param)) : json_null();

	json_array_append_new(c->errors, json_pack("{s:s, s:o, s:o, s:o}", "code", code, "message",
						   json_lenient_string(message, strlen(message)),
						   "param", what, "line", at));
}

static void note_model(struct check *c, const char *model)
{
	if (c->count == 1)
		utf8_copy(c->model, sizeof(c->model), model);
	c->several |= strlen(model) >= sizeof(c->model) || strcmp(c->model, model) != 0;
}

static void note_line(struct turn *turn, struct check *c, const struct batch_job *job)
{
	int32_t number = turn->lines.number;

	note_model(c, job->line.model);
	pg_push_int(c->group, c->lines, number);
	pg_push_uuid(c->group, c->jobs, &job->parcel.id);
	pg_push_string(c->group, c->ids, job->line.custom_id);
	c->in_group++;
}

static void check_line(struct turn *turn, struct check *c, const char *bytes, size_t len)
{
	struct batch_job job;
	bool good = batch_job_make(turn, turn->lines.number, bytes, len, &job);
	int32_t number = turn->lines.number;

	c->count++;
	if (*job.line.custom_id && note_id(c, job.line.custom_id))
		note_error(c, number, "duplicate_custom_id", "custom_id",
			   "The custom_id of this line is that of another line before it; it must "
			   "be unique in its batch.");
	if (!good)
		note_error(c, number, job.problem.code, job.problem.param, job.problem.message);
	else if (json_array_size(c->errors) == 0)
		note_line(turn, c, &job);
	batch_job_finish(&job);
}

static void refuse_long(struct turn *turn, struct check *c)
{
	char message[160];

	snprintf(message, sizeof(message),
		 "This line is longer than a request may be here, which is %zu bytes.",
		 turn->lines.most);
	c->count++;
	note_error(c, turn->lines.number, "line_too_long", "", message);
}

/* --- the end --- */

static void tell_errors(struct turn *turn, struct check *c)
{
	json_auto_t *errors = json_pack("{s:s, s:O}", "object", "list", "data", c->errors);
	AUTO(xfree) char *text = json_write(errors);
	struct pg_args *args = turn_args(turn);

	pg_string(args, text);
	turn_ask(turn, API_FILES, "batch_fail", args, turn_next);
}

static void begin_jobs(struct turn *turn, struct check *c)
{
	struct pg_args *args = turn_args(turn);

	pg_int(args, c->count);
	pg_string(args, c->several ? "" : c->model);
	turn_ask(turn, API_FILES, "batch_begin", args, turn_next);
}

static void noted(struct turn *turn, const struct pg_rows *rows)
{
	if (turn_holds(turn, rows))
		open_group(turn, turn->data);
}

static void finish(struct turn *turn, struct check *c)
{
	if (c->count == 0)
		note_error(c, 0, "empty_file", "", "There is no request in the file.");
	if (json_array_size(c->errors) > 0)
		tell_errors(turn, c);
	else if (c->in_group > 0)
		turn_ask(turn, API_FILES, "batch_lines", TAKE(c->group), noted);
	else
		begin_jobs(turn, c);
}

/* Whether there is another line at once. */
static bool step(struct turn *turn, struct check *c)
{
	const char *bytes;
	size_t len;

	switch (file_lines_next(&turn->lines, &bytes, &len)) {
	case LINE_GOT:
		check_line(turn, c, bytes, len);
		break;
	case LINE_TOO_LONG:
		refuse_long(turn, c);
		break;
	case LINE_WANTS_MORE:
		turn_want_piece(turn);
		return false;
	case LINE_NO_MORE:
		c->all = true;
		return false;
	}
	if (c->count > MOST_LINES)
		note_error(c, 0, "too_many_tasks", "",
			   "The file has more than 50000 requests, the most of one batch.");
	c->all = c->count > MOST_LINES || json_array_size(c->errors) >= MOST_ERRORS;
	return !c->all;
}

static void run(struct turn *turn)
{
	struct check *c = turn->data;

	for (int i = 0; i < SLICE && !c->all && c->in_group < GROUP; i++)
		if (!step(turn, c))
			break;
	if (turn->open > 0 || turn->over)
		return;
	if (c->all)
		finish(turn, c);
	else if (c->in_group == GROUP)
		turn_ask(turn, API_FILES, "batch_lines", TAKE(c->group), noted);
}

const struct turn_step turn_check = {"check", begin, run, drop};
