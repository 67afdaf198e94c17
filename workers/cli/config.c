/*
 * sluice config check, sluice config show: is the configuration right, and what
 * is it, with all defaults filled in and the secrets hidden.
 */
#include "config.h"

#include <stdio.h>

#include "command.h"
#include "session.h"
#include "yaml.h"

struct wishes {
	struct arguments common;
	bool built_in;
};

static const struct argument check_options[] = {{0}};

static const struct argument show_options[] = {
	ARGUMENT_FLAG(struct wishes, built_in, "default", 0,
		      "print the built-in configuration with its comments, as a start for a file"),
	{0},
};

static const struct argument_form check_form = {
	.usage = "[FILE]",
	.summary = "Check a configuration: its settings, and what they refer to. Asks no server.",
	.details = "  sluice config check                  the one that the other commands read\n"
		   "  sluice config check new.yaml         one that is not in place yet\n"
		   "Notes say what works but is probably not meant; they are no failure.\n",
	.table = check_options,
	.most_words = 1,
};

static const struct argument_form show_form = {
	.usage = "[FILE]",
	.summary = "Print the effective configuration: defaults filled in, secrets hidden.",
	.details =
		"  sluice config show --default >sluice.yaml\n"
		"Looks at --config, $SLUICE_CONFIG, ./sluice.yaml, /etc/sluice/sluice.yaml; with\n"
		"none of them the built-in configuration holds.\n",
	.table = show_options,
	.most_words = 1,
};

static const char *wanted_file(const struct wishes *wishes)
{
	return wishes->common.word_count > 0 ? wishes->common.words[0] : wishes->common.config;
}

static const char *file_name(const struct wishes *wishes)
{
	const char *found = config_find(wanted_file(wishes));

	return found ? found : "built-in configuration";
}

static void print_json(const json_t *value)
{
	json_dumpf(value, stdout, JSON_COMPACT | JSON_REAL_PRECISION(15));
	putchar('\n');
}

static int print_verdict_json(const char *file, const struct error *err, json_t *notes)
{
	json_auto_t *verdict = json_pack("{s:s, s:b}", "file", file, "ok", err == NULL);

	if (err)
		json_object_set_new(verdict, "error", json_string(err->text));
	if (notes)
		json_object_set(verdict, "notes", notes);
	print_json(verdict);
	return err ? COMMAND_FAILED : COMMAND_OK;
}

static void print_verdict(const char *file, const struct config *config, const json_t *notes)
{
	json_t *note;
	size_t i;

	printf("%s: right. %zu provider%s, %zu task%s, tiers", file, config->endpoint_count,
	       config->endpoint_count == 1 ? "" : "s", config->task_count - 1,
	       config->task_count == 2 ? "" : "s");
	for (i = 0; i < config->tier_count; i++)
		printf("%s %s", i > 0 ? "," : "", config->tiers[i].name);
	putchar('\n');
	json_array_foreach ((json_t *)notes, i, note)
		printf("note: %s\n", json_string_value(note));
}

static int run_check(int argc, char **argv)
{
	struct wishes wishes = {0};
	struct error err;
	int code = arguments_parse(&check_form, &wishes, argc, argv);
	AUTO(config_destroy) struct config *config = NULL;
	json_auto_t *notes = NULL;
	const char *file;

	if (code >= 0)
		return code;
	file = file_name(&wishes);
	config = config_load(wanted_file(&wishes), &err);
	if (!config)
		return wishes.common.json ? print_verdict_json(file, &err, NULL)
					  : session_fail("config check", &err);
	notes = config_notes(config);
	if (wishes.common.json)
		return print_verdict_json(file, NULL, notes);
	print_verdict(file, config, notes);
	return COMMAND_OK;
}

static int show(const struct wishes *wishes, const struct config *config)
{
	AUTO_FINISH(buffer_finish) struct buffer text = {0};
	json_auto_t *shown = config_show(config);

	if (wishes->common.json) {
		print_json(shown);
		return COMMAND_OK;
	}
	printf("# %s\n", file_name(wishes));
	if (yaml_write(&text, shown))
		fputs(text.data, stdout);
	return COMMAND_OK;
}

static int run_show(int argc, char **argv)
{
	struct wishes wishes = {0};
	struct error err;
	int code = arguments_parse(&show_form, &wishes, argc, argv);
	AUTO(config_destroy) struct config *config = NULL;

	if (code >= 0)
		return code;
	if (wishes.built_in && !wishes.common.json) {
		fputs(config_built_in(), stdout);
		return COMMAND_OK;
	}
	config = config_load(wanted_file(&wishes), &err);
	if (!config)
		return session_fail("config show", &err);
	return show(&wishes, config);
}

const struct command command_config_check = {
	.name = "config check",
	.summary = "is the configuration right?",
	.group = COMMAND_OPERATE,
	.form = &check_form,
	.run = run_check,
};

const struct command command_config_show = {
	.name = "config show",
	.summary = "what holds, with defaults, without secrets",
	.group = COMMAND_OPERATE,
	.form = &show_form,
	.run = run_show,
};
