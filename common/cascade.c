#include "cascade.h"

#include <math.h>
#include <string.h>

#define REASON(name, text) static const char REASON_##name[] = text;
VERDICT_REASONS(REASON)
#undef REASON

/* What one judgement is about, so that the rows below read as sentences. */
struct matter {
	const struct cascade_policy *policy;
	const struct cascade_history *history;
	const struct cascade_finding *finding;
	bool has_answer; /* a valid answer, this one or one before */
};

static struct verdict verdict(enum next_step next, const char *reason)
{
	return (struct verdict){.next = next, .reason = reason};
}

/* Nothing more will be tried: the best answer there is, or none. */
static struct verdict end_of_road(const struct matter *m, const char *reason)
{
	if (m->policy->degraded_allowed && m->has_answer)
		return verdict(NEXT_DEGRADE, reason);
	return verdict(NEXT_DIE, reason);
}

/* Nobody else is answered, so it looks like an outage, but for longer than one lasts. */
static bool is_failed_for_good(const struct matter *m)
{
	return m->history->failing >= CASCADE_LONGEST_OUTAGE &&
	       m->history->uncounted / CASCADE_UNCOUNTED_PER_ATTEMPT >= m->policy->max_attempts;
}

/* The limit that forbids one more call; NULL: none does. */
static const char *limit_reached(const struct matter *m)
{
	if (m->history->past_deadline)
		return REASON_DEADLINE;
	if (m->policy->max_cost > 0 && m->history->spent >= m->policy->max_cost)
		return REASON_MAX_COST;
	if (m->history->attempts >= m->policy->max_attempts || is_failed_for_good(m))
		return REASON_MAX_ATTEMPTS;
	return NULL;
}

/* Another call, if the limits allow one. */
static struct verdict go_on(const struct matter *m, enum next_step next, const char *reason)
{
	const char *limit = limit_reached(m);

	return limit ? end_of_road(m, limit) : verdict(next, reason);
}

static bool out_of_hops(const struct matter *m)
{
	return m->history->hop >= m->policy->max_hops;
}

static struct verdict escalate(const struct matter *m, const char *reason, const char *last_words)
{
	if (!m->history->has_higher_tier)
		return end_of_road(m, last_words);
	if (out_of_hops(m))
		return end_of_road(m, REASON_MAX_HOPS);
	return go_on(m, NEXT_ESCALATE, reason);
}

static struct verdict judge_valid(const struct matter *m)
{
	double wanted = m->policy->min_confidence;
	bool unmeasured = wanted > 0 && isnan(m->finding->confidence);
	bool unsure = unmeasured ? m->policy->needs_confidence : m->finding->confidence < wanted;
	struct verdict accepted = verdict(NEXT_ACCEPT, REASON_ACCEPTED);

	if (unsure)
		return escalate(m, REASON_LOW_CONFIDENCE, REASON_LOW_CONFIDENCE);
	accepted.unmeasured = unmeasured;
	return accepted;
}

/* The model was told what is wrong and did it again. */
static bool is_stuck(const struct matter *m)
{
	return m->history->repairs > 0 && *m->finding->signature &&
	       strcmp(m->finding->signature, m->history->signature) == 0;
}

/*
 * Paid for and of no use: told to the same model, then to a better one, then to
 * another of its kind. A reply that is not even in the provider's format is one of
 * these and no failure of transport: asking again costs money, so it has a cap.
 */
static struct verdict judge_unusable(const struct matter *m, const char *reason)
{
	bool stuck = is_stuck(m);
	bool can_rise = m->history->has_higher_tier && !out_of_hops(m);

	if (!stuck && m->history->repairs < m->policy->max_repairs && !m->finding->never_retry)
		return go_on(m, NEXT_REPAIR, reason);
	if (!can_rise && m->history->has_next_candidate)
		return go_on(m, NEXT_FALLBACK, stuck ? REASON_SAME_FAILURE : reason);
	return escalate(m, stuck ? REASON_SAME_FAILURE : reason, reason);
}

