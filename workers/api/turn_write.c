/*
 * The last step of a batch: how its jobs ended goes into two files, page by
 * page. The files are new ones each time it is tried; only the last statement
 * makes them files and the batch ended, so nobody sees a half of them.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "batch_job.h"
#include "ensure.h"
#include "failpoint.h"
#include "files.h"
#include "openai.h"
#include "openai_answer.h"

#define PAGE 50

/* A file that is being written. */
struct draft {
	struct uuid id;
	struct buffer piece;
	int32_t pieces;
	size_t bytes;
};

struct writing {
	struct draft output, errors;
	struct usage usage;
	int32_t behind; /* this line */
	int32_t count, done, failed, late;
	bool all;
};

static void begin(struct turn *turn)
{
	struct writing *w = xcalloc(1, sizeof(*w));

	w->output.id = uuid_make();
	w->errors.id = uuid_make();
	w->all = turn->total == 0; /* cancelled before its lines were checked */
	turn->data = w;
}

static void drop(struct turn *turn)
{
	struct writing *w = turn->data;

	buffer_finish(&w->output.piece);
	buffer_finish(&w->errors.piece);
	free(w);
}

/* --- files --- */

static void send_piece(struct turn *turn, struct draft *draft)
{
	struct pg_args *args = pg_args_create();

	pg_uuid(args, &draft->id);
	pg_int(args, draft->pieces++);
	pg_bytes(args, draft->piece.data, draft->piece.len);
	draft->bytes += draft->piece.len;
	buffer_clear(&draft->piece);
	turn_ask(turn, API_FILES, "file_chunk_put", args, NULL);
}

/* --- lines --- */

enum {
	LINE_NUMBER,
	LINE_JOB,
	LINE_CUSTOM_ID,
	LINE_PROBLEM,
	LINE_STATE,
	LINE_REASON,
	LINE_DETAIL,
	LINE_MODEL,
	LINE_FINISHED,
	LINE_OUTPUT,
	LINE_TOOL_CALLS,
	LINE_INPUT,
	LINE_CACHE_READ,
	LINE_CACHE_WRITE,
	LINE_TOKENS,
	LINE_REASONING,
};

static bool is_late(const struct turn *turn)
{
	return !turn->cancelling && clock_wall() >= turn->expires_at;
}

/* A job that has not ended was cancelled by the step before. */
static enum openai_end end_of(const struct turn *turn, const char *state, const char *reason)
{
	if (strcmp(state, "DONE") == 0)
		return OPENAI_DONE;
	if (strcmp(state, "DEAD") == 0)
		return strcmp(reason, "deadline") == 0 ? OPENAI_EXPIRED : OPENAI_DEAD;
	if (is_late(turn))
		return OPENAI_EXPIRED;
	return *state || turn->cancelling ? OPENAI_CANCELLED : OPENAI_DEAD;
}

static struct usage usage_of(const struct pg_rows *rows, int row)
{
	return (struct usage){
		.known = true,
		.input = pg_get_int(rows, row, LINE_INPUT),
		.cache_read = pg_get_int(rows, row, LINE_CACHE_READ),
		.cache_write = pg_get_int(rows, row, LINE_CACHE_WRITE),
		.output = pg_get_int(rows, row, LINE_TOKENS),
		.reasoning = pg_get_int(rows, row, LINE_REASONING),
	};
}

static struct openai_answer answer_of(const struct turn *turn, const struct pg_rows *rows, int row)
{
	const char *problem = pg_get_text(rows, row, LINE_PROBLEM);
	const char *state = pg_get_text(rows, row, LINE_STATE);
	struct openai_answer a = {
		.job_id = pg_get_uuid(rows, row, LINE_JOB),
		.custom_id = pg_get_text(rows, row, LINE_CUSTOM_ID),
		.tool_calls = pg_get_text(rows, row, LINE_TOOL_CALLS),
		.model = pg_get_text(rows, row, LINE_MODEL),
		.finished_at = pg_get_time(rows, row, LINE_FINISHED),
		.usage = usage_of(rows, row),
		.reason = pg_get_text(rows, row, LINE_REASON),
		.detail = pg_get_text(rows, row, LINE_DETAIL),
	};

