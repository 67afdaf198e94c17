/* What is wrong, where, in words for a model and as a signature for the cascade. */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "ensure.h"
#include "schema_run.h"

#define MAX_PLACES 64 /* of a path that are shown, the outermost first */

/* A text that grows within its room and then stops, never within a character. */
struct line {
	char *text;
	size_t len;
	size_t room;
	bool full;
};

static void add_bytes(struct line *line, const char *bytes, size_t len)
{
	size_t left = line->room - 1 - line->len;

	if (line->full)
		return;
	line->full = len > left;
	if (len > left)
		for (len = left; len > 0 && ((unsigned char)bytes[len] & 0xc0) == 0x80;)
			len--;
	memcpy(line->text + line->len, bytes, len);
	line->len += len;
	line->text[line->len] = '\0';
}

static void add_text(struct line *line, const char *text)
{
	add_bytes(line, text, strlen(text));
}

/* A name as a JSON pointer spells it; control characters would break lines. */
static void add_name(struct line *line, const char *name, size_t len)
{
	for (size_t i = 0; i < len && !line->full; i++) {
		if (name[i] == '~')
			add_text(line, "~0");
		else if (name[i] == '/')
			add_text(line, "~1");
		else if ((unsigned char)name[i] < 0x20)
			add_text(line, "?");
		else
			add_bytes(line, &name[i], 1);
	}
}

static void add_place(struct line *line, const struct schema_place *place, bool as_shape)
{
	char index[24];

	add_text(line, "/");
	if (as_shape && (!place->name || place->invented)) {
		add_text(line, "-");
	} else if (place->name) {
		add_name(line, place->name, place->len);
	} else {
		snprintf(index, sizeof(index), "%zu", place->index);
		add_text(line, index);
	}
}

static void cut_to_characters(char *text, size_t room)
{
	size_t len = strlen(text);

	if (len + 1 < room)
		return;
	while (len > 0 && ((unsigned char)text[len - 1] & 0xc0) == 0x80)
		len--;
	if (len > 0 && (unsigned char)text[len - 1] >= 0xc0)
		len--;
	text[len] = '\0';
}

static void write_path(char *text, size_t room, const struct schema_place *place, bool as_shape)
{
	struct line line = {.text = text, .room = room};
	const struct schema_place *chain[MAX_PLACES];
	size_t depth = 0, at;

	text[0] = '\0';
	for (const struct schema_place *p = place; p; p = p->up)
		depth++;
	at = depth;
	for (const struct schema_place *p = place; p; p = p->up)
		if (--at < MAX_PLACES)
			chain[at] = p;
	for (size_t i = 0; i < depth && i < MAX_PLACES; i++)
		add_place(&line, chain[i], as_shape);
	cut_to_characters(text, room);
}

static struct schema_error *next_error(struct schema_run *run)
{
	struct schema_errors *errors = run->errors;

	if (!errors)
		return NULL;
	if (errors->count == SCHEMA_MAX_ERRORS) {
		errors->more = true;
		return NULL;
	}
	return &errors->list[errors->count++];
}

size_t schema_path_len(const struct schema_run *run)
{
	char path[sizeof(((struct schema_error *)NULL)->path)];

	write_path(path, sizeof(path), run->place, false);
	return strlen(path);
}

bool schema_fail(struct schema_run *run, const char *keyword, const char *fmt, ...)
{
	struct schema_error *error = next_error(run);
	va_list args;

	if (!error)
		return false;
	error->keyword = keyword;
	write_path(error->path, sizeof(error->path), run->place, false);
	write_path(error->shape, sizeof(error->shape), run->place, true);
	va_start(args, fmt);
	vsnprintf(error->text, sizeof(error->text), fmt, args);
	va_end(args);
	cut_to_characters(error->text, sizeof(error->text));
	return false;
}

bool schema_fail_member(struct schema_run *run, const char *keyword, const char *name, size_t len,
			const char *fmt, ...)
{
	struct schema_place place = {.up = run->place, .name = name, .len = len};
	struct schema_error *error = next_error(run);
	va_list args;

	if (!error)
		return false;
	error->keyword = keyword;
	write_path(error->path, sizeof(error->path), run->place, false);
	write_path(error->shape, sizeof(error->shape), &place, true);
	va_start(args, fmt);
	vsnprintf(error->text, sizeof(error->text), fmt, args);
	va_end(args);
	cut_to_characters(error->text, sizeof(error->text));
	return false;
}

