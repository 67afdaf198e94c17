/*
 * sluice submit: checks every job, then sends them all.
 */
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "command.h"
#include "ensure.h"
#include "progress.h"
#include "sender.h"
#include "session.h"
#include "submit_wishes.h"

#define SHOWN_ERRORS 20

struct submission {
	const struct submit_wishes *wishes;
	struct session session;
	struct job_reader *reader;
	json_t *defaults;
	struct envelope_rules rules;
	FILE *input; /* can be read twice */
	char *line;
	size_t capacity;
	size_t number; /* of the line */
	size_t good;
	size_t bad;
	size_t arrived;
	size_t lost;
	struct progress progress;
};

static void submission_finish(struct submission *s)
{
	if (s->input)
		fclose(s->input);
	free(s->line);
	json_decref(s->defaults);
	job_reader_destroy(s->reader);
	session_finish(&s->session);
}

/* --- the lines, twice --- */

static bool copy_input(FILE *from, FILE *to)
{
	char piece[65536];
	size_t got;

	while ((got = fread(piece, 1, sizeof(piece), from)) > 0)
		if (fwrite(piece, 1, got, to) != got)
			return false;
	return !ferror(from) && fflush(to) == 0;
}

static FILE *single_job(const struct submit_wishes *wishes)
{
	json_auto_t *job = submit_single(wishes);
	AUTO(xfree) char *text = json_write(job);
	FILE *file = tmpfile();

	if (file)
		fprintf(file, "%s\n", text);
	return file;
}

static FILE *standard_input(void)
{
	FILE *file = tmpfile();

	if (file && !copy_input(stdin, file)) {
		fclose(file);
		return NULL;
	}
	return file;
}

static bool open_input(struct submission *s, struct error *err)
{
	const struct arguments *common = &s->wishes->common;
	const char *name = common->word_count > 0 ? common->words[0] : "-";

	if (s->wishes->prompt && common->word_count > 0)
		return error_set(err, ERROR_REJECT, "either --prompt or a file, not both");
	if (s->wishes->prompt)
		s->input = single_job(s->wishes);
	else if (strcmp(name, "-") != 0)
		s->input = fopen(name, "re");
	else if (common->word_count == 0 && isatty(STDIN_FILENO))
		return error_set(err, ERROR_REJECT,
				 "name a file, pipe jobs in, or use --prompt; --help shows how");
	else
		s->input = standard_input();
	return s->input || error_set(err, ERROR_REJECT, "%s: %s", name, strerror(errno));
}

static void rewind_input(struct submission *s)
{
	rewind(s->input);
	s->number = 0;
}

/* The next line that is not blank. */
static bool next_line(struct submission *s, size_t *len)
{
	ssize_t got;

	while ((got = getline(&s->line, &s->capacity, s->input)) > 0) {
		s->number++;
		*len = (size_t)got;
		if (strspn(s->line, " \t\r\n") < *len)
			return true;
	}
	return false;
}

/* --- checking --- */

static void tell_bad(struct submission *s, const struct error *err)
{
	s->bad++;
	if (s->wishes->prompt)
		fprintf(stderr, "sluice submit: %s\n", err->text);
	else if (s->bad <= SHOWN_ERRORS)
		fprintf(stderr, "sluice submit: line %zu: %s\n", s->number, err->text);
}

static void check_lines(struct submission *s)
{
	size_t len;

	rewind_input(s);
	progress_start(&s->progress, "checking", 0, clock_now());
	while (next_line(s, &len)) {
		struct parcel parcel;
		struct error err;

		if (envelope_pack(&s->rules, s->line, len, clock_wall(), &parcel, &err))
			s->good++;
		else
			tell_bad(s, &err);
		parcel_finish(&parcel);
		progress_update(&s->progress, s->number, clock_now(), "%s", "");
	}
}

