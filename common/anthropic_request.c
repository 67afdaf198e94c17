#include "anthropic_request.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "ensure.h"
#include "json_writer.h"
#include "provider_prompt.h"

/* One block of content, in the order it is sent. Borrowed from job and form. */
struct block {
	const char *role; /* "system", "user", "assistant" */
	struct prompt_part part;
	const json_t *tool_result; /* the whole message with a tool's result; NULL: none */
	const json_t *tool_call;   /* OpenAI-shaped; NULL: it is text */
};

struct blocks {
	struct block *items;
	size_t count;
	size_t capacity;
	size_t mark; /* the block that ends the cached prefix; count or more: none */
};

static void blocks_finish(struct blocks *blocks)
{
	free(blocks->items);
}

static void blocks_add(struct blocks *blocks, struct block block)
{
	if (blocks->count == blocks->capacity) {
		blocks->capacity = blocks->capacity ? 2 * blocks->capacity : 16;
		blocks->items = xrealloc(blocks->items, blocks->capacity * sizeof(*blocks->items));
	}
	blocks->items[blocks->count++] = block;
}

/* Empty text blocks are refused by the provider, and say nothing. */
static void add_text(struct blocks *blocks, const char *role, struct prompt_part part)
{
	if (part.len > 0)
		blocks_add(blocks, (struct block){.role = role, .part = part});
}

static bool add_system(struct blocks *blocks, const struct job *job, const struct buffer *words,
		       struct error *err)
{
	AUTO_FINISH(prompt_parts_finish) struct prompt_parts parts = {0};
	const json_t *message;
	size_t i;

	json_array_foreach (job->messages, i, message)
		if (prompt_is_system(message) && !prompt_parts_of(message, &parts, err))
			return error_wrap(err, "messages/%zu", i);
	for (i = 0; i < parts.count; i++)
		if (parts.items[i].stable)
			add_text(blocks, "system", parts.items[i]);
	if (words->len > 0)
		add_text(blocks, "system", (struct prompt_part){words->data, words->len, true});
	for (i = 0; i < parts.count; i++)
		if (!parts.items[i].stable)
			add_text(blocks, "system", parts.items[i]);
	return true;
}

static void add_tool_calls(struct blocks *blocks, const json_t *message)
{
	const json_t *call;
	size_t i;

	json_array_foreach (json_object_get(message, "tool_calls"), i, call)
		blocks_add(blocks, (struct block){.role = "assistant", .tool_call = call});
}

static bool add_message(struct blocks *blocks, const json_t *message, struct error *err)
{
	AUTO_FINISH(prompt_parts_finish) struct prompt_parts parts = {0};
	const char *role = json_text(message, "role", "user");

	if (!prompt_parts_of(message, &parts, err))
		return false;
	if (strcmp(role, "tool") == 0) {
		blocks_add(blocks, (struct block){.role = "user", .tool_result = message});
		return true;
	}
	role = strcmp(role, "assistant") == 0 ? "assistant" : "user";
	for (size_t i = 0; i < parts.count; i++)
		add_text(blocks, role, parts.items[i]);
	add_tool_calls(blocks, message);
	return true;
}

static bool add_messages(struct blocks *blocks, const struct job *job, struct error *err)
{
	const json_t *message;
	size_t i;

	json_array_foreach (job->messages, i, message)
		if (!prompt_is_system(message) && !add_message(blocks, message, err))
			return error_wrap(err, "messages/%zu", i);
	return true;
}

static struct prompt_part part_of(const char *text)
{
	return (struct prompt_part){text, strlen(text), false};
}

/* A conversation must not end with the assistant's turn: newer models refuse to go on from it. */
static void end_with_user(struct blocks *blocks)
{
	if (blocks->count > 0 && strcmp(blocks->items[blocks->count - 1].role, "assistant") == 0)
		add_text(blocks, "user", part_of("Continue."));
}

/* A job of system text only is asked as a user's. */
static void need_user(struct blocks *blocks)
{
	for (size_t i = 0; i < blocks->count; i++)
		if (strcmp(blocks->items[i].role, "system") != 0)
			return;
	for (size_t i = 0; i < blocks->count; i++)
		blocks->items[i].role = "user";
}

/*
 * The stable prefix is cached by a mark on its last block, if it is long enough
 * to be cached at all: a mark below the minimum is ignored, so the guess of the
 * length may be rough.
 */
