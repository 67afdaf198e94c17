#include "openai_line.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define URL "/v1/chat/completions"

static bool fail(struct openai_problem *problem, const char *code, const char *param,
		 const char *fmt, ...) PRINTF(4, 5);

static bool fail(struct openai_problem *problem, const char *code, const char *param,
		 const char *fmt, ...)
{
	va_list args;

	problem->code = code;
	snprintf(problem->param, sizeof(problem->param), "%s", param);
	va_start(args, fmt);
	vsnprintf(problem->message, sizeof(problem->message), fmt, args);
	va_end(args);
	return false;
}

/* --- members of the body --- */

/* What is being made, of what. */
struct work {
	const json_t *body;
	json_t *job, *prompt, *parameters;
	struct openai_problem *problem;
};

typedef bool taker(struct work *work, const char *name, json_t *value);

static bool unsupported(struct work *work, const char *name, json_t *value)
{
	(void)value;
	return fail(work->problem, "unsupported_parameter", name,
		    "Unsupported parameter: '%s' is not supported here.", name);
}

static bool wrong_value(struct work *work, const char *name, const char *only)
{
	return fail(work->problem, "unsupported_value", name,
		    "Unsupported value: '%s' may only be %s here.", name, only);
}

static bool take_parameter(struct work *work, const char *name, json_t *value)
{
	json_object_set(work->parameters, name, value);
	return true;
}

static bool take_cap(struct work *work, const char *name, json_t *value)
{
	const json_t *other = json_object_get(work->parameters, "max_output_tokens");

	if (other && !json_equal(other, value))
		return fail(work->problem, "invalid_value", name,
			    "'max_tokens' and 'max_completion_tokens' are not the same.");
	return take_parameter(work, "max_output_tokens", value);
}

static bool take_stop(struct work *work, const char *name, json_t *value)
{
	if (json_is_array(value) && json_array_size(value) == 0)
		return true;
	if (!json_is_string(value))
		return take_parameter(work, name, value);
	json_object_set_new(work->parameters, name, json_pack("[O]", value));
	return true;
}

static bool take_user(struct work *work, const char *name, json_t *value)
{
	const json_t *other = json_object_get(work->job, "user");

	if (other && !json_equal(other, value))
		return fail(work->problem, "invalid_value", name,
			    "'user' and 'safety_identifier' are not the same.");
	json_object_set(work->job, "user", value);
	return true;
}

static bool take_metadata(struct work *work, const char *name, json_t *value)
{
	(void)name;
	json_object_set_new(work->job, "metadata", json_pack("{s:O}", "request", value));
	return true;
}

static bool take_prompt(struct work *work, const char *name, json_t *value)
{
	json_object_set(work->prompt, name, value);
	return true;
}

/* An empty list is no tools. */
static bool take_tools(struct work *work, const char *name, json_t *value)
{
	return (json_is_array(value) && json_array_size(value) == 0) ||
	       take_prompt(work, name, value);
}

/* Without tools there is nothing to choose from. */
static bool take_choice(struct work *work, const char *name, json_t *value)
{
	const char *choice = json_is_string(value) ? json_string_value(value) : "";

	if (json_array_size(json_object_get(work->body, "tools")) > 0)
		return take_prompt(work, name, value);
	return strcmp(choice, "auto") == 0 || strcmp(choice, "none") == 0 ||
	       fail(work->problem, "invalid_value", name,
		    "'tool_choice' is only allowed when 'tools' are specified.");
}

static bool skip(struct work *work, const char *name, json_t *value)
{
	(void)work;
	(void)name;
	(void)value;
	return true;
}

static bool only_one(struct work *work, const char *name, json_t *value)
{
	return (json_is_integer(value) && json_integer_value(value) == 1) ||
	       wrong_value(work, name, "1");
}

static bool only_zero(struct work *work, const char *name, json_t *value)
{
	return (json_is_number(value) && json_number_value(value) == 0) ||
	       wrong_value(work, name, "0");
}

static bool only_false(struct work *work, const char *name, json_t *value)
{
	return json_is_false(value) || wrong_value(work, name, "false");
}

static bool only_true(struct work *work, const char *name, json_t *value)
{
	return json_is_true(value) || wrong_value(work, name, "true");
}

static bool only_empty(struct work *work, const char *name, json_t *value)
{
	return (json_is_object(value) && json_object_size(value) == 0) ||
	       wrong_value(work, name, "empty");
}

