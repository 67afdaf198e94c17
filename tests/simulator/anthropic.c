#include "anthropic.h"

#include <inttypes.h>
#include <string.h>

#include "text.h"

static const char *stop_reason(const struct ask *ask, const struct answer *answer)
{
	if (answer->finish == FINISH_LENGTH)
		return "max_tokens";
	if (answer->finish == FINISH_REFUSED || answer->finish == FINISH_FILTER)
		return "refusal";
	return ask->tool ? "tool_use" : "end_turn";
}

static void write_stop(const struct ask *ask, const struct answer *answer, struct buffer *out)
{
	const char *reason = stop_reason(ask, answer);

	buffer_printf(out,
		      "\"stop_reason\":\"%s\",\"stop_sequence\":null,\"stop_details\":", reason);
	if (strcmp(reason, "refusal") == 0)
		buffer_text(out, "{\"type\":\"refusal\",\"category\":null,\"explanation\":null}");
	else
		buffer_text(out, "null");
}

static void write_input_usage(const struct tokens *tokens, int64_t sign, struct buffer *out)
{
	buffer_text(out, "\"input_tokens\":");
	text_integer(out, sign * tokens->of[TOKEN_INPUT]);
	buffer_text(out, ",\"cache_creation_input_tokens\":");
	text_integer(out, tokens->of[TOKEN_CACHE_WRITE] + tokens->of[TOKEN_CACHE_WRITE_1H]);
	buffer_text(out, ",\"cache_read_input_tokens\":");
	text_integer(out, tokens->of[TOKEN_CACHE_READ]);
}

static void write_usage(const struct tokens *tokens, int64_t output, bool negative,
			const char *tier, struct buffer *out)
{
	int64_t sign = negative ? -1 : 1;

	buffer_byte(out, '{');
	write_input_usage(tokens, sign, out);
	buffer_text(out, ",\"cache_creation\":{\"ephemeral_5m_input_tokens\":");
	text_integer(out, tokens->of[TOKEN_CACHE_WRITE]);
	buffer_text(out, ",\"ephemeral_1h_input_tokens\":");
	text_integer(out, tokens->of[TOKEN_CACHE_WRITE_1H]);
	buffer_text(out, "},\"output_tokens\":");
	text_integer(out, sign * output);
	buffer_printf(out, ",\"service_tier\":\"%s\",\"inference_geo\":\"not_available\"}", tier);
}

/* A refusal before any output has no content at all; cut arguments can't be an object. */
static void write_blocks(const struct ask *ask, const struct answer *answer,
			 const struct spelling *spelling, struct buffer *out)
{
	bool whole = answer->finish == FINISH_STOP && answer->text.len > 0;

	if (answer->finish == FINISH_REFUSED || (answer->text.len == 0 && !ask->tool))
		return;
	if (!ask->tool) {
		buffer_text(out, "{\"type\":\"text\",\"text\":");
		spelling_content(spelling, answer->text.data, answer->text.len, out);
		buffer_byte(out, '}');
		return;
	}
	buffer_printf(out, "{\"type\":\"tool_use\",\"id\":\"toolu_%s\",\"name\":\"%s\",\"input\":",
		      spelling->id, ask->tool_name);
	if (whole)
		buffer_append(out, answer->text.data, answer->text.len);
	else
		buffer_text(out, "{}");
	buffer_byte(out, '}');
}

static void write_identity(const struct ask *ask, const struct spelling *spelling,
			   struct buffer *out)
{
	buffer_text(out, "{\"model\":\"");
	buffer_text(out, ask->model->snapshot);
	buffer_text(out, "\",\"id\":\"msg_");
	buffer_text(out, spelling->id);
	buffer_text(out, "\",\"type\":\"message\",\"role\":\"assistant\",\"content\":[");
}

void anthropic_write(const struct ask *ask, const struct answer *answer,
		     const struct tokens *tokens, const struct spelling *spelling,
		     struct buffer *body)
{
	write_identity(ask, spelling, body);
	write_blocks(ask, answer, spelling, body);
	buffer_text(body, "],");
	write_stop(ask, answer, body);
	if (spelling->fault != FAULT_NO_USAGE) {
		buffer_text(body, ",\"usage\":");
		write_usage(tokens, tokens->of[TOKEN_OUTPUT],
			    spelling->fault == FAULT_NEGATIVE_USAGE, spelling->tier, body);
	}
	spelling_oddity(spelling, body);
	buffer_byte(body, '}');
}

/* --- the stream --- */

struct stream {
	struct buffer data; /* scratch: one event's data */
	struct buffer *body;
};