static void mark_cache(struct blocks *blocks, const struct model *traits)
{
	size_t bytes = 0, stable = 0;

	for (; stable < blocks->count && blocks->items[stable].part.stable; stable++)
		bytes += blocks->items[stable].part.len;
	blocks->mark = blocks->count;
	if (stable > 0 && traits->explicit_cache && traits->cache_min_tokens > 0 &&
	    (double)bytes >= (double)traits->cache_min_tokens * traits->bytes_per_token)
		blocks->mark = stable - 1;
}

/* How this call asks for its output. */
struct output_form {
	struct prepared_schema own;	      /* where the call brings none prepared */
	const struct prepared_schema *format; /* of output_config; NULL: none */
	const struct prepared_schema *tool;   /* the input of a forced tool; NULL: none */
	struct buffer words;		      /* to be said to the model; empty: nothing */
};

/*
 * A format holds the model to the schema or is not taken. A tool takes any object,
 * but is forced only where the job has no tools of its own.
 */
static void output_form_choose(struct output_form *form, const struct call *call)
{
	const struct prepared_schema *schema = prompt_schema(call, "anthropic", &form->own);
	enum output_dialect output = call->traits->output;

	if (!schema)
		return;
	if (output == OUTPUT_ANTHROPIC_FORMAT && schema->projected && schema->strict)
		form->format = schema;
	else if (output == OUTPUT_ANTHROPIC_TOOL && !call->job->tools && schema->wants_object)
		form->tool = schema;
	else
		prompt_schema_words(schema, &form->words);
}

static void output_form_finish(struct output_form *form)
{
	prepared_schema_finish(&form->own);
	buffer_finish(&form->words);
}

static void put_cache_control(struct json_writer *w, const struct job *job)
{
	json_key(w, "cache_control");
	json_open(w, '{');
	json_key(w, "type");
	json_put_text(w, "ephemeral");
	if (job->lane == LANE_BATCH) { /* its lines run hours apart */
		json_key(w, "ttl");
		json_put_text(w, "1h");
	}
	json_close(w, '}');
}

static void put_tool_use(struct json_writer *w, const json_t *call)
{
	const json_t *function = json_object_get(call, "function");
	const json_t *arguments = json_object_get(function, "arguments");

	json_key(w, "type");
	json_put_text(w, "tool_use");
	json_key(w, "id");
	json_put_text(w, json_text(call, "id", ""));
	json_key(w, "name");
	json_put_text(w, json_text(function, "name", ""));
	json_key(w, "input");
	json_put_raw(w, json_string_value(arguments), json_string_length(arguments));
}

static void put_tool_result(struct json_writer *w, const json_t *message)
{
	const json_t *content = json_object_get(message, "content");
	const json_t *part;
	size_t i;

	json_key(w, "type");
	json_put_text(w, "tool_result");
	json_key(w, "tool_use_id");
	json_put_text(w, json_text(message, "tool_call_id", ""));
	json_key(w, "content");
	json_string_begin(w);
	json_string_part(w, json_string_value(content), json_string_length(content));
	json_array_foreach (content, i, part) {
		const json_t *text = json_object_get(part, "text");

		json_string_part(w, json_string_value(text), json_string_length(text));
	}
	json_string_end(w);
}

static void put_block(struct json_writer *w, const struct block *block)
{
	if (block->tool_call) {
		put_tool_use(w, block->tool_call);
	} else if (block->tool_result) {
		put_tool_result(w, block->tool_result);
	} else {
		json_key(w, "type");
		json_put_text(w, "text");
		json_key(w, "text");
		json_put_string(w, block->part.text, block->part.len);
	}
}

/* The blocks from `at` on that are of one role, as a list. Returns the first of the next. */
static size_t put_blocks(struct json_writer *w, const struct blocks *blocks, size_t at,
			 const struct job *job)
{
	const char *role = blocks->items[at].role;

	json_open(w, '[');
	for (; at < blocks->count && strcmp(blocks->items[at].role, role) == 0; at++) {
		json_open(w, '{');
		put_block(w, &blocks->items[at]);
		if (at == blocks->mark)
			put_cache_control(w, job);
		json_close(w, '}');
	}
	json_close(w, ']');
	return at;
}

