/*
 * ECMA-262 to PCRE2, in one pass. The two languages look alike; where the same
 * spelling means something else it is rewritten, and what ECMA-262 does not
 * have (\A, \Z, (?P<name>…), (?i), (*VERB), a++) is refused with a word on what
 * to write instead, or a schema would mean one thing here and another at the
 * provider.
 */
#include <ctype.h>
#include <string.h>

#include "pattern.h"

struct translation {
	const char *at;
	const char *end;
	struct buffer *out;
	bool in_class;
	bool can_repeat;  /* the last thing was an atom */
	bool can_be_lazy; /* the last thing was a quantifier */
	struct error *err;
};

/* Bodies of classes. Each ends with a range, so that a hyphen after it stays a hyphen. */
static const char spaces[] = "\\x{9}-\\x{d}\\x{20}\\x{a0}\\x{1680}\\x{feff}\\x{2028}\\x{2029}"
			     "\\x{202f}\\x{205f}\\x{3000}\\x{2000}-\\x{200a}";
static const char not_spaces[] =
	"\\x{0}-\\x{8}\\x{e}-\\x{1f}\\x{21}-\\x{9f}\\x{a1}-\\x{167f}\\x{1681}-\\x{1fff}"
	"\\x{200b}-\\x{2027}\\x{202a}-\\x{202e}\\x{2030}-\\x{205e}\\x{2060}-\\x{2fff}"
	"\\x{3001}-\\x{fefe}\\x{ff00}-\\x{10ffff}";

static bool refuse(struct translation *t, const char *why)
{
	return error_set(t->err, ERROR_REJECT, "not an ECMA-262 regular expression: %s", why);
}

static size_t left(const struct translation *t)
{
	return (size_t)(t->end - t->at);
}

static bool starts_with(const struct translation *t, const char *text)
{
	return left(t) >= strlen(text) && memcmp(t->at, text, strlen(text)) == 0;
}

static void copy(struct translation *t, size_t len)
{
	buffer_append(t->out, t->at, len);
	t->at += len;
}

/* Reads up to `digits` hex digits at p; -1 where there are fewer. */
static long read_hex(const char *p, const char *end, int digits)
{
	long value = 0;

	for (int i = 0; i < digits; i++, p++) {
		if (p >= end || !isxdigit((unsigned char)*p))
			return -1;
		value = value * 16 +
			(isdigit((unsigned char)*p) ? *p - '0' : (*p | 0x20) - 'a' + 10);
	}
	return value;
}

static bool emit_code_point(struct translation *t, long code)
{
	if (code < 0 || code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff))
		return refuse(t, "\\u or \\x is not followed by the digits of a character");
	buffer_printf(t->out, "\\x{%lx}", (unsigned long)code);
	return true;
}

/* \u{1F600} */
static bool take_braced_code_point(struct translation *t)
{
	const char *p = t->at + 1;
	long code = 0;

	for (; p < t->end && isxdigit((unsigned char)*p) && code <= 0x10ffff; p++)
		code = code * 16 + read_hex(p, t->end, 1);
	if (p >= t->end || *p != '}' || p == t->at + 1)
		return refuse(t, "\\u{ is not followed by hex digits and }");
	t->at = p + 1;
	return emit_code_point(t, code);
}

/* \u0041, and \uD83D\uDE00 as the one character the pair spells. */
static bool take_unicode(struct translation *t)
{
	long code, low;

	if (t->at < t->end && *t->at == '{')
		return take_braced_code_point(t);
	code = read_hex(t->at, t->end, 4);
	if (code < 0)
		return refuse(t, "\\u is not followed by four hex digits");
	t->at += 4;
	if (code >= 0xd800 && code < 0xdc00 && starts_with(t, "\\u")) {
		low = read_hex(t->at + 2, t->end, 4);
		if (low >= 0xdc00 && low < 0xe000) {
			t->at += 6;
			code = 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00);
		}
	}
	return emit_code_point(t, code);
}

static bool take_hex(struct translation *t)
{
	long code = read_hex(t->at, t->end, 2);

	if (code < 0)
		return refuse(t, "\\x is not followed by two hex digits");
	t->at += 2;
	return emit_code_point(t, code);
}

