/*
 * sluice dead list, show, replay: jobs that died and messages that were none.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "command.h"
#include "ensure.h"
#include "ids.h"
#include "jobs_change.h"
#include "session.h"

struct wishes {
	struct arguments common;
	const char *business_unit;
	const char *reason;
	nsec since;
	int64_t limit;
	bool csv;
	bool dry_run;
	bool all;
};

#define WISHES ((struct wishes){.since = 7 * 24 * 3600 * NSEC_PER_SEC, .limit = 100})

static struct pg_args *filter_args(const struct wishes *wishes)
{
	struct pg_args *args = pg_args_create();

	pg_string(args, wishes->business_unit);
	pg_string(args, wishes->reason);
	pg_double(args, (double)wishes->since / (double)NSEC_PER_SEC);
	pg_big(args, wishes->limit);
	return args;
}

/* --- dead list --- */

static const struct argument list_table[] = {
	ARGUMENT_TEXT(struct wishes, business_unit, "business-unit", 'u', "UNIT",
		      "of this business unit"),
	ARGUMENT_TEXT(struct wishes, reason, "reason", 'r', "CODE", "for this reason"),
	ARGUMENT_DURATION(struct wishes, since, "since", 's', "how far back (default 7d)"),
	ARGUMENT_COUNT(struct wishes, limit, "limit", 'n', "at most so many (default 100)", 1,
		       100000),
	ARGUMENT_FLAG(struct wishes, csv, "csv", 0, "print CSV"),
	{0},
};

static const struct argument_form list_form = {
	.usage = "",
	.summary = "List jobs that died and why, and messages that were rejected because they are "
		   "no job.",
	.details = "  sluice dead list --reason invalid_output --since 1d\n",
	.table = list_table,
};

static bool list_dead(const struct wishes *wishes, struct error *err)
{
	return session_show(&wishes->common, wishes->csv, "dead_list", filter_args(wishes),
			    "nothing has died", err);
}

static int run_list(int argc, char **argv)
{
	struct wishes wishes = WISHES;
	int code = arguments_parse(&list_form, &wishes, argc, argv);
	struct error err;

	if (code >= 0)
		return code;
	return list_dead(&wishes, &err) ? COMMAND_OK : session_fail("dead list", &err);
}

const struct command command_dead_list = {
	.name = "dead list",
	.summary = "jobs that died and messages that were rejected",
	.group = COMMAND_JOBS,
	.run = run_list,
	.form = &list_form,
};

/* --- where a rejected message was: TOPIC/PARTITION/OFFSET --- */

struct place {
	char topic[250];
	int32_t partition;
	int64_t offset;
};

static bool read_place(const char *text, struct place *place, struct error *err)
{
	int used = 0;

	if (sscanf(text, "%249[^/]/%" SCNd32 "/%" SCNd64 "%n", place->topic, &place->partition,
		   &place->offset, &used) == 3 &&
	    text[used] == '\0')
		return true;
	return error_set(err, ERROR_REJECT,
			 "\"%.60s\" is neither a job's id nor TOPIC/PARTITION/OFFSET of a message",
			 text);
}

static struct pg_args *place_args(const struct place *place)
{
	struct pg_args *args = pg_args_create();

	pg_string(args, place->topic);
	pg_int(args, place->partition);
	pg_big(args, place->offset);
	return args;
}

/* --- dead show --- */

static const struct argument no_options[] = {{0}};

static const struct argument_form show_form = {
	.usage = "TOPIC/PARTITION/OFFSET",
	.summary = "Print the bytes of a rejected message as they came, to standard output; why it "
		   "was\n"
		   "rejected goes to standard error. For a job that died: `sluice jobs show`.",
	.details = "  sluice dead show sluice.intake/3/1207 >message.json\n",
	.table = no_options,
	.least_words = 1,
	.most_words = 1,
};

enum { REJECT_REASON, REJECT_DETAIL, REJECT_AT, REJECT_JOB, REJECT_BODY };

static bool show_dead(const struct wishes *wishes, struct error *err)
{
	AUTO_FINISH(session_finish) struct session session = {0};
	struct place place;
	const char *body;
	size_t len;

	if (!read_place(wishes->common.words[0], &place, err) ||
	    !session_open(&session, &wishes->common, err))
		return false;
	AUTO(pg_rows_destroy)
	struct pg_rows *rows = session_ask(&session, "dead_reject", place_args(&place), err);
	if (!rows)
		return false;
	if (pg_count(rows) == 0)
		return error_set(err, ERROR_REJECT, "no message was rejected at %s",
				 wishes->common.words[0]);
	body = pg_get_bytes(rows, 0, REJECT_BODY, &len);
	fprintf(stderr, "rejected %s as %s: %s\n", pg_get_text(rows, 0, REJECT_AT),
		pg_get_text(rows, 0, REJECT_REASON), pg_get_text(rows, 0, REJECT_DETAIL));
	fwrite(body, 1, len, stdout);
	return true;
}

static int run_show(int argc, char **argv)
{
	struct wishes wishes = WISHES;
	int code = arguments_parse(&show_form, &wishes, argc, argv);
	struct error err;

	if (code >= 0)
		return code;
	return show_dead(&wishes, &err) ? COMMAND_OK : session_fail("dead show", &err);
}

