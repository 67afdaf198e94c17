/*
 * sluice completion SHELL: prints a script for the shell, made from the table of
 * commands, so that it can never miss one.
 */
#include <stdio.h>
#include <string.h>

#include "command.h"
#include "compiler.h"

struct wishes {
	struct arguments common;
};

static const struct argument no_options[] = {{0}};

static const struct argument_form form = {
	.usage = "bash|zsh|fish",
	.summary = "Print a script that completes sluice's commands and options.",
	.details = "  source <(sluice completion bash)\n"
		   "  sluice completion zsh >\"${fpath[1]}/_sluice\"\n"
		   "  sluice completion fish >~/.config/fish/completions/sluice.fish\n",
	.table = no_options,
	.least_words = 1,
	.most_words = 1,
};

static const struct argument *options_of(const struct command *command)
{
	return command->form && command->form->table ? command->form->table : no_options;
}

static void print_options(const struct command *command)
{
	for (const struct argument *a = options_of(command); a->kind != ARGUMENT_KIND_END; a++)
		printf("--%s ", a->name);
	printf("--config --json --help");
}

static size_t first_word(const char *name)
{
	return strcspn(name, " ");
}

/* Whether an earlier command begins with the same word: "jobs" is offered once. */
static bool is_repeated(const struct command *const *command)
{
	size_t len = first_word((*command)->name);

	for (const struct command *const *c = all_commands; c < command; c++)
		if (first_word((*c)->name) == len &&
		    strncmp((*c)->name, (*command)->name, len) == 0)
			return true;
	return false;
}

static void print_first_words(void)
{
	for (const struct command *const *c = all_commands; *c; c++)
		if (!is_repeated(c))
			printf("%.*s ", (int)first_word((*c)->name), (*c)->name);
}

static void print_second_words(const char *family, size_t len)
{
	for (const struct command *const *c = all_commands; *c; c++)
		if (first_word((*c)->name) == len && strncmp((*c)->name, family, len) == 0)
			printf("%s ", (*c)->name + len + 1);
}

static void print_bash(void)
{
	puts("_sluice() {\n"
	     "\tlocal word=${COMP_WORDS[COMP_CWORD]} first=${COMP_WORDS[1]} "
	     "second=${COMP_WORDS[2]}\n"
	     "\tlocal words=\n"
	     "\tif [[ $COMP_CWORD -eq 1 ]]; then");
	printf("\t\twords='");
	print_first_words();
	puts("--help --version'\n\telse\n\t\tcase \"$COMP_CWORD:$first:$second\" in");
	for (const struct command *const *c = all_commands; *c; c++) {
		size_t len = first_word((*c)->name);

		if ((*c)->name[len] == '\0' || is_repeated(c))
			continue;
		printf("\t\t2:%.*s:*) words='", (int)len, (*c)->name);
		print_second_words((*c)->name, len);
		puts("' ;;");
	}
	for (const struct command *const *c = all_commands; *c; c++) {
		size_t len = first_word((*c)->name);
		const char *second = (*c)->name[len] ? (*c)->name + len + 1 : "*";

		printf("\t\t*:%.*s:%s) words='", (int)len, (*c)->name, second);
		print_options(*c);
		puts("' ;;");
	}
	puts("\t\tesac\n\tfi\n"
	     "\tCOMPREPLY=($(compgen -W \"$words\" -- \"$word\"))\n"
	     "\tif [[ ${#COMPREPLY[@]} -eq 0 && $word != -* ]]; then\n"
	     "\t\tCOMPREPLY=($(compgen -f -- \"$word\"))\n"
	     "\tfi\n}\ncomplete -o filenames -F _sluice sluice");
}

/* zsh runs bash's script; a second one would only be another thing to be wrong. */
static void print_zsh(void)
{
	puts("#compdef sluice\nautoload -U +X bashcompinit && bashcompinit");
	print_bash();
}

/* In single quotes, where fish knows only \' and \\. */
static void print_fish_text(const char *text)
{
	putchar('\'');
	for (; *text; text++) {
		if (*text == '\'' || *text == '\\')
			putchar('\\');
		putchar(*text);
	}
	putchar('\'');
}

static void print_fish_command(const struct command *const *command)
{
	const char *name = (*command)->name;
	size_t len = first_word(name);

	if (name[len] == '\0' || !is_repeated(command)) {
		printf("complete -c sluice -f -n __fish_use_subcommand -a '%.*s' -d ", (int)len,
		       name);
		print_fish_text(name[len] ? "" : (*command)->summary);
		putchar('\n');
	}
	if (name[len] != '\0') {
		printf("complete -c sluice -f -n '__fish_seen_subcommand_from %.*s' -a %s -d ",
		       (int)len, name, name + len + 1);
		print_fish_text((*command)->summary);
		putchar('\n');
	}
	for (const struct argument *a = options_of(*command); a->kind != ARGUMENT_KIND_END; a++) {
		printf("complete -c sluice -n '__fish_seen_subcommand_from %s' -l %s %s-d ",
		       name[len] ? name + len + 1 : name, a->name,
		       a->kind == ARGUMENT_KIND_FLAG ? "" : "-r ");
		print_fish_text(a->help);
		putchar('\n');
	}
}

static void print_fish(void)
{
	for (const struct command *const *c = all_commands; *c; c++)
		print_fish_command(c);
	puts("complete -c sluice -l config -r -d 'configuration'\n"
	     "complete -c sluice -l json -d 'print JSON, one object per line'");
}

static int run(int argc, char **argv)
{
	static const struct {
		const char *name;
		void (*print)(void);
	} shells[] = {{"bash", print_bash}, {"zsh", print_zsh}, {"fish", print_fish}};
	struct wishes wishes = {0};
	int code = arguments_parse(&form, &wishes, argc, argv);

	if (code >= 0)
		return code;
	for (size_t i = 0; i < COUNT_OF(shells); i++) {
		if (strcmp(shells[i].name, wishes.common.words[0]) == 0) {
			shells[i].print();
			return COMMAND_OK;
		}
	}
	fprintf(stderr, "sluice completion: no script for \"%.40s\"; there are bash, zsh, fish\n",
		wishes.common.words[0]);
	return COMMAND_USAGE;
}

const struct command command_completion = {
	.name = "completion",
	.summary = "a script that completes commands in bash, zsh or fish",
	.group = COMMAND_OPERATE,
	.run = run,
	.form = &form,
};
