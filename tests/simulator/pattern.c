#include <stdlib.h>
#include <string.h>

#include "generate.h"

#define MAX_REPEAT 8
#define MAX_NESTING 6
#define MAX_TEXT ((size_t)2048)

/* A regular expression while a string is made from it. `out` NULL: only walk over it. */
struct walker {
	const char *at;
	struct dice *dice;
	struct buffer *out;
	int depth;
};

static void emit(struct walker *w, char c)
{
	if (w->out && w->out->len < MAX_TEXT)
		buffer_byte(w->out, c);
}

/* What \d, \w, … stand for, one character of it. */
static char from_escape(struct walker *w, char c)
{
	switch (c) {
	case 'd':
		return (char)('0' + dice_below(w->dice, 10));
	case 'w':
		return (char)('a' + dice_below(w->dice, 26));
	case 's':
		return ' ';
	case 'D':
	case 'W':
		return '-';
	case 'S':
		return 'x';
	case 'n':
		return '\n';
	case 't':
		return '\t';
	default:
		return c;
	}
}

static void mark_range(bool set[128], unsigned char from, unsigned char to)
{
	for (unsigned c = from; c <= to && c < 128; c++)
		set[c] = true;
}

static void mark_escape(bool set[128], char c)
{
	if (c == 'd' || c == 'w')
		mark_range(set, '0', '9');
	if (c == 'w') {
		mark_range(set, 'a', 'z');
		mark_range(set, 'A', 'Z');
		set['_'] = true;
	}
	if (c == 's')
		set[' '] = true;
	if (!strchr("dws", c) && (unsigned char)c < 128)
		set[(unsigned char)c] = true;
}

/* Reads "[…]" (after the bracket) into a set of characters. */
static void read_set(struct walker *w, bool set[128])
{
	bool negated = *w->at == '^', first = true;

	w->at += negated;
	for (; *w->at && (*w->at != ']' || first); first = false) {
		char c = *w->at++;

		if (c == '\\' && *w->at) {
			mark_escape(set, *w->at++);
		} else if (w->at[0] == '-' && w->at[1] && w->at[1] != ']') {
			mark_range(set, (unsigned char)c, (unsigned char)w->at[1]);
			w->at += 2;
		} else {
			mark_range(set, (unsigned char)c, (unsigned char)c);
		}
	}
	w->at += *w->at == ']';
	for (int c = 0; negated && c < 128; c++)
		set[c] = !set[c] && c > ' ' && c < 127;
}

static void from_set(struct walker *w)
{
	bool set[128] = {false};
	int count = 0;
	uint64_t pick;

	read_set(w, set);
	for (int c = 0; c < 128; c++)
		count += set[c];
	pick = dice_below(w->dice, (uint64_t)count);
	for (int c = 0; c < 128; c++)
		if (set[c] && pick-- == 0)
			emit(w, (char)c);
}

static void walk_alternatives(struct walker *w);

static void walk_atom(struct walker *w)
{
	char c = *w->at++;

	if (c == '(') {
		if (w->at[0] == '?')
			w->at += strcspn(w->at, ":=!>") + 1;
		if (w->depth++ < MAX_NESTING)
			walk_alternatives(w);
		w->depth--;
		w->at += *w->at == ')';
	} else if (c == '[') {
		from_set(w);
	} else if (c == '.') {
		emit(w, (char)('a' + dice_below(w->dice, 26)));
	} else if (c == '\\' && *w->at) {
		char escaped = *w->at++;

		if (escaped != 'b' && escaped != 'B')
			emit(w, from_escape(w, escaped));
	} else if (c != '^' && c != '$') {
		emit(w, c);
	}
}

/* "*", "+", "?", "{m}", "{m,}", "{m,n}" after an atom. Returns how often it is to stand. */
static uint64_t read_repeat(struct walker *w)
{
	uint64_t least = 1, most = 1;
	char *end;

	if (*w->at == '*' || *w->at == '+' || *w->at == '?') {
		least = *w->at == '+';
		most = *w->at == '?' ? 1 : 3;
		w->at++;
	} else if (*w->at == '{' && w->at[1] >= '0' && w->at[1] <= '9') {
		least = most = strtoull(w->at + 1, &end, 10);
		if (*end == ',')
			most = end[1] == '}' ? least + 3 : strtoull(end + 1, &end, 10);
		end += strcspn(end, "}");
		w->at = end + (*end == '}');
	}
	w->at += *w->at == '?'; /* lazy */
	if (most > least + MAX_REPEAT)
		most = least + MAX_REPEAT;
	return least + dice_below(w->dice, most - least + 1);
}

static void walk_sequence(struct walker *w)
{
	while (*w->at && *w->at != '|' && *w->at != ')') {
		const char *atom = w->at;
		struct buffer *out = w->out;
		const char *after;
		uint64_t times;

		w->out = NULL;
		walk_atom(w);
		w->out = out;
		times = read_repeat(w);
		after = w->at;
		for (uint64_t i = 0; out && i < times && out->len < MAX_TEXT; i++) {
			w->at = atom;
			walk_atom(w);
		}
		w->at = after;
	}
}

/* How many alternatives there are from here to the closing bracket. */
static uint64_t count_alternatives(struct walker *w)
{
	struct walker ahead = {.at = w->at, .dice = w->dice, .depth = w->depth};
	uint64_t count = 1;

	for (walk_sequence(&ahead); *ahead.at == '|'; walk_sequence(&ahead)) {
		ahead.at++;
		count++;
	}
	return count;
}

static void walk_alternatives(struct walker *w)
{
	struct buffer *out = w->out;
	uint64_t chosen = out ? dice_below(w->dice, count_alternatives(w)) : 0;

	for (uint64_t i = 0;; i++) {
		w->out = i == chosen ? out : NULL;
		walk_sequence(w);
		if (*w->at != '|')
			break;
		w->at++;
	}
	w->out = out;
}

void generate_pattern(struct dice *dice, const char *pattern, struct buffer *out)
{
	struct walker w = {.at = pattern, .dice = dice, .out = out};

	while (*w.at) {
		walk_alternatives(&w);
		w.at += *w.at == ')';
	}
}
