/*
 * sluice drill: outages on a stage, and whether the chain does what the
 * configuration promises.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "command.h"
#include "drill_play.h"
#include "embedded.h"
#include "ensure.h"

#define MAX_SCRIPT ((size_t)1 << 20)
#define DEFAULT_SCRIPT "schemas/default-drill.yaml"

struct wishes {
	struct arguments common;
	struct words only;
	bool show;
};

static const struct argument table[] = {
	ARGUMENT_LIST(struct wishes, only, "only", 'o', "SCENE",
		      "play this scene of the script only; may be repeated"),
	ARGUMENT_FLAG(struct wishes, show, "show", 0,
		      "print the script that is played when none is named, and end"),
	{0},
};

static const struct argument_form form = {
	.usage = "[SCRIPT]",
	.summary =
		"Play outages against a staging fleet whose providers are simulators, submit jobs "
		"meanwhile,\n"
		"and tell of each promise of the configuration whether it was kept: another "
		"candidate takes\n"
		"over, a cheaper tier, the static answer, or jobs wait; nothing dies; what was "
		"away is\n"
		"called again as soon as it is back. Exits with 1 when a promise was broken.",
	.details = "  sluice drill --config staging.yaml\n"
		   "  sluice drill --show > drill.yaml; sluice drill drill.yaml --only 'wrong "
		   "key'\n"
		   "\n"
		   "Workers of the same configuration must be running. Providers that are not on "
		   "this host\n"
		   "are refused unless marked `staging: true`, and so is whatever does not answer "
		   "as a\n"
		   "simulator. The simulators' faults are the drill's own while it lasts.\n",
	.table = table,
	.most_words = 1,
};

static bool read_script(const char *path, struct buffer *text, struct error *err)
{
	FILE *file = fopen(path, "re");
	char block[16384];
	size_t len;
	bool fits = true;

	if (!file)
		return error_set(err, ERROR_REJECT, "%s: %s", path, strerror(errno));
	while (fits && (len = fread(block, 1, sizeof(block), file)) > 0)
		fits = buffer_append(text, block, len);
	if (ferror(file))
		fits = error_set(err, ERROR_REJECT, "%s: %s", path, strerror(errno));
	else if (!fits)
		error_set(err, ERROR_REJECT, "%s is over %zu bytes", path, text->max);
	fclose(file);
	return fits;
}

static struct drill *load_script(const struct wishes *wishes, const struct config *config,
				 struct error *err)
{
	AUTO_FINISH(buffer_finish) struct buffer text = {.max = MAX_SCRIPT};
	const char *path = wishes->common.word_count > 0 ? wishes->common.words[0] : NULL;

	if (!path)
		return drill_read("the default script", embedded_text(DEFAULT_SCRIPT),
				  strlen(embedded_text(DEFAULT_SCRIPT)), config, err);
	if (!read_script(path, &text, err))
		return NULL;
	return drill_read(path, text.data ? text.data : "", text.len, config, err);
}

static bool is_wanted(const struct wishes *wishes, const char *name)
{
	for (size_t i = 0; i < wishes->only.count; i++)
		if (strcmp(wishes->only.words[i], name) == 0)
			return true;
	return wishes->only.count == 0;
}

static bool check_only(const struct wishes *wishes, const struct drill *drill, struct error *err)
{
	for (size_t i = 0; i < wishes->only.count; i++) {
		size_t k = 0;

		while (k < drill->scene_count &&
		       strcmp(drill->scenes[k].name, wishes->only.words[i]) != 0)
			k++;
		if (k == drill->scene_count)
			return error_set(err, ERROR_REJECT, "the script has no scene \"%.60s\"",
					 wishes->only.words[i]);
	}
	return true;
}

static bool check_fleet(struct drill_play *play, struct error *err)
{
	AUTO(pg_rows_destroy)
	struct pg_rows *rows = session_ask(play->session, "drill_alone", NULL, err);

	if (!rows)
		return false;
	if (!pg_get_bool(rows, 0, 0))
		return error_set(err, ERROR_RETRY, "another drill is under way");
	play->workers = pg_get_int(rows, 0, 1);
	return play->workers > 0 ||
	       error_set(err, ERROR_RETRY,
			 "no worker is alive: start some `sluice worker` with this configuration");
}

static bool play_scenes(struct drill_play *play, const struct wishes *wishes, struct error *err)
{
	for (size_t i = 0; i < play->drill->scene_count; i++)
		if (is_wanted(wishes, play->drill->scenes[i].name) &&
		    !drill_play(play, &play->drill->scenes[i], err))
			return error_wrap(err, "%s", play->drill->scenes[i].name);
	return true;
}

/* Whatever happened, the simulators work again in the end. */
static bool play_all(struct drill_play *play, const struct wishes *wishes, struct error *err)
{
	bool played = stage_order(play->stage, "", err) && play_scenes(play, wishes, err);
	struct error late;

	if (!stage_order(play->stage, "", &late)) {
		fprintf(stderr, "sluice drill: faults may be left behind: %s\n", late.text);
		return played && error_set(err, late.kind, "%s", late.text);
	}
	return played;
}

static void print_table(const struct drill_play *play, const struct wishes *wishes)
{
	AUTO_FINISH(buffer_finish) struct buffer out = {0};

	table_render(play->table, session_format(wishes->common.json, false), &out);
	fwrite(out.data ? out.data : "", 1, out.len, stdout);
	if (!wishes->common.json)
		printf("\n%zu promises kept, %zu broken\n", play->kept, play->broken);
}

static struct table *make_table(void)
{
	static const char *const names[] = {"scene", "task", "promise", "found", "verdict"};
	struct table *made = table_create();

	for (size_t i = 0; i < COUNT_OF(names); i++)
		table_column(made, names[i], TABLE_LEFT);
	return made;
}

static bool run_drill(struct session *session, const struct wishes *wishes, bool *kept,
		      struct error *err)
{
	AUTO(drill_destroy) struct drill *drill = load_script(wishes, session->config, err);
	AUTO(stage_destroy) struct stage *stage = NULL;
	AUTO(load_destroy) struct load *load = NULL;
	AUTO(table_destroy) struct table *rows = make_table();
	struct drill_play play = {.session = session, .drill = drill, .table = rows};
	bool played;

	if (!drill || !check_only(wishes, drill, err))
		return false;
	stage = play.stage = stage_open(session->config, err);
	if (!stage || !session_connect(session, err) || !check_fleet(&play, err))
		return false;
	load = play.load = load_create(session->config, drill->jobs_per_minute, err);
	if (!load)
		return false;
	drill_heed_signals();
	played = play_all(&play, wishes, err);
	print_table(&play, wishes);
	*kept = played && play.broken == 0;
	return played;
}

static int run(int argc, char **argv)
{
	AUTO_FINISH(session_finish) struct session session = {0};
	struct wishes wishes = {0};
	int code = arguments_parse(&form, &wishes, argc, argv);
	struct error err;
	bool kept = false;

	if (code >= 0)
		return code;
	if (wishes.show) {
		fputs(embedded_text(DEFAULT_SCRIPT), stdout);
		return COMMAND_OK;
	}
	if (!session_configure(&session, &wishes.common, &err) ||
	    !run_drill(&session, &wishes, &kept, &err))
		return session_fail("drill", &err);
	return kept ? COMMAND_OK : COMMAND_FAILED;
}

const struct command command_drill = {
	.name = "drill",
	.summary = "play outages on staging: does the chain do what it promises?",
	.group = COMMAND_OPERATE,
	.run = run,
	.form = &form,
};
