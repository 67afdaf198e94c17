/*
 * What both adapters must say to a model, whatever the dialect: the parts of a
 * message with the stable ones in front, the output schema in words, the note
 * that asks for a repair, the key under which prompts share a cache.
 *
 *	struct prompt_parts parts = {0};
 *
 *	if (!prompt_parts_of(message, &parts, err)) ...
 *	prompt_parts_finish(&parts);
 *
 * For the adapters (provider_openai.c, provider_anthropic.c) only.
 */
#ifndef SLUICE_PROVIDER_PROMPT_H
#define SLUICE_PROVIDER_PROMPT_H

#include "provider.h"

/* A piece of text, borrowed from the job. */
struct prompt_part {
	const char *text;
	size_t len;
	bool stable; /* the same in every prompt of this name and version */
};

struct prompt_parts {
	struct prompt_part *items;
	size_t count;
	size_t capacity;
};

/*
 * Append the text parts of a message. Of a system message the stable ones come
 * first, so that providers can cache them; elsewhere their order is meaning.
 */
bool prompt_parts_of(const json_t *message, struct prompt_parts *parts, struct error *err) MUST_USE;
void prompt_parts_add(struct prompt_parts *parts, struct prompt_part part);
void prompt_parts_finish(struct prompt_parts *parts);

bool prompt_is_system(const json_t *message); /* or of role developer, its other name */

/* "Answer with one JSON value …" and the schema, for models that take none by themselves. */
void prompt_schema_words(const struct prepared_schema *schema, struct buffer *out);

/* The call's own prepared schema, or `own` made from its output schema; NULL: plain text. */
const struct prepared_schema *prompt_schema(const struct call *call, const char *dialect,
					    struct prepared_schema *own);

/* What the model said last time, made safe to quote: UTF-8, cut at a cap. The caller frees it. */
char *prompt_repair_answer(const struct call *call);

/* What the user's turn says about it. */
void prompt_repair_note(const struct call *call, struct buffer *out);

/* Same task, prompt and version: same key. "" if the job names none of them. */
#define PROMPT_CACHE_KEY 32
const char *prompt_cache_key(const struct job *job, char text[PROMPT_CACHE_KEY]);

/* The name of the output schema as providers allow it: [a-zA-Z0-9_-]{1,64}, else "answer". */
const char *prompt_output_name(const struct job *job);

#endif
