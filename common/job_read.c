/* From the bytes of a message to a job: parsed once, checked against schemas/job.json. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "embedded.h"
#include "ensure.h"
#include "fingerprint.h"
#include "job.h"
#include "schema.h"
#include "timestamp.h"

struct job_reader {
	struct schema *schema;
	size_t max_bytes;
};

struct job_reader *job_reader_create(size_t max_bytes)
{
	struct job_reader *reader = xcalloc(1, sizeof(*reader));
	const char *text = embedded_text("schemas/job.json");
	struct error err;
	json_auto_t *document = json_read(text, strlen(text), JSON_OURS, &err);

	ENSURE(document);
	reader->schema = schema_compile(document, &err);
	ENSURE(reader->schema);
	reader->max_bytes = max_bytes;
	return reader;
}

void job_reader_destroy(struct job_reader *reader)
{
	if (!reader)
		return;
	schema_destroy(reader->schema);
	free(reader);
}

/* What the parser quotes of the message may be a piece of a prompt: it stays out of errors. */
static void forget_quotation(struct error *err)
{
	char *near = strstr(err->text, " near '");
	char *zero = strstr(err->text, "without JSON_ALLOW_NUL");

	if (near)
		*near = '\0';
	if (zero)
		memcpy(zero, "in texts", sizeof("in texts"));
}

static json_t *parse(const struct job_reader *reader, const char *bytes, size_t len,
		     struct error *err)
{
	json_t *envelope;

	if (len == 0) {
		error_set(err, ERROR_REJECT, "the message is empty");
		return NULL;
	}
	if (len > reader->max_bytes) {
		error_set(err, ERROR_REJECT, "the message is %zu bytes; the most is %zu", len,
			  reader->max_bytes);
		return NULL;
	}
	envelope = json_read(bytes, len, JSON_OURS, err);
	if (!envelope)
		forget_quotation(err);
	return envelope;
}

/* What the schema refuses as well, but cannot explain. */
static bool check_contract(const json_t *envelope, struct error *err)
{
	const json_t *version = json_object_get(envelope, "version");
	const char *kind = json_text(envelope, "kind", "chat");

	if (!json_is_object(envelope))
		return error_set(err, ERROR_REJECT, "the message must be a JSON object");
	if (!version)
		return error_set(err, ERROR_REJECT,
				 "/version is missing; this contract is version 1");
	if (json_is_integer(version) && json_integer_value(version) != 1)
		return error_set(err, ERROR_REJECT,
				 "/version is %lld; only version 1 is understood here",
				 (long long)json_integer_value(version));
	if (!strcmp(kind, "embedding") || !strcmp(kind, "moderation"))
		return error_set(
			err, ERROR_REJECT,
			"/kind \"%s\" is reserved and cannot be run yet; only \"chat\" can", kind);
	if (json_object_get(envelope, "job_id") && json_object_get(envelope, "idempotency_key"))
		return error_set(err, ERROR_REJECT,
				 "/job_id and /idempotency_key are both given; the id comes from "
				 "one of them");
	return true;
}

static bool check_schema(const struct job_reader *reader, const json_t *envelope, struct error *err)
{
	struct schema_errors errors;

	if (schema_check(reader->schema, envelope, &errors))
		return true;
	return error_set(err, ERROR_REJECT, "%s %s",
			 errors.list[0].path[0] ? errors.list[0].path : "the job",
			 errors.list[0].text);
}

/* How much a free part of the envelope may hold. */
struct room {
	size_t values;
	size_t depth;
	size_t bytes; /* of texts and names */
};

static bool take(size_t *left, size_t wanted)
{
	if (wanted > *left)
		return false;
	*left -= wanted;
	return true;
}

static bool fits(const json_t *value, struct room *room, size_t depth)
{
	json_t *child;
	const char *name;
	size_t i;

	if (depth > room->depth || !take(&room->values, 1))
		return false;
	if (json_is_string(value))
		return take(&room->bytes, json_string_length(value));
	json_array_foreach ((json_t *)value, i, child)
		if (!fits(child, room, depth + 1))
			return false;
	json_object_foreach ((json_t *)value, name, child)
		if (!take(&room->bytes, strlen(name)) || !fits(child, room, depth + 1))
			return false;
	return true;
}