const struct command command_dead_show = {
	.name = "dead show",
	.summary = "the bytes of a rejected message",
	.group = COMMAND_JOBS,
	.run = run_show,
	.form = &show_form,
};

/* --- dead replay --- */

static const struct argument replay_table[] = {
	ARGUMENT_TEXT(struct wishes, business_unit, "business-unit", 'u', "UNIT",
		      "of this business unit"),
	ARGUMENT_TEXT(struct wishes, reason, "reason", 'r', "CODE", "for this reason"),
	ARGUMENT_DURATION(struct wishes, since, "since", 's', "how far back (default 7d)"),
	ARGUMENT_COUNT(struct wishes, limit, "limit", 'n',
		       "at most so many, oldest first (default 100)", 1, 10000000),
	ARGUMENT_FLAG(struct wishes, all, "all", 0, "whatever unit and reason; they cost again"),
	ARGUMENT_FLAG(struct wishes, dry_run, "dry-run", 0, "only say how many"),
	{0},
};

static const struct argument_form replay_form = {
	.usage = "[JOB|TOPIC/PARTITION/OFFSET...]",
	.summary = "Run dead jobs again, those named or those that fit the options; rejected "
		   "messages are\n"
		   "sent again as they came.",
	.details = "  sluice dead replay --reason credential --since 1d --dry-run\n"
		   "  sluice dead replay sluice.intake/3/1207\n",
	.table = replay_table,
	.most_words = 100000,
};

struct replayed {
	size_t asked;
	size_t queued;
};

static bool resend(struct session *session, const struct place *place, struct replayed *replayed,
		   struct error *err)
{
	struct pg_args *args = place_args(place);
	struct uuid event_id = uuid_make();

	pg_uuid(args, &event_id);
	AUTO(pg_rows_destroy) struct pg_rows *rows = session_ask(session, "dead_resend", args, err);
	if (!rows)
		return false;
	replayed->queued += (size_t)pg_affected(rows);
	return true;
}

static bool replay_words(struct session *session, const struct wishes *wishes,
			 struct replayed *replayed, struct error *err)
{
	replayed->asked = wishes->common.word_count;
	for (size_t i = 0; i < wishes->common.word_count; i++) {
		const char *word = wishes->common.words[i];
		struct place place;
		struct uuid id;
		size_t started = 0;

		if (uuid_parse(word, &id)) {
			if (!wishes->dry_run && !jobs_rerun(session, &id, 1, &started, err))
				return false;
			replayed->queued += started;
		} else if (!read_place(word, &place, err) ||
			   (!wishes->dry_run && !resend(session, &place, replayed, err))) {
			return false;
		}
	}
	return true;
}

static bool replay_matching(struct session *session, const struct wishes *wishes,
			    struct replayed *replayed, struct error *err)
{
	AUTO(pg_rows_destroy)
	struct pg_rows *rows = session_ask(session, "dead_ids", filter_args(wishes), err);
	AUTO_FINISH(ids_finish) struct ids ids = {0};

	if (!rows)
		return false;
	for (int row = 0; row < pg_count(rows); row++) {
		struct uuid id = pg_get_uuid(rows, row, 0);

		ids_add(&ids, &id);
	}
	replayed->asked = ids.count;
	return wishes->dry_run || jobs_rerun(session, ids.ids, ids.count, &replayed->queued, err);
}

static bool replay(const struct wishes *wishes, struct replayed *replayed, struct error *err)
{
	AUTO_FINISH(session_finish) struct session session = {0};

	if (wishes->common.word_count == 0 && !wishes->business_unit && !wishes->reason &&
	    !wishes->all && !wishes->dry_run)
		return error_set(
			err, ERROR_REJECT,
			"which ones? Name them, or say --reason, --business-unit or --all");
	if (!session_open(&session, &wishes->common, err))
		return false;
	return wishes->common.word_count > 0 ? replay_words(&session, wishes, replayed, err)
					     : replay_matching(&session, wishes, replayed, err);
}

static int run_replay(int argc, char **argv)
{
	struct wishes wishes = WISHES;
	int code = arguments_parse(&replay_form, &wishes, argc, argv);
	struct replayed replayed = {0};
	struct error err;

	if (code >= 0)
		return code;
	if (!replay(&wishes, &replayed, &err))
		return session_fail("dead replay", &err);
	if (wishes.common.json)
		printf("{\"found\":%zu,\"queued\":%zu}\n", replayed.asked, replayed.queued);
	else if (wishes.dry_run)
		printf("%zu would be run again\n", replayed.asked);
	else
		printf("%zu found, %zu queued to run again\n", replayed.asked, replayed.queued);
	return wishes.dry_run || replayed.queued == replayed.asked ? COMMAND_OK : COMMAND_FAILED;
}

const struct command command_dead_replay = {
	.name = "dead replay",
	.summary = "run dead jobs again, one or all of a kind",
	.group = COMMAND_JOBS,
	.run = run_replay,
	.form = &replay_form,
};