/* Long names of general categories, which PCRE2 knows by their short ones only. */
static const char *const categories[][2] = {
	{"Letter", "L"},
	{"Cased_Letter", "L&"},
	{"Uppercase_Letter", "Lu"},
	{"Lowercase_Letter", "Ll"},
	{"Titlecase_Letter", "Lt"},
	{"Modifier_Letter", "Lm"},
	{"Other_Letter", "Lo"},
	{"Mark", "M"},
	{"Combining_Mark", "M"},
	{"Nonspacing_Mark", "Mn"},
	{"Spacing_Mark", "Mc"},
	{"Enclosing_Mark", "Me"},
	{"Number", "N"},
	{"Decimal_Number", "Nd"},
	{"digit", "Nd"},
	{"Letter_Number", "Nl"},
	{"Other_Number", "No"},
	{"Punctuation", "P"},
	{"punct", "P"},
	{"Connector_Punctuation", "Pc"},
	{"Dash_Punctuation", "Pd"},
	{"Open_Punctuation", "Ps"},
	{"Close_Punctuation", "Pe"},
	{"Initial_Punctuation", "Pi"},
	{"Final_Punctuation", "Pf"},
	{"Other_Punctuation", "Po"},
	{"Symbol", "S"},
	{"Math_Symbol", "Sm"},
	{"Currency_Symbol", "Sc"},
	{"Modifier_Symbol", "Sk"},
	{"Other_Symbol", "So"},
	{"Separator", "Z"},
	{"Space_Separator", "Zs"},
	{"Line_Separator", "Zl"},
	{"Paragraph_Separator", "Zp"},
	{"Other", "C"},
	{"Control", "Cc"},
	{"cntrl", "Cc"},
	{"Format", "Cf"},
	{"Surrogate", "Cs"},
	{"Private_Use", "Co"},
	{"Unassigned", "Cn"},
};

static void emit_property(struct translation *t, char p, const char *name, size_t len)
{
	for (size_t i = 0; i < COUNT_OF(categories); i++)
		if (strlen(categories[i][0]) == len && memcmp(categories[i][0], name, len) == 0) {
			buffer_printf(t->out, "\\%c{%s}", p, categories[i][1]);
			return;
		}
	buffer_printf(t->out, "\\%c{%.*s}", p, (int)len, name);
}

/* \p{Letter}, \p{gc=Letter}, \p{Script=Greek}, \p{scx=Greek}; PCRE2 spells = as : */
static bool take_property(struct translation *t, char p)
{
	static const char *const prefixes[][2] = {
		{"General_Category=", ""},
		{"gc=", ""},
		{"Script=", "sc:"},
		{"sc=", "sc:"},
		{"Script_Extensions=", "scx:"},
		{"scx=", "scx:"},
	};
	const char *close = memchr(t->at, '}', left(t));

	if (t->at >= t->end || *t->at != '{' || !close)
		return refuse(t, "\\p is not followed by {the name of a property}");
	t->at++;
	for (size_t i = 0; i < COUNT_OF(prefixes); i++) {
		if (!starts_with(t, prefixes[i][0]))
			continue;
		t->at += strlen(prefixes[i][0]);
		if (*prefixes[i][1]) {
			buffer_printf(t->out, "\\%c{%s%.*s}", p, prefixes[i][1],
				      (int)(close - t->at), t->at);
			t->at = close + 1;
			return true;
		}
		break;
	}
	emit_property(t, p, t->at, (size_t)(close - t->at));
	t->at = close + 1;
	return true;
}

/* \1 to \99. Braced, or PCRE2 takes one without its group for an octal number. */
static bool take_back_reference(struct translation *t)
{
	unsigned number = 0;

	if (t->in_class)
		return refuse(t, "a back reference can't stand within []");
	for (; t->at < t->end && isdigit((unsigned char)*t->at) && number < 1000; t->at++)
		number = number * 10 + (unsigned)(*t->at - '0');
	buffer_printf(t->out, "\\g{%u}", number);
	return true;
}

static bool take_spaces(struct translation *t, const char *body)
{
	buffer_printf(t->out, t->in_class ? "%s" : "[%s]", body);
	return true;
}

static bool take_letter_escape(struct translation *t, char c)
{
	switch (c) {
	case 's':
		return take_spaces(t, spaces);
	case 'S':
		return take_spaces(t, not_spaces);
	case 'u':
		return take_unicode(t);
	case 'x':
		return take_hex(t);
	case 'p':
	case 'P':
		return take_property(t, c);
	case 'v': /* a class of its own in PCRE2 */
		return emit_code_point(t, '\v');
	case 'c':
		if (t->at >= t->end || !isalpha((unsigned char)*t->at))
			return refuse(t, "\\c is not followed by a letter");
		return emit_code_point(t, *t->at++ & 31);
	case 'B':
	case 'k':
		if (t->in_class)
			return refuse(t, "\\B and \\k can't stand within []");
		break;
	case 'A':
	case 'Z':
	case 'z':
		return refuse(t, "for \\A write ^, for \\Z and \\z write $");
	default:
		if (!strchr("dDwWbfnrt", c))
			return refuse(t, "a letter is escaped that has no such meaning");
	}
	buffer_printf(t->out, "\\%c", c);
	return true;
}