static bool only_text(struct work *work, const char *name, json_t *value)
{
	json_auto_t *text = json_pack("[s]", "text");

	return json_equal(value, text) || wrong_value(work, name, "[\"text\"]");
}

static bool only_default(struct work *work, const char *name, json_t *value)
{
	const char *tier = json_is_string(value) ? json_string_value(value) : "";

	return strcmp(tier, "auto") == 0 || strcmp(tier, "default") == 0 ||
	       wrong_value(work, name, "auto or default");
}

/* --- response_format --- */

static bool take_schema(struct work *work, const json_t *format)
{
	json_t *given = json_object_get(format, "json_schema"), *value, *schema;
	json_auto_t *output = json_pack("{s:s}", "type", "json_schema");
	const char *name, *description = json_text(given, "description", NULL);

	schema = json_object_get(given, "schema");
	if (!json_is_object(schema))
		return fail(work->problem, "missing_required_parameter",
			    "response_format.json_schema.schema",
			    "Missing required parameter: 'response_format.json_schema.schema'.");
	json_object_foreach (given, name, value)
		if (strcmp(name, "name") != 0 && strcmp(name, "schema") != 0 &&
		    strcmp(name, "strict") != 0 && strcmp(name, "description") != 0)
			return fail(work->problem, "unsupported_parameter", "response_format",
				    "Unsupported parameter: 'response_format.json_schema.%.60s' "
				    "is not supported here.",
				    name);
	json_object_set_new(output, "schema", json_copy(schema));
	if (description && !json_object_get(schema, "description"))
		json_object_set_new(json_object_get(output, "schema"), "description",
				    json_string(description));
	if (json_object_get(given, "name"))
		json_object_set(output, "name", json_object_get(given, "name"));
	json_object_set(work->job, "output", output);
	return true;
}

static bool take_format(struct work *work, const char *name, json_t *value)
{
	const char *type = json_text(value, "type", "");

	if (strcmp(type, "json_schema") == 0)
		return take_schema(work, value);
	if (strcmp(type, "text") == 0)
		json_object_set_new(work->job, "output", json_pack("{s:s}", "type", "text"));
	else if (strcmp(type, "json_object") == 0)
		json_object_set_new(work->job, "output",
				    json_pack("{s:s, s:{s:s}}", "type", "json_schema", "schema",
					      "type", "object"));
	else
		return wrong_value(work, name, "of type text, json_object or json_schema");
	return true;
}

/* --- the table --- */

static const struct {
	const char *name;
	taker *take;
} members[] = {
	{"model", skip}, /* taken before */
	{"messages", take_prompt},
	{"tools", take_tools},
	{"tool_choice", take_choice},
	{"max_completion_tokens", take_cap},
	{"max_tokens", take_cap},
	{"temperature", take_parameter},
	{"top_p", take_parameter},
	{"seed", take_parameter},
	{"reasoning_effort", take_parameter},
	{"stop", take_stop},
	{"response_format", take_format},
	{"user", take_user},
	{"safety_identifier", take_user},
	{"metadata", take_metadata},
	{"n", only_one},
	{"stream", only_false},
	{"store", only_false},
	{"logprobs", only_false},
	{"parallel_tool_calls", only_true},
	{"logit_bias", only_empty},
	{"presence_penalty", only_zero},
	{"frequency_penalty", only_zero},
	{"modalities", only_text},
	{"service_tier", only_default},
};

static taker *find_taker(const char *name)
{
	for (size_t i = 0; i < COUNT_OF(members); i++)
		if (strcmp(members[i].name, name) == 0)
			return members[i].take;
	return unsupported;
}

/* Clients hand back what an answer had: members that say nothing. */
static bool says_nothing(const char *name, const json_t *value)
{
	if (strcmp(name, "content") == 0)
		return false;
	return json_is_null(value) || (json_is_array(value) && json_array_size(value) == 0);
}

static void forget_nothings(json_t *messages)
{
	json_t *message, *value;
	const char *name;
	void *next;
	size_t i;

	json_array_foreach (messages, i, message) {
		json_object_foreach_safe (message, next, name, value)
			if (says_nothing(name, value))
				json_object_del(message, name);
	}
}

static bool take_body(struct work *work)
{
	const char *name;
	json_t *value;

	if (!json_object_get(work->body, "messages"))
		return fail(work->problem, "missing_required_parameter", "messages",
			    "Missing required parameter: 'messages'.");
	json_object_foreach ((json_t *)work->body, name, value)
		if (!json_is_null(value) && !find_taker(name)(work, name, value))
			return false;
	forget_nothings(json_object_get(work->prompt, "messages"));
	return true;
}

