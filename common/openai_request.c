#include "openai_request.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "ensure.h"
#include "json_writer.h"
#include "provider_prompt.h"

/* How this call asks for its output. */
struct output_form {
	struct prepared_schema own;	      /* where the call brings none prepared */
	const struct prepared_schema *schema; /* of json_schema; NULL: not sent as such */
	const char *format;		      /* "json_schema", "json_object"; NULL: none */
	struct buffer words;		      /* to be said to the model; empty: nothing */
};

/* A root that is no object is taken neither as a schema nor as json_object. */
static void output_form_choose(struct output_form *form, const struct call *call)
{
	const struct prepared_schema *schema = prompt_schema(call, "openai", &form->own);
	enum output_dialect output = call->traits->output;

	if (!schema)
		return;
	if (output == OUTPUT_OPENAI_SCHEMA && schema->wants_object && schema->projected) {
		form->format = "json_schema";
		form->schema = schema;
		return;
	}
	if (output != OUTPUT_NONE && schema->wants_object)
		form->format = "json_object";
	prompt_schema_words(schema, &form->words);
}

static void output_form_finish(struct output_form *form)
{
	prepared_schema_finish(&form->own);
	buffer_finish(&form->words);
}

static void put_format(struct json_writer *w, const struct output_form *form,
		       const struct call *call)
{
	if (!form->format)
		return;
	json_key(w, "response_format");
	json_open(w, '{');
	json_key(w, "type");
	json_put_text(w, form->format);
	if (form->schema) {
		json_key(w, "json_schema");
		json_open(w, '{');
		json_key(w, "name");
		json_put_text(w, prompt_output_name(call->job));
		json_key(w, "strict");
		json_put_bool(w, form->schema->strict);
		json_key(w, "schema");
		json_put_raw(w, form->schema->projected, form->schema->projected_len);
		json_close(w, '}');
	}
	json_close(w, '}');
}

static void put_part(struct json_writer *w, const char *text, size_t len)
{
	json_open(w, '{');
	json_key(w, "type");
	json_put_text(w, "text");
	json_key(w, "text");
	json_put_string(w, text, len);
	json_close(w, '}');
}

/* System text is one string, which every server's chat template takes. */
static void put_joined(struct json_writer *w, const struct prompt_parts *parts)
{
	json_string_begin(w);
	for (size_t i = 0; i < parts->count; i++) {
		if (i > 0)
			json_string_part(w, "\n\n", 2);
		json_string_part(w, parts->items[i].text, parts->items[i].len);
	}
	json_string_end(w);
}

static void put_content(struct json_writer *w, const struct prompt_parts *parts, bool joined)
{
	json_key(w, "content");
	if (joined || parts->count == 1) {
		put_joined(w, parts);
		return;
	}
	json_open(w, '[');
	for (size_t i = 0; i < parts->count; i++)
		put_part(w, parts->items[i].text, parts->items[i].len);
	json_close(w, ']');
}

static void put_role(struct json_writer *w, const char *role)
{
	json_open(w, '{');
	json_key(w, "role");
	json_put_text(w, role);
}

static void put_turn(struct json_writer *w, const char *role, const char *text)
{
	put_role(w, role);
	json_key(w, "content");
	json_put_text(w, text);
	json_close(w, '}');
}

static void put_member(struct json_writer *w, const json_t *object, const char *name)
{
	const json_t *value = json_object_get(object, name);

	if (!value || json_is_null(value))
		return;
	json_key(w, name);
	json_put_value(w, value);
}

/* The words about the output belong to what is stable: behind it, or behind all if none is. */
static void insert_words(struct prompt_parts *parts, const struct buffer *words)
{
	size_t at = 0;

	while (at < parts->count && parts->items[at].stable)
		at++;
	if (at == 0)
		at = parts->count;
	prompt_parts_add(parts, (struct prompt_part){"", 0, false});
	memmove(parts->items + at + 1, parts->items + at,
		(parts->count - 1 - at) * sizeof(*parts->items));
	parts->items[at] = (struct prompt_part){words->data, words->len, true};
}

/* An assistant's turn may consist of tool calls only. */
static void put_nothing(struct json_writer *w)
{
	json_key(w, "content");
	json_put_raw(w, "null", 4);
}

static bool put_message(struct json_writer *w, const json_t *message, const struct buffer *words,
			struct error *err)
{
	AUTO_FINISH(prompt_parts_finish) struct prompt_parts parts = {0};

