#include "provider_reply.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ensure.h"
#include "retry_hint.h"

static nsec hint_of_headers(const struct raw_reply *raw)
{
	const char *ms = raw_reply_header(raw, "retry-after-ms");
	const char *after = raw_reply_header(raw, "retry-after");
	nsec wait = 0;

	if (ms && retry_hint_millis(ms, &wait))
		return wait;
	if (after && retry_hint_after(after, raw->wall, &wait))
		return wait;
	return 0;
}

/* Content types lie; what begins like JSON is tried, a page of HTML is not. */
static bool looks_like_json(const struct raw_reply *raw)
{
	size_t at = 0;

	while (at < raw->len && strchr(" \t\r\n", raw->body[at]) && raw->body[at])
		at++;
	return at < raw->len && (raw->body[at] == '{' || raw->body[at] == '[');
}

/* Why it is no JSON, without the piece of the answer that the parser quotes. */
static void tell_why_not_json(struct reply *reply, struct error *err)
{
	char *quote = strstr(err->text, " near ");

	if (quote)
		*quote = '\0';
	reply_copy(reply->message, sizeof(reply->message), err->text);
}

static json_t *read_body(const struct raw_reply *raw, struct reply *reply)
{
	struct error err;
	json_t *body, *first;

	if (!looks_like_json(raw))
		return NULL;
	body = json_read(raw->body, raw->len, JSON_FOREIGN, &err);
	if (!body)
		tell_why_not_json(reply, &err);
	if (!json_is_array(body))
		return body;
	first = json_incref(json_array_get(body, 0));
	json_decref(body);
	return first;
}

json_t *reply_begin(const struct raw_reply *raw, const char *id_header, struct reply *reply)
{
	const char *id = raw_reply_header(raw, id_header);
	const char *should_retry = raw_reply_header(raw, "x-should-retry");

	*reply = (struct reply){.status = raw->status, .confidence = NAN, .text = xstrdup("")};
	if (raw->status == 0) {
		reply->kind = REPLY_LOST;
		reply->billed = true;
		return NULL;
	}
	if (id)
		reply_copy(reply->request_id, sizeof(reply->request_id), id);
	if (!reply_is_success(raw)) {
		reply->retry_after = hint_of_headers(raw);
		reply->never_retry = should_retry && strcmp(should_retry, "false") == 0;
	}
	return read_body(raw, reply);
}

bool reply_is_success(const struct raw_reply *raw)
{
	return raw->status >= 200 && raw->status < 300;
}

static bool begins_key(const char *p)
{
	return strncmp(p, "sk-", 3) == 0 || strncmp(p, "AIza", 4) == 0;
}

