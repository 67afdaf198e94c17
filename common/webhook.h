/*
 * Webhooks as Standard Webhooks has them: who is told can check that it was us,
 * and that nobody plays an old message again. One id over all tries, a timestamp
 * for each, and a signature by every secret of the moment, so that secrets can
 * be changed without a gap.
 *
 *	AUTO_FINISH(webhook_headers_finish) struct webhook_headers headers = {0};
 *	webhook_sign(&headers, config->api.webhook_secrets, "search", &message);
 *	...
 *	struct webhook_verdict verdict = webhook_judge(&answer, random);
 */
#ifndef SLUICE_WEBHOOK_H
#define SLUICE_WEBHOOK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "clock.h"
#include "compiler.h"
#include "json.h"
#include "uuid.h"

#define WEBHOOK_SECRET_TEXT 64
#define WEBHOOK_LONGEST (24 * 3600 * NSEC_PER_SEC) /* from the first try to the last */

/* A secret as users keep it: "whsec_" and base64. `unit` is a business unit; "" signs alerts. */
const char *webhook_secret(char text[WEBHOOK_SECRET_TEXT], const char *master, const char *unit);

struct webhook_message {
	struct uuid id;
	nsec at;	     /* wall clock, of this try */
	const char *headers; /* what the job wants sent along: a JSON object of texts, or "" */
	const char *body;
	size_t len;
};

struct webhook_headers {
	char **lines; /* "Name: value", owned */
	size_t count;
};

/* False: there is no secret to sign with. masters: an array of texts, the current one first. */
bool webhook_sign(struct webhook_headers *headers, const json_t *masters, const char *unit,
		  const struct webhook_message *message) MUST_USE;
void webhook_headers_finish(struct webhook_headers *headers);

#define WEBHOOK_FATES(X)                                            \
	X(DELIVERED, "delivered")                                   \
	X(RETRY, "retry")                                           \
	X(EXHAUSTED, "exhausted") /* a day is over */               \
	X(GONE, "gone")		  /* 410: nobody lives there now */ \
	X(REFUSED, "refused")	  /* we will not send it there */

enum webhook_fate {
#define WEBHOOK_FATE(name, text) WEBHOOK_##name,
	WEBHOOK_FATES(WEBHOOK_FATE)
#undef WEBHOOK_FATE
};

/* What came of a try. */
struct webhook_answer {
	long status;	/* 0: none came */
	bool forbidden; /* the address was not one to go to */
	int tries;	/* this one included */
	nsec hint;	/* Retry-After; 0: none */
	nsec age;	/* since it was owed */
};

struct webhook_verdict {
	enum webhook_fate fate;
	nsec wait; /* RETRY: until the next */
};

struct webhook_verdict webhook_judge(const struct webhook_answer *answer, uint64_t random);
const char *webhook_fate_name(enum webhook_fate fate);

#endif