static void put_turns(struct json_writer *w, const struct blocks *blocks, const struct job *job)
{
	size_t at = 0;

	if (strcmp(blocks->items[0].role, "system") == 0) {
		json_key(w, "system");
		at = put_blocks(w, blocks, 0, job);
	}
	json_key(w, "messages");
	json_open(w, '[');
	while (at < blocks->count) {
		json_open(w, '{');
		json_key(w, "role");
		json_put_text(w, blocks->items[at].role);
		json_key(w, "content");
		at = put_blocks(w, blocks, at, job);
		json_close(w, '}');
	}
	json_close(w, ']');
}

/* The arguments of an earlier call are written as they are, so they must be what they should. */
static bool check_tool_calls(const struct blocks *blocks, struct error *err)
{
	for (size_t i = 0; i < blocks->count; i++) {
		const json_t *call = blocks->items[i].tool_call;
		const json_t *text = json_object_get(json_object_get(call, "function"),
						     "arguments");
		json_auto_t *value = NULL;

		if (!call)
			continue;
		if (json_is_string(text))
			value = json_read(json_string_value(text), json_string_length(text),
					  JSON_FOREIGN, err);
		if (!json_is_object(value))
			return error_set(err, ERROR_REJECT,
					 "the arguments of tool call \"%s\" are not a JSON object "
					 "in a string",
					 json_text(call, "id", "?"));
	}
	return true;
}

static bool put_prompt(struct json_writer *w, const struct call *call, const struct buffer *words,
		       struct error *err)
{
	AUTO_FINISH(blocks_finish) struct blocks blocks = {0};
	AUTO_FINISH(buffer_finish) struct buffer note = {0};
	AUTO(xfree) char *answer = NULL;

	if (!add_system(&blocks, call->job, words, err) || !add_messages(&blocks, call->job, err) ||
	    !check_tool_calls(&blocks, err))
		return false;
	need_user(&blocks);
	if (blocks.count == 0)
		return error_set(err, ERROR_REJECT, "the messages hold no text");
	if (call->repair_note) {
		answer = prompt_repair_answer(call);
		prompt_repair_note(call, &note);
		add_text(&blocks, "assistant", part_of(answer));
		add_text(&blocks, "user", part_of(note.data));
	}
	end_with_user(&blocks);
	mark_cache(&blocks, call->traits);
	put_turns(w, &blocks, call->job);
	return true;
}

static void put_cap(struct json_writer *w, const struct call *call)
{
	int64_t cap = call->max_output_tokens;

	if (cap <= 0 || cap > call->traits->max_output)
		cap = call->traits->max_output;
	json_key(w, "max_tokens");
	json_put_integer(w, cap > 0 ? cap : 1024);
}

static bool says_something(const json_t *stop)
{
	const char *text = json_string_value(stop);

	return text && text[strspn(text, " \t\r\n")] != '\0';
}

/* A list, whatever was given; blank ones are refused by the provider. */
static void put_stop(struct json_writer *w, const json_t *stop)
{
	const json_t *one;
	size_t i;

	json_key(w, "stop_sequences");
	json_open(w, '[');
	if (says_something(stop))
		json_put_value(w, stop);
	json_array_foreach (stop, i, one)
		if (says_something(one))
			json_put_value(w, one);
	json_close(w, ']');
}

/* Sampling is 0 to 1 here, and several models take only one of the two wishes. */
static void put_sampling(struct json_writer *w, const struct call *call)
{
	const struct job *job = call->job;

	if (call->traits->takes_temperature && isfinite(job->temperature)) {
		json_key(w, "temperature");
		json_put_number(w, job->temperature < 1 ? job->temperature : 1);
	} else if (call->traits->takes_top_p && isfinite(job->top_p)) {
		json_key(w, "top_p");
		json_put_number(w, job->top_p);
	}
	if (call->traits->takes_stop && job->stop)
		put_stop(w, job->stop);
}

static const char answer_choice[] = "{\"type\":\"tool\",\"name\":\"" ANTHROPIC_ANSWER_TOOL
				    "\",\"disable_parallel_tool_use\":true}";

static void put_schema_tool(struct json_writer *w, const struct call *call,
			    const struct prepared_schema *schema)
{
	json_key(w, "tools");
	json_open(w, '[');
	json_open(w, '{');
	json_key(w, "name");
	json_put_text(w, ANTHROPIC_ANSWER_TOOL);
	json_key(w, "description");
	json_string_begin(w);
	json_string_part(w, "Report the answer: ", strlen("Report the answer: "));
	json_string_part(w, call->job->output_name, strlen(call->job->output_name));
	json_string_end(w);
	json_key(w, "input_schema");
	json_put_raw(w, schema->whole, schema->whole_len);
	json_close(w, '}');
	json_close(w, ']');
	json_key(w, "tool_choice");
	json_put_raw(w, answer_choice, sizeof(answer_choice) - 1);
}

