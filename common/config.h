/*
 * The one configuration file, checked and resolved: schemas/config.json is its
 * contract and says what every setting means. Read once, then read-only.
 *
 *	struct config *config = config_load("sluice.yaml", err);
 *	if (!config)    -- err has file, line, column and what to do
 *	const struct tier *tier = config_tier(config, "economy");
 *	const struct task *task = config_task(config, job->task);
 *
 * Secrets come from ${ENV} and ${file:PATH}; config_show() masks them.
 */
#ifndef SLUICE_CONFIG_H
#define SLUICE_CONFIG_H

#include <stdbool.h>
#include <stddef.h>

#include "clock.h"
#include "error.h"
#include "job.h"
#include "json.h"
#include "model.h"
#include "money.h"
#include "provider.h"

/* A provider account: where it is, how it is spoken to, with which key. */
struct endpoint {
	const char *name; /* "openai": what prices, ledger and limits call it */
	const struct provider *provider;
	const char *base_url;	/* "https://api.openai.com/v1", no slash at the end */
	const char *credential; /* a name for the key in rows and metrics, never the key */
	const char *key;	/* "" : none is sent */
	bool self_hosted;	/* may see data of class restricted */
	bool staging;		/* a simulator: a drill may break it */
	bool sends_limits;	/* rate-limit headers can be expected */
	bool supports_batch;
	nsec connect_timeout;
	nsec first_byte_timeout;
	nsec idle_timeout;
	nsec total_timeout;
	size_t max_connections; /* calls at once by one worker; 0: no limit of its own */
	const char *ca_file;	/* "" : the system's */
};

struct candidate {
	const struct endpoint *endpoint;
	const char *model; /* alias resolved */
	struct model traits;
	unsigned weight;
};

struct tier {
	const char *name;
	size_t rank; /* 0 is the cheapest; the order in the file */
	struct candidate *candidates;
	size_t candidate_count;
	const char *pick; /* "weighted", "cheapest", "fastest" */
};

struct task {
	const char *name;	     /* "" : the defaults, for jobs of no or an unknown task */
	const char *tier;	     /* default for "auto" without a router; "" : none */
	const json_t *output_schema; /* used where the job brings none; NULL: none */
	double min_confidence;
	const char *confidence_field; /* JSON pointer to a number in the output; "" : none */
	bool needs_confidence;
	int64_t max_output_tokens; /* 0: the model's */
	pico max_cost;		   /* of one run; 0: none */
	int max_repairs;
	int max_attempts;
	bool refusal_escalates;
	bool degraded_allowed;
	bool cheaper_allowed;	   /* while all of its tier is out of order */
	const char *static_answer; /* "" : none */
	nsec cache_ttl;		   /* exact answer cache; 0: off */
};

/* Two back-off profiles with full jitter: wait = random(0, min(longest, first × 2^n)). */
struct backoff_profile {
	nsec first;
	nsec longest;
	int max_tries; /* in a row on one candidate */
};

struct kafka_settings {
	const char *brokers;
	const char *prefix;    /* topics are <prefix>.<tier>.<lane>, <prefix>.intake, … */
	const char *group;     /* consumer group of the workers */
	const json_t *options; /* librdkafka settings (security, tuning), every value a text */
	const json_t *reply_prefixes; /* array: a reply topic must begin with one of them */
	int partitions;		      /* for topics create */
	int replication;
	size_t max_message_bytes;
};

struct postgres_settings {
	const char *url; /* libpq connection string */
	nsec statement_timeout;
	nsec lock_timeout;
	int keep_days;		 /* payloads, results and attempts of finished jobs */
	int keep_tombstone_days; /* and their ids after that */
};

struct worker_settings {
	size_t max_in_flight;
	size_t group_size;	   /* rows per claim or settle */
	nsec linger;		   /* longest a claim or settle waits for company */
	nsec grace;		   /* after SIGTERM */
	size_t park_rows_per_unit; /* read-ahead bounds for PARKED rows of one business unit … */
	size_t park_rows_total;	   /* … and of all */
	nsec longest_wait_in_memory; /* longer waits are parked */
	int normal_share;	     /* percent of intake kept for normal while express has work */
	int max_hops;
	nsec max_job_age;	  /* older messages are refused; 0: none */
	const char *spool_dir;	  /* finished calls wait here while Postgres is away */
	const char *listen;	  /* "127.0.0.1:9464" for /metrics, /healthz, /readyz; "" : off */
	const char *listen_token; /* bearer token wanted on it; "" : loopback without one */
	struct backoff_profile throttled;
	struct backoff_profile unavailable;
	double breaker_share; /* failures of the window that open the breaker */
	nsec breaker_window;
	int breaker_min_calls;
	nsec breaker_probe_after;
};

