/*
 * What is known of a model before it is called: how it wants its output cap
 * spelled, which parameters it rejects, how it takes an output schema, how much
 * it can read and write. Built-in rows by name prefix; the config may overrule.
 *
 *	struct model traits = model_lookup("openai", "gpt-4o-mini-2024-07-18");
 */
#ifndef SLUICE_MODEL_H
#define SLUICE_MODEL_H

#include <stdbool.h>
#include <stdint.h>

enum output_dialect {
	OUTPUT_NONE,		 /* ask in words */
	OUTPUT_JSON_OBJECT,	 /* response_format json_object */
	OUTPUT_OPENAI_SCHEMA,	 /* response_format json_schema, strict where it fits */
	OUTPUT_ANTHROPIC_FORMAT, /* output_config.format */
	OUTPUT_ANTHROPIC_TOOL,	 /* a forced tool, for models before output_config */
};

struct model {
	bool known; /* a built-in row or the config names it */
	enum output_dialect output;
	int64_t context_window; /* tokens, prompt and answer */
	int64_t max_output;	/* tokens */
	bool takes_temperature;
	bool takes_top_p;
	bool takes_stop;
	bool takes_seed;
	bool gives_logprobs;
	bool completion_cap;	  /* max_completion_tokens instead of max_tokens */
	bool reasons;		  /* spends output tokens on thinking */
	int64_t cache_min_tokens; /* shortest prefix that is cached; 0: no caching */
	bool explicit_cache;	  /* wants cache_control marks */
	bool takes_forced_tool;	  /* a tool_choice other than "auto" and "none" */
	double bytes_per_token;	  /* first guess, before usage calibrates it */
};

/* Unknown models get the dialect's cautious defaults and known = false. */
struct model model_lookup(const char *dialect, const char *name);

#endif
