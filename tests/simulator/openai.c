#include "openai.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "text.h"

static const char *finish_reason(const struct ask *ask, const struct answer *answer)
{
	if (answer->finish == FINISH_LENGTH)
		return "length";
	if (answer->finish == FINISH_FILTER)
		return "content_filter";
	return ask->tool && !ask->tool_named && answer->finish == FINISH_STOP ? "tool_calls"
									      : "stop";
}

/* --- log-probabilities: a token is up to four bytes of whole characters --- */

static double draw_logprob(const struct answer *answer, struct dice *dice)
{
	return answer->unsure ? -0.6 - 1.2 * dice_unit(dice) : -0.06 * dice_unit(dice);
}

static void write_token(struct buffer *out, const char *bytes, size_t len, double logprob)
{
	char number[32];

	buffer_text(out, "{\"token\":");
	text_quote_bytes(out, bytes, len);
	snprintf(number, sizeof(number), "%.7g", logprob);
	buffer_text(out, ",\"logprob\":");
	buffer_text(out, number);
	buffer_text(out, ",\"bytes\":[");
	for (size_t i = 0; i < len; i++) {
		if (i > 0)
			buffer_byte(out, ',');
		text_integer(out, (unsigned char)bytes[i]);
	}
	buffer_byte(out, ']');
}

static void write_alternatives(const struct ask *ask, const char *bytes, size_t len, double logprob,
			       struct dice *dice, struct buffer *out)
{
	buffer_text(out, ",\"top_logprobs\":[");
	for (int64_t i = 0; i < ask->top_logprobs; i++) {
		char other[8] = "a";

		other[0] = (char)('a' + i);
		if (i > 0)
			buffer_byte(out, ',');
		if (i == 0)
			write_token(out, bytes, len, logprob);
		else
			write_token(out, other, 1, logprob - 3 - 6 * dice_unit(dice));
		buffer_byte(out, '}');
	}
	buffer_byte(out, ']');
}

/* Of the bytes [from, to) of the answer. */
static void write_logprobs(const struct ask *ask, const struct answer *answer, size_t from,
			   size_t to, struct buffer *out)
{
	struct dice dice = dice_seeded(hash_mix(answer->seed, from));
	const char *text = answer->text.data;

	if (!ask->logprobs || answer->finish == FINISH_REFUSED) {
		buffer_text(out, "null");
		return;
	}
	buffer_text(out, "{\"content\":[");
	for (size_t at = from; at < to;) {
		size_t len = text_whole(text + at, to - at, ANSWER_TOKEN_BYTES);
		double logprob = draw_logprob(answer, &dice);

		len = len ? len : 1;
		if (at > from)
			buffer_byte(out, ',');
		write_token(out, text + at, len, logprob);
		write_alternatives(ask, text + at, len, logprob, &dice, out);
		buffer_byte(out, '}');
		at += len;
	}
	buffer_text(out, "],\"refusal\":null}");
}

/* --- usage --- */

static void write_usage(const struct ask *ask, const struct tokens *tokens, bool negative,
			struct buffer *out)
{
	int64_t sign = negative ? -1 : 1;
	int64_t prompt = tokens_prompt(tokens), completion = tokens->of[TOKEN_OUTPUT];

	buffer_text(out, "{\"prompt_tokens\":");
	text_integer(out, sign * prompt);
	buffer_text(out, ",\"completion_tokens\":");
	text_integer(out, sign * completion);
	buffer_text(out, ",\"total_tokens\":");
	text_integer(out, sign * (prompt + completion));
	buffer_text(out, ",\"prompt_tokens_details\":{\"cached_tokens\":");
	text_integer(out, tokens->of[TOKEN_CACHE_READ]);
	buffer_text(out, ",\"audio_tokens\":0");
	if (ask->model->writes_cost) {
		buffer_text(out, ",\"cache_write_tokens\":");
		text_integer(out, tokens->of[TOKEN_CACHE_WRITE]);
	}
	buffer_text(out, "},\"completion_tokens_details\":{\"reasoning_tokens\":");
	text_integer(out, tokens->reasoning);
	buffer_text(out, ",\"audio_tokens\":0,\"accepted_prediction_tokens\":0,"
			 "\"rejected_prediction_tokens\":0}}");
}

