/*
 * A line that is submitted becomes a message that is read as the same job, or is refused with
 * words. What follows a line "---" is the idempotency key that came beside it.
 */
#include <stdlib.h>
#include <string.h>

#include "ensure.h"
#include "envelope.h"
#include "fuzz.h"

static const char config_text[] =
	"version: 1\n"
	"kafka: {brokers: 'fuzz:9092', max_message_bytes: 8KiB, reply_prefixes: ['replies.']}\n"
	"postgres: {url: 'postgresql:///fuzz'}\n"
	"providers:\n"
	"  cloud: {dialect: openai, base_url: 'http://127.0.0.1:1/v1', key: k, supports_batch: "
	"true}\n"
	"tiers:\n"
	"  - {name: economy, candidates: [{provider: cloud, model: gpt-4o-mini}]}\n"
	"  - {name: frontier, candidates: [{provider: cloud, model: gpt-4o}]}\n"
	"routing: {thresholds: {frontier: 0.4}}\n";

static struct job_reader *reader;
static struct config *config;
static json_t *defaults;

static void prepare(void)
{
	struct error err;

	reader = job_reader_create(1 << 20);
	config = config_read("fuzz", config_text, strlen(config_text), &err);
	ENSURE(config);
	defaults = json_pack("{s:i, s:s}", "version", 1, "business_unit", "claims");
}

static void look_at(const struct parcel *parcel)
{
	static const struct job_source source = {.cluster = "", .topic = ""};
	struct error err;
	struct job *job = job_read(reader, parcel->bytes.data, parcel->bytes.len, &source, &err);

	ENSURE(job && uuid_equal(&job->id, &parcel->id) && !job->thin);
	ENSURE(strcmp(job->business_unit, parcel->business_unit) == 0);
	ENSURE(parcel->tier && parcel->lane != LANE_AUTO && *parcel->topic);
	ENSURE(parcel->bytes.len <= config->kafka.max_message_bytes);
	job_destroy(job);
}

/* A key that came beside the line names the job, whatever else the line says. */
static void look_at_key(const struct parcel *parcel, const char *key)
{
	struct uuid named = job_id_from_key(parcel->business_unit, key);

	for (const char *p = key; *p; p++)
		if (*p < ' ' || *p > '~')
			return; /* another spelling of it is in the message */
	ENSURE(uuid_equal(&named, &parcel->id));
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	struct fuzz_halves halves = fuzz_split(bytes, len);
	AUTO(xfree) char *line = xmemdup(halves.first, halves.first_len);
	AUTO(xfree)
	char *key = halves.second_len > 0 ? xstrndup(halves.second, halves.second_len) : NULL;
	struct envelope_rules rules = {.route = true, .key = key && *key ? key : NULL};
	struct parcel parcel;
	struct error err;

	if (!config)
		prepare();
	rules.config = config;
	rules.reader = reader;
	rules.defaults = defaults;
	if (!envelope_pack(&rules, line, halves.first_len, FUZZ_WALL, &parcel, &err)) {
		ENSURE(err.kind == ERROR_REJECT && *err.text);
	} else {
		look_at(&parcel);
		if (rules.key)
			look_at_key(&parcel, rules.key);
	}
	parcel_finish(&parcel);
	return 0;
}