static bool make_job(struct openai_line *line, const json_t *body, struct openai_problem *problem)
{
	struct work work = {.body = body, .problem = problem, .job = line->job};

	work.prompt = json_object();
	json_object_set_new(line->job, "prompt", work.prompt);
	work.parameters = json_object();
	json_object_set_new(line->job, "parameters", work.parameters);
	if (!take_body(&work))
		return false;
	if (json_object_size(work.parameters) == 0)
		json_object_del(line->job, "parameters");
	return true;
}

/* --- the line --- */

static bool check_members(const json_t *request, struct openai_problem *problem)
{
	static const char *const known[] = {"custom_id", "method", "url", "body"};
	const char *name;
	json_t *value;

	json_object_foreach ((json_t *)request, name, value) {
		size_t i = 0;

		while (i < COUNT_OF(known) && strcmp(known[i], name) != 0)
			i++;
		if (i == COUNT_OF(known))
			return fail(problem, "unsupported_parameter", name,
				    "Unknown member '%.60s' of the line.", name);
	}
	return true;
}

static bool check_request(const json_t *request, struct openai_problem *problem)
{
	const char *url = json_text(request, "url", "");
	const char *id = json_text(request, "custom_id", "");

	if (!*id || strlen(id) > OPENAI_CUSTOM_ID)
		return fail(problem, *id ? "invalid_custom_id" : "missing_required_parameter",
			    "custom_id", "'custom_id' must be a text of 1 to %d bytes.",
			    OPENAI_CUSTOM_ID);
	if (strcmp(json_text(request, "method", ""), "POST") != 0)
		return fail(problem, "invalid_method", "method", "'method' must be POST.");
	if (strcmp(url, URL) != 0)
		return fail(problem, *url ? "invalid_url" : "missing_required_parameter", "url",
			    "'url' must be " URL ", that of the batch.");
	if (!json_is_object(json_object_get(request, "body")))
		return fail(problem, "missing_required_parameter", "body",
			    "'body' must be an object: the request.");
	return check_members(request, problem);
}

bool openai_line_read(const char *bytes, size_t len, struct openai_line *line,
		      struct openai_problem *problem)
{
	struct error ignored;
	const json_t *body;

	*line = (struct openai_line){.custom_id = "", .model = ""};
	line->request = json_read(bytes, len, JSON_OURS, &ignored);
	line->job = json_object();
	if (!json_is_object(line->request))
		return fail(problem, "invalid_json_line", "",
			    line->request ? "This line is not a JSON object."
					  : "This line is not parseable as valid JSON.");
	line->custom_id = json_text(line->request, "custom_id", "");
	if (!check_request(line->request, problem))
		return false;
	body = json_object_get(line->request, "body");
	line->model = json_text(body, "model", "");
	if (!*line->model)
		return fail(problem, "missing_required_parameter", "model",
			    "Missing required parameter: 'model'.");
	return make_job(line, body, problem);
}

void openai_line_finish(struct openai_line *line)
{
	json_decref(line->request);
	json_decref(line->job);
	*line = (struct openai_line){0};
}

/* --- problems found later --- */

static const struct {
	const char *ours, *theirs;
} names[] = {
	{"/prompt/", ""},
	{"/parameters/max_output_tokens", "max_completion_tokens"},
	{"/parameters/", ""},
	{"/output/schema", "response_format.json_schema.schema"},
	{"/output/name", "response_format.json_schema.name"},
	{"/output", "response_format"},
	{"/user", "user"},
	{"/metadata/request", "metadata"},
};

/* "/prompt/messages/0/role must …" is of "messages/0/role", which is spelled "messages.0.role". */
void openai_problem_of_job(struct openai_problem *problem, const char *text)
{
	size_t i = 0, len;

	while (i < COUNT_OF(names) && strncmp(text, names[i].ours, strlen(names[i].ours)) != 0)
		i++;
	if (i == COUNT_OF(names)) {
		fail(problem, "invalid_request", "", "%s", text);
		return;
	}
	text += strlen(names[i].ours);
	len = strcspn(text, " :");
	fail(problem, "invalid_value", "", "'%s%.*s'%s", names[i].theirs, (int)len, text,
	     text + len);
	snprintf(problem->param, sizeof(problem->param), "%s%.*s", names[i].theirs, (int)len, text);
	for (char *slash = problem->param; (slash = strchr(slash, '/'));)
		*slash = '.';
}
