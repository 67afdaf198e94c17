#include "model.h"

#include <stddef.h>
#include <string.h>

#include "compiler.h"

/*
 * Families of models that take the same parameters. Each is a struct model;
 * a row below adds the sizes. What is not sure is set so that the parameter is
 * left out: an answer without it beats a request that is refused.
 */
#define OPENAI_CHAT(schema)                                                                     \
	.output = (schema), .takes_temperature = true, .takes_top_p = true, .takes_stop = true, \
	.takes_seed = true, .gives_logprobs = true, .completion_cap = true,                     \
	.takes_forced_tool = true, .cache_min_tokens = 1024, .bytes_per_token = 4.0

#define OPENAI_REASONING                                                         \
	.output = OUTPUT_OPENAI_SCHEMA, .completion_cap = true, .reasons = true, \
	.takes_forced_tool = true, .cache_min_tokens = 1024, .bytes_per_token = 4.0

/* Gemini behind its OpenAI-compatible path: no cache key, no log-probabilities. */
#define GEMINI                                                                          \
	.output = OUTPUT_OPENAI_SCHEMA, .takes_temperature = true, .takes_top_p = true, \
	.takes_stop = true, .takes_forced_tool = true, .bytes_per_token = 3.8

#define CLAUDE_SAMPLED(schema)                                                                  \
	.output = (schema), .takes_temperature = true, .takes_top_p = true, .takes_stop = true, \
	.explicit_cache = true, .takes_forced_tool = true, .bytes_per_token = 3.5

/* From Opus 4.7 on: no sampling parameters, and a tokenizer of a third more tokens. */
#define CLAUDE_UNSAMPLED                                                               \
	.output = OUTPUT_ANTHROPIC_FORMAT, .takes_stop = true, .explicit_cache = true, \
	.bytes_per_token = 2.7

#define SIZES(window, cap) .context_window = (window), .max_output = (cap)

struct row {
	const char *prefix;
	struct model traits;
};

static const struct row openai_rows[] = {
	{"gpt-4o-2024-05-13", {OPENAI_CHAT(OUTPUT_JSON_OBJECT), SIZES(128000, 4096)}},
	{"gpt-4o", {OPENAI_CHAT(OUTPUT_OPENAI_SCHEMA), SIZES(128000, 16384)}},
	{"gpt-4.1", {OPENAI_CHAT(OUTPUT_OPENAI_SCHEMA), SIZES(1047576, 32768)}},
	{"o3", {OPENAI_REASONING, SIZES(200000, 100000)}},
	{"o4-mini", {OPENAI_REASONING, SIZES(200000, 100000)}},
	{"gpt-5", {OPENAI_REASONING, SIZES(400000, 128000)}},
	{"gpt-5.4", {OPENAI_REASONING, SIZES(1050000, 128000)}},
	{"gpt-5.4-mini", {OPENAI_REASONING, SIZES(400000, 128000)}},
	{"gpt-5.4-nano", {OPENAI_REASONING, SIZES(400000, 128000)}},
	{"gpt-5.5", {OPENAI_REASONING, SIZES(1050000, 128000)}},
	{"gpt-5.6", {OPENAI_REASONING, SIZES(1050000, 128000)}},
	{"gpt-6", {OPENAI_REASONING, SIZES(400000, 128000)}}, /* sizes are not published */
	{"gemini-1.5", {GEMINI, SIZES(1048576, 8192)}},
	{"gemini-1.5-pro", {GEMINI, SIZES(2097152, 8192)}},
	{"gemini-2.0", {GEMINI, SIZES(1048576, 8192)}},
	{"gemini-2.5", {GEMINI, .reasons = true, SIZES(1048576, 65535)}},
	{"gemini-3", {GEMINI, .reasons = true, SIZES(1048576, 65535)}},
};

