#include "anthropic.h"

#include <inttypes.h>
#include <string.h>

#define MAX_BREAKPOINTS 4
#define MAX_UNIONS 16
#define MAX_OPTIONAL 24

static bool refuse(struct failure *failure, struct failure why)
{
	*failure = why;
	return false;
}

/* The minutes to live that a block's cache_control asks for; 0: none. */
static uint8_t ttl_of(const struct document *doc, node_id block)
{
	node_id control = document_member(doc, block, "cache_control");

	if (!document_is(doc, control, NODE_OBJECT))
		return 0;
	return document_equals(doc, document_member(doc, control, "ttl"), "1h") ? 60 : 5;
}

static bool check_sampling(struct ask *ask, struct failure *failure)
{
	static const char *const names[] = {"temperature", "top_p", "top_k"};
	double temperature = document_number(ask->doc, ask_member(ask, "temperature"), 0);

	for (size_t i = 0; ask->model->no_sampling && i < COUNT_OF(names); i++)
		if (ask_member(ask, names[i]) != NONE)
			return refuse(failure, failure_invalid(ANTHROPIC, NULL, NULL,
							       "`%s` is deprecated for this model.",
							       names[i]));
	if (temperature < 0 || temperature > 1)
		return refuse(failure,
			      failure_invalid(ANTHROPIC, NULL, NULL, "temperature: range: 0..1"));
	return true;
}

static bool read_parameters(struct ask *ask, struct failure *failure)
{
	node_id max = ask_member(ask, "max_tokens");

	if (max == NONE)
		return refuse(failure, failure_missing(ANTHROPIC, "max_tokens"));
	ask->max_output = document_integer(ask->doc, max, -1);
	if (ask->max_output < 1)
		return refuse(
			failure,
			failure_invalid(ANTHROPIC, NULL, NULL,
					"max_tokens: Input should be greater than or equal to 1"));
	ask->stream = document_true(ask->doc, ask_member(ask, "stream"));
	return check_sampling(ask, failure);
}

/* Objects must close themselves; unions and optional properties are counted. */
static const char *schema_trouble(const struct document *doc, node_id schema, int *unions,
				  int *optional, int depth)
{
	node_id properties = document_member(doc, schema, "properties");
	node_id required = document_member(doc, schema, "required");
	node_id items = document_member(doc, schema, "items");
	const char *what = NULL;

	if (depth > 32 || *unions > MAX_UNIONS || *optional > MAX_OPTIONAL)
		return "Schema is too complex for compilation.";
	*unions += document_member(doc, schema, "anyOf") != NONE ||
		   document_is(doc, document_member(doc, schema, "type"), NODE_ARRAY);
	if (properties != NONE &&
	    !document_is(doc, document_member(doc, schema, "additionalProperties"), NODE_FALSE))
		return "output_config.format.schema: For 'object' type, 'additionalProperties' "
		       "must be "
		       "explicitly set to false";
	if (properties != NONE)
		*optional += (int)doc->nodes[properties].count -
			     (required == NONE ? 0 : (int)doc->nodes[required].count);
	for (node_id name = properties == NONE ? NONE : document_first(doc, properties);
	     name != NONE && !what; name = document_after(doc, properties, name + 1))
		what = schema_trouble(doc, name + 1, unions, optional, depth + 1);
	if (!what && document_is(doc, items, NODE_OBJECT))
		what = schema_trouble(doc, items, unions, optional, depth + 1);
	return what;
}

static bool read_format(struct ask *ask, struct failure *failure)
{
	const struct document *doc = ask->doc;
	node_id config = ask_member(ask, "output_config");
	node_id format = config == NONE ? NONE : document_member(doc, config, "format");
	int unions = 0, optional = 0;
	const char *what;

	if (format == NONE)
		format = ask_member(ask, "output_format");
	if (format == NONE || document_is(doc, format, NODE_NULL))
		return true;
	ask->schema = document_member(doc, format, "schema");
	if (!document_is(doc, ask->schema, NODE_OBJECT))
		return refuse(failure, failure_missing(ANTHROPIC, "output_config.format.schema"));
	what = schema_trouble(doc, ask->schema, &unions, &optional, 0);
	if (what)
		return refuse(failure, failure_invalid(ANTHROPIC, NULL, NULL, "%s", what));
	ask_add_piece(ask, ask->schema, false, 0);
	return true;
}

static void choose_tool(struct ask *ask, node_id tools, node_id choice)
{
	const struct document *doc = ask->doc;
	node_id wanted = document_member(doc, choice, "name");
	char name[96];

	document_text(doc, wanted, name, sizeof(name));
	ask->tool_named = wanted != NONE;
	for (node_id at = document_first(doc, tools); at != NONE;
	     at = document_after(doc, tools, at)) {
		if (wanted != NONE && !document_equals(doc, document_member(doc, at, "name"), name))
			continue;
		ask->tool = true;
		document_text(doc, document_member(doc, at, "name"), ask->tool_name,
			      sizeof(ask->tool_name));
		ask->schema = document_member(doc, at, "input_schema");
		return;
	}
}