static struct verdict judge_refusal(const struct matter *m)
{
	if (!m->policy->refusal_escalates || m->history->refusals > 0)
		return end_of_road(m, REASON_REFUSED);
	return escalate(m, REASON_REFUSED, REASON_REFUSED);
}

/* The provider's trouble: again after a back-off, then somebody else, then again. */
static struct verdict judge_trouble(const struct matter *m, const char *reason)
{
	bool tired = m->history->transient >= m->policy->max_transient;

	if (!tired && !m->finding->never_retry)
		return go_on(m, NEXT_RETRY, reason);
	if (m->history->has_next_candidate)
		return go_on(m, NEXT_FALLBACK, reason);
	if (m->finding->never_retry)
		return end_of_road(m, reason);
	return go_on(m, NEXT_RETRY, reason);
}

static struct verdict judge_throttled(const struct matter *m)
{
	if (m->history->past_deadline)
		return end_of_road(m, REASON_DEADLINE);
	return verdict(NEXT_WAIT, REASON_THROTTLED);
}

static struct verdict judge_too_large(const struct matter *m)
{
	if (m->history->has_larger_window)
		return go_on(m, NEXT_WIDEN, REASON_TOO_LARGE);
	return end_of_road(m, REASON_TOO_LARGE);
}

static struct verdict judge_unknown_model(const struct matter *m)
{
	if (m->history->has_next_candidate)
		return go_on(m, NEXT_FALLBACK, REASON_UNKNOWN_MODEL);
	return end_of_road(m, REASON_UNKNOWN_MODEL);
}

struct verdict cascade_judge(const struct cascade_policy *policy,
			     const struct cascade_history *history,
			     const struct cascade_finding *finding)
{
	bool valid = finding->kind == REPLY_ANSWER && finding->valid;
	const struct matter m = {policy, history, finding, valid || history->has_fallback_answer};

	switch (finding->kind) {
	case REPLY_ANSWER:
		return valid ? judge_valid(&m) : judge_unusable(&m, REASON_INVALID_OUTPUT);
	case REPLY_TRUNCATED:
		return judge_unusable(&m, REASON_TRUNCATED);
	case REPLY_GARBLED:
		return judge_unusable(&m, REASON_GARBLED);
	case REPLY_REFUSED:
		return judge_refusal(&m);
	case REPLY_THROTTLED:
		return judge_throttled(&m);
	case REPLY_CREDENTIAL:
		return verdict(NEXT_PARK, REASON_CREDENTIAL);
	case REPLY_TOO_LARGE:
		return judge_too_large(&m);
	case REPLY_UNAVAILABLE:
		return judge_trouble(&m, REASON_UNAVAILABLE);
	case REPLY_LOST:
		return judge_trouble(&m, REASON_LOST);
	case REPLY_UNKNOWN_MODEL:
		return judge_unknown_model(&m);
	case REPLY_INVALID:
		break;
	}
	return end_of_road(&m, REASON_INVALID_REQUEST);
}

const char *next_step_name(enum next_step next)
{
	static const char *const names[] = {
		[NEXT_ACCEPT] = "accept",     [NEXT_DEGRADE] = "degrade",
		[NEXT_REPAIR] = "repair",     [NEXT_RETRY] = "retry",
		[NEXT_FALLBACK] = "fallback", [NEXT_ESCALATE] = "escalate",
		[NEXT_WIDEN] = "widen",	      [NEXT_WAIT] = "wait",
		[NEXT_PARK] = "park",	      [NEXT_DIE] = "die",
	};

	return names[next];
}

/* A stretch of an answer that may be a JSON value. */
struct span {
	const char *start;
	size_t len;
	bool open; /* cut short before its last bracket */
};