/* Sends what is in data as one event in one chunk of HTTP. */
static void flush_event(struct stream *s, const char *name)
{
	size_t len = strlen("event: \ndata: \n\n") + strlen(name) + s->data.len;

	buffer_printf(s->body, "%zx\r\nevent: %s\ndata: ", len, name);
	buffer_append(s->body, s->data.data, s->data.len);
	buffer_text(s->body, "\n\n\r\n");
	buffer_clear(&s->data);
}

static void write_start(struct stream *s, const struct ask *ask, const struct tokens *tokens,
			const struct spelling *spelling)
{
	buffer_text(&s->data, "{\"type\":\"message_start\",\"message\":");
	write_identity(ask, spelling, &s->data);
	buffer_text(&s->data, "],\"stop_reason\":null,\"stop_sequence\":null,\"stop_details\":null,"
			      "\"usage\":");
	write_usage(tokens, 1, false, spelling->tier, &s->data);
	buffer_text(&s->data, "}}");
	flush_event(s, "message_start");
}

static void write_block_start(struct stream *s, const struct ask *ask,
			      const struct spelling *spelling)
{
	buffer_text(&s->data, "{\"type\":\"content_block_start\",\"index\":0,\"content_block\":");
	if (ask->tool)
		buffer_printf(
			&s->data,
			"{\"type\":\"tool_use\",\"id\":\"toolu_%s\",\"name\":\"%s\",\"input\":{}}}",
			spelling->id, ask->tool_name);
	else
		buffer_text(&s->data, "{\"type\":\"text\",\"text\":\"\"}}");
	flush_event(s, "content_block_start");
	buffer_text(&s->data, "{\"type\":\"ping\"}");
	flush_event(s, "ping");
}

static void write_delta(struct stream *s, const struct ask *ask, const char *bytes, size_t len)
{
	buffer_text(&s->data, "{\"type\":\"content_block_delta\",\"index\":0,\"delta\":");
	buffer_text(&s->data, ask->tool ? "{\"type\":\"input_json_delta\",\"partial_json\":"
					: "{\"type\":\"text_delta\",\"text\":");
	text_quote_bytes(&s->data, bytes, len);
	buffer_text(&s->data, "}}");
	flush_event(s, "content_block_delta");
}

static void write_end(struct stream *s, const struct ask *ask, const struct answer *answer,
		      const struct tokens *tokens, enum fault fault)
{
	buffer_text(&s->data, "{\"type\":\"message_delta\",\"delta\":{");
	write_stop(ask, answer, &s->data);
	buffer_byte(&s->data, '}');
	if (fault != FAULT_NO_USAGE) {
		buffer_text(&s->data, ",\"usage\":{");
		write_input_usage(tokens, 1, &s->data);
		buffer_printf(&s->data, ",\"output_tokens\":%" PRId64 "}",
			      fault == FAULT_NEGATIVE_USAGE ? -tokens->of[TOKEN_OUTPUT]
							    : tokens->of[TOKEN_OUTPUT]);
	}
	buffer_byte(&s->data, '}');
	flush_event(s, "message_delta");
	buffer_text(&s->data, "{\"type\":\"message_stop\"}");
	flush_event(s, "message_stop");
}

#define DELTA_BYTES 24

/* False: the stream broke off with an error event. */
static bool write_text_blocks(struct stream *s, const struct ask *ask, const struct answer *answer,
			      const struct spelling *spelling)
{
	bool broken = spelling->fault == FAULT_STREAM_ERROR;
	size_t until = broken ? answer->text.len / 2 : answer->text.len;

	if (answer->finish == FINISH_REFUSED || (answer->text.len == 0 && !ask->tool))
		return !broken;
	write_block_start(s, ask, spelling);
	for (size_t at = 0; at < until;) {
		size_t len = text_whole(answer->text.data + at, answer->text.len - at, DELTA_BYTES);

		len = len ? len : 1;
		write_delta(s, ask, answer->text.data + at, len);
		at += len;
	}
	if (broken)
		return false;
	buffer_text(&s->data, "{\"type\":\"content_block_stop\",\"index\":0}");
	flush_event(s, "content_block_stop");
	return true;
}

void anthropic_stream(const struct ask *ask, const struct answer *answer,
		      const struct tokens *tokens, const struct spelling *spelling,
		      struct buffer *body)
{
	struct stream s = {.body = body};

	write_start(&s, ask, tokens, spelling);
	if (write_text_blocks(&s, ask, answer, spelling)) {
		write_end(&s, ask, answer, tokens, spelling->fault);
	} else {
		buffer_text(&s.data, "{\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\","
				     "\"message\":\"Overloaded\"}}");
		flush_event(&s, "error");
	}
	buffer_text(body, "0\r\n\r\n");
	buffer_finish(&s.data);
}
