/*
 * The options of a sub-command, from a table: it parses, checks, and writes
 * --help. Built on argp.
 *
 *	struct wishes { struct arguments common; const char *tier; int64_t limit; bool yes; };
 *	static const struct argument table[] = {
 *		ARGUMENT_TEXT(struct wishes, tier, "tier", 't', "TIER", "which tier"),
 *		ARGUMENT_COUNT(struct wishes, limit, "limit", 'n', "at most so many", 1, 10000),
 *		ARGUMENT_FLAG(struct wishes, yes, "yes", 'y', "do not ask"),
 *		{0},
 *	};
 *	struct wishes wishes = {.limit = 100};
 *	int code = arguments_parse(&form, &wishes, argc, argv);         -- -1: go on
 *
 * Every command also takes --config FILE and --json, which land in `common`,
 * the first member. Fields not named on the command line keep what they had.
 */
#ifndef SLUICE_ARGUMENTS_H
#define SLUICE_ARGUMENTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum argument_kind {
	ARGUMENT_KIND_END,
	ARGUMENT_KIND_TEXT,	/* const char * */
	ARGUMENT_KIND_FLAG,	/* bool */
	ARGUMENT_KIND_COUNT,	/* int64_t, within least … most */
	ARGUMENT_KIND_NUMBER,	/* double */
	ARGUMENT_KIND_DURATION, /* nsec */
	ARGUMENT_KIND_LIST,	/* struct words: may be given several times */
};

#define WORDS_MAX 64
struct words {
	const char *words[WORDS_MAX];
	size_t count;
};

struct argument {
	enum argument_kind kind;
	const char *name;
	int key;	   /* short option; 0: none */
	const char *value; /* what it takes, for --help */
	const char *help;
	size_t offset;
	int64_t least;
	int64_t most;
};

#define ARGUMENT_TEXT(type, field, name, key, value, help)                              \
	{                                                                               \
		ARGUMENT_KIND_TEXT, name, key, value, help, offsetof(type, field), 0, 0 \
	}
#define ARGUMENT_FLAG(type, field, name, key, help)                                    \
	{                                                                              \
		ARGUMENT_KIND_FLAG, name, key, NULL, help, offsetof(type, field), 0, 0 \
	}
#define ARGUMENT_COUNT(type, field, name, key, help, least, most)                             \
	{                                                                                     \
		ARGUMENT_KIND_COUNT, name, key, "N", help, offsetof(type, field), least, most \
	}
#define ARGUMENT_NUMBER(type, field, name, key, help)                                   \
	{                                                                               \
		ARGUMENT_KIND_NUMBER, name, key, "X", help, offsetof(type, field), 0, 0 \
	}
#define ARGUMENT_DURATION(type, field, name, key, help)                                        \
	{                                                                                      \
		ARGUMENT_KIND_DURATION, name, key, "PERIOD", help, offsetof(type, field), 0, 0 \
	}
#define ARGUMENT_LIST(type, field, name, key, value, help)                              \
	{                                                                               \
		ARGUMENT_KIND_LIST, name, key, value, help, offsetof(type, field), 0, 0 \
	}

/* What every command has. */
struct arguments {
	const char *config; /* NULL: where config_load() looks */
	bool json;
	char **words; /* those that are no options; the front of argv, which is reordered */
	size_t word_count;
};

/* What a command takes. */
struct argument_form {
	const char *usage;   /* of the words: "[JOB...]"; "" : none */
	const char *summary; /* above the options in --help */
	const char *details; /* below them: examples; "" : none */
	const struct argument *table;
	size_t least_words;
	size_t most_words;
};

/*
 * Fill `wishes`, a struct that begins with struct arguments. -1: go on; else
 * the exit code, what was to be said is said (0 after --help, 2 for misuse).
 * argv[0] is the command's full name, as in "sluice submit".
 */
int arguments_parse(const struct argument_form *form, void *wishes, int argc, char **argv);

#endif