	a.output = pg_get_bytes(rows, row, LINE_OUTPUT, &a.len);
	a.end = end_of(turn, state, a.reason);
	if (*problem) {
		a.end = OPENAI_DEAD;
		a.reason = "invalid_request";
		a.detail = problem;
	} else if (a.end == OPENAI_DEAD && !*state) {
		a.reason = "gone";
		a.detail = "the job is not kept any more";
	}
	return a;
}

static void add_usage(struct usage *sum, const struct usage *usage)
{
	sum->input += usage->input;
	sum->cache_read += usage->cache_read;
	sum->cache_write += usage->cache_write;
	sum->output += usage->output;
	sum->reasoning += usage->reasoning;
}

static void count(const struct turn *turn, struct writing *w, const struct openai_answer *a)
{
	w->count++;
	w->done += a->end == OPENAI_DONE;
	w->late += a->end == OPENAI_EXPIRED;
	w->failed += a->end == OPENAI_DEAD || (a->end == OPENAI_CANCELLED && !turn->cancelling);
	if (a->end == OPENAI_DONE)
		add_usage(&w->usage, &a->usage);
}

static void paged(struct turn *turn, const struct pg_rows *rows)
{
	struct writing *w = turn->data;

	for (int row = 0; row < pg_count(rows); row++) {
		struct openai_answer a = answer_of(turn, rows, row);
		struct draft *draft = a.end == OPENAI_DONE ? &w->output : &w->errors;

		w->behind = (int32_t)pg_get_int(rows, row, LINE_NUMBER);
		count(turn, w, &a);
		openai_answer_write(&a, &draft->piece);
		if (draft->piece.len >= FILE_PIECE)
			send_piece(turn, draft);
	}
	w->all = w->count >= turn->total;
	if (pg_count(rows) == 0 && !w->all)
		turn_end(turn); /* it is somebody else's turn */
}

/* --- the end --- */

static void push_draft(struct pg_args *args, const struct turn *turn, const struct draft *draft,
		       const char *kind)
{
	char id[OPENAI_ID], name[OPENAI_ID + 16];

	snprintf(name, sizeof(name), "%s_%s.jsonl", openai_id(id, BATCH_PREFIX, &turn->batch),
		 kind);
	pg_uuid(args, draft->bytes > 0 ? &draft->id : NULL);
	pg_big(args, (int64_t)draft->bytes);
	pg_string(args, name);
}

static void close_batch(struct turn *turn, const struct writing *w)
{
	AUTO_FINISH(buffer_finish) struct buffer usage = {0};
	struct pg_args *args = turn_args(turn);

	openai_usage_write(&w->usage, &usage);
	push_draft(args, turn, &w->output, "output");
	push_draft(args, turn, &w->errors, "error");
	pg_int(args, w->done);
	pg_int(args, w->failed);
	pg_int(args, w->late);
	pg_string(args, usage.data);
	turn_ask(turn, API_FILES, "batch_close", args, turn_next);
}

static void ask_page(struct turn *turn, const struct writing *w)
{
	struct pg_args *args = turn_args(turn);

	pg_int(args, w->behind);
	pg_int(args, PAGE);
	turn_ask(turn, API_SLOW, "batch_page", args, paged);
}

static void run(struct turn *turn)
{
	struct writing *w = turn->data;

	if (!w->all) {
		ask_page(turn, w);
	} else if (w->output.piece.len > 0) {
		send_piece(turn, &w->output);
	} else if (w->errors.piece.len > 0) {
		send_piece(turn, &w->errors);
	} else {
		FAILPOINT("A01");
		close_batch(turn, w);
	}
}

const struct turn_step turn_write = {"write", begin, run, drop};
