#include "openai.h"

#include <inttypes.h>
#include <string.h>
#include <strings.h>

static bool refuse(struct failure *failure, struct failure why)
{
	*failure = why;
	return false;
}

static bool check_reasoning(struct ask *ask, struct failure *failure)
{
	static const char *const refused[] = {"logprobs", "top_logprobs", "stop"};
	double temperature = document_number(ask->doc, ask_member(ask, "temperature"), 1);

	if (!ask->model->reasoning)
		return true;
	if (ask_member(ask, "max_tokens") != NONE)
		return refuse(
			failure,
			failure_invalid(OPENAI, "max_tokens", "unsupported_parameter",
					"Unsupported parameter: 'max_tokens' is not supported "
					"with this model. Use 'max_completion_tokens' instead."));
	if (temperature != 1)
		return refuse(
			failure,
			failure_invalid(OPENAI, "temperature", "unsupported_value",
					"Unsupported value: 'temperature' does not support %g "
					"with this model. Only the default (1) value is "
					"supported.",
					temperature));
	for (size_t i = 0; i < COUNT_OF(refused); i++) {
		node_id at = ask_member(ask, refused[i]);

		if (at != NONE && !document_is(ask->doc, at, NODE_FALSE))
			return refuse(
				failure,
				failure_invalid(OPENAI, refused[i], "unsupported_parameter",
						"Unsupported parameter: '%s' is not supported "
						"with this model.",
						refused[i]));
	}
	return true;
}

static bool check_range(struct ask *ask, const char *name, double low, double high,
			struct failure *failure)
{
	node_id at = ask_member(ask, name);
	double value = document_number(ask->doc, at, low);

	if (at == NONE || document_is(ask->doc, at, NODE_NULL) ||
	    (document_is(ask->doc, at, NODE_NUMBER) && value >= low && value <= high))
		return true;
	return refuse(failure, failure_invalid(OPENAI, name, "invalid_value",
					       "Invalid '%s': expected a number from %g to %g.",
					       name, low, high));
}

static bool read_parameters(struct ask *ask, struct failure *failure)
{
	const struct document *doc = ask->doc;
	node_id options = ask_member(ask, "stream_options");

	if (!check_range(ask, "temperature", 0, 2, failure) ||
	    !check_range(ask, "top_p", 0, 1, failure) ||
	    !check_range(ask, "top_logprobs", 0, 20, failure) ||
	    !check_range(ask, "n", 1, 1, failure) || !check_reasoning(ask, failure))
		return false;
	ask->max_output = document_integer(doc, ask_member(ask, "max_completion_tokens"), 0);
	if (ask->max_output == 0)
		ask->max_output = document_integer(doc, ask_member(ask, "max_tokens"), 0);
	ask->stream = document_true(doc, ask_member(ask, "stream"));
	if (options != NONE) {
		ask->include_usage = document_true(doc,
						   document_member(doc, options, "include_usage"));
		ask->obfuscate = !document_is(
			doc, document_member(doc, options, "include_obfuscation"), NODE_FALSE);
	} else {
		ask->obfuscate = true;
	}
	ask->logprobs = document_true(doc, ask_member(ask, "logprobs"));
	ask->top_logprobs = document_integer(doc, ask_member(ask, "top_logprobs"), 0);
	ask->flex = ask->model->reasoning && /* others answer at the default tier */
		    document_equals(doc, ask_member(ask, "service_tier"), "flex");
	if (ask->top_logprobs > 0 && !ask->logprobs)
		return refuse(failure,
			      failure_invalid(OPENAI, "top_logprobs", NULL,
					      "'top_logprobs' needs 'logprobs' to be true."));
	return true;
}

/* A strict schema forbids other properties and requires all of its own. */
static bool check_strict(struct ask *ask, const char *param, node_id schema,
			 struct failure *failure)
{
	const struct document *doc = ask->doc;
	node_id properties = document_member(doc, schema, "properties");
	node_id required = document_member(doc, schema, "required");
	const char *what = NULL;

	if (!document_equals(doc, document_member(doc, schema, "type"), "object"))
		what = "schema must have 'type' \"object\"";
	else if (!document_is(doc, document_member(doc, schema, "additionalProperties"),
			      NODE_FALSE))
		what = "'additionalProperties' is required to be supplied and to be false";
	else if (properties != NONE &&
		 (required == NONE || doc->nodes[required].count < doc->nodes[properties].count))
		what = "'required' is required to be supplied and to be an array including every "
		       "key "
		       "in properties";
	if (!what)
		return true;
	return refuse(failure,
		      failure_invalid(OPENAI, param, NULL,
				      "Invalid schema for %s: In context=(), %s.", param, what));
}

static bool mentions_json(const struct ask *ask)
{
	size_t len;

	for (size_t i = 0; i < ask->piece_count; i++) {
		const char *raw = document_raw(ask->doc, ask->pieces[i].node, &len);

		for (size_t at = 0; at + 4 <= len; at++)
			if (strncasecmp(raw + at, "json", 4) == 0)
				return true;
	}
	return false;
}

