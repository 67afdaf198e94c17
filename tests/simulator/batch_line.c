#include "batch_line.h"

#include <string.h>

#include "call.h"
#include "text.h"

static void settle(struct batch *batch, struct batch_line *line, enum line_fate fate)
{
	batch->counts[line->fate]--;
	batch->counts[fate]++;
	line->fate = fate;
}

/* --- OpenAI: successes and failures are in two files --- */

static void openai_begin(struct batch *batch, const struct batch_line *line, struct buffer *out)
{
	char id[25];

	dice_name(&batch->dice, id, 24);
	buffer_printf(out, "{\"id\":\"batch_req_%s\",\"custom_id\":", id);
	text_quote(out, line->custom_id);
}

static void openai_result(struct batch *batch, struct batch_line *line, int status,
			  const struct buffer *body)
{
	struct buffer *out = status == 200 ? &batch->output : &batch->failures;

	openai_begin(batch, line, out);
	if (batch->faults[FAULT_BATCH_ZERO] && status == 0) {
		buffer_text(out,
			    ",\"response\":{\"status_code\":0,\"request_id\":\"\",\"body\":\"\"},"
			    "\"error\":null}\n");
		return;
	}
	buffer_printf(out,
		      ",\"response\":{\"status_code\":%d,\"request_id\":\"%s\",\"body\":", status,
		      line->request_id);
	buffer_append(out, body->data, body->len);
	buffer_text(out, "},\"error\":null}\n");
}

static void openai_close(struct batch *batch, struct batch_line *line, enum line_fate fate)
{
	openai_begin(batch, line, &batch->failures);
	buffer_text(
		&batch->failures,
		fate == LINE_EXPIRED
			? ",\"response\":null,\"error\":{\"code\":\"batch_expired\",\"message\":"
			  "\"This "
			  "request could not be executed before the completion window "
			  "expired.\"}}\n"
			: ",\"response\":null,\"error\":{\"code\":\"batch_cancelled\",\"message\":"
			  "\"This request was not executed before the batch was cancelled.\"}}\n");
}

/* --- Anthropic: one file, four types of result --- */

static void anthropic_begin(const struct batch_line *line, const char *type, struct buffer *out)
{
	buffer_text(out, "{\"custom_id\":");
	text_quote(out, line->custom_id);
	buffer_printf(out, ",\"result\":{\"type\":\"%s\"", type);
}

static void anthropic_result(struct batch *batch, struct batch_line *line, int status,
			     const struct buffer *body)
{
	struct buffer *out = &batch->output;

	anthropic_begin(line, status == 200 ? "succeeded" : "errored", out);
	buffer_text(out, status == 200 ? ",\"message\":" : ",\"error\":");
	buffer_append(out, body->data, body->len);
	buffer_text(out, "}}\n");
}

static void anthropic_close(struct batch *batch, struct batch_line *line, enum line_fate fate)
{
	anthropic_begin(line, fate == LINE_EXPIRED ? "expired" : "canceled", &batch->output);
	buffer_text(&batch->output, "}}\n");
}

/* --- either --- */

static void add_tokens(struct tokens *sum, const struct tokens *tokens)
{
	for (int class = 0; class < TOKEN_CLASSES; class ++)
		sum->of[class] += tokens->of[class];
	sum->reasoning += tokens->reasoning;
}

static void write_result(struct batch *batch, struct batch_line *line, int status,
			 const struct buffer *body)
{
	if (batch->maker == OPENAI)
		openai_result(batch, line, status, body);
	else
		anthropic_result(batch, line, status, body);
	settle(batch, line, status == 200 ? LINE_DONE : LINE_FAILED);
}

void batch_line_run(struct simulator *sim, struct batch *batch, struct batch_line *line, nsec now)
{
	AUTO_FINISH(buffer_finish) struct buffer body = {0};
	struct batch_call call = {
		.maker = batch->maker,
		.doc = &sim->doc,
		.key = batch->key,
		.request_id = line->request_id,
		.custom_id = line->custom_id,
		.batch_id = batch->id,
	};
	struct tokens tokens;
	struct error err;
	int status = 0;

	memcpy(line->request_id, "req_", 4);
	dice_name(&batch->dice, line->request_id + 4, 24);
	if (batch->faults[FAULT_BATCH_ZERO] && batch->maker == OPENAI &&
	    (line - batch->lines) % 10 == 0) {
		write_result(batch, line, 0, &body);
		return;
	}
	if (!document_read(&sim->doc, batch->input.data + line->start, line->len, &err))
		return;
	call.root = document_member(&sim->doc, 0, batch->maker == OPENAI ? "body" : "params");
	status = call_answer_line(sim, &call, &body, &tokens, now);
	add_tokens(&batch->tokens, &tokens);
	write_result(batch, line, status, &body);
}

void batch_line_close(struct batch *batch, struct batch_line *line, enum line_fate fate)
{
	settle(batch, line, fate);
	if (batch->maker == OPENAI)
		openai_close(batch, line, fate);
	else
		anthropic_close(batch, line, fate);
}

/* A copy of the first result, with another custom_id if one is given. */
static void repeat_first(struct batch *batch, const char *custom_id)
{
	AUTO_FINISH(buffer_finish) struct buffer copy = {0};
	const char *name = "\"custom_id\":\"";
	const char *end = memchr(batch->output.data, '\n', batch->output.len);
	const char *at, *after;

	if (!end)
		return;
	buffer_append(&copy, batch->output.data, (size_t)(end + 1 - batch->output.data));
	if (!custom_id) {
		buffer_append(&batch->output, copy.data, copy.len);
		return;
	}
	at = strstr(copy.data, name);
	after = at ? strchr(at + strlen(name), '"') : NULL;
	if (!after)
		return;
	buffer_append(&batch->output, copy.data, (size_t)(at - copy.data) + strlen(name));
	buffer_text(&batch->output, custom_id);
	buffer_append(&batch->output, after, copy.len - (size_t)(after - copy.data));
}

void batch_line_oddities(struct batch *batch)
{
	if (batch->output.len == 0)
		return;
	if (batch->faults[FAULT_BATCH_DUPLICATE])
		repeat_first(batch, NULL);
	if (batch->faults[FAULT_BATCH_FOREIGN])
		repeat_first(batch, "01890000-0000-7000-8000-00000000f0f0");
}