static bool read_tools(struct ask *ask, struct failure *failure)
{
	const struct document *doc = ask->doc;
	node_id tools = ask_member(ask, "tools"), choice = ask_member(ask, "tool_choice");
	node_id type = choice == NONE ? NONE : document_member(doc, choice, "type");

	if (tools == NONE)
		return true;
	for (node_id at = document_first(doc, tools); at != NONE;
	     at = document_after(doc, tools, at))
		ask_add_piece(ask, at, false, ttl_of(doc, at));
	if (!document_equals(doc, type, "tool") && !document_equals(doc, type, "any"))
		return true;
	if (ask->model->no_sampling)
		return refuse(failure,
			      failure_invalid(ANTHROPIC, NULL, NULL,
					      "tool_choice: type \"tool\" and \"any\" are not "
					      "supported for this model."));
	choose_tool(ask, tools, choice);
	return true;
}

/* A string or a list of blocks. */
static void read_content(struct ask *ask, node_id content, bool from_client)
{
	const struct document *doc = ask->doc;

	if (!document_is(doc, content, NODE_ARRAY)) {
		ask_add_piece(ask, content, from_client, 0);
		return;
	}
	for (node_id block = document_first(doc, content); block != NONE;
	     block = document_after(doc, content, block)) {
		node_id text = document_member(doc, block, "text");

		ask_add_piece(ask, text != NONE ? text : block, from_client, ttl_of(doc, block));
	}
}

static bool read_messages(struct ask *ask, struct failure *failure)
{
	const struct document *doc = ask->doc;
	node_id messages = ask_member(ask, "messages");
	bool user = false;

	if (!document_is(doc, messages, NODE_ARRAY) || doc->nodes[messages].count == 0)
		return refuse(failure, failure_missing(ANTHROPIC, "messages"));
	for (node_id at = document_first(doc, messages); at != NONE;
	     at = document_after(doc, messages, at)) {
		node_id role = document_member(doc, at, "role");
		node_id content = document_member(doc, at, "content");

		user = document_equals(doc, role, "user");
		if (!user && !document_equals(doc, role, "assistant"))
			return refuse(failure,
				      failure_invalid(
					      ANTHROPIC, NULL, NULL,
					      "messages: Unexpected role. The Messages API takes a "
					      "top-level `system` parameter, not a system role."));
		if (content == NONE)
			return refuse(failure, failure_missing(ANTHROPIC, "messages.content"));
		read_content(ask, content, user);
	}
	if (!user && ask->model->no_sampling)
		return refuse(failure,
			      failure_invalid(
				      ANTHROPIC, NULL, NULL,
				      "This model does not support assistant message prefill. The "
				      "conversation must end with a user message."));
	return true;
}

static bool check_breakpoints(struct ask *ask, struct failure *failure)
{
	int count = 0;
	bool short_lived = false;

	if (ttl_of(ask->doc, ask->root) && ask->piece_count > 0)
		ask->pieces[ask->piece_count - 1].cache_ttl = ttl_of(ask->doc, ask->root);
	for (size_t i = 0; i < ask->piece_count; i++) {
		uint8_t ttl = ask->pieces[i].cache_ttl;

		count += ttl > 0;
		if (ttl == 60 && short_lived)
			return refuse(failure,
				      failure_invalid(
					      ANTHROPIC, NULL, NULL,
					      "cache_control: a ttl='1h' block must not come after "
					      "a ttl='5m' block"));
		short_lived |= ttl == 5;
	}
	if (count > MAX_BREAKPOINTS)
		return refuse(failure,
			      failure_invalid(ANTHROPIC, NULL, NULL,
					      "A maximum of 4 blocks with cache_control may be "
					      "provided. Found %d.",
					      count));
	return true;
}

bool anthropic_read(struct ask *ask, const struct models *models, struct failure *failure)
{
	node_id system;

	if (!ask_read_model(ask, models, failure) || !read_parameters(ask, failure) ||
	    !read_tools(ask, failure) || !read_format(ask, failure))
		return false;
	system = ask_member(ask, "system");
	if (system != NONE)
		read_content(ask, system, true);
	if (!read_messages(ask, failure) || !check_breakpoints(ask, failure))
		return false;
	if (ask_prompt_tokens(ask) > ask->model->window)
		return refuse(failure, failure_invalid(ANTHROPIC, NULL, NULL,
						       "prompt is too long: %" PRId64
						       " tokens > %" PRId64 " maximum",
						       ask_prompt_tokens(ask), ask->model->window));
	return true;
}