static bool check_room(const char *path, const json_t *value, struct room room, struct error *err)
{
	struct room left = room;

	if (!value || fits(value, &left, 1))
		return true;
	return error_set(
		err, ERROR_REJECT,
		"%s is too large: the most are %zu values, %zu levels and %zu bytes of text", path,
		room.values, room.depth, room.bytes);
}

static bool check_rooms(const json_t *envelope, struct error *err)
{
	static const struct room metadata = {.values = 1000, .depth = 16, .bytes = 16384};
	static const struct room schema = {.values = 20000, .depth = 64, .bytes = 1 << 20};
	static const struct room routed = {.values = 200, .depth = 8, .bytes = 16384};
	const json_t *prompt = json_object_get(envelope, "prompt");
	const json_t *output = json_object_get(envelope, "output");

	return check_room("/metadata", json_object_get(envelope, "metadata"), metadata, err) &&
	       check_room("/routed", json_object_get(envelope, "routed"), routed, err) &&
	       check_room("/output/schema", json_object_get(output, "schema"), schema, err) &&
	       check_room("/prompt/tools", json_object_get(prompt, "tools"), schema, err);
}

static bool check_message(size_t at, const json_t *message, struct error *err)
{
	const char *role = json_text(message, "role", "");
	const json_t *content = json_object_get(message, "content");
	bool calls = json_object_get(message, "tool_calls") != NULL;

	if (calls && strcmp(role, "assistant") != 0)
		return error_set(err, ERROR_REJECT,
				 "/prompt/messages/%zu/tool_calls may only stand where the role is "
				 "assistant",
				 at);
	if ((!content || json_is_null(content)) && !calls)
		return error_set(err, ERROR_REJECT, "/prompt/messages/%zu/content is missing", at);
	if (!strcmp(role, "tool") && !json_object_get(message, "tool_call_id"))
		return error_set(err, ERROR_REJECT,
				 "/prompt/messages/%zu/tool_call_id is missing: which call does "
				 "this answer?",
				 at);
	return true;
}

static bool check_messages(const json_t *messages, struct error *err)
{
	json_t *message;
	size_t at;

	json_array_foreach ((json_t *)messages, at, message)
		if (!check_message(at, message, err))
			return false;
	return true;
}

static void fill_tags(struct job *job)
{
	const json_t *from = job->envelope;
	const json_t *prompt = json_object_get(from, "prompt");

	job->business_unit = json_text(from, "business_unit", "");
	job->feature = json_text(from, "feature", "");
	job->environment = json_text(from, "environment", "");
	job->usage_tier = json_text(from, "usage_tier", "");
	job->user = json_text(from, "user", "");
	job->task = json_text(from, "task", "");
	job->free_plan = !strcmp(json_text(from, "plan", "paid"), "free");
	job->reply_topic = json_text(from, "reply_topic", "");
	job->parent = json_text(from, "parent_job_id", "");
	job->step = json_text(from, "step", "");
	job->prompt_name = json_text(prompt, "name", "");
	job->prompt_version = json_text(prompt, "version", "");
	job->messages = json_object_get(prompt, "messages");
	job->tools = json_object_get(prompt, "tools");
	job->tool_choice = json_object_get(prompt, "tool_choice");
	job->callback = json_object_get(from, "callback");
	job->metadata = json_object_get(from, "metadata");
	job->routed = json_object_get(from, "routed");
}

static void fill_output(struct job *job)
{
	const json_t *from = json_object_get(job->envelope, "output");

	job->output_given = from != NULL;
	job->output_schema = json_object_get(from, "schema");
	job->output_name = json_text(from, "name", "answer");
}

static void fill_parameters(struct job *job)
{
	const json_t *from = json_object_get(job->envelope, "parameters");

	job->max_output_tokens = json_integer_or(from, "max_output_tokens", 0);
	job->temperature = json_number_or(from, "temperature", NAN);
	job->top_p = json_number_or(from, "top_p", NAN);
	job->stop = json_object_get(from, "stop");
	job->seed = json_object_get(from, "seed");
	job->reasoning_effort = json_text(from, "reasoning_effort", "");
}

