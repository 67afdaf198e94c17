/*
 * sluice: finds the sub-command and runs it. What each does is in its folder.
 */
#include <locale.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "command.h"
#include "ensure.h"
#include "log.h"

const struct command *const all_commands[] = {
#define COMMAND_POINTER(name) &command_##name,
	COMMANDS(COMMAND_POINTER)
#undef COMMAND_POINTER
		NULL,
};

static const char help_head[] =
	"Sluice drains LLM jobs from Kafka through providers' APIs into Postgres: every job ends "
	"in\n"
	"exactly one outcome, and every fraction of a cent it cost is in the ledger.\n"
	"\n"
	"usage: sluice COMMAND [OPTION...]\n";

static const char help_tail[] =
	"\n"
	"First steps:\n"
	"  sluice doctor                                      is everything there?\n"
	"  sluice migrate && sluice topics create             make the tables and the topics\n"
	"  sluice worker &                                    one worker; start as many as you "
	"like\n"
	"  sluice submit --business-unit demo --tier economy --prompt 'Say hello' | sluice wait\n"
	"  sluice costs --since 1h                            what it cost\n"
	"\n"
	"`sluice help COMMAND` explains one command. All take --config FILE and --json.\n"
	"SLUICE_LOG says how to log, as in SLUICE_LOG=warn,json (also debug, info, error; all: no "
	"limit).\n"
	"Exit codes: 0 done, 1 failed (or found something), 2 misuse.\n";

static const char *const group_titles[] = {
	[COMMAND_RUN] = "Run the fleet",
	[COMMAND_JOBS] = "Jobs",
	[COMMAND_MONEY] = "Money",
	[COMMAND_OPERATE] = "Operate",
};

static void print_help(void)
{
	puts(help_head);
	for (size_t group = 0; group < COUNT_OF(group_titles); group++) {
		printf("%s:\n", group_titles[group]);
		for (const struct command *const *c = all_commands; *c; c++)
			if ((*c)->group == group)
				printf("  %-15s %s\n", (*c)->name, (*c)->summary);
		if (group + 1 < COUNT_OF(group_titles))
			putchar('\n');
	}
	fputs(help_tail, stdout);
}

/* How many of the words the command's name takes: 0 when it is another command. */
static int words_matched(const struct command *command, int argc, char **argv)
{
	const char *blank = strchr(command->name, ' ');
	size_t len = blank ? (size_t)(blank - command->name) : strlen(command->name);

	if (argc < 1 || strlen(argv[0]) != len || memcmp(argv[0], command->name, len) != 0)
		return 0;
	if (!blank)
		return 1;
	return argc >= 2 && strcmp(argv[1], blank + 1) == 0 ? 2 : 0;
}

static const struct command *find_command(int argc, char **argv, int *words)
{
	for (const struct command *const *c = all_commands; *c; c++) {
		*words = words_matched(*c, argc, argv);
		if (*words > 0)
			return *c;
	}
	return NULL;
}

/* --- a command that does not exist --- */

static size_t smallest(size_t a, size_t b, size_t c)
{
	return a < b ? (a < c ? a : c) : (b < c ? b : c);
}

/* How many letters must change to turn one word into the other. */
static size_t distance(const char *a, const char *b)
{
	size_t row[64], len = strnlen(b, COUNT_OF(row) - 1);

	for (size_t j = 0; j <= len; j++)
		row[j] = j;
	for (size_t i = 1; a[i - 1]; i++) {
		size_t diagonal = row[0];

		row[0] = i;
		for (size_t j = 1; j <= len; j++) {
			size_t above = row[j];

			row[j] = smallest(above + 1, row[j - 1] + 1,
					  diagonal + (a[i - 1] != b[j - 1]));
			diagonal = above;
		}
	}
	return row[len];
}

