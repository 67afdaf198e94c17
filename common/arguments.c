#include "arguments.h"

#include <argp.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ensure.h"
#include "error.h"
#include "units.h"

#define EXIT_USAGE 2
#define FULL_HELP (ARGP_HELP_USAGE | ARGP_HELP_LONG | ARGP_HELP_DOC)
#define FIRST_LONG_KEY 0x1000 /* beyond what a short option could be */
#define KEY_CONFIG 0x900
#define KEY_JSON 0x901
#define KEY_HELP 0x902
#define KEY_USAGE 0x903

struct parsing {
	const struct argument_form *form;
	void *wishes;
	int exit_code; /* -1: go on */
};

static const struct argument common_table[] = {
	ARGUMENT_TEXT(
		struct arguments, config, "config", KEY_CONFIG, "FILE",
		"configuration (default: $SLUICE_CONFIG, ./sluice.yaml, /etc/sluice/sluice.yaml)"),
	ARGUMENT_FLAG(struct arguments, json, "json", KEY_JSON, "print JSON, one object per line"),
	{0},
};

static size_t table_length(const struct argument *table)
{
	size_t count = 0;

	while (table && table[count].kind != ARGUMENT_KIND_END)
		count++;
	return count;
}

static int key_of(const struct argument *table, size_t i)
{
	return table[i].key ? table[i].key : FIRST_LONG_KEY + (int)i;
}

static const struct argument *find_argument(const struct argument *table, int key)
{
	for (size_t i = 0; i < table_length(table); i++)
		if (key_of(table, i) == key)
			return &table[i];
	return NULL;
}

/* --- values --- */

static bool store_count(const struct argument *argument, int64_t *field, const char *text,
			struct error *err)
{
	char *end;

	errno = 0;
	*field = strtoll(text, &end, 10);
	if (errno == 0 && end > text && *end == '\0' && *field >= argument->least &&
	    *field <= argument->most)
		return true;
	return error_set(err, ERROR_REJECT, "\"%.40s\" is not a whole number from %lld to %lld",
			 text, (long long)argument->least, (long long)argument->most);
}

static bool store_number(double *field, const char *text, struct error *err)
{
	char *end;

	*field = strtod(text, &end);
	if (end > text && *end == '\0' && isfinite(*field))
		return true;
	return error_set(err, ERROR_REJECT, "\"%.40s\" is not a number", text);
}

static bool store_word(struct words *list, const char *text, struct error *err)
{
	if (list->count == WORDS_MAX)
		return error_set(err, ERROR_REJECT, "may be given at most %d times", WORDS_MAX);
	list->words[list->count++] = text;
	return true;
}

static bool store(const struct argument *argument, void *wishes, char *text, struct error *err)
{
	void *field = (char *)wishes + argument->offset;

	switch (argument->kind) {
	case ARGUMENT_KIND_TEXT:
		*(const char **)field = text;
		return true;
	case ARGUMENT_KIND_FLAG:
		*(bool *)field = true;
		return true;
	case ARGUMENT_KIND_COUNT:
		return store_count(argument, field, text, err);
	case ARGUMENT_KIND_NUMBER:
		return store_number(field, text, err);
	case ARGUMENT_KIND_DURATION:
		return units_duration(text, field) ||
		       error_set(err, ERROR_REJECT, "\"%.40s\" is not " UNITS_DURATION, text);
	case ARGUMENT_KIND_LIST:
		return store_word(field, text, err);
	case ARGUMENT_KIND_END:
		break;
	}
	ensure_failed("a kind of argument that is handled", __FILE__, __LINE__);
}

/* --- argp --- */

static error_t parse_option(int key, char *text, struct argp_state *state)
{
	struct parsing *parsing = state->input;
	const struct argument *argument = find_argument(parsing->form->table, key);
	struct error err;

	if (!argument)
		argument = find_argument(common_table, key);
	if (!argument)
		return ARGP_ERR_UNKNOWN;
	if (store(argument, parsing->wishes, text, &err))
		return 0;
	fprintf(stderr, "%s: --%s: %s\n", state->name, argument->name, err.text);
	parsing->exit_code = EXIT_USAGE;
	return EINVAL;
}

static error_t check_words(struct parsing *parsing, const struct argp_state *state)
{
	const struct arguments *common = parsing->wishes;
	const struct argument_form *form = parsing->form;

	if (common->word_count >= form->least_words && common->word_count <= form->most_words)
		return 0;
	if (common->word_count < form->least_words)
		fprintf(stderr, "%s: wants %s; try `%s --help`\n", state->name, form->usage,
			state->name);
	else
		fprintf(stderr, "%s: \"%s\" is too much; try `%s --help`\n", state->name,
			common->words[form->most_words], state->name);
	parsing->exit_code = EXIT_USAGE;
	return EINVAL;
}

static error_t parse_key(int key, char *text, struct argp_state *state)
{
	struct parsing *parsing = state->input;
	struct arguments *common = parsing->wishes;

	switch (key) {
	case ARGP_KEY_ARG:
		/* Kept where the arguments before it were, which argp is done with. */
		common->words = state->argv + 1;
		common->words[common->word_count++] = text;
		return 0;
	case ARGP_KEY_END:
		return parsing->exit_code < 0 ? check_words(parsing, state) : 0;
	case KEY_HELP:
	case KEY_USAGE:
		argp_state_help(state, stdout, key == KEY_USAGE ? ARGP_HELP_USAGE : FULL_HELP);
		parsing->exit_code = 0;
		return ECANCELED;
	default:
		return parse_option(key, text, state);
	}
}

static void add_options(struct argp_option *to, const struct argument *table, int group)
{
	for (size_t i = 0; i < table_length(table); i++)
		to[i] = (struct argp_option){.name = table[i].name,
					     .key = key_of(table, i),
					     .arg = table[i].value,
					     .doc = table[i].help,
					     .group = group};
}

static struct argp_option *make_options(const struct argument *table)
{
	size_t own = table_length(table), common = table_length(common_table);
	struct argp_option *options = xcalloc(own + common + 3, sizeof(*options));

	add_options(options, table, 1);
	add_options(options + own, common_table, 2);
	options[own + common] = (struct argp_option){
		.name = "help", .key = KEY_HELP, .doc = "say this", .group = 2};
	/* argp names it in its complaints. */
	options[own + common + 1] = (struct argp_option){
		.name = "usage", .key = KEY_USAGE, .flags = OPTION_HIDDEN};
	return options;
}

int arguments_parse(const struct argument_form *form, void *wishes, int argc, char **argv)
{
	AUTO(xfree) struct argp_option *options = make_options(form->table);
	AUTO(xfree) char *doc = xasprintf("%s\v%s", form->summary, form->details);
	struct argp argp = {
		.options = options, .parser = parse_key, .args_doc = form->usage, .doc = doc};
	struct parsing parsing = {.form = form, .wishes = wishes, .exit_code = -1};
	error_t failed;

	setenv("ARGP_HELP_FMT", "rmargin=99,no-dup-args-note", 0);
	failed = argp_parse(&argp, argc, argv, ARGP_NO_EXIT | ARGP_NO_HELP | ARGP_IN_ORDER, NULL,
			    &parsing);
	if (parsing.exit_code < 0 && failed)
		parsing.exit_code = EXIT_USAGE; /* argp has said which option it does not know */
	return parsing.exit_code;
}
