/* The options of `sluice submit`, and what they make of a job. */
#ifndef SLUICE_CLI_SUBMIT_WISHES_H
#define SLUICE_CLI_SUBMIT_WISHES_H

#include <stdbool.h>

#include "arguments.h"
#include "clock.h"
#include "error.h"
#include "json.h"

struct submit_wishes {
	struct arguments common;
	const char *prompt;
	const char *system;
	const char *business_unit;
	const char *feature;
	const char *environment;
	const char *usage_tier;
	const char *user;
	const char *task;
	const char *idempotency_key;
	const char *schema;
	const char *tier;
	const char *max_tier;
	const char *candidate;
	const char *lane;
	const char *quality;
	const char *data_class;
	nsec deadline; /* from now; 0: none */
	double max_cost;
	int64_t max_output_tokens;
	double temperature; /* NAN: not asked for */
	const char *reply_topic;
	const char *webhook;
	struct words metadata;
	bool free_plan;
	bool route;
	bool skip_bad;
	bool dry_run;
};

extern const struct argument_form submit_form;

/* The members that lines without them get. The caller's. NULL with an error that names the option.
 */
json_t *submit_defaults(const struct submit_wishes *wishes, nsec wall, struct error *err);

/* The one job of --prompt, without the defaults. The caller's. */
json_t *submit_single(const struct submit_wishes *wishes);

#endif