/* --- the whole answer --- */

static void write_message(const struct ask *ask, const struct answer *answer,
			  const struct spelling *spelling, struct buffer *out)
{
	buffer_text(out, "{\"role\":\"assistant\",\"content\":");
	if (answer->finish == FINISH_REFUSED) {
		buffer_text(out, "null,\"refusal\":");
		text_quote_bytes(out, answer->text.data, answer->text.len);
		buffer_text(out, ",\"annotations\":[]}");
		return;
	}
	if (!ask->tool) {
		spelling_content(spelling, answer->text.data, answer->text.len, out);
		buffer_text(out, ",\"refusal\":null,\"annotations\":[]}");
		return;
	}
	buffer_printf(
		out,
		"null,\"refusal\":null,\"annotations\":[],\"tool_calls\":[{\"id\":\"call_%s\","
		"\"type\":\"function\",\"function\":{\"name\":\"%s\",\"arguments\":",
		spelling->id, ask->tool_name);
	spelling_content(spelling, answer->text.data, answer->text.len, out);
	buffer_text(out, "}}]}");
}

void openai_write(const struct ask *ask, const struct answer *answer, const struct tokens *tokens,
		  const struct spelling *spelling, struct buffer *body)
{
	buffer_text(body, "{\"id\":\"chatcmpl-");
	buffer_text(body, spelling->id);
	buffer_text(body, "\",\"object\":\"chat.completion\",\"created\":");
	text_integer(body, spelling->created);
	buffer_text(body, ",\"model\":\"");
	buffer_text(body, ask->model->snapshot);
	buffer_text(body, "\",\"choices\":[{\"index\":0,\"message\":");
	write_message(ask, answer, spelling, body);
	buffer_text(body, ",\"logprobs\":");
	write_logprobs(ask, answer, 0, answer->text.len, body);
	buffer_text(body, ",\"finish_reason\":\"");
	buffer_text(body, finish_reason(ask, answer));
	buffer_text(body, "\"}]");
	if (spelling->fault != FAULT_NO_USAGE) {
		buffer_text(body, ",\"usage\":");
		write_usage(ask, tokens, spelling->fault == FAULT_NEGATIVE_USAGE, body);
	}
	spelling_oddity(spelling, body);
	buffer_text(body, ",\"service_tier\":\"");
	buffer_text(body, spelling->tier);
	buffer_text(body, "\",\"system_fingerprint\":\"fp_44709d6fcb\"}");
}

/* --- the stream --- */

struct stream {
	const struct ask *ask;
	const struct answer *answer;
	const struct spelling *spelling;
	struct buffer event; /* scratch */
	struct buffer *body;
	int count;
};

/* Sends the event as one chunk of HTTP. */
static void flush_event(struct stream *s)
{
	buffer_printf(s->body, "%zx\r\n", s->event.len);
	buffer_append(s->body, s->event.data, s->event.len);
	buffer_text(s->body, "\r\n");
	buffer_clear(&s->event);
}

static void begin_chunk(struct stream *s)
{
	buffer_printf(
		&s->event,
		"data: "
		"{\"id\":\"chatcmpl-%s\",\"object\":\"chat.completion.chunk\",\"created\":%" PRId64
		",\"model\":\"%s\",\"service_tier\":\"%s\","
		"\"system_fingerprint\":\"fp_44709d6fcb\",\"choices\":[",
		s->spelling->id, s->spelling->created, s->ask->model->snapshot, s->spelling->tier);
}

static void end_chunk(struct stream *s)
{
	static const char padding[] = "x7Qp1k2AbCdEfGh";

	if (s->ask->include_usage)
		buffer_text(&s->event, ",\"usage\":null");
	if (s->ask->obfuscate)
		buffer_printf(&s->event, ",\"obfuscation\":\"%.*s\"", 2 + s->count++ * 5 % 13,
			      padding);
	buffer_text(&s->event, "}\n\n");
	flush_event(s);
}

