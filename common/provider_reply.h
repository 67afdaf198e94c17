/*
 * What every dialect reads alike: the envelope of a reply before its body is
 * looked at, counts of tokens that may be absurd, and what an error means, by a
 * table of rules.
 *
 *	json_auto_t *body = reply_begin(raw, "x-request-id", reply);
 *
 *	if (!reply_is_success(raw))
 *		reply_classify(reply, rules, COUNT_OF(rules), type);
 *	else if (!body)
 *		reply_garbled(reply, "not_json", "…");
 *
 * For the adapters (provider_openai.c, provider_anthropic.c) only.
 */
#ifndef SLUICE_PROVIDER_REPLY_H
#define SLUICE_PROVIDER_REPLY_H

#include "provider.h"

/* More tokens than any model reads or writes in one call: a number beyond is not believed. */
#define MOST_TOKENS ((int64_t)20000000)

/*
 * Set the reply to "nothing known" with status, request id, the retry hints of
 * the headers. Returns the body's JSON (the caller's), NULL if it is not JSON;
 * of an array (Gemini wraps errors so) its first item.
 */
json_t *reply_begin(const struct raw_reply *raw, const char *id_header, struct reply *reply);

bool reply_is_success(const struct raw_reply *raw); /* 2xx */

/* Copy what fits, cut between characters; control characters become blanks, keys are masked. */
void reply_copy(char *into, size_t size, const char *text);

/* The answer: bytes are copied. Not for more than one call per reply. */
void reply_set_text(struct reply *reply, const char *bytes, size_t len);

/* A 2xx that we can't read: it may be billed, and how much nobody told (unless usage is known). */
void reply_garbled(struct reply *reply, const char *code, const char *message);

/*
 * One more call for a tool: in OpenAI's shape whatever the dialect, so that jobs
 * read and quote one shape only, and with all members whatever the model left
 * out. Takes arguments, a text; NULL: there were none.
 */
void reply_add_tool_call(struct reply *reply, const char *id, const char *name, json_t *arguments);

/*
 * Read a count of tokens. An absent or null one is 0, and an error if it is
 * needed. False: absent but needed, negative, not a whole number, or absurd.
 */
bool reply_tokens(const json_t *object, const char *name, bool needed, int64_t *count);

/* Remember a reading if a limit or what remains of it was told. NULL: header absent. */
void reply_add_reading(struct reply *reply, const char *name, const char *limit,
		       const char *remaining, nsec reset);

/* The first rule that fits decides; if none does, the status. */
struct error_rule {
	long status;	    /* 0: any */
	const char *word;   /* the error's code or type; NULL: any */
	const char *phrase; /* somewhere in the message, where nothing better tells; NULL: any */
	enum reply_kind kind;
	bool whole_provider;
};

/* Set the kind of an error from status, reply->code, its type and reply->message. */
void reply_classify(struct reply *reply, const struct error_rule *rules, size_t count,
		    const char *type);

/*
 * A throttled reply without a Retry-After waits for the limits that are used up
 * to be full again, or else for the limit the error names ("tokens").
 */
void reply_wait_for_readings(struct reply *reply, const char *name);

#endif
