#include "memo.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ensure.h"
#include "json.h"
#include "utf8.h"

static void read_avoided(struct memo *memo, const json_t *list)
{
	size_t i;
	const json_t *item;

	json_array_foreach (list, i, item) {
		if (memo->avoided_count == MEMO_MAX_AVOIDED || !json_is_string(item))
			return;
		memo->avoided[memo->avoided_count++] = xstrdup(json_string_value(item));
	}
}

static void read_fallback(struct memo *memo, const json_t *kept)
{
	const char *answer = json_text(kept, "answer", NULL);

	if (!answer)
		return;
	memo->fallback = xstrdup(answer);
	memo->fallback_len = strlen(answer);
	memo->fallback_is_json = json_bool_or(kept, "is_json", true);
	memo->fallback_confidence = json_number_or(kept, "confidence", NAN);
	snprintf(memo->fallback_provider, sizeof(memo->fallback_provider), "%s",
		 json_text(kept, "provider", ""));
	snprintf(memo->fallback_model, sizeof(memo->fallback_model), "%s",
		 json_text(kept, "model", ""));
}

static void read_quote(struct memo *memo, const json_t *quote)
{
	const char *answer = json_text(quote, "answer", NULL),
		   *note = json_text(quote, "note", NULL);

	if (answer && note)
		memo_quote(memo, answer, strlen(answer), note);
}

static void read_usage(struct usage *usage, const json_t *counts)
{
	usage->known = counts != NULL;
	usage->input = json_integer_or(counts, "input", 0);
	usage->cache_read = json_integer_or(counts, "cache_read", 0);
	usage->cache_write = json_integer_or(counts, "cache_write", 0);
	usage->cache_write_1h = json_integer_or(counts, "cache_write_1h", 0);
	usage->output = json_integer_or(counts, "output", 0);
	usage->reasoning = json_integer_or(counts, "reasoning", 0);
}

void memo_read(struct memo *memo, const char *text)
{
	struct error ignored;
	json_auto_t *stored = *text ? json_read(text, strlen(text), JSON_OURS, &ignored) : NULL;

	*memo = (struct memo){.fallback_confidence = NAN};
	if (!stored)
		return;
	memo->attempts = (int)json_integer_or(stored, "attempts", 0);
	memo->repairs = (int)json_integer_or(stored, "repairs", 0);
	memo->refusals = (int)json_integer_or(stored, "refusals", 0);
	memo->transient = (int)json_integer_or(stored, "transient", 0);
	memo->failed_at = (nsec)json_integer_or(stored, "failed_at", 0);
	memo->uncounted = (int)json_integer_or(stored, "uncounted", 0);
	memo->failing_since = (nsec)json_integer_or(stored, "failing_since", 0);
	memo->spent = json_bool_or(stored, "unpriced", false) ? PICO_UNPRICED
							      : json_integer_or(stored, "spent", 0);
	snprintf(memo->signature, sizeof(memo->signature), "%s",
		 json_text(stored, "signature", ""));
	read_usage(&memo->usage, json_object_get(stored, "usage"));
	read_avoided(memo, json_object_get(stored, "avoided"));
	read_fallback(memo, json_object_get(stored, "fallback"));
	read_quote(memo, json_object_get(stored, "quote"));
}

static json_t *write_avoided(const struct memo *memo)
{
	json_t *list = json_array();

	for (size_t i = 0; i < memo->avoided_count; i++)
		json_array_append_new(list, json_string(memo->avoided[i]));
	return list;
}

static json_t *write_fallback(const struct memo *memo)
{
	json_t *kept = json_pack("{s:s#, s:b, s:s, s:s}", "answer", memo->fallback,
				 memo->fallback_len, "is_json", memo->fallback_is_json, "provider",
				 memo->fallback_provider, "model", memo->fallback_model);

	if (kept && !isnan(memo->fallback_confidence))
		json_object_set_new(kept, "confidence", json_real(memo->fallback_confidence));
	return kept;
}

static void write_failures(const struct memo *memo, json_t *stored)
{
	if (memo->failed_at > 0)
		json_object_set_new(stored, "failed_at", json_integer((json_int_t)memo->failed_at));
	if (memo->uncounted == 0)
		return;
	json_object_set_new(stored, "uncounted", json_integer(memo->uncounted));
	json_object_set_new(stored, "failing_since", json_integer((json_int_t)memo->failing_since));
}