static bool take_escape(struct translation *t)
{
	unsigned char c;

	if (left(t) < 2)
		return refuse(t, "it ends with \\");
	c = (unsigned char)t->at[1];
	t->at += 2;
	t->can_repeat = c != 'b' && c != 'B';
	if (isalpha(c))
		return take_letter_escape(t, (char)c);
	if (c == '0')
		return emit_code_point(t, 0);
	if (isdigit(c)) {
		t->at--;
		return take_back_reference(t);
	}
	if (c < 0x80)
		buffer_byte(t->out, '\\');
	buffer_byte(t->out, (char)c);
	return true;
}

/* Length of a quantifier's braces at t->at, or 0 where { only stands for itself. */
static size_t braces(const struct translation *t)
{
	const char *p = t->at + 1;
	const char *digits = p;

	while (p < t->end && isdigit((unsigned char)*p))
		p++;
	if (p == digits)
		return 0;
	if (p < t->end && *p == ',')
		for (p++; p < t->end && isdigit((unsigned char)*p);)
			p++;
	return p < t->end && *p == '}' ? (size_t)(p + 1 - t->at) : 0;
}

static bool take_quantifier(struct translation *t, size_t len)
{
	if (*t->at == '?' && t->can_be_lazy) {
		t->can_be_lazy = false;
		copy(t, 1);
		return true;
	}
	if (!t->can_repeat)
		return refuse(t, "there is nothing to repeat before a quantifier");
	copy(t, len);
	t->can_repeat = false;
	t->can_be_lazy = true;
	return true;
}

/* (?: (?= (?! (?<= (?<! (?<name> and modifiers with a colon, as in (?i:…). */
static bool take_group(struct translation *t)
{
	const char *p = t->at + 2;

	t->can_repeat = false;
	if (starts_with(t, "(*"))
		return refuse(t, "there is nothing to repeat before a quantifier");
	if (!starts_with(t, "(?")) {
		copy(t, 1);
		return true;
	}
	while (p < t->end && (*p == 'i' || *p == 'm' || *p == 's' || *p == '-'))
		p++;
	if (p < t->end && (*p == ':' || (p == t->at + 2 && (*p == '=' || *p == '!')))) {
		copy(t, (size_t)(p + 1 - t->at));
		return true;
	}
	if (p != t->at + 2 || p + 1 >= t->end || *p != '<')
		return refuse(t, "it has no (?P<name>…), no (?i) and no (?>…)");
	copy(t, p[1] == '=' || p[1] == '!' ? 4 : 3);
	return true;
}

static bool take_in_class(struct translation *t)
{
	if (*t->at == ']') {
		t->in_class = false;
		t->can_repeat = true;
	} else if (*t->at == '[') { /* [[:alpha:]] is PCRE2's only */
		buffer_byte(t->out, '\\');
	}
	copy(t, 1);
	return true;
}

static bool take_plain(struct translation *t)
{
	size_t len = 0;

	switch (*t->at) {
	case '(':
		return take_group(t);
	case '[':
		t->in_class = true;
		copy(t, starts_with(t, "[^") ? 2 : 1);
		return true;
	case '.':
		buffer_text(t->out, "[^\\n\\r\\x{2028}\\x{2029}]");
		t->at++;
		t->can_repeat = true;
		return true;
	case '{':
		len = braces(t);
		if (len > 0)
			return take_quantifier(t, len);
		buffer_byte(t->out, '\\');
		break;
	case '*':
	case '+':
	case '?':
		return take_quantifier(t, 1);
	}
	t->can_repeat = *t->at != '|' && *t->at != '^' && *t->at != '$';
	copy(t, 1);
	return true;
}

static bool take_next(struct translation *t)
{
	bool was_quantifier = t->can_be_lazy;

	if (*t->at == '\\') {
		t->can_be_lazy = false;
		return take_escape(t);
	}
	if (t->in_class)
		return take_in_class(t);
	if (*t->at != '?' || !was_quantifier)
		t->can_be_lazy = false;
	return take_plain(t);
}

bool pattern_translate(const char *regex, size_t len, struct buffer *out, struct error *err)
{
	struct translation t = {.at = regex, .end = regex + len, .out = out, .err = err};

	if (len > PATTERN_MAX_BYTES)
		return error_set(err, ERROR_REJECT,
				 "the regular expression has %zu bytes; at most %d are allowed",
				 len, PATTERN_MAX_BYTES);
	buffer_append(out, "", 0);
	while (t.at < t.end)
		if (!take_next(&t))
			return false;
	return true;
}
