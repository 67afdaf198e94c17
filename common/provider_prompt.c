#include "provider_prompt.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ensure.h"

/* A repair quotes no more than this of the answer before it, and of what is wrong with it. */
#define MOST_ANSWER_QUOTED ((size_t)32 * 1024)
#define MOST_NOTE_QUOTED ((size_t)2 * 1024)

void prompt_parts_add(struct prompt_parts *parts, struct prompt_part part)
{
	if (parts->count == parts->capacity) {
		parts->capacity = parts->capacity ? 2 * parts->capacity : 8;
		parts->items = xrealloc(parts->items, parts->capacity * sizeof(*parts->items));
	}
	parts->items[parts->count++] = part;
}

void prompt_parts_finish(struct prompt_parts *parts)
{
	free(parts->items);
	*parts = (struct prompt_parts){0};
}

static bool add_string(const json_t *string, bool stable, struct prompt_parts *parts)
{
	prompt_parts_add(parts, (struct prompt_part){json_string_value(string),
						     json_string_length(string), stable});
	return true;
}

static bool check_part(const json_t *part, size_t i, struct error *err)
{
	if (strcmp(json_text(part, "type", "text"), "text") == 0 &&
	    json_is_string(json_object_get(part, "text")))
		return true;
	return error_set(err, ERROR_REJECT,
			 "part %zu of a message is no text: only {\"type\":\"text\",\"text\":…} "
			 "can be sent",
			 i);
}

static bool check_parts(const json_t *content, struct error *err)
{
	const json_t *part;
	size_t i;

	json_array_foreach (content, i, part)
		if (!check_part(part, i, err))
			return false;
	return true;
}

static void add_where(const json_t *content, bool stable, struct prompt_parts *parts)
{
	const json_t *part;
	size_t i;

	json_array_foreach (content, i, part)
		if (json_bool_or(part, "stable", false) == stable)
			add_string(json_object_get(part, "text"), stable, parts);
}

bool prompt_parts_of(const json_t *message, struct prompt_parts *parts, struct error *err)
{
	const json_t *content = json_object_get(message, "content");
	const json_t *part;
	size_t i;

	if (json_is_string(content))
		return add_string(content, false, parts);
	if (!check_parts(content, err))
		return false;
	if (prompt_is_system(message)) {
		add_where(content, true, parts);
		add_where(content, false, parts);
		return true;
	}
	json_array_foreach (content, i, part)
		add_string(json_object_get(part, "text"), json_bool_or(part, "stable", false),
			   parts);
	return true;
}

bool prompt_is_system(const json_t *message)
{
	const char *role = json_text(message, "role", "");

	return strcmp(role, "system") == 0 || strcmp(role, "developer") == 0;
}

const struct prepared_schema *prompt_schema(const struct call *call, const char *dialect,
					    struct prepared_schema *own)
{
	if (!call->output_schema)
		return NULL;
	if (call->prepared)
		return call->prepared;
	prepared_schema_init(own, dialect, call->output_schema);
	return own;
}

void prompt_schema_words(const struct prepared_schema *schema, struct buffer *out)
{
	buffer_text(out, "Answer with one JSON value and nothing else: no prose around it, no code "
			 "fence. It must be valid for this JSON Schema:\n");
	buffer_append(out, schema->whole, schema->whole_len);
}

/* The text up to the cap, not cut inside a character. */
static size_t quotable(const char *text, size_t len, size_t most)
{
	if (len <= most)
		return len;
	while (most > 0 && ((unsigned char)text[most] & 0xc0) == 0x80)
		most--;
	return most;
}

char *prompt_repair_answer(const struct call *call)
{
	size_t len = call->repair_answer ? call->repair_answer_len : 0;
	size_t quoted = quotable(call->repair_answer, len, MOST_ANSWER_QUOTED);
	json_auto_t *clean = json_lenient_string(call->repair_answer, quoted);

	return xasprintf("%s%s", json_string_value(clean), quoted < len ? " [cut]" : "");
}

void prompt_repair_note(const struct call *call, struct buffer *out)
{
	size_t len = quotable(call->repair_note, strlen(call->repair_note), MOST_NOTE_QUOTED);
	json_auto_t *clean = json_lenient_string(call->repair_note, len);

	buffer_printf(out,
		      "That answer could not be used: %s\nGive the whole answer again, corrected, "
		      "and nothing else%s.",
		      json_string_value(clean),
		      call->output_schema ? ": one JSON value that is valid for the schema" : "");
}

/* FNV-1a, with the final zero as the separator. */
static uint64_t hash_text(uint64_t hash, const char *text)
{
	do {
		hash = (hash ^ (unsigned char)*text) * 0x100000001b3u;
	} while (*text++);
	return hash;
}

const char *prompt_cache_key(const struct job *job, char text[PROMPT_CACHE_KEY])
{
	uint64_t hash = 0xcbf29ce484222325u;

	if (!job->task[0] && !job->prompt_name[0])
		return "";
	hash = hash_text(hash, job->task);
	hash = hash_text(hash, job->prompt_name);
	hash = hash_text(hash, job->prompt_version);
	snprintf(text, PROMPT_CACHE_KEY, "sluice-%016" PRIx64, hash);
	return text;
}

const char *prompt_output_name(const struct job *job)
{
	static const char allowed[] =
		"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-";
	size_t len = strspn(job->output_name, allowed);

	return len > 0 && len <= 64 && !job->output_name[len] ? job->output_name : "answer";
}