static bool read_time(const json_t *routing, const char *name, nsec *wall, struct error *err)
{
	const char *text = json_text(routing, name, NULL);

	if (!text || timestamp_parse(text, wall))
		return true;
	return error_set(err, ERROR_REJECT,
			 "/routing/%s must be a date and time with its zone, such as "
			 "2026-11-21T18:00:00Z, between 1970 and 2500",
			 name);
}

static enum data_class data_class_named(const char *name)
{
	if (!strcmp(name, "public"))
		return DATA_PUBLIC;
	return !strcmp(name, "restricted") ? DATA_RESTRICTED : DATA_INTERNAL;
}

static enum quality quality_named(const char *name)
{
	if (!strcmp(name, "low"))
		return QUALITY_LOW;
	return !strcmp(name, "high") ? QUALITY_HIGH : QUALITY_NORMAL;
}

static bool fill_routing(struct job *job, struct error *err)
{
	const json_t *from = json_object_get(job->envelope, "routing");
	const char *quality = json_text(from, "quality", NULL);

	job->tier = json_text(from, "tier", "auto");
	job->max_tier = json_text(from, "max_tier", "");
	job->candidate = json_text(from, "candidate", "");
	ENSURE(lane_parse(json_text(from, "lane", "auto"), &job->lane));
	job->data_class = data_class_named(json_text(from, "data_class", "internal"));
	job->quality = quality_named(quality ? quality : "normal");
	job->quality_given = quality != NULL;
	job->max_cost = (pico)llround(json_number_or(from, "max_cost_usd", 0) *
				      (double)PICO_PER_USD);
	if (json_object_get(from, "max_cost_usd") && job->max_cost == 0)
		return error_set(err, ERROR_REJECT, "/routing/max_cost_usd is below any price");
	if (!read_time(from, "deadline", &job->deadline, err) ||
	    !read_time(from, "not_before", &job->not_before, err))
		return false;
	if (job->deadline > 0 && job->not_before >= job->deadline)
		return error_set(err, ERROR_REJECT,
				 "/routing/not_before is not before the deadline");
	return true;
}

/* Tags, metadata and the trace may differ between two sendings of one job; these may not. */
static const char *const fingerprinted[] = {"prompt", "output", "parameters", "routing"};

static bool read_id(struct job *job, const char *text, struct error *err)
{
	if (uuid_parse(text, &job->id))
		return true;
	return error_set(err, ERROR_REJECT, "/job_id must be a valid uuid");
}

static bool fill_identity(struct job *job, const struct job_source *source, struct error *err)
{
	const char *id = json_text(job->envelope, "job_id", NULL);
	const char *key = json_text(job->envelope, "idempotency_key", NULL);

	job->run = source->run;
	job->hop = source->hop;
	job->fingerprint = fingerprint_of_members(job->envelope, fingerprinted,
						  COUNT_OF(fingerprinted));
	if (id)
		return read_id(job, id, err);
	job->id = key ? job_id_from_key(job->business_unit, key) : job_id_from_source(source);
	return true;
}

static bool fill_thin(struct job *job, struct error *err)
{
	job->thin = true;
	job->run = (int32_t)json_integer_or(job->envelope, "run", 0);
	job->hop = (int32_t)json_integer_or(job->envelope, "hop", 0);
	return read_id(job, json_text(job->envelope, "job_id", ""), err);
}

static bool fill(struct job *job, const struct job_source *source, struct error *err)
{
	fill_tags(job);
	fill_output(job);
	fill_parameters(job);
	if (!fill_routing(job, err))
		return false;
	if (json_object_get(job->envelope, "run"))
		return fill_thin(job, err);
	return check_messages(job->messages, err) && fill_identity(job, source, err);
}

struct job *job_read(const struct job_reader *reader, const char *bytes, size_t len,
		     const struct job_source *source, struct error *err)
{
	AUTO(job_destroy) struct job *job = xcalloc(1, sizeof(*job));

	job->envelope = parse(reader, bytes, len, err);
	if (!job->envelope || !check_contract(job->envelope, err) ||
	    !check_rooms(job->envelope, err) || !check_schema(reader, job->envelope, err) ||
	    !fill(job, source, err))
		return NULL;
	return TAKE(job);
}