static bool judge_lines(const struct submission *s, struct error *err)
{
	if (s->bad > SHOWN_ERRORS)
		fprintf(stderr, "sluice submit: ... and %zu more\n", s->bad - SHOWN_ERRORS);
	if (s->good + s->bad == 0)
		return error_set(err, ERROR_REJECT, "there is no job in the input");
	if (s->bad > 0 && !s->wishes->skip_bad)
		return error_set(err, ERROR_REJECT,
				 "%zu of %zu jobs are not good; nothing was sent%s", s->bad,
				 s->good + s->bad,
				 s->good > 0 ? " (--skip-bad sends the others)" : "");
	return true;
}

/* --- sending --- */

static void print_sent(const struct submission *s, const struct sent *sent)
{
	char text[UUID_TEXT];

	uuid_format(text, &sent->id);
	if (s->wishes->common.json)
		printf("{\"job_id\":\"%s\",\"line\":%zu,\"topic\":\"%s\",\"partition\":%" PRId32
		       ",\"offset\":%" PRId64 "}\n",
		       text, sent->line, sent->topic, sent->partition, sent->offset);
	else
		puts(text);
}

static void told(void *context, const struct sent *sent)
{
	struct submission *s = context;

	if (sent->error) {
		if (s->lost++ < SHOWN_ERRORS)
			fprintf(stderr, "sluice submit: line %zu: not sent: %s\n", sent->line,
				sent->error->text);
		return;
	}
	s->arrived++;
	print_sent(s, sent);
	progress_update(&s->progress, s->arrived, clock_now(), "%s", "");
}

static bool send_line(struct submission *s, struct sender *sender, size_t len, struct error *err)
{
	struct parcel parcel;
	bool packed = envelope_pack(&s->rules, s->line, len, clock_wall(), &parcel, err);
	bool sent = packed && sender_send(sender, &parcel, s->number, err);

	parcel_finish(&parcel);
	if (!packed) /* was told when it was checked, or has grown too old since */
		return true;
	return sent || error_wrap(err, "line %zu", s->number);
}

static bool send_lines(struct submission *s, struct error *err)
{
	AUTO(sender_destroy)
	struct sender *sender = sender_create(&s->session.config->kafka, told, s, err);
	size_t len;

	if (!sender)
		return false;
	rewind_input(s);
	progress_start(&s->progress, "submitting", s->good, clock_now());
	s->progress.quiet = s->good == 1 || (!s->wishes->common.json && isatty(STDOUT_FILENO));
	while (next_line(s, &len))
		if (!send_line(s, sender, len, err))
			return false;
	if (!sender_finish(sender, err))
		return false;
	progress_finish(&s->progress, s->arrived, clock_now(), "%s", "");
	return s->arrived == s->good || error_set(err, ERROR_RETRY, "%zu of %zu jobs were not sent",
						  s->good - s->arrived, s->good);
}

static bool prepare(struct submission *s, struct error *err)
{
	const struct config *config;

	if (!session_configure(&s->session, &s->wishes->common, err))
		return false;
	config = s->session.config;
	s->defaults = submit_defaults(s->wishes, clock_wall(), err);
	s->reader = job_reader_create(config->kafka.max_message_bytes);
	s->rules = (struct envelope_rules){.config = config,
					   .reader = s->reader,
					   .defaults = s->defaults,
					   .route = s->wishes->route};
	return s->defaults && open_input(s, err);
}

static bool submit(struct submission *s, struct error *err)
{
	if (!prepare(s, err))
		return false;
	check_lines(s);
	if (!judge_lines(s, err))
		return false;
	if (s->wishes->dry_run) {
		fprintf(stderr, "%zu jobs are good; nothing was sent (--dry-run)\n", s->good);
		return true;
	}
	return send_lines(s, err);
}

static int run(int argc, char **argv)
{
	struct submit_wishes wishes = {.temperature = NAN};
	AUTO_FINISH(submission_finish) struct submission s = {.wishes = &wishes};
	int code = arguments_parse(&submit_form, &wishes, argc, argv);
	struct error err;

	if (code >= 0)
		return code;
	if (!submit(&s, &err))
		return session_fail("submit", &err);
	return s.bad > 0 ? COMMAND_FAILED : COMMAND_OK;
}

const struct command command_submit = {
	.name = "submit",
	.summary = "send jobs from a file, a pipe or the command line",
	.group = COMMAND_JOBS,
	.run = run,
	.form = &submit_form,
};