bool schema_fail_all(struct schema_run *run, const struct schema_errors *errors)
{
	for (size_t i = 0; i < errors->count; i++) {
		struct schema_error *error = next_error(run);

		if (error)
			*error = errors->list[i];
	}
	if (errors->more)
		run->errors->more = true;
	return false;
}

static struct schema_quoted shorten(const char *text, size_t len, const char *quote)
{
	struct schema_quoted quoted;
	struct line line = {.text = quoted.text, .room = sizeof(quoted.text) - 4};

	quoted.text[0] = '\0';
	add_text(&line, quote);
	for (size_t i = 0; i < len && !line.full; i++)
		add_bytes(&line, (unsigned char)text[i] < 0x20 ? "?" : &text[i], 1);
	cut_to_characters(quoted.text, line.room);
	strcat(quoted.text, line.full ? "…" : quote);
	return quoted;
}

struct schema_quoted schema_quote(const char *text, size_t len)
{
	return shorten(text, len, "\"");
}

struct schema_quoted schema_show(const json_t *value)
{
	AUTO(xfree) char *text = NULL;

	if (json_is_string(value))
		return schema_quote(json_string_value(value), json_string_length(value));
	text = json_write(value);
	return shorten(text, strlen(text), "");
}

const char *schema_errors_note(const struct schema_errors *errors, char note[SCHEMA_NOTE])
{
	struct line line = {.text = note, .room = SCHEMA_NOTE};
	char last[SCHEMA_NOTE / 4];
	size_t shown = 0;

	note[0] = '\0';
	for (; shown < errors->count; shown++) {
		const struct schema_error *e = &errors->list[shown];
		char text[sizeof(e->path) + sizeof(e->text) + 16];

		snprintf(text, sizeof(text), "%s%s %s", shown > 0 ? "\n" : "",
			 e->path[0] ? e->path : "(root)", e->text);
		if (line.len + strlen(text) + 40 > line.room)
			break;
		add_text(&line, text);
	}
	if (shown < errors->count || errors->more) {
		snprintf(last, sizeof(last), "\n(and %zu%s more)", errors->count - shown,
			 errors->more ? " or" : "");
		add_text(&line, errors->count > shown ? last : "\n(and more)");
	}
	return note;
}

static int compare_errors(const struct schema_error *a, const struct schema_error *b)
{
	int order = strcmp(a->shape, b->shape);

	return order ? order : strcmp(a->keyword, b->keyword);
}

/* The smallest error after `after`; NULL: there is none. */
static const struct schema_error *next_in_order(const struct schema_errors *errors,
						const struct schema_error *after)
{
	const struct schema_error *next = NULL;

	for (size_t i = 0; i < errors->count; i++) {
		const struct schema_error *e = &errors->list[i];

		if (after && compare_errors(e, after) <= 0)
			continue;
		if (!next || compare_errors(e, next) < 0)
			next = e;
	}
	return next;
}

/* A signature that does not fit keeps its beginning and ends with a hash of the whole. */
static void hash_tail(char signature[SCHEMA_SIGNATURE], const char *whole)
{
	uint32_t hash = 2166136261;
	int len = SCHEMA_SIGNATURE - 10;

	for (const char *p = whole; *p; p++)
		hash = (hash ^ (unsigned char)*p) * 16777619;
	while (len > 0 && ((unsigned char)whole[len] & 0xc0) == 0x80)
		len--;
	snprintf(signature, SCHEMA_SIGNATURE, "%.*s#%08" PRIx32, len, whole, hash);
}

/* In order of place, for a model need not make its mistakes in the same order again. */
const char *schema_errors_signature(const struct schema_errors *errors,
				    char signature[SCHEMA_SIGNATURE])
{
	char whole[SCHEMA_MAX_ERRORS * 128];
	struct line line = {.text = whole, .room = sizeof(whole)};
	const struct schema_error *e = NULL;

	add_text(&line, "schema");
	for (size_t i = 0; i < 3 && (e = next_in_order(errors, e)); i++) {
		add_text(&line, i > 0 ? "; " : " ");
		add_text(&line, e->shape);
		add_text(&line, e->shape[0] ? " " : "");
		add_text(&line, e->keyword);
	}
	if (line.len < SCHEMA_SIGNATURE)
		memcpy(signature, whole, line.len + 1);
	else
		hash_tail(signature, whole);
	return signature;
}
