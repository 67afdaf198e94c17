#include "wish.h"

#include <stdlib.h>
#include <string.h>

#define MAX_DIRECTIVES 32

/* One directive as written: name[*attempts][@model][ argument] */
struct directive {
	const char *name;
	size_t name_len;
	uint64_t attempts; /* 0: always */
	const char *model; /* NULL: any */
	size_t model_len;
	const char *argument;
	size_t argument_len;
};

void wishes_clear(struct wishes *wishes)
{
	struct buffer answer = wishes->answer;

	buffer_clear(&answer);
	*wishes = (struct wishes){.answer = answer, .latency_ms = -1};
}

void wishes_finish(struct wishes *wishes)
{
	buffer_finish(&wishes->answer);
}

/* The end of the JSON value at p, by its brackets; strings are respected. */
static const char *after_json(const char *p, const char *end)
{
	bool quoted = false;
	int depth = 0;

	for (; p < end; p++) {
		if (quoted && *p == '\\')
			p++;
		else if (*p == '"')
			quoted = !quoted;
		else if (!quoted && (*p == '{' || *p == '['))
			depth++;
		else if (!quoted && (*p == '}' || *p == ']') && --depth <= 0)
			return p + 1;
	}
	return end;
}

/* Where the directive whose inside starts at p ends: at its "]]". NULL: it never does. */
static const char *directive_end(const char *p, const char *end)
{
	const char *space = memchr(p, ' ', (size_t)(end - p));
	const char *first = memmem(p, (size_t)(end - p), "]]", 2);

	if (space && first && space < first && space + 1 < end && strchr("{[", space[1]))
		p = after_json(space + 1, end);
	return memmem(p, (size_t)(end - p), "]]", 2);
}

static struct directive directive_parse(const char *p, const char *end)
{
	struct directive d = {.name = p};

	while (p < end && !strchr("*@ ", *p))
		p++;
	d.name_len = (size_t)(p - d.name);
	if (p < end && *p == '*') {
		char *after;

		d.attempts = strtoull(p + 1, &after, 10);
		p = after < end ? after : end;
	}
	if (p < end && *p == '@') {
		d.model = ++p;
		while (p < end && *p != ' ')
			p++;
		d.model_len = (size_t)(p - d.model);
	}
	d.argument = p < end ? p + 1 : end;
	d.argument_len = (size_t)(end - d.argument);
	return d;
}

static bool named(const struct directive *d, const char *name)
{
	return strlen(name) == d->name_len && memcmp(name, d->name, d->name_len) == 0;
}

/* Does it hold for this model and attempt? Counts the attempt if so. */
static bool applies(const struct directive *d, const char *model, uint64_t key,
		    struct map *attempts)
{
	if (d->model && strncmp(model, d->model, d->model_len) != 0)
		return false;
	return d->attempts == 0 || ++*map_slot(attempts, key) <= d->attempts;
}

static void grant(struct wishes *wishes, const struct directive *d, enum fault fault)
{
	if (named(d, "answer")) {
		buffer_clear(&wishes->answer);
		buffer_append(&wishes->answer, d->argument, d->argument_len);
		wishes->has_answer = true;
	} else if (named(d, "tokens")) {
		wishes->tokens = strtoll(d->argument, NULL, 10);
	} else if (named(d, "latency")) {
		wishes->latency_ms = strtoll(d->argument, NULL, 10);
	} else if (fault == FAULT_LOW_CONFIDENCE) {
		wishes->low_confidence = true;
	} else if (fault != FAULT_NONE) {
		wishes->fault = fault;
	}
}

void wishes_read(struct wishes *wishes, const char *text, size_t len, const char *model,
		 struct map *attempts)
{
	const char *end = text + len;

	for (int i = 0; i < MAX_DIRECTIVES; i++) {
		const char *start = memmem(text, (size_t)(end - text), "[[sim:", 6);
		const char *stop = start ? directive_end(start + 6, end) : NULL;
		enum fault fault = FAULT_NONE;
		struct directive d;
		uint64_t key;

		if (!stop)
			return;
		d = directive_parse(start + 6, stop);
		text = stop + 2;
		fault_parse(d.name, d.name_len, &fault);
		if (fault_stage(fault) == STAGE_BATCH)
			continue;
		/* Of several faults only the first that still holds counts this attempt. */
		if (fault != FAULT_NONE && fault != FAULT_LOW_CONFIDENCE &&
		    wishes->fault != FAULT_NONE)
			continue;
		key = hash_bytes(start, (size_t)(stop - start),
				 hash_bytes(end - len, len, (uint64_t)(start - (end - len))));
		if (applies(&d, model, key, attempts))
			grant(wishes, &d, fault);
	}
}

bool wishes_batch(const char *bytes, size_t len, enum fault fault, struct map *attempts)
{
	const char *end = bytes + len;
	const char *start;

	while ((start = memmem(bytes, (size_t)(end - bytes), "[[sim:batch_", 12)) != NULL) {
		const char *stop = memmem(start, (size_t)(end - start), "]]", 2);
		const char *quote;
		struct directive d;

		if (!stop)
			return false;
		bytes = stop + 2;
		d = directive_parse(start + 6, stop);
		if (!named(&d, fault_name(fault)))
			continue;
		quote = memchr(stop, '"', (size_t)(end - stop));
		if (d.attempts == 0 ||
		    ++*map_slot(attempts, hash_bytes(start, (size_t)((quote ? quote : end) - start),
						     (uint64_t)fault)) <= d.attempts)
			return true;
	}
	return false;
}
