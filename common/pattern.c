#include "pattern.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include "ensure.h"

/*
 * Nearly every match is found within the first limit. One that is not gets a
 * second try under the larger one, but a check has only a few of those, or an
 * array of strings could multiply the worst case of one.
 */
#define FIRST_MATCH_LIMIT 10000
#define HARD_MATCH_LIMIT 1000000
#define MAX_HARD_MATCHES 8
#define HEAP_LIMIT_KIB 4096

struct pattern {
	pcre2_code *code;
};

struct scratch {
	pcre2_match_data *data;
	pcre2_match_context *limits;
};

static bool compile(struct pattern *pattern, const struct buffer *translated, struct error *err)
{
	/* Not PCRE2_UCP: \d, \w and \b are ASCII in ECMA-262. */
	const uint32_t options = PCRE2_UTF | PCRE2_MATCH_UNSET_BACKREF | PCRE2_DOLLAR_ENDONLY |
				 PCRE2_NEVER_BACKSLASH_C | PCRE2_ALLOW_EMPTY_CLASS;
	PCRE2_UCHAR message[160];
	PCRE2_SIZE at = 0;
	int code = 0;

	pattern->code = pcre2_compile((PCRE2_SPTR)translated->data, translated->len, options, &code,
				      &at, NULL);
	if (!pattern->code) {
		pcre2_get_error_message(code, message, sizeof(message));
		return error_set(err, ERROR_REJECT, "not a regular expression: %s",
				 (const char *)message);
	}
	/* Where there is no JIT the interpreter does it: slower, with the same result. */
	(void)pcre2_jit_compile(pattern->code, PCRE2_JIT_COMPLETE);
	return true;
}

struct pattern *pattern_create(const char *regex, size_t len, struct error *err)
{
	AUTO_FINISH(buffer_finish) struct buffer translated = {0};
	AUTO(pattern_destroy) struct pattern *pattern = xcalloc(1, sizeof(*pattern));

	if (!pattern_translate(regex, len, &translated, err))
		return NULL;
	if (!compile(pattern, &translated, err))
		return NULL;
	return TAKE(pattern);
}

void pattern_destroy(struct pattern *pattern)
{
	if (!pattern)
		return;
	pcre2_code_free(pattern->code);
	xfree(pattern);
}

static struct scratch *scratch_of(struct pattern_effort *effort)
{
	struct scratch *scratch = effort->scratch;

	if (scratch)
		return scratch;
	scratch = xcalloc(1, sizeof(*scratch));
	scratch->data = pcre2_match_data_create(1, NULL);
	scratch->limits = pcre2_match_context_create(NULL);
	ENSURE(scratch->data && scratch->limits);
	pcre2_set_heap_limit(scratch->limits, HEAP_LIMIT_KIB);
	effort->scratch = scratch;
	return scratch;
}

static int try(const struct pattern *pattern, struct scratch *scratch, const char *text, size_t len,
	       uint32_t limit)
{
	int found;

	pcre2_set_match_limit(scratch->limits, limit);
	found = pcre2_match(pattern->code, (PCRE2_SPTR)text, len, 0, 0, scratch->data,
			    scratch->limits);
	if (found ==
	    PCRE2_ERROR_JIT_STACKLIMIT) /* the interpreter takes its memory from the heap */
		found = pcre2_match(pattern->code, (PCRE2_SPTR)text, len, 0, PCRE2_NO_JIT,
				    scratch->data, scratch->limits);
	return found;
}

enum pattern_result pattern_match(const struct pattern *pattern, struct pattern_effort *effort,
				  const char *text, size_t len)
{
	struct scratch *scratch = scratch_of(effort);
	int found = try(pattern, scratch, text, len, FIRST_MATCH_LIMIT);

	if (found == PCRE2_ERROR_MATCHLIMIT && effort->hard_matches < MAX_HARD_MATCHES) {
		effort->hard_matches++;
		found = try(pattern, scratch, text, len, HARD_MATCH_LIMIT);
	}
	if (found >= 0)
		return PATTERN_MATCHES;
	return found == PCRE2_ERROR_NOMATCH ? PATTERN_DIFFERS : PATTERN_EXHAUSTED;
}

void pattern_effort_finish(struct pattern_effort *effort)
{
	struct scratch *scratch = effort->scratch;

	if (scratch) {
		pcre2_match_data_free(scratch->data);
		pcre2_match_context_free(scratch->limits);
		xfree(scratch);
	}
	*effort = (struct pattern_effort){0};
}
