#include "answer.h"

#include <string.h>

#include "generate.h"
#include "text.h"

#define MAX_WISHED_TOKENS 200000

static void write_json(struct answer *answer, const struct ask *ask, struct dice *dice)
{
	struct generator g = {
		.doc = ask->doc,
		.root = ask->schema,
		.dice = dice,
		.out = &answer->text,
		.low_scores = answer->unsure,
	};

	answer->json = true;
	if (ask->schema != NONE) {
		generate(&g, ask->schema);
		return;
	}
	buffer_text(&answer->text, "{\"answer\":\"");
	generate_words(dice, 20, &answer->text);
	buffer_text(&answer->text, "\"}");
}

static void write_text(struct answer *answer, const struct wishes *wishes, struct dice *dice)
{
	int64_t tokens = wishes->tokens > 0 ? wishes->tokens : 8 + (int64_t)dice_below(dice, 60);

	if (tokens > MAX_WISHED_TOKENS)
		tokens = MAX_WISHED_TOKENS;
	generate_words(dice, (size_t)tokens * ANSWER_TOKEN_BYTES - 2, &answer->text);
}

static int64_t tokens_of(const struct buffer *text)
{
	return (int64_t)(text->len + ANSWER_TOKEN_BYTES - 1) / ANSWER_TOKEN_BYTES;
}

static void cut(struct answer *answer, size_t bytes)
{
	answer->text.len = text_whole(answer->text.data, answer->text.len, bytes);
	answer->text.data[answer->text.len] = '\0';
}

static void replace(struct answer *answer, const char *text)
{
	buffer_clear(&answer->text);
	buffer_text(&answer->text, text);
}

static void spoil_json(struct answer *answer, struct dice *dice)
{
	switch (dice_below(dice, 3)) {
	case 0:
		cut(answer, answer->text.len * 2 / 3);
		break;
	case 1:
		replace(answer, "I would rather describe it in words than in braces.");
		break;
	default:
		buffer_text(&answer->text, ",}");
		break;
	}
}

static void violate(struct answer *answer, const struct ask *ask, struct dice *dice)
{
	AUTO_FINISH(buffer_finish) struct buffer wrapped = {0};

	if (answer->text.data[0] != '{' || ask->tool ||
	    (dice_below(dice, 2) && ask->schema != NONE &&
	     document_member(ask->doc, ask->schema, "required") != NONE)) {
		replace(answer, "{\"unexpected\":true}");
		return;
	}
	buffer_printf(&wrapped, "[%s]", answer->text.data);
	replace(answer, wrapped.data);
}

static void apply_fault(struct answer *answer, const struct ask *ask, enum fault fault,
			struct dice *dice)
{
	if (fault == FAULT_MALFORMED)
		fault = dice_below(dice, 2) ? FAULT_NOT_JSON : FAULT_VIOLATION;
	if (fault == FAULT_NOT_JSON && ask->tool && ask->maker == ANTHROPIC)
		fault = FAULT_VIOLATION; /* a tool_use's input is always an object */
	if (fault == FAULT_REFUSAL) {
		answer->finish = FINISH_REFUSED;
		replace(answer, "I'm sorry, but I can't help with that.");
		answer->json = false;
	} else if (fault == FAULT_EMPTY) {
		replace(answer, "");
	} else if (fault == FAULT_LENGTH || fault == FAULT_CONTENT_FILTER) {
		answer->finish = fault == FAULT_LENGTH ? FINISH_LENGTH : FINISH_FILTER;
		cut(answer, answer->text.len / 2);
	} else if (fault == FAULT_NOT_JSON && answer->json) {
		spoil_json(answer, dice);
	} else if (fault == FAULT_VIOLATION && answer->json) {
		violate(answer, ask, dice);
	}
}

/* Thinking comes first and counts against the cap; what is left cuts the text. */
static void apply_cap(struct answer *answer, const struct ask *ask)
{
	int64_t left = ask->max_output - answer->reasoning_tokens;

	if (ask->max_output <= 0 || answer->finish != FINISH_STOP ||
	    answer->output_tokens <= ask->max_output)
		return;
	answer->finish = FINISH_LENGTH;
	answer->output_tokens = ask->max_output;
	if (left <= 0) {
		answer->reasoning_tokens = ask->max_output;
		replace(answer, "");
	} else {
		cut(answer, (size_t)left * ANSWER_TOKEN_BYTES);
	}
}

void answer_make(struct answer *answer, const struct ask *ask, const struct wishes *wishes,
		 enum fault fault, struct dice dice)
{
	*answer = (struct answer){.text = answer->text, .seed = dice_roll(&dice)};
	replace(answer, "");
	answer->unsure = wishes->low_confidence || fault == FAULT_LOW_CONFIDENCE;
	if (wishes->has_answer)
		buffer_append(&answer->text, wishes->answer.data, wishes->answer.len);
	else if (ask->schema != NONE || ask->json_object || ask->tool)
		write_json(answer, ask, &dice);
	else
		write_text(answer, wishes, &dice);
	apply_fault(answer, ask, fault, &dice);
	if (ask->model->reasoning)
		answer->reasoning_tokens = 64 * (int64_t)dice_below(&dice, 8);
	answer->output_tokens = tokens_of(&answer->text);
	if (answer->output_tokens < wishes->tokens && answer->finish == FINISH_STOP)
		answer->output_tokens = wishes->tokens;
	answer->output_tokens += answer->reasoning_tokens + 1;
	apply_cap(answer, ask);
}

void answer_finish(struct answer *answer)
{
	buffer_finish(&answer->text);
}