/* An allowance the fleet starts with; what was changed at run time wins (allowance.h). */
struct allowance_setting {
	const char *kind; /* "rate", "balance" */
	const char *unit;
	const char *period;
	json_t *scope; /* owned */
	int64_t cap;   /* usd in pico-dollars */
	const char *policy;
	bool calibrate; /* a rate follows what the provider's headers say */
};

struct batch_settings {
	size_t max_lines;
	size_t max_bytes;
	nsec max_age; /* a batch waits so long for company */
	nsec poll;
	nsec retry;	 /* after a submission that was refused for now */
	nsec adopt_wait; /* a submission of unknown fate is looked for so long … */
	int adopt_looks; /* … and so often, at least */
	nsec rescue_before;
	int64_t max_enqueued_tokens; /* of one model; 0: any number */
	const char *dir;
	const char *listen; /* as worker.listen, of `sluice batch` */
};

struct api_settings {
	const char *listen;
	size_t max_connections;
	size_t max_per_address; /* 0: no limit of its own */
	nsec idle_timeout;
	size_t max_body;
	size_t max_upload;
	const char *cert_file; /* "": no TLS */
	const char *key_file;
	const json_t *models; /* object: a model's name, or "*", to a tier or a candidate */
	const json_t *webhook_secrets; /* array of texts, the current one first */
	bool webhook_private;	       /* webhooks may go to private addresses */
};

struct alert_settings {
	const char *webhook; /* "": only into the table */
	double hour_factor;  /* of these a 0 is: not looked at */
	double burst_factor;
	double request_usd;
	double share_factor;
	double min_usd;
	int64_t min_calls;
};

struct config {
	json_t *tree; /* owned, with secrets resolved; everything borrows from it */
	struct kafka_settings kafka;
	struct postgres_settings postgres;
	struct worker_settings worker;
	struct batch_settings batch;
	struct api_settings api;
	struct alert_settings alerts;
	struct endpoint *endpoints;
	size_t endpoint_count;
	struct tier *tiers; /* cheapest first */
	size_t tier_count;
	struct task *tasks; /* [0] are the defaults */
	size_t task_count;
	struct allowance_setting *allowances;
	size_t allowance_count;
	const json_t *routing; /* weights, thresholds and rules: see routing.h */
};

/* Reads and checks a file; NULL path: $SLUICE_CONFIG, ./sluice.yaml, /etc/sluice/sluice.yaml, else
 * the built-in default. */
struct config *config_load(const char *path, struct error *err) MUST_USE;

/* The file config_load() would read; NULL: none, the built-in default. */
const char *config_find(const char *path);

/* The text of the built-in default: a start for a file of one's own. */
const char *config_built_in(void);

/* The same from bytes; `name` is what errors call it. */
struct config *config_read(const char *name, const char *yaml, size_t len,
			   struct error *err) MUST_USE;
void config_destroy(struct config *config);
AUTO_DEFINE(struct config, config_destroy)

const struct tier *config_tier(const struct config *config, const char *name); /* NULL: none */
const struct task *config_task(const struct config *config, const char *name); /* never NULL */

/* Whether it is the candidate called "provider/model". */
bool candidate_is(const struct candidate *candidate, const char *name);

/* The candidate of that name in this tier. NULL: none. */
const struct candidate *tier_candidate(const struct tier *tier, const char *name);

/* The cheapest tier with the candidate of that name. NULL: none. */
const struct tier *config_candidate_tier(const struct config *config, const char *name);

/* Where a model's name of OpenAI's shape leads. */
struct model_place {
	const struct tier *tier; /* NULL: nowhere */
	const char *candidate;	 /* "provider/model", the only one of the tier; NULL: any */
};

/*
 * What api.models says, else the cheapest tier with a candidate of that model (aliases count), else
 * the tier of that name, else what api.models says of "*".
 */
struct model_place config_model(const struct config *config, const char *model);
const struct endpoint *config_endpoint(const struct config *config, const char *name);

/* Whether a job may have its outcome copied to that topic. */
bool config_allows_reply(const struct config *config, const char *topic);

/* The effective configuration as JSON, secrets masked. The caller's. */
json_t *config_show(const struct config *config);

/* What works but is probably not meant: a provider without a key, ... An array of texts, the
 * caller's. */
json_t *config_notes(const struct config *config);

#endif
