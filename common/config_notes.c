/* What works, but is probably not meant. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "config.h"
#include "ensure.h"

static void note(json_t *notes, const char *fmt, ...) PRINTF(2, 3);

static void note(json_t *notes, const char *fmt, ...)
{
	char text[512];
	va_list args;
	json_t *string;

	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	string = json_lenient_string(text, strlen(text));
	ENSURE(json_array_append_new(notes, string) == 0);
}

static void note_keys(json_t *notes, const struct config *config)
{
	for (size_t i = 0; i < config->endpoint_count; i++) {
		const struct endpoint *e = &config->endpoints[i];

		if (!*e->key && !e->self_hosted)
			note(notes,
			     "provider %s has no key: set providers.%s.key, or the variable "
			     "it refers to",
			     e->name, e->name);
	}
}

static void note_plain_http(json_t *notes, const struct config *config)
{
	for (size_t i = 0; i < config->endpoint_count; i++) {
		const struct endpoint *e = &config->endpoints[i];

		if (*e->key && !e->self_hosted && !strncmp(e->base_url, "http://", 7) &&
		    !strstr(e->base_url, "//127.0.0.1") && !strstr(e->base_url, "//localhost"))
			note(notes, "provider %s gets its key over plain http", e->name);
	}
}

static void note_models(json_t *notes, const struct tier *tier)
{
	for (size_t i = 0; i < tier->candidate_count; i++) {
		const struct candidate *c = &tier->candidates[i];

		if (!c->traits.known)
			note(notes,
			     "tier %s: nothing is known of model %s of %s; it is called "
			     "with caution until its traits are set",
			     tier->name, c->model, c->endpoint->name);
	}
}

static bool tier_has(const struct tier *tier, bool (*quality)(const struct endpoint *))
{
	for (size_t i = 0; i < tier->candidate_count; i++)
		if (quality(tier->candidates[i].endpoint))
			return true;
	return false;
}

static bool has_batch(const struct endpoint *endpoint)
{
	return endpoint->supports_batch;
}

static bool is_self_hosted(const struct endpoint *endpoint)
{
	return endpoint->self_hosted;
}

static void note_tiers(json_t *notes, const struct config *config)
{
	bool self_hosted = false;

	for (size_t i = 0; i < config->tier_count; i++) {
		const struct tier *tier = &config->tiers[i];

		note_models(notes, tier);
		if (!tier_has(tier, has_batch))
			note(notes,
			     "tier %s has no candidate with a batch API: nothing of it goes "
			     "at half price",
			     tier->name);
		self_hosted = self_hosted || tier_has(tier, is_self_hosted);
	}
	if (!self_hosted)
		note(notes,
		     "no candidate is self-hosted: jobs of data class restricted are refused");
}

static void note_unused(json_t *notes, const struct config *config)
{
	for (size_t i = 0; i < config->endpoint_count; i++) {
		bool used = false;

		for (size_t t = 0; t < config->tier_count; t++)
			for (size_t c = 0; c < config->tiers[t].candidate_count; c++)
				used = used || config->tiers[t].candidates[c].endpoint ==
						       &config->endpoints[i];
		if (!used)
			note(notes, "provider %s is in no tier", config->endpoints[i].name);
	}
}

json_t *config_notes(const struct config *config)
{
	json_t *notes = json_array();

	ENSURE(notes);
	note_keys(notes, config);
	note_plain_http(notes, config);
	note_tiers(notes, config);
	note_unused(notes, config);
	return notes;
}
