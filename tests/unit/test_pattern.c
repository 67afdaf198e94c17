#include "pattern.h"

#include <string.h>

#include "unit.h"

static struct error err;

static enum pattern_result match(const char *regex, const char *text)
{
	struct pattern *pattern = pattern_create(regex, strlen(regex), &err);
	struct pattern_effort effort = {0};
	enum pattern_result result;

	ck_assert_msg(pattern, "%s: %s", regex, err.text);
	result = pattern_match(pattern, &effort, text, strlen(text));
	pattern_effort_finish(&effort);
	pattern_destroy(pattern);
	return result;
}

struct row {
	const char *regex, *text;
	bool matches;
};

static void check_rows(const struct row *rows, size_t count)
{
	for (size_t i = 0; i < count; i++)
		ck_assert_msg((match(rows[i].regex, rows[i].text) == PATTERN_MATCHES) ==
				      rows[i].matches,
			      "/%s/ on \"%s\"", rows[i].regex, rows[i].text);
}

START_TEST(a_pattern_is_searched_for_anywhere_unless_anchored)
{
	static const struct row rows[] = {
		{"b", "abc", true},	   {"^b", "abc", false}, {"^abc$", "abc", true},
		{"^abc$", "abc\n", false}, {"", "", true},	 {"^(?:a|b)+$", "abab", true},
	};
	check_rows(rows, COUNT_OF(rows));
}
END_TEST

START_TEST(classes_mean_what_ecma_262_says)
{
	static const struct row rows[] = {
		{"^\\d$", "7", true},
		{"^\\d$", "\u0667", false}, /* an Arabic digit */
		{"^\\w$", "\u00e9", false},
		{"^\\W$", "\u00e9", true},
		{"^\\s$", "\u00a0", true},
		{"^\\s$", "\ufeff", true},
		{"^\\s$", "\u2003", true},
		{"^\\s$", "\u180e", false},
		{"^\\S$", "\u00a0", false},
		{"^\\S$", "x", true},
		{"^[\\S]$", "\u3000", false},
		{"^[^\\s]$", "\u3000", false},
		{"^[\\s-]+$", " - ", true},
		{"^[\\s\\S]+$", "a\nb \u2028", true},
		{"^\\v$", "\v", true},
		{"^\\v$", "\n", false},
		{"^.$", "\u2028", false},
		{"^.$", "\xc2\x85", true},
		{"^.$", "\r", false},
		{"^.$", "\U0001F432", true}, /* one character, not two halves */
		{"^[[:alpha:]]$", "a]", true},
		{"^[[:alpha:]]$", "b", false},
		{"[]", "a", false},
		{"^[^]$", "\n", true},
	};
	check_rows(rows, COUNT_OF(rows));
}
END_TEST

START_TEST(escapes_mean_what_ecma_262_says)
{
	static const struct row rows[] = {
		{"^\\u0041$", "A", true},
		{"^\\uD83D\\uDC32$", "\U0001F432", true},
		{"^\\u{1F432}$", "\U0001F432", true},
		{"^\\x41$", "A", true},
		{"^\\cJ$", "\n", true},
		{"^\\t\\n\\r\\f$", "\t\n\r\f", true},
		{"^\\.\\/\\-\\$$", "./-$", true},
		{"^(a)\\1$", "aa", true},
		{"^(?<x>a)\\k<x>$", "aa", true},
		{"^\\p{Letter}+$", "\u00e9t\u00e9", true},
		{"^\\p{Lu}$", "a", false},
		{"^\\P{Letter}$", "1", true},
		{"^\\p{gc=Decimal_Number}$", "\u0667", true},
		{"^\\p{Script=Greek}+$", "\u03b1\u03b2", true},
		{"^\\p{Script=Greek}+$", "ab", false},
		{"^\\p{scx=Greek}$", "\u03b1", true},
	};
	check_rows(rows, COUNT_OF(rows));
}
END_TEST