static bool is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static struct span trimmed(const char *text, size_t len)
{
	if (len >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0) {
		text += 3;
		len -= 3;
	}
	for (; len > 0 && is_space(*text); len--)
		text++;
	while (len > 0 && is_space(text[len - 1]))
		len--;
	return (struct span){.start = text, .len = len};
}

/* What stands between a fence and its end, if the whole text is one; else the text. */
static struct span unfenced(struct span text)
{
	const char *line;

	if (text.len < 6 || memcmp(text.start, "```", 3) != 0 ||
	    memcmp(text.start + text.len - 3, "```", 3) != 0)
		return text;
	line = memchr(text.start, '\n', text.len - 3);
	if (!line)
		return trimmed(text.start + 3, text.len - 6);
	return trimmed(line + 1, (size_t)(text.start + text.len - 3 - line - 1));
}

static bool starts_with(const char *text, size_t len, const char *word)
{
	size_t n = strlen(word);

	return len >= n && memcmp(text, word, n) == 0;
}

/* Tells the start of an object or array from a bracket in prose, "[see below]". */
static bool looks_like_json(const char *text, size_t len)
{
	bool object = *text == '{';

	do {
		text++;
		len--;
	} while (len > 0 && is_space(*text));
	if (len == 0)
		return true; /* cut short right here */
	if (object)
		return *text == '"' || *text == '}';
	return (*text && strchr("{[\"]-0123456789", *text)) || starts_with(text, len, "true") ||
	       starts_with(text, len, "false") || starts_with(text, len, "null");
}

/* From a bracket to the one that closes it, brackets inside strings not counted. */
static struct span bracketed(const char *text, size_t len)
{
	size_t depth = 0;
	bool quoted = false;

	for (size_t at = 0; at < len; at++) {
		char c = text[at];

		if (quoted && c == '\\')
			at++;
		else if (c == '"')
			quoted = !quoted;
		else if (!quoted && (c == '{' || c == '['))
			depth++;
		else if (!quoted && (c == '}' || c == ']') && --depth == 0)
			return (struct span){.start = text, .len = at + 1};
	}
	return (struct span){.start = text, .len = len, .open = true};
}

/* The longest object or array. Every byte is looked at once: what one value spans is skipped. */
static struct span longest_value(struct span text)
{
	struct span longest = {.start = text.start};
	size_t at = 0;

	while (at < text.len) {
		const char *here = text.start + at;
		struct span found;

		if ((*here != '{' && *here != '[') || !looks_like_json(here, text.len - at)) {
			at++;
			continue;
		}
		found = bracketed(here, text.len - at);
		if (found.len > longest.len)
			longest = found;
		at += found.len;
	}
	return longest;
}

/* Narrows a text that is not JSON to the value in it. False: there is none, err says what is wrong.
 */
static bool narrow(struct span *text, struct error *err)
{
	struct span inner = longest_value(*text);

	if (inner.len == 0)
		return error_set(err, ERROR_REJECT, "the answer has no JSON object or array in it");
	if (inner.open)
		return error_set(
			err, ERROR_REJECT,
			"the JSON value that starts at byte %zu of the answer is never closed",
			(size_t)(inner.start - text->start));
	if (inner.len == text->len)
		return false; /* what is wrong with it has been said */
	*text = inner;
	return true;
}

json_t *cascade_extract_json(const char *text, size_t len, const char **start, size_t *value_len,
			     struct error *err)
{
	struct span span = unfenced(trimmed(text, len));
	json_t *value;

	if (span.len == 0) {
		error_set(err, ERROR_REJECT, "the answer is empty where JSON is wanted");
		return NULL;
	}
	value = json_read(span.start, span.len, JSON_FOREIGN, err);
	if (!value && narrow(&span, err))
		value = json_read(span.start, span.len, JSON_FOREIGN, err);
	if (!value)
		return NULL;
	*start = span.start;
	*value_len = span.len;
	return value;
}