static bool is_word(char c)
{
	return (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z') || c == '-' ||
	       c == '_' || c == '*';
}

/* Length of the character at p; 0: not UTF-8, or a control character. */
static size_t character(const char *p)
{
	unsigned char lead = (unsigned char)*p;
	size_t len = lead < 0x80 ? 1 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;

	if (lead < 0x20 || lead == 0x7f || (lead >= 0x80 && lead < 0xc2) || lead > 0xf4)
		return 0;
	for (size_t i = 1; i < len; i++)
		if (((unsigned char)p[i] & 0xc0) != 0x80)
			return 0;
	return len;
}

static const char *behind_word(const char *p)
{
	while (is_word(*p))
		p++;
	return p;
}

void reply_copy(char *into, size_t size, const char *text)
{
	size_t len = 0;
	bool inside = false; /* of a word */

	while (*text && len + 4 < size) {
		size_t step = character(text);

		if (!inside && begins_key(text)) {
			memcpy(into + len, "***", 3);
			len += 3;
			text = behind_word(text);
			continue;
		}
		inside = is_word(*text);
		if (step == 0)
			into[len++] = ' ';
		else
			memcpy(into + len, text, step);
		len += step;
		text += step > 0 ? step : 1;
	}
	into[len] = '\0';
}

void reply_set_text(struct reply *reply, const char *bytes, size_t len)
{
	free(reply->text);
	reply->text = xrealloc(NULL, len + 1);
	memcpy(reply->text, bytes, len);
	reply->text[len] = '\0';
	reply->len = len;
}

void reply_add_tool_call(struct reply *reply, const char *id, const char *name, json_t *arguments)
{
	json_t *call = json_pack("{s:s, s:s, s:{s:s, s:o}}", "id", id, "type", "function",
				 "function", "name", name, "arguments",
				 arguments ? arguments : json_string(""));

	ENSURE(call);
	if (!reply->tool_calls)
		reply->tool_calls = json_array();
	json_array_append_new(reply->tool_calls, call);
}

void reply_garbled(struct reply *reply, const char *code, const char *message)
{
	reply->kind = REPLY_GARBLED;
	reply->billed = true;
	if (!reply->code[0])
		reply_copy(reply->code, sizeof(reply->code), code);
	if (!reply->message[0])
		reply_copy(reply->message, sizeof(reply->message), message);
}

bool reply_tokens(const json_t *object, const char *name, bool needed, int64_t *count)
{
	const json_t *value = json_object_get(object, name);
	double number = json_number_value(value);

	*count = 0;
	if (!value || json_is_null(value))
		return !needed;
	if (!json_is_number(value) || !(number >= 0 && number <= (double)MOST_TOKENS) ||
	    number != floor(number))
		return false;
	*count = (int64_t)number;
	return true;
}

static int64_t read_limit(const char *text)
{
	char *end;
	long long value;

	if (!text || *text < '0' || *text > '9')
		return -1;
	errno = 0;
	value = strtoll(text, &end, 10);
	return errno || *end ? -1 : value;
}

void reply_add_reading(struct reply *reply, const char *name, const char *limit,
		       const char *remaining, nsec reset)
{
	struct limit_reading reading = {
		.limit = read_limit(limit), .remaining = read_limit(remaining), .reset = reset};

	if (reply->reading_count == MAX_READINGS || (reading.limit < 0 && reading.remaining < 0))
		return;
	snprintf(reading.name, sizeof(reading.name), "%s", name);
	reply->readings[reply->reading_count++] = reading;
}

/*
 * What a status means when the body says nothing. A redirect or a proxy's 407 is
 * a wrong setting: as with a bad key the queue waits for people. 504 and 524 come
 * from an edge that stopped waiting for a call which may well go on.
 */
static enum reply_kind kind_of_status(long status)
{
	switch (status) {
	case 401:
	case 402:
	case 403:
	case 407:
		return REPLY_CREDENTIAL;
	case 404:
	case 405:
	case 410:
		return REPLY_UNKNOWN_MODEL;
	case 408:
	case 409:
	case 425:
		return REPLY_UNAVAILABLE;
	case 413:
		return REPLY_TOO_LARGE;
	case 429:
		return REPLY_THROTTLED;
	default:
		return status >= 500		       ? REPLY_UNAVAILABLE
		       : status >= 300 && status < 400 ? REPLY_CREDENTIAL
						       : REPLY_INVALID;
	}
}

static bool rule_fits(const struct error_rule *rule, const struct reply *reply, const char *type)
{
	return (rule->status == 0 || rule->status == reply->status) &&
	       (!rule->word || strcmp(rule->word, reply->code) == 0 ||
		strcmp(rule->word, type) == 0) &&
	       (!rule->phrase || strcasestr(reply->message, rule->phrase));
}

void reply_classify(struct reply *reply, const struct error_rule *rules, size_t count,
		    const char *type)
{
	reply->kind = kind_of_status(reply->status);
	reply->whole_provider = reply->status == 503 || reply->status == 529;
	for (size_t i = 0; i < count; i++)
		if (rule_fits(&rules[i], reply, type)) {
			reply->kind = rules[i].kind;
			reply->whole_provider |= rules[i].whole_provider;
			break;
		}
	if (!reply->code[0] && !reply->message[0] &&
	    (reply->status == 504 || reply->status == 524)) {
		reply->kind = REPLY_LOST;
		reply->billed = true;
	}
}

void reply_wait_for_readings(struct reply *reply, const char *name)
{
	nsec used_up = 0, named = 0;

	if (reply->kind != REPLY_THROTTLED || reply->retry_after > 0)
		return;
	for (size_t i = 0; i < reply->reading_count; i++) {
		const struct limit_reading *reading = &reply->readings[i];

		if (reading->remaining == 0 && reading->reset > used_up)
			used_up = reading->reset;
		if (strcmp(reading->name, name) == 0)
			named = reading->reset;
	}
	reply->retry_after = used_up > 0 ? used_up : named;
}
