#include "event.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base64.h"
#include "ensure.h"
#include "quote.h"
#include "timestamp.h"

static void member_name(struct buffer *out, const char *name)
{
	buffer_text(out, out->len > 0 && out->data[out->len - 1] == '{' ? "\"" : ",\"");
	buffer_text(out, name);
	buffer_text(out, "\":");
}

static void member_text(struct buffer *out, const char *name, const char *text)
{
	member_name(out, name);
	quote_json(out, text, strlen(text));
}

/* What the producer did not say is not repeated as an empty text. */
static void member_if_said(struct buffer *out, const char *name, const char *text)
{
	if (text && *text)
		member_text(out, name, text);
}

static void member_id(struct buffer *out, const char *name, const struct uuid *id)
{
	char text[UUID_TEXT];

	member_text(out, name, uuid_format(text, id));
}

static void member_time(struct buffer *out, const char *name, nsec wall)
{
	char text[TIMESTAMP_TEXT];

	member_text(out, name, timestamp_format(text, wall));
}

static void member_json(struct buffer *out, const char *name, const json_t *value)
{
	if (!value)
		return;
	AUTO(xfree) char *text = json_write(value);
	member_name(out, name);
	buffer_text(out, text);
}

static void member_prompt(struct buffer *out, const struct job *job)
{
	if (!*job->prompt_name && !*job->prompt_version)
		return;
	member_name(out, "prompt");
	buffer_byte(out, '{');
	member_if_said(out, "name", job->prompt_name);
	member_if_said(out, "version", job->prompt_version);
	buffer_byte(out, '}');
}

static void tags(struct buffer *out, const struct job *job)
{
	member_text(out, "business_unit", job->business_unit);
	member_if_said(out, "feature", job->feature);
	member_if_said(out, "environment", job->environment);
	member_if_said(out, "usage_tier", job->usage_tier);
	member_if_said(out, "user", job->user);
	member_text(out, "plan", job->free_plan ? "free" : "paid");
	member_if_said(out, "task", job->task);
	member_prompt(out, job);
}

static void answer(struct buffer *out, const struct event *event)
{
	if (event->tool_calls) {
		member_name(out, "tool_calls");
		buffer_text(out, event->tool_calls);
	}
	if (!event->output)
		return;
	member_name(out, event->is_json ? "output" : "text");
	if (event->is_json)
		buffer_append(out, event->output, event->output_len);
	else
		quote_json(out, event->output, event->output_len);
}

static void usage(struct buffer *out, const struct usage *u)
{
	member_name(out, "usage");
	buffer_printf(out,
		      "{\"input\":%" PRId64 ",\"cache_read\":%" PRId64 ",\"cache_write\":%" PRId64
		      ",\"cache_write_1h\":%" PRId64 ",\"output\":%" PRId64
		      ",\"reasoning\":%" PRId64 "}",
		      u->input, u->cache_read, u->cache_write, u->cache_write_1h, u->output,
		      u->reasoning);
}

static void cost(struct buffer *out, pico amount)
{
	char text[MONEY_TEXT];

	if (amount == PICO_UNPRICED) {
		buffer_text(out, ",\"cost_usd\":null,\"cost_pico\":null,\"unpriced\":true");
		return;
	}
	member_text(out, "cost_usd", money_format(text, amount) + 1); /* without the $ */
	member_name(out, "cost_pico");
	buffer_printf(out, "\"%" PRId64 "\",\"unpriced\":false", amount);
}

static uint64_t msec(nsec duration)
{
	return duration / NSEC_PER_MSEC;
}

static void timings(struct buffer *out, const struct event *event)
{
	member_name(out, "timings");
	buffer_printf(out,
		      "{\"queued_ms\":%" PRIu64 ",\"calling_ms\":%" PRIu64 ",\"total_ms\":%" PRIu64
		      "}",
		      msec(event->queued), msec(event->calling), msec(event->total));
}

static void what_happened(struct buffer *out, const struct event *event)
{
	member_id(out, "event_id", &event->event_id);
	member_id(out, "job_id", &event->job->id);
	member_name(out, "run");
	buffer_printf(out, "%" PRId32, event->run);
	member_name(out, "hop");
	buffer_printf(out, "%" PRId32, event->hop);
	member_text(out, "outcome", event->outcome);
	member_text(out, "reason", event->reason);
	member_if_said(out, "detail", event->detail);
}

static void rest(struct buffer *out, const struct event *event)
{
	member_if_said(out, "tier", event->tier);
	member_if_said(out, "lane", event->lane);
	member_if_said(out, "provider", event->provider);
	member_if_said(out, "model", event->model);
	member_name(out, "attempts");
	buffer_printf(out, "%d", event->attempts);
	usage(out, &event->usage);
	cost(out, event->cost);
	timings(out, event);
	member_json(out, "routed", event->job->routed);
	member_json(out, "metadata", event->job->metadata);
	member_if_said(out, "parent_job_id", event->job->parent);
	member_if_said(out, "step", event->job->step);
	member_time(out, "finished_at", event->finished_at);
}

void event_result(const struct event *event, struct buffer *out)
{
	buffer_text(out, "{\"version\":1");
	what_happened(out, event);
	member_name(out, "degraded");
	buffer_text(out, event->degraded ? "true" : "false");
	tags(out, event->job);
	answer(out, event);
	if (!isnan(event->confidence)) {
		member_name(out, "confidence");
		buffer_printf(out, "%.4f", event->confidence);
	}
	rest(out, event);
	buffer_byte(out, '}');
}

void event_dead_letter(const struct event *event, struct buffer *out)
{
	buffer_text(out, "{\"version\":1,\"kind\":\"job\"");
	what_happened(out, event);
	tags(out, event->job);
	rest(out, event);
	buffer_byte(out, '}');
}

void event_message_dead_letter(const struct event_message *message, struct buffer *out)
{
	bool truncated = message->len > message->max_bytes;

	buffer_text(out, "{\"version\":1,\"kind\":\"message\"");
	member_id(out, "event_id", &message->event_id);
	if (message->job_id)
		member_id(out, "job_id", message->job_id);
	member_text(out, "reason", message->reason);
	member_text(out, "detail", message->detail);
	member_name(out, "source");
	buffer_byte(out, '{');
	member_text(out, "topic", message->topic);
	member_name(out, "partition");
	buffer_printf(out, "%" PRId32, message->partition);
	member_name(out, "offset");
	buffer_printf(out, "%" PRId64 "}", message->offset);
	member_name(out, "size");
	buffer_printf(out, "%zu", message->len);
	member_name(out, "bytes");
	buffer_byte(out, '"');
	base64_encode(out, message->bytes, truncated ? message->max_bytes : message->len);
	buffer_byte(out, '"');
	member_name(out, "truncated");
	buffer_text(out, truncated ? "true" : "false");
	member_time(out, "finished_at", message->at);
	buffer_byte(out, '}');
}

struct uuid event_message_id(const char *topic, int32_t partition, int64_t offset,
			     const char *destination)
{
	char place[400];
	struct digest digest;
	struct uuid id;

	snprintf(place, sizeof(place), "%s:%" PRId32 ":%" PRId64 ":%s", topic, partition, offset,
		 destination);
	digest = digest_of(place, strlen(place));
	memcpy(id.bytes, digest.bytes, sizeof(id.bytes));
	id.bytes[6] = (uint8_t)((id.bytes[6] & 0x0f) | 0x80);
	id.bytes[8] = (uint8_t)((id.bytes[8] & 0x3f) | 0x80);
	return id;
}
