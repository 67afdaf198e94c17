#include "job.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "buffer.h"
#include "ensure.h"

void job_destroy(struct job *job)
{
	if (!job)
		return;
	json_decref(job->envelope);
	free(job);
}

void job_share_schema(struct job *job, json_t *schema)
{
	if (!job->output_schema || job->output_schema == schema)
		return;
	json_object_set_nocheck(json_object_get(job->envelope, "output"), "schema", schema);
	job->output_schema = schema;
}

/* Parts of a name that is hashed, each with its length, so that no two names run together. */
static void add_part(struct buffer *name, const char *part)
{
	buffer_printf(name, "%zu:", strlen(part));
	buffer_text(name, part);
}

static struct uuid derived(const struct buffer *name)
{
	struct digest digest = digest_of(name->data, name->len);
	struct uuid id;

	memcpy(id.bytes, digest.bytes, sizeof(id.bytes));
	id.bytes[6] = (uint8_t)((id.bytes[6] & 0x0f) | 0x80); /* version 8: by a rule of our own */
	id.bytes[8] = (uint8_t)((id.bytes[8] & 0x3f) | 0x80);
	return id;
}

struct uuid job_id_from_key(const char *business_unit, const char *key)
{
	AUTO_FINISH(buffer_finish) struct buffer name = {0};

	add_part(&name, "sluice job by key");
	add_part(&name, business_unit);
	add_part(&name, key);
	return derived(&name);
}

struct uuid job_id_from_source(const struct job_source *source)
{
	AUTO_FINISH(buffer_finish) struct buffer name = {0};

	add_part(&name, "sluice job by place");
	add_part(&name, source->cluster);
	add_part(&name, source->topic);
	buffer_printf(&name, "%" PRId32 ",%" PRId64, source->partition, source->offset);
	return derived(&name);
}

struct uuid job_event_id(const struct uuid *job_id, int32_t run, int32_t hop, const char *kind,
			 const char *destination)
{
	AUTO_FINISH(buffer_finish) struct buffer name = {0};

	add_part(&name, "sluice event");
	buffer_append(&name, job_id->bytes, sizeof(job_id->bytes));
	buffer_printf(&name, "%" PRId32 ",%" PRId32 ",", run, hop);
	add_part(&name, kind);
	add_part(&name, destination);
	return derived(&name);
}

char *job_thin_message(const struct uuid *job_id, int32_t run, int32_t hop)
{
	char id[UUID_TEXT];

	return xasprintf("{\"version\":1,\"job_id\":\"%s\",\"run\":%" PRId32 ",\"hop\":%" PRId32
			 "}",
			 uuid_format(id, job_id), run, hop);
}

static const char *const lane_names[] = {
#define LANE_TEXT(name, text) [LANE_##name] = text,
	LANES(LANE_TEXT)
#undef LANE_TEXT
		[LANE_AUTO] = "auto",
};

const char *lane_name(enum lane lane)
{
	ENSURE(lane >= 0 && lane <= LANE_AUTO);
	return lane_names[lane];
}

bool lane_parse(const char *text, enum lane *lane)
{
	for (size_t i = 0; i < COUNT_OF(lane_names); i++)
		if (!strcmp(lane_names[i], text)) {
			*lane = (enum lane)i;
			return true;
		}
	return false;
}
