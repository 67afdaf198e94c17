#include "ask.h"

#include <string.h>

#include "ensure.h"
#include "provider.h"
#include "sample.h"

#define MODEL "gpt-4o-mini"

static const struct job_source nowhere = {.cluster = "", .topic = ""};

void ask_init(struct ask *ask, uint64_t number)
{
	const char *text = "sample";
	struct error err;

	*ask = (struct ask){0};
	sample_job(&ask->bytes, number);
	ask->reader = job_reader_create((size_t)1 << 20);
	ask->job = ask_read(ask);
	ask->contracts = contracts_create(1);
	ask->contract = contracts_get(ask->contracts, text, strlen(text),
				      (json_t *)ask->job->output_schema, &err);
	ENSURE(ask->contract);
	ask->traits = model_lookup("openai", MODEL);
}

void ask_finish(struct ask *ask)
{
	contract_release(ask->contract);
	contracts_destroy(ask->contracts);
	job_destroy(ask->job);
	job_reader_destroy(ask->reader);
	buffer_finish(&ask->bytes);
}

struct job *ask_read(const struct ask *ask)
{
	struct error err;
	struct job *job = job_read(ask->reader, ask->bytes.data, ask->bytes.len, &nowhere, &err);

	ENSURE(job);
	return job;
}

void ask_build(const struct ask *ask, const char *attempt_id, struct buffer *body)
{
	struct call call = {
		.job = ask->job,
		.model = MODEL,
		.traits = &ask->traits,
		.attempt_id = attempt_id,
		.max_output_tokens = ask->job->max_output_tokens,
		.output_schema = ask->contract->document,
		.prepared = contract_for(ask->contract, "openai"),
	};
	struct error err;

	ENSURE(provider_openai.build(&call, body, &err));
}