START_TEST(braces_that_do_not_repeat_stand_for_themselves)
{
	static const struct row rows[] = {
		{"^a{2}$", "aa", true},	    {"^a{2,}$", "aaaa", true}, {"^a{1,2}?$", "aaa", false},
		{"^a{,2}$", "a{,2}", true}, {"^{x}$", "{x}", true},    {"^a{$", "a{", true},
	};
	check_rows(rows, COUNT_OF(rows));
}
END_TEST

START_TEST(what_is_not_ecma_262_is_refused)
{
	static const char *const bad[] = {
		"(",	   "a)",       "[a",	  "*a",
		"a**",	   "a++",      "a{2}{3}", "(*FAIL)",
		"(?i)a",   "(?P<x>a)", "(?>a)",	  "(?R)",
		"(?#x)",   "\\Aa",     "a\\Z",	  "\\a",
		"\\Qa\\E", "\\",       "\\u12",	  "\\u{110000}",
		"\\uD800", "\\xg0",    "\\p",	  "\\p{Nope}",
		"\\2",	   "(a)\\10",  "[\\1]",	  "\\C",
		"^+",	   "[z-a]",    "\\c1",	  "(?<a>x)(?<a>y)",
	};

	for (size_t i = 0; i < COUNT_OF(bad); i++) {
		struct pattern *pattern = pattern_create(bad[i], strlen(bad[i]), &err);

		ck_assert_msg(!pattern, "/%s/ was taken", bad[i]);
		ck_assert_int_eq(err.kind, ERROR_REJECT);
	}
}
END_TEST

START_TEST(an_exploding_pattern_gives_up)
{
	ck_assert_int_eq(match("^(a|a)*$", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab"),
			 PATTERN_EXHAUSTED);
	ck_assert_int_eq(match("^(a+)+$", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab"),
			 PATTERN_EXHAUSTED);
}
END_TEST

START_TEST(only_a_few_matches_of_one_check_may_be_hard)
{
	static const char regex[] = "^(a+)+$", text[] = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab";
	struct pattern *pattern = pattern_create(regex, strlen(regex), &err);
	struct pattern_effort effort = {0};

	for (int i = 0; i < 1000; i++)
		ck_assert_int_eq(pattern_match(pattern, &effort, text, strlen(text)),
				 PATTERN_EXHAUSTED);
	ck_assert_uint_le(effort.hard_matches, 8);
	pattern_effort_finish(&effort);
	pattern_destroy(pattern);
}
END_TEST

START_TEST(a_long_text_needs_no_deep_stack)
{
	size_t len = 1 << 20;
	char *text = malloc(len);
	struct pattern *pattern = pattern_create("^(?:(a)|(b))*$", 14, &err);
	struct pattern_effort effort = {0};

	memset(text, 'a', len);
	ck_assert_int_ne(pattern_match(pattern, &effort, text, len), PATTERN_DIFFERS);
	pattern_effort_finish(&effort);
	pattern_destroy(pattern);
	free(text);
}
END_TEST

START_TEST(an_endless_pattern_is_refused)
{
	char regex[PATTERN_MAX_BYTES + 2];

	memset(regex, 'a', sizeof(regex));
	ck_assert_ptr_null(pattern_create(regex, PATTERN_MAX_BYTES + 1, &err));
	ck_assert_ptr_null(pattern_create("((((a{1000}){1000}){1000}){1000})", 33, &err));
}
END_TEST

UNIT_TESTS(pattern, a_pattern_is_searched_for_anywhere_unless_anchored,
	   classes_mean_what_ecma_262_says, escapes_mean_what_ecma_262_says,
	   braces_that_do_not_repeat_stand_for_themselves, what_is_not_ecma_262_is_refused,
	   an_exploding_pattern_gives_up, only_a_few_matches_of_one_check_may_be_hard,
	   a_long_text_needs_no_deep_stack, an_endless_pattern_is_refused)