static const char *effort_of(const char *wish)
{
	static const char *const known[] = {"low", "medium", "high", "xhigh", "max"};

	for (size_t i = 0; i < COUNT_OF(known); i++)
		if (strcmp(wish, known[i]) == 0)
			return known[i];
	return "low"; /* "none", "minimal" */
}

static void put_output_config(struct json_writer *w, const struct call *call,
			      const struct output_form *form)
{
	bool effort = call->traits->reasons && call->job->reasoning_effort[0];

	if (!effort && !form->format)
		return;
	json_key(w, "output_config");
	json_open(w, '{');
	if (effort) {
		json_key(w, "effort");
		json_put_text(w, effort_of(call->job->reasoning_effort));
	}
	if (form->format) {
		json_key(w, "format");
		json_open(w, '{');
		json_key(w, "type");
		json_put_text(w, "json_schema");
		json_key(w, "schema");
		json_put_raw(w, form->format->projected, form->format->projected_len);
		json_close(w, '}');
	}
	json_close(w, '}');
}

static void put_tool(struct json_writer *w, const json_t *function, bool takes_strict)
{
	const json_t *parameters = json_object_get(function, "parameters");
	const json_t *description = json_object_get(function, "description");

	json_open(w, '{');
	json_key(w, "name");
	json_put_text(w, json_text(function, "name", ""));
	if (json_is_string(description)) {
		json_key(w, "description");
		json_put_value(w, description);
	}
	json_key(w, "input_schema");
	if (json_is_object(parameters))
		json_put_value(w, parameters);
	else
		json_put_raw(w, "{\"type\":\"object\"}", strlen("{\"type\":\"object\"}"));
	if (takes_strict && json_bool_or(function, "strict", false)) {
		json_key(w, "strict");
		json_put_bool(w, true);
	}
	json_close(w, '}');
}

/* "auto", "none", "required", or the name of one; a wish the model refuses becomes "auto". */
static void put_tool_choice(struct json_writer *w, const struct call *call)
{
	const json_t *choice = call->job->tool_choice;
	const char *name = json_text(json_object_get(choice, "function"), "name", "");
	const char *word = json_is_string(choice) ? json_string_value(choice) : "tool";
	bool forced = strcmp(word, "required") == 0 || (strcmp(word, "tool") == 0 && name[0]);

	json_key(w, "tool_choice");
	json_open(w, '{');
	json_key(w, "type");
	if (!forced || !call->traits->takes_forced_tool) {
		json_put_text(w, strcmp(word, "none") == 0 ? "none" : "auto");
	} else if (name[0]) {
		json_put_text(w, "tool");
		json_key(w, "name");
		json_put_text(w, name);
	} else {
		json_put_text(w, "any");
	}
	json_close(w, '}');
}

static void put_tools(struct json_writer *w, const struct call *call)
{
	/* The models that take an output format are those that hold tools to theirs. */
	bool takes_strict = call->traits->output == OUTPUT_ANTHROPIC_FORMAT;
	const json_t *tool;
	size_t i;

	json_key(w, "tools");
	json_open(w, '[');
	json_array_foreach (call->job->tools, i, tool)
		put_tool(w, json_object_get(tool, "function"), takes_strict);
	json_close(w, ']');
	if (call->job->tool_choice)
		put_tool_choice(w, call);
}

bool anthropic_build(const struct call *call, struct buffer *body, struct error *err)
{
	AUTO_FINISH(output_form_finish) struct output_form form = {0};
	struct json_writer w = {.out = body};

	output_form_choose(&form, call);
	json_open(&w, '{');
	json_key(&w, "model");
	json_put_text(&w, call->model);
	put_cap(&w, call);
	if (form.tool)
		put_schema_tool(&w, call, form.tool);
	else if (call->job->tools)
		put_tools(&w, call);
	if (!put_prompt(&w, call, &form.words, err))
		return false;
	put_sampling(&w, call);
	put_output_config(&w, call, &form);
	json_close(&w, '}');
	if (w.full)
		return error_set(err, ERROR_REJECT,
				 "the request is over %zu bytes: shorten the job", body->max);
	return true;
}