char *memo_write(const struct memo *memo)
{
	json_auto_t *stored = NULL;
	const struct usage *u = &memo->usage;

	if (memo->attempts == 0 && memo->failed_at == 0 && memo->avoided_count == 0 &&
	    !memo->fallback)
		return NULL;
	stored = json_pack("{s:i, s:i, s:i, s:i, s:I, s:b, s:s, s:{s:I, s:I, s:I, s:I, s:I, s:I}}",
			   "attempts", memo->attempts, "repairs", memo->repairs, "refusals",
			   memo->refusals, "transient", memo->transient, "spent",
			   (json_int_t)(memo->spent == PICO_UNPRICED ? 0 : memo->spent), "unpriced",
			   memo->spent == PICO_UNPRICED, "signature", memo->signature, "usage",
			   "input", (json_int_t)u->input, "cache_read", (json_int_t)u->cache_read,
			   "cache_write", (json_int_t)u->cache_write, "cache_write_1h",
			   (json_int_t)u->cache_write_1h, "output", (json_int_t)u->output,
			   "reasoning", (json_int_t)u->reasoning);
	ENSURE(stored);
	write_failures(memo, stored);
	if (memo->avoided_count > 0)
		json_object_set_new(stored, "avoided", write_avoided(memo));
	if (memo->fallback)
		json_object_set_new(stored, "fallback", write_fallback(memo));
	if (memo->repair_note)
		json_object_set_new(stored, "quote",
				    json_pack("{s:s, s:s}", "answer", memo->repair_answer, "note",
					      memo->repair_note));
	return json_write(stored);
}

void memo_finish(struct memo *memo)
{
	memo_forgive(memo);
	memo_quote(memo, NULL, 0, NULL);
	free(memo->fallback);
	memo->fallback = NULL;
}

void memo_avoid(struct memo *memo, const char *endpoint, const char *model)
{
	if (memo_avoids(memo, endpoint, model) || memo->avoided_count == MEMO_MAX_AVOIDED)
		return;
	memo->avoided[memo->avoided_count++] = xasprintf("%s/%s", endpoint, model);
}

bool memo_avoids(const struct memo *memo, const char *endpoint, const char *model)
{
	size_t len = strlen(endpoint);

	for (size_t i = 0; i < memo->avoided_count; i++) {
		const char *name = memo->avoided[i];

		if (strncmp(name, endpoint, len) == 0 && name[len] == '/' &&
		    strcmp(name + len + 1, model) == 0)
			return true;
	}
	return false;
}

void memo_forgive(struct memo *memo)
{
	for (size_t i = 0; i < memo->avoided_count; i++)
		free(memo->avoided[i]);
	memo->avoided_count = 0;
	memo->repairs = 0;
	memo->signature[0] = '\0';
}

void memo_fail(struct memo *memo, bool is_attempt, nsec wall)
{
	memo->failed_at = wall;
	if (is_attempt)
		return;
	if (memo->uncounted++ == 0)
		memo->failing_since = wall;
}

void memo_hear(struct memo *memo)
{
	memo->failed_at = memo->failing_since = 0;
	memo->uncounted = 0;
}

void memo_spend(struct memo *memo, pico cost, const struct usage *usage)
{
	if (cost == PICO_UNPRICED || memo->spent == PICO_UNPRICED)
		memo->spent = PICO_UNPRICED;
	else
		memo->spent += cost;
	memo->usage.known |= usage->known;
	memo->usage.input += usage->input;
	memo->usage.cache_read += usage->cache_read;
	memo->usage.cache_write += usage->cache_write;
	memo->usage.cache_write_1h += usage->cache_write_1h;
	memo->usage.output += usage->output;
	memo->usage.reasoning += usage->reasoning;
}

/* Bytes that JSON cannot carry, or a zero byte, end the quotation. */
void memo_quote(struct memo *memo, const char *answer, size_t len, const char *note)
{
	size_t most = len < MEMO_MAX_FALLBACK ? len : MEMO_MAX_FALLBACK;
	AUTO(xfree) char *copy = NULL;
	char *old_answer = memo->repair_answer, *old_note = memo->repair_note;

	memo->repair_answer = memo->repair_note = NULL;
	if (note) {
		copy = xstrndup(answer, most);
		memo->repair_answer = xcalloc(1, most + 1);
		utf8_copy(memo->repair_answer, most + 1, copy);
		memo->repair_note = xstrdup(note);
	}
	free(old_answer);
	free(old_note);
}

void memo_keep(struct memo *memo, const char *answer, size_t len, bool is_json, double confidence,
	       const char *provider, const char *model)
{
	bool surer = memo->fallback && memo->fallback_confidence >= confidence;

	if (surer || len > MEMO_MAX_FALLBACK || memchr(answer, '\0', len))
		return;
	free(memo->fallback);
	memo->fallback = xmemdup(answer, len);
	memo->fallback_len = len;
	memo->fallback_is_json = is_json;
	memo->fallback_confidence = confidence;
	snprintf(memo->fallback_provider, sizeof(memo->fallback_provider), "%s", provider);
	snprintf(memo->fallback_model, sizeof(memo->fallback_model), "%s", model);
}
