/*
 * The providers' rate limits: for every key and model one bucket of requests
 * and one or two of tokens, refilled without pause, full at first unless `fill`
 * says otherwise. What is left is told in each provider's own headers.
 *
 *	limits_add(&limits, "rpm=3000,tpm=200000,model=gpt-4o-mini", err);
 *	struct quota *quota = limits_quota(&limits, OPENAI, model, key, now);
 *	if (quota_refuses(quota, &demand, now, &failure)) ...
 *	quota_headers(quota, now, wall, &reply->head);
 */
#ifndef SIMULATOR_QUOTA_H
#define SIMULATOR_QUOTA_H

#include "buffer.h"
#include "clock.h"
#include "failure.h"
#include "models.h"

enum bucket_kind {
	BUCKET_REQUESTS,
	BUCKET_TOKENS, /* OpenAI: all tokens */
	BUCKET_INPUT,  /* Anthropic */
	BUCKET_OUTPUT, /* Anthropic */
};
#define BUCKETS 4

struct bucket {
	double limit; /* per minute; 0: no limit */
	double left;
	nsec updated;
};

struct quota {
	enum maker maker;
	char model[96];
	char key[96];
	struct bucket buckets[BUCKETS];
};

/* What a request takes. */
struct demand {
	double tokens; /* OpenAI: reserved */
	double input;  /* Anthropic: input and cache writes */
};

struct limit_rule {
	double limits[BUCKETS]; /* below 0: not said */
	char model[96];		/* "": every model */
	char key[96];		/* "": every key */
	char provider[16];	/* "": both */
	double fill;		/* of a bucket, when the limit begins; 1: full */
};

#define LIMITS_MAX_RULES 64
#define LIMITS_MAX_QUOTAS 1024

struct limits {
	struct limit_rule rules[LIMITS_MAX_RULES]; /* later ones win */
	size_t rule_count;
	struct quota *quotas[LIMITS_MAX_QUOTAS];
	size_t quota_count;
	bool hide_headers; /* never tell what is left */
	bool hide_waits;   /* nor, in a 429, when to come back */
};

/* "rpm=3000,tpm=200000,itpm=,otpm=[,model=][,key=][,provider=][,fill=]"; 0 lifts a limit. */
bool limits_add(struct limits *limits, const char *text, struct error *err) MUST_USE;
void limits_finish(struct limits *limits);

struct quota *limits_quota(struct limits *limits, enum maker maker, const char *model,
			   const char *key, nsec now);

/* Takes the demand, or takes nothing and says why in *failure. */
bool quota_refuses(struct quota *quota, const struct demand *demand, nsec now,
		   struct failure *failure);
/* Anthropic charges output when it is produced. */
void quota_produced(struct quota *quota, double output);
void quota_headers(const struct quota *quota, nsec now, nsec wall, struct buffer *head);

/* Appends ,"quotas":[{"model":…,"key":…,"rpm":{"limit":…,"left":…},…},…]. */
void limits_write(const struct limits *limits, struct buffer *out, nsec now);

#endif