/* The schema is part of the prompt, before the messages. */
static bool read_format(struct ask *ask, struct failure *failure)
{
	const struct document *doc = ask->doc;
	node_id format = ask_member(ask, "response_format");
	node_id type = format == NONE ? NONE : document_member(doc, format, "type");
	node_id inner;

	if (!document_equals(doc, type, "json_schema"))
		return true;
	inner = document_member(doc, format, "json_schema");
	ask->schema = inner == NONE ? NONE : document_member(doc, inner, "schema");
	if (!document_is(doc, ask->schema, NODE_OBJECT))
		return refuse(failure, failure_missing(OPENAI, "response_format.json_schema"));
	if (document_member(doc, inner, "name") == NONE)
		return refuse(failure, failure_missing(OPENAI, "response_format.json_schema.name"));
	if (document_true(doc, document_member(doc, inner, "strict")) &&
	    !check_strict(ask, "response_format", ask->schema, failure))
		return false;
	ask_add_piece(ask, ask->schema, false, 0);
	return true;
}

static void choose_tool(struct ask *ask, node_id tools, node_id choice)
{
	const struct document *doc = ask->doc;
	node_id function = choice == NONE ? NONE : document_path(doc, choice, "function", "name");
	char wanted[96];

	document_text(doc, function, wanted, sizeof(wanted));
	ask->tool_named = function != NONE;
	for (node_id at = document_first(doc, tools); at != NONE;
	     at = document_after(doc, tools, at)) {
		node_id name = document_path(doc, at, "function", "name");

		if (function != NONE && !document_equals(doc, name, wanted))
			continue;
		ask->tool = true;
		document_text(doc, name, ask->tool_name, sizeof(ask->tool_name));
		ask->schema = document_path(doc, at, "function", "parameters");
		return;
	}
}

static void read_tools(struct ask *ask)
{
	const struct document *doc = ask->doc;
	node_id tools = ask_member(ask, "tools");
	node_id choice = ask_member(ask, "tool_choice");

	if (tools == NONE)
		return;
	for (node_id at = document_first(doc, tools); at != NONE;
	     at = document_after(doc, tools, at))
		ask_add_piece(ask, at, false, 0);
	if (document_equals(doc, choice, "required") || document_is(doc, choice, NODE_OBJECT))
		choose_tool(ask, tools, choice);
}

static bool read_message(struct ask *ask, node_id message, struct failure *failure)
{
	const struct document *doc = ask->doc;
	node_id role = document_member(doc, message, "role");
	node_id content = document_member(doc, message, "content");
	bool from_client = !document_equals(doc, role, "assistant");

	if (!document_is(doc, role, NODE_STRING))
		return refuse(failure, failure_missing(OPENAI, "messages[].role"));
	if (document_is(doc, content, NODE_ARRAY)) {
		for (node_id part = document_first(doc, content); part != NONE;
		     part = document_after(doc, content, part)) {
			node_id text = document_member(doc, part, "text");

			ask_add_piece(ask, text != NONE ? text : part, from_client, 0);
		}
		return true;
	}
	if (content == NONE && from_client)
		return refuse(failure, failure_missing(OPENAI, "messages[].content"));
	ask_add_piece(ask, content != NONE ? content : message, from_client, 0);
	return true;
}

static bool read_messages(struct ask *ask, struct failure *failure)
{
	const struct document *doc = ask->doc;
	node_id messages = ask_member(ask, "messages");

	if (!document_is(doc, messages, NODE_ARRAY) || doc->nodes[messages].count == 0)
		return refuse(failure, failure_missing(OPENAI, "messages"));
	for (node_id at = document_first(doc, messages); at != NONE;
	     at = document_after(doc, messages, at))
		if (!read_message(ask, at, failure))
			return false;
	return true;
}

bool openai_read(struct ask *ask, const struct models *models, struct failure *failure)
{
	node_id format;

	if (!document_is(ask->doc, ask->root, NODE_OBJECT) && ask->root != NONE)
		return refuse(failure,
			      failure_invalid(OPENAI, NULL, NULL, "An object is expected."));
	if (!ask_read_model(ask, models, failure) || !read_parameters(ask, failure))
		return false;
	read_tools(ask);
	if (!read_format(ask, failure) || !read_messages(ask, failure))
		return false;
	format = ask_member(ask, "response_format");
	ask->json_object = format != NONE &&
			   document_equals(ask->doc, document_member(ask->doc, format, "type"),
					   "json_object");
	if (ask->json_object && !mentions_json(ask))
		return refuse(
			failure,
			failure_invalid(OPENAI, "messages", NULL,
					"'messages' must contain the word 'json' in some form, to "
					"use 'response_format' of type 'json_object'."));
	if (ask_prompt_tokens(ask) > ask->model->window)
		return refuse(failure,
			      failure_invalid(OPENAI, "messages", "context_length_exceeded",
					      "This model's maximum context length is %" PRId64
					      " tokens. However, your messages resulted in %" PRId64
					      " tokens. Please reduce the length of the messages.",
					      ask->model->window, ask_prompt_tokens(ask)));
	return true;
}
