/*
 * The models the simulator offers, with the prices it bills: its own table in
 * its own format, so that a wrong price in the product cannot hide in here.
 *
 *	struct models *models = models_create(path, err);       -- NULL path: built in
 *	const struct model *m = models_find(models, OPENAI, "gpt-4o-mini");
 *	amount = model_bill(m, &tokens, BILL_SYNC);
 */
#ifndef SIMULATOR_MODELS_H
#define SIMULATOR_MODELS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "compiler.h"
#include "error.h"

enum maker {
	OPENAI,
	ANTHROPIC,
};
#define MAKERS 2

/* Token classes, disjoint, in the order prices are kept. */
enum token_class {
	TOKEN_INPUT, /* neither read from a cache nor written to one */
	TOKEN_CACHE_READ,
	TOKEN_CACHE_WRITE,    /* Anthropic: for 5 minutes */
	TOKEN_CACHE_WRITE_1H, /* Anthropic: for an hour */
	TOKEN_OUTPUT,	      /* reasoning included */
};
#define TOKEN_CLASSES 5

struct tokens {
	int64_t of[TOKEN_CLASSES];
	int64_t reasoning; /* part of output */
};

enum bill_mode {
	BILL_SYNC,
	BILL_FLEX,
	BILL_BATCH,
};

struct model {
	enum maker maker;
	char name[64];	   /* as clients ask for it */
	char snapshot[64]; /* as answers name it */
	int64_t window;	   /* tokens of prompt */
	int64_t cache_min; /* shortest prefix that is cached */
	bool reasoning;	   /* thinks; refuses max_tokens, temperature, logprobs */
	bool no_sampling;  /* Anthropic: refuses temperature, top_p, top_k, forced tools */
	bool writes_cost;  /* OpenAI: counts and charges cache writes */
	int64_t price[2][TOKEN_CLASSES]; /* pico-dollars a token: [sync][class], [batch][class] */
	int64_t above;			 /* longer prompts cost … ; 0: no such rule */
	int64_t above_input_percent, above_output_percent; /* … so much of the price */
};

struct models;

struct models *models_create(const char *path, struct error *err) MUST_USE;
void models_destroy(struct models *models);
size_t models_count(const struct models *models);
const struct model *models_at(const struct models *models, size_t i);

/* By the name asked for or the snapshot; NULL: there is no such model. */
const struct model *models_find(const struct models *models, enum maker maker, const char *name);

int64_t tokens_prompt(const struct tokens *tokens); /* all classes but output */
int64_t model_bill(const struct model *model, const struct tokens *tokens, enum bill_mode mode);
const char *maker_name(enum maker maker);
const char *bill_mode_name(enum bill_mode mode);

/* The format of the table, for --help. */
extern const char models_format[];

AUTO_DEFINE(struct models, models_destroy)

#endif