static void write_delta(struct stream *s, size_t from, size_t to)
{
	const char *bytes = s->answer->text.data + from;

	begin_chunk(s);
	if (s->ask->tool && s->answer->finish != FINISH_REFUSED)
		buffer_text(&s->event, "{\"index\":0,\"delta\":{\"tool_calls\":[{\"index\":0,"
				       "\"function\":{\"arguments\":");
	else
		buffer_printf(&s->event, "{\"index\":0,\"delta\":{\"%s\":",
			      s->answer->finish == FINISH_REFUSED ? "refusal" : "content");
	text_quote_bytes(&s->event, bytes, to - from);
	buffer_text(&s->event, s->ask->tool && s->answer->finish != FINISH_REFUSED ? "}}]}" : "}");
	buffer_text(&s->event, ",\"logprobs\":");
	write_logprobs(s->ask, s->answer, from, to, &s->event);
	buffer_text(&s->event, ",\"finish_reason\":null}]");
	end_chunk(s);
}

static void write_first(struct stream *s)
{
	begin_chunk(s);
	if (s->ask->tool)
		buffer_printf(
			&s->event,
			"{\"index\":0,\"delta\":{\"role\":\"assistant\",\"content\":null,"
			"\"tool_calls\":[{\"index\":0,\"id\":\"call_%s\",\"type\":\"function\","
			"\"function\":{\"name\":\"%s\",\"arguments\":\"\"}}]}",
			s->spelling->id, s->ask->tool_name);
	else
		buffer_text(&s->event,
			    "{\"index\":0,\"delta\":{\"role\":\"assistant\",\"content\":\"\","
			    "\"refusal\":null}");
	buffer_text(&s->event, ",\"logprobs\":null,\"finish_reason\":null}]");
	end_chunk(s);
}

static void write_last(struct stream *s, const struct tokens *tokens)
{
	begin_chunk(s);
	buffer_printf(&s->event,
		      "{\"index\":0,\"delta\":{},\"logprobs\":null,\"finish_reason\":\"%s\"}]",
		      finish_reason(s->ask, s->answer));
	end_chunk(s);
	if (s->ask->include_usage && s->spelling->fault != FAULT_NO_USAGE) {
		begin_chunk(s);
		buffer_text(&s->event, "],\"usage\":");
		write_usage(s->ask, tokens, s->spelling->fault == FAULT_NEGATIVE_USAGE, &s->event);
		buffer_text(&s->event, "}\n\n");
		flush_event(s);
	}
	buffer_text(&s->event, "data: [DONE]\n\n");
	flush_event(s);
}

static void write_error(struct stream *s)
{
	struct failure failure = failure_of(FAULT_500, OPENAI, s->ask->model_name);

	buffer_text(&s->event, "data: ");
	failure_write_body(&failure, OPENAI, "", &s->event);
	buffer_text(&s->event, "\n\n");
	flush_event(s);
}

#define DELTA_BYTES 24

void openai_stream(const struct ask *ask, const struct answer *answer, const struct tokens *tokens,
		   const struct spelling *spelling, struct buffer *body)
{
	struct stream s = {.ask = ask, .answer = answer, .spelling = spelling, .body = body};
	bool broken = spelling->fault == FAULT_STREAM_ERROR;
	size_t until = broken ? answer->text.len / 2 : answer->text.len;

	write_first(&s);
	for (size_t at = 0; at < until;) {
		size_t len = text_whole(answer->text.data + at, answer->text.len - at, DELTA_BYTES);

		len = len ? len : 1;
		write_delta(&s, at, at + len);
		at += len;
	}
	if (broken)
		write_error(&s);
	else
		write_last(&s, tokens);
	buffer_text(body, "0\r\n\r\n");
	buffer_finish(&s.event);
}
