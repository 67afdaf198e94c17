#include "job_contract.h"

#include <stdlib.h>
#include <string.h>

#include "ensure.h"
#include "json_span.h"

/* The schema's bytes as the envelope spells them, found without writing them again. */
static struct json_span own_schema(const char *bytes, size_t len)
{
	struct json_span whole = {bytes, len}, output, schema = {0};

	if (json_span_member(whole, "output", &output) &&
	    json_span_member(output, "schema", &schema))
		return schema;
	return (struct json_span){0};
}

struct contract *job_contract(struct contracts *contracts, const struct config *config,
			      char *const *task_schemas, const struct job *job, const char *bytes,
			      size_t len, struct error *err)
{
	const struct task *task = config_task(config, job->task);
	const json_t *document = job->output_given ? job->output_schema : task->output_schema;
	struct json_span text = {0};
	AUTO(xfree) char *written = NULL;

	if (!document)
		return NULL;
	if (job->output_given)
		text = own_schema(bytes, len);
	else
		text = (struct json_span){task_schemas[task - config->tasks],
					  strlen(task_schemas[task - config->tasks])};
	if (!text.bytes) {
		written = json_write(document); /* a member spelled with escapes */
		text = (struct json_span){written, strlen(written)};
	}
	return contracts_get(contracts, text.bytes, text.len, (json_t *)document, err);
}

char **job_contract_texts(const struct config *config)
{
	char **texts = xcalloc(config->task_count + 1, sizeof(*texts));

	for (size_t i = 0; i < config->task_count; i++)
		if (config->tasks[i].output_schema)
			texts[i] = json_write(config->tasks[i].output_schema);
	return texts;
}