static const struct row anthropic_rows[] = {
	{"claude-3-haiku",
	 {CLAUDE_SAMPLED(OUTPUT_ANTHROPIC_TOOL), SIZES(200000, 4096), .cache_min_tokens = 2048}},
	{"claude-3-5-sonnet",
	 {CLAUDE_SAMPLED(OUTPUT_ANTHROPIC_TOOL), SIZES(200000, 8192), .cache_min_tokens = 1024}},
	{"claude-3-5-haiku",
	 {CLAUDE_SAMPLED(OUTPUT_ANTHROPIC_TOOL), SIZES(200000, 8192), .cache_min_tokens = 2048}},
	{"claude-3-7-sonnet",
	 {CLAUDE_SAMPLED(OUTPUT_ANTHROPIC_TOOL), SIZES(200000, 64000), .cache_min_tokens = 1024}},
	/* A million tokens of context only under a beta header, which we don't send. */
	{"claude-sonnet-4",
	 {CLAUDE_SAMPLED(OUTPUT_ANTHROPIC_TOOL), SIZES(200000, 64000), .cache_min_tokens = 1024}},
	{"claude-opus-4",
	 {CLAUDE_SAMPLED(OUTPUT_ANTHROPIC_TOOL), SIZES(200000, 32000), .cache_min_tokens = 1024}},
	{"claude-haiku-4-5",
	 {CLAUDE_SAMPLED(OUTPUT_ANTHROPIC_FORMAT), SIZES(200000, 64000), .cache_min_tokens = 4096}},
	{"claude-sonnet-4-5",
	 {CLAUDE_SAMPLED(OUTPUT_ANTHROPIC_FORMAT), SIZES(200000, 64000), .cache_min_tokens = 1024}},
	{"claude-opus-4-5",
	 {CLAUDE_SAMPLED(OUTPUT_ANTHROPIC_FORMAT), SIZES(200000, 64000), .cache_min_tokens = 4096}},
	{"claude-sonnet-4-6",
	 {CLAUDE_SAMPLED(OUTPUT_ANTHROPIC_FORMAT), SIZES(1000000, 64000),
	  .cache_min_tokens = 1024}},
	{"claude-opus-4-6",
	 {CLAUDE_SAMPLED(OUTPUT_ANTHROPIC_FORMAT), SIZES(1000000, 128000),
	  .cache_min_tokens = 4096}},
	{"claude-opus-4-7",
	 {CLAUDE_UNSAMPLED, SIZES(1000000, 128000), .cache_min_tokens = 2048,
	  .takes_forced_tool = true}},
	{"claude-opus-4-8",
	 {CLAUDE_UNSAMPLED, SIZES(1000000, 128000), .cache_min_tokens = 1024,
	  .takes_forced_tool = true}},
	{"claude-sonnet-5",
	 {CLAUDE_UNSAMPLED, SIZES(1000000, 128000), .cache_min_tokens = 1024, .reasons = true,
	  .takes_forced_tool = true}},
	{"claude-opus-5",
	 {CLAUDE_UNSAMPLED, SIZES(1000000, 128000), .cache_min_tokens = 512, .reasons = true,
	  .takes_forced_tool = true}},
	{"claude-opus-5-5",
	 {CLAUDE_UNSAMPLED, SIZES(1000000, 128000), .cache_min_tokens = 512, .reasons = true}},
	/* Its sizes are not published: as its predecessor. */
	{"claude-haiku-5-5",
	 {CLAUDE_UNSAMPLED, SIZES(200000, 64000), .cache_min_tokens = 4096, .reasons = true,
	  .takes_forced_tool = true}},
	{"claude-fable-5",
	 {CLAUDE_UNSAMPLED, SIZES(1000000, 128000), .cache_min_tokens = 512, .reasons = true,
	  .takes_forced_tool = true}},
	{"claude-fable-5-1",
	 {CLAUDE_UNSAMPLED, SIZES(1000000, 128000), .cache_min_tokens = 512, .reasons = true}},
	{"claude-mythos-5",
	 {CLAUDE_UNSAMPLED, SIZES(1000000, 128000), .cache_min_tokens = 512, .reasons = true,
	  .takes_forced_tool = true}},
	{"claude-mythos-5-1",
	 {CLAUDE_UNSAMPLED, SIZES(1000000, 128000), .cache_min_tokens = 512, .reasons = true}},
};

/* Any server that speaks OpenAI's dialect, such as vLLM with a model of one's own. */
static const struct model openai_unknown = {
	.output = OUTPUT_OPENAI_SCHEMA,
	.takes_temperature = true,
	.takes_top_p = true,
	.takes_stop = true,
	.takes_seed = true,
	.takes_forced_tool = true,
	SIZES(32768, 4096),
	.bytes_per_token = 3.5,
};

/* A name after our time is likelier than one before it. */
static const struct model anthropic_unknown = {
	CLAUDE_UNSAMPLED,
	SIZES(200000, 32000),
	.cache_min_tokens = 4096,
	.reasons = true,
};

static const struct model *longest_match(const struct row *rows, size_t count, const char *name)
{
	const struct model *best = NULL;
	size_t best_len = 0;

	for (size_t i = 0; i < count; i++) {
		size_t len = strlen(rows[i].prefix);

		if (len > best_len && strncmp(name, rows[i].prefix, len) == 0) {
			best = &rows[i].traits;
			best_len = len;
		}
	}
	return best;
}

/* "ft:gpt-4o-mini:org::id" is a fine-tuned gpt-4o-mini. */
static const char *base_name(const char *name)
{
	return strncmp(name, "ft:", 3) == 0 ? name + 3 : name;
}

struct model model_lookup(const char *dialect, const char *name)
{
	bool anthropic = strcmp(dialect, "anthropic") == 0;
	const struct row *rows = anthropic ? anthropic_rows : openai_rows;
	size_t count = anthropic ? COUNT_OF(anthropic_rows) : COUNT_OF(openai_rows);
	const struct model *found = longest_match(rows, count, base_name(name));
	struct model traits = found ? *found : anthropic ? anthropic_unknown : openai_unknown;

	traits.known = found != NULL;
	return traits;
}