static const char *nearest(const char *typed)
{
	const char *best = NULL;
	size_t least = strlen(typed) / 3 + 2;

	for (const struct command *const *c = all_commands; *c; c++) {
		size_t d = distance(typed, (*c)->name);

		if (d < least) {
			least = d;
			best = (*c)->name;
		}
	}
	return best;
}

static bool list_family(const char *first)
{
	size_t len = strlen(first), found = 0;

	for (const struct command *const *c = all_commands; *c; c++) {
		if (strncmp((*c)->name, first, len) != 0 || (*c)->name[len] != ' ')
			continue;
		if (found++ == 0)
			fprintf(stderr, "sluice %s: which one?\n", first);
		fprintf(stderr, "  sluice %-15s %s\n", (*c)->name, (*c)->summary);
	}
	return found > 0;
}

static int refuse(int argc, char **argv)
{
	AUTO(xfree)
	char *typed = argc > 1 && argv[1][0] != '-' ? xasprintf("%s %s", argv[0], argv[1])
						    : xstrdup(argv[0]);
	const char *best = strlen(typed) < 40 ? nearest(typed) : NULL;

	if (!best && strlen(argv[0]) < 40)
		best = nearest(argv[0]);
	if (argc > 1 && strcmp(argv[1], "--help") == 0 && list_family(argv[0]))
		return COMMAND_OK;
	if ((argc < 2 || !best) && list_family(argv[0]))
		return COMMAND_USAGE;
	fprintf(stderr, "sluice: no command \"%.40s\"", typed);
	if (best)
		fprintf(stderr, "; did you mean `sluice %s`?\n", best);
	else
		fputs("; `sluice help` lists them\n", stderr);
	return COMMAND_USAGE;
}

/* --- running --- */

static int run_command(const struct command *command, int argc, char **argv)
{
	AUTO(xfree) char *name = xasprintf("sluice %s", command->name);
	int code;

	argv[0] = name;
	code = command->run(argc, argv);
	log_flush();
	if (fflush(stdout) != 0) { /* a full disk must not look like success */
		perror("sluice: standard output");
		return COMMAND_FAILED;
	}
	return code;
}

static int run_words(int argc, char **argv)
{
	int words;
	const struct command *command = find_command(argc, argv, &words);

	if (!command)
		return refuse(argc, argv);
	return run_command(command, argc - words + 1, argv + words - 1);
}

static int run_help(int argc, char **argv)
{
	char *with_help[] = {argv[0], argc > 2 ? argv[2] : "--help", "--help", NULL};

	if (argc < 2) {
		print_help();
		return COMMAND_OK;
	}
	with_help[0] = argv[1];
	return run_words(argc > 2 ? 3 : 2, with_help);
}

const struct command command_help = {
	.name = "help",
	.summary = "what there is, and `help COMMAND` for one of them",
	.group = COMMAND_OPERATE,
	.run = run_help,
};

static bool open_log(void)
{
	struct log_settings settings = LOG_DEFAULTS;
	const char *wish = getenv("SLUICE_LOG");

	if (wish && !log_settings_parse(&settings, wish)) {
		fprintf(stderr,
			"SLUICE_LOG: \"%.40s\": write a level (debug, info, warn, error) and "
			"a format (logfmt, json), as in \"info,json\"\n",
			wish);
		return false;
	}
	log_open(&settings);
	return true;
}

int main(int argc, char **argv)
{
	setlocale(LC_CTYPE, "C.UTF-8");
	signal(SIGPIPE, SIG_IGN); /* writes say EPIPE; a peer that left must not end us */
	if (!open_log())
		return COMMAND_USAGE;
	if (argc < 2 || strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0) {
		print_help();
		return argc < 2 ? COMMAND_USAGE : COMMAND_OK;
	}
	if (strcmp(argv[1], "--version") == 0) {
		puts("sluice " SLUICE_VERSION);
		return COMMAND_OK;
	}
	return run_words(argc - 1, argv + 1);
}
