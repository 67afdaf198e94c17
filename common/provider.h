/*
 * What a provider speaks: pure functions from a job to the bytes of a request,
 * and from the bytes of a reply to what they mean. No I/O; http.h carries them.
 *
 *	const struct provider *provider = provider_find("openai");
 *	if (!provider->build(&call, &body, err)) ...
 *	provider->read(&raw, &reply);           -- never fails: garbage is a kind too
 *	reply_finish(&reply);
 */
#ifndef SLUICE_PROVIDER_H
#define SLUICE_PROVIDER_H

#include <stdbool.h>
#include <stddef.h>

#include "buffer.h"
#include "clock.h"
#include "error.h"
#include "header.h"
#include "job.h"
#include "model.h"
#include "prepared_schema.h"
#include "usage.h"

/* One request to be made. All is borrowed. */
struct call {
	const struct job *job;
	const char *model; /* as the provider names it */
	const struct model *traits;
	const char *attempt_id;	     /* our id, sent as client request id */
	int64_t max_output_tokens;   /* resolved: job, task, model */
	const json_t *output_schema; /* NULL: plain text */
	const struct prepared_schema
		*prepared;	   /* of output_schema; NULL: build() prepares its own */
	const char *repair_answer; /* NULL, or what the model said last time … */
	size_t repair_answer_len;
	const char *repair_note; /* … and what is wrong with it, to be quoted */
	bool want_confidence;	 /* ask for log-probabilities where the model gives them */
};

/* A reply as it came off the wire. Borrowed. Header lookup is case-insensitive. */
struct raw_reply {
	long status; /* 0: no HTTP answer came at all */
	const char *body;
	size_t len;
	const struct header *headers;
	size_t header_count;
	nsec wall; /* wall-clock time of arrival, to turn dates into waits */
};

#define REPLY_KINDS(X)                                                                    \
	X(ANSWER)	 /* a complete answer */                                          \
	X(TRUNCATED)	 /* an answer that ran into the output cap */                     \
	X(REFUSED)	 /* refusal or content filter */                                  \
	X(GARBLED)	 /* 200, but not the provider's format; the call may be billed */ \
	X(THROTTLED)	 /* 429 to wait */                                                \
	X(TOO_LARGE)	 /* this request can never pass here: context length, size */     \
	X(CREDENTIAL)	 /* quota, billing, bad key: nothing of this key will pass */     \
	X(UNAVAILABLE)	 /* 5xx, 529: the provider's trouble */                           \
	X(LOST)		 /* no answer: reset, timeout; may have run and be billed */      \
	X(INVALID)	 /* 400: the provider rejects the request as such */              \
	X(UNKNOWN_MODEL) /* 404: the model does not exist for this key */

enum reply_kind {
#define REPLY_KIND(name) REPLY_##name,
	REPLY_KINDS(REPLY_KIND)
#undef REPLY_KIND
};

/* One reading of the provider's own limits, from the headers. */
struct limit_reading {
	char name[24];	   /* "requests", "tokens", "input_tokens", "output_tokens" */
	int64_t limit;	   /* per minute; -1: not told */
	int64_t remaining; /* -1: not told */
	nsec reset;	   /* until the bucket is full; 0: not told */
};
#define MAX_READINGS 4

struct reply {
	enum reply_kind kind;
	long status;
	char *text; /* the answer, owned; "" where there is none */
	size_t len;
	json_t *tool_calls; /* owned; NULL: none */
	double confidence;  /* exp of the mean token log-probability; NAN: not measured */
	struct usage usage;
	bool billed;	/* the provider charges for this reply as far as it tells */
	char model[96]; /* the snapshot that answered; "": not told */
	char service_tier[24];
	char request_id[96];
	char code[64];	     /* the provider's error code or type; "" */
	char message[256];   /* the provider's words about an error; "" */
	nsec retry_after;    /* how long to wait before asking again; 0: not told */
	bool never_retry;    /* x-should-retry: false */
	bool whole_provider; /* the trouble is the provider's, not this model's (529, slow_down) */
	struct limit_reading readings[MAX_READINGS];
	size_t reading_count;
};

struct provider {
	const char *dialect;	    /* "openai", "anthropic" */
	const char *chat_path;	    /* under the base URL: "/chat/completions" */
	const char *key_header;	    /* "Authorization: Bearer %s", "x-api-key: %s" */
	const char *version_header; /* NULL: none */
	/* Append the request's body. REJECT: this job can't be said to this model. */
	bool (*build)(const struct call *call, struct buffer *body, struct error *err);
	/* Fill reply from what came. The caller calls reply_finish(). */
	void (*read)(const struct raw_reply *raw, struct reply *reply);
};

extern const struct provider provider_openai;
extern const struct provider provider_anthropic;

const struct provider *provider_find(const char *dialect); /* NULL: not known */
const char *reply_kind_name(enum reply_kind kind);	   /* "answer", "too_large", … */
const char *raw_reply_header(const struct raw_reply *raw, const char *name); /* NULL: absent */
void reply_finish(struct reply *reply);

#endif
