#include "config.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "buffer.h"
#include "config_read.h"
#include "config_tree.h"
#include "embedded.h"
#include "ensure.h"
#include "yaml.h"

#define MAX_FILE_BYTES ((size_t)1 << 20)
#define BUILT_IN "schemas/default-config.yaml"

struct config *config_read(const char *name, const char *yaml, size_t len, struct error *err)
{
	AUTO(config_destroy) struct config *config = xcalloc(1, sizeof(*config));
	AUTO(yaml_destroy) struct yaml *doc = yaml_read(name, yaml, len, err);

	if (!doc)
		return NULL;
	config->tree = config_tree_read(doc, err);
	if (!config->tree || !config_fill(config, doc, err) || !config_check(config, doc, err))
		return NULL;
	return TAKE(config);
}

static bool read_file(const char *path, struct buffer *content, struct error *err)
{
	FILE *file = fopen(path, "re");
	char block[16384];
	size_t len;

	if (!file)
		return error_set(err, ERROR_FATAL, "config %s: %s", path, strerror(errno));
	while ((len = fread(block, 1, sizeof(block), file)) > 0)
		if (!buffer_append(content, block, len))
			break;
	if (ferror(file))
		error_set(err, ERROR_FATAL, "config %s: %s", path, strerror(errno));
	else if (len > 0)
		error_set(err, ERROR_FATAL, "config %s: is over %zu bytes", path, content->max);
	else
		err = NULL;
	fclose(file);
	return err == NULL;
}

static struct config *load_file(const char *path, struct error *err)
{
	AUTO_FINISH(buffer_finish) struct buffer content = {.max = MAX_FILE_BYTES};

	if (!read_file(path, &content, err))
		return NULL;
	return config_read(path, content.data ? content.data : "", content.len, err);
}

static bool exists(const char *path)
{
	FILE *file = fopen(path, "re");
	bool found = file || errno != ENOENT;

	if (file)
		fclose(file);
	return found;
}

const char *config_find(const char *path)
{
	static const char *const usual[] = {"sluice.yaml", "/etc/sluice/sluice.yaml"};
	const char *named = getenv("SLUICE_CONFIG");

	if (path)
		return path;
	if (named && *named)
		return named;
	for (size_t i = 0; i < COUNT_OF(usual); i++)
		if (exists(usual[i]))
			return usual[i];
	return NULL;
}

struct config *config_load(const char *path, struct error *err)
{
	const char *found = config_find(path);
	const char *built_in;

	if (found)
		return load_file(found, err);
	built_in = embedded_text(BUILT_IN);
	return config_read("built-in configuration", built_in, strlen(built_in), err);
}

const char *config_built_in(void)
{
	return embedded_text(BUILT_IN);
}

void config_destroy(struct config *config)
{
	if (!config)
		return;
	for (size_t i = 0; i < config->tier_count; i++)
		free(config->tiers[i].candidates);
	free(config->tiers);
	config_finish_allowances(config);
	free(config->endpoints);
	free(config->tasks);
	json_decref(config->tree);
	free(config);
}

const struct tier *config_tier(const struct config *config, const char *name)
{
	for (size_t i = 0; i < config->tier_count; i++)
		if (!strcmp(config->tiers[i].name, name))
			return &config->tiers[i];
	return NULL;
}

const struct task *config_task(const struct config *config, const char *name)
{
	for (size_t i = 1; i < config->task_count; i++)
		if (!strcmp(config->tasks[i].name, name))
			return &config->tasks[i];
	return &config->tasks[0];
}

static const struct tier *tier_with(const struct config *config, const char *model)
{
	for (size_t i = 0; i < config->tier_count; i++)
		for (size_t k = 0; k < config->tiers[i].candidate_count; k++)
			if (strcmp(config->tiers[i].candidates[k].model, model) == 0)
				return &config->tiers[i];
	return NULL;
}

bool candidate_is(const struct candidate *candidate, const char *name)
{
	const char *provider = candidate->endpoint->name;
	size_t len = strlen(provider);

	return strncmp(name, provider, len) == 0 && name[len] == '/' &&
	       strcmp(name + len + 1, candidate->model) == 0;
}

const struct candidate *tier_candidate(const struct tier *tier, const char *name)
{
	for (size_t i = 0; i < tier->candidate_count; i++)
		if (candidate_is(&tier->candidates[i], name))
			return &tier->candidates[i];
	return NULL;
}

const struct tier *config_candidate_tier(const struct config *config, const char *name)
{
	for (size_t i = 0; i < config->tier_count; i++)
		if (tier_candidate(&config->tiers[i], name))
			return &config->tiers[i];
	return NULL;
}

/* A tier's name has no slash. */
static struct model_place mapped_place(const struct config *config, const char *mapped)
{
	if (strchr(mapped, '/'))
		return (struct model_place){config_candidate_tier(config, mapped), mapped};
	return (struct model_place){.tier = config_tier(config, mapped)};
}

struct model_place config_model(const struct config *config, const char *model)
{
	const json_t *aliases = json_object_get(config->tree, "aliases");
	const char *mapped = json_text(config->api.models, model, NULL);
	const char *others = json_text(config->api.models, "*", NULL);
	const struct tier *tier;

	if (mapped)
		return mapped_place(config, mapped);
	tier = tier_with(config, json_text(aliases, model, model));
	if (!tier)
		tier = config_tier(config, model);
	if (!tier && others)
		return mapped_place(config, others);
	return (struct model_place){.tier = tier};
}

const struct endpoint *config_endpoint(const struct config *config, const char *name)
{
	for (size_t i = 0; i < config->endpoint_count; i++)
		if (!strcmp(config->endpoints[i].name, name))
			return &config->endpoints[i];
	return NULL;
}

bool config_allows_reply(const struct config *config, const char *topic)
{
	const json_t *prefixes = config->kafka.reply_prefixes;

	for (size_t i = 0; i < json_array_size(prefixes); i++) {
		const char *prefix = json_string_value(json_array_get(prefixes, i));

		if (!strncmp(topic, prefix, strlen(prefix)))
			return true;
	}
	return false;
}

json_t *config_show(const struct config *config)
{
	return config_tree_masked(config->tree);
}