	if (!prompt_parts_of(message, &parts, err))
		return false;
	if (words && words->len > 0)
		insert_words(&parts, words);
	put_role(w, prompt_is_system(message) ? "system" : json_text(message, "role", "user"));
	if (parts.count > 0)
		put_content(w, &parts, prompt_is_system(message));
	else
		put_nothing(w);
	put_member(w, message, "name");
	put_member(w, message, "tool_call_id");
	put_member(w, message, "tool_calls");
	json_close(w, '}');
	return true;
}

static void put_repair(struct json_writer *w, const struct call *call)
{
	AUTO_FINISH(buffer_finish) struct buffer note = {0};
	AUTO(xfree) char *answer = prompt_repair_answer(call);

	prompt_repair_note(call, &note);
	if (answer[0])
		put_turn(w, "assistant", answer);
	put_turn(w, "user", note.data);
}

static bool put_messages(struct json_writer *w, const struct call *call, const struct buffer *words,
			 struct error *err)
{
	const json_t *message;
	size_t i;
	bool in_system = prompt_is_system(json_array_get(call->job->messages, 0));

	json_key(w, "messages");
	json_open(w, '[');
	if (words->len > 0 && !in_system)
		put_turn(w, "system", words->data);
	json_array_foreach (call->job->messages, i, message)
		if (!put_message(w, message, i == 0 && in_system ? words : NULL, err))
			return error_wrap(err, "messages/%zu", i);
	if (call->repair_note)
		put_repair(w, call);
	json_close(w, ']');
	return true;
}

static void put_cap(struct json_writer *w, const struct call *call)
{
	const struct model *traits = call->traits;
	int64_t cap = call->max_output_tokens;

	if (cap <= 0)
		return;
	if (traits->max_output > 0 && traits->known && cap > traits->max_output)
		cap = traits->max_output;
	json_key(w, traits->completion_cap ? "max_completion_tokens" : "max_tokens");
	json_put_integer(w, cap);
}

static void put_wish(struct json_writer *w, const char *name, bool taken, double value)
{
	if (!taken || !isfinite(value))
		return;
	json_key(w, name);
	json_put_number(w, value);
}

static void put_given(struct json_writer *w, const char *name, bool taken, const json_t *value)
{
	if (!taken || !value)
		return;
	json_key(w, name);
	json_put_value(w, value);
}

/* Parameters the model would refuse are left out: they are wishes, the answer is not. */
static void put_parameters(struct json_writer *w, const struct call *call)
{
	const struct model *traits = call->traits;
	const struct job *job = call->job;

	put_cap(w, call);
	put_wish(w, "temperature", traits->takes_temperature, job->temperature);
	put_wish(w, "top_p", traits->takes_top_p, job->top_p);
	put_given(w, "stop", traits->takes_stop, job->stop);
	put_given(w, "seed", traits->takes_seed, job->seed);
	if (traits->reasons && job->reasoning_effort[0]) {
		json_key(w, "reasoning_effort");
		json_put_text(w, job->reasoning_effort);
	}
	if (call->want_confidence && traits->gives_logprobs) {
		json_key(w, "logprobs");
		json_put_bool(w, true);
	}
	put_given(w, "tools", true, job->tools);
	put_given(w, "tool_choice", job->tools, job->tool_choice);
}

/* Only models of OpenAI's own have a cache minimum here; other servers may refuse the member. */
static void put_cache_key(struct json_writer *w, const struct call *call)
{
	char text[PROMPT_CACHE_KEY];
	const char *key = prompt_cache_key(call->job, text);

	if (call->traits->cache_min_tokens == 0 || !key[0])
		return;
	json_key(w, "prompt_cache_key");
	json_put_text(w, key);
}

bool openai_build(const struct call *call, struct buffer *body, struct error *err)
{
	AUTO_FINISH(output_form_finish) struct output_form form = {0};
	struct json_writer w = {.out = body};

	output_form_choose(&form, call);
	json_open(&w, '{');
	json_key(&w, "model");
	json_put_text(&w, call->model);
	if (!put_messages(&w, call, &form.words, err))
		return false;
	put_parameters(&w, call);
	put_format(&w, &form, call);
	put_cache_key(&w, call);
	json_close(&w, '}');
	if (w.full)
		return error_set(err, ERROR_REJECT,
				 "the request is over %zu bytes: shorten the job", body->max);
	return true;
}
