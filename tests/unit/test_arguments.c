#include "arguments.h"

#include <stdio.h>
#include <string.h>

#include "clock.h"
#include "compiler.h"
#include "unit.h"

struct wishes {
	struct arguments common;
	const char *tier;
	int64_t limit;
	double share;
	bool yes;
	nsec since;
	struct words metadata;
};

static const struct argument table[] = {
	ARGUMENT_TEXT(struct wishes, tier, "tier", 't', "TIER", "which tier"),
	ARGUMENT_COUNT(struct wishes, limit, "limit", 'n', "at most so many", 1, 1000),
	ARGUMENT_NUMBER(struct wishes, share, "share", 0, "of the whole"),
	ARGUMENT_FLAG(struct wishes, yes, "yes", 'y', "do not ask"),
	ARGUMENT_DURATION(struct wishes, since, "since", 0, "how far back"),
	ARGUMENT_LIST(struct wishes, metadata, "metadata", 'm', "KEY=VALUE", "kept with the job"),
	{0},
};

static const struct argument_form form = {
	.usage = "[JOB...]", .summary = "Does it.", .details = "", .table = table, .most_words = 2};

static struct wishes wishes;

static int parse(char *const *words)
{
	static char *argv[16];
	int argc = 0;

	wishes = (struct wishes){.limit = 100};
	memset(argv, 0, sizeof(argv));
	argv[argc++] = "sluice test";
	while (*words)
		argv[argc++] = *words++;
	return arguments_parse(&form, &wishes, argc, argv);
}

#define PARSE(...) parse((char *[]){__VA_ARGS__, NULL})

START_TEST(options_land_in_their_fields)
{
	ck_assert_int_eq(PARSE("-t", "economy", "--limit=7", "--share", "0.5", "-y", "--since",
			       "2h", "--config", "a.yaml", "--json"),
			 -1);
	ck_assert_str_eq(wishes.tier, "economy");
	ck_assert_int_eq(wishes.limit, 7);
	ck_assert_double_eq(wishes.share, 0.5);
	ck_assert(wishes.yes && wishes.common.json);
	ck_assert_uint_eq(wishes.since, 7200 * NSEC_PER_SEC);
	ck_assert_str_eq(wishes.common.config, "a.yaml");
}
END_TEST

START_TEST(what_is_not_named_keeps_its_default)
{
	ck_assert_int_eq(PARSE("-y"), -1);
	ck_assert_int_eq(wishes.limit, 100);
	ck_assert_ptr_null(wishes.tier);
}
END_TEST

START_TEST(words_may_stand_between_options)
{
	ck_assert_int_eq(PARSE("one", "-t", "x", "two", "-y"), -1);
	ck_assert_uint_eq(wishes.common.word_count, 2);
	ck_assert_str_eq(wishes.common.words[0], "one");
	ck_assert_str_eq(wishes.common.words[1], "two");
	ck_assert(wishes.yes);
}
END_TEST

START_TEST(a_list_collects)
{
	ck_assert_int_eq(PARSE("-m", "a=1", "--metadata=b=2"), -1);
	ck_assert_uint_eq(wishes.metadata.count, 2);
	ck_assert_str_eq(wishes.metadata.words[1], "b=2");
}
END_TEST

START_TEST(misuse_ends_with_code_two)
{
	ck_assert_int_eq(PARSE("--limit", "0"), 2);
	ck_assert_int_eq(PARSE("--limit", "7x"), 2);
	ck_assert_int_eq(PARSE("--share", "nan"), 2);
	ck_assert_int_eq(PARSE("--since", "2"), 2);
	ck_assert_int_eq(PARSE("--nonsense"), 2);
	ck_assert_int_eq(PARSE("a", "b", "c"), 2);
}
END_TEST

START_TEST(help_ends_with_code_zero)
{
	ck_assert_int_eq(PARSE("--help"), 0);
}
END_TEST

UNIT_TESTS(arguments, options_land_in_their_fields, what_is_not_named_keeps_its_default,
	   words_may_stand_between_options, a_list_collects, misuse_ends_with_code_two,
	   help_ends_with_code_zero)
