/* Any job that can be read is sent to a tier that is configured, or refused; the decision is JSON.
 */
#include <stdlib.h>
#include <string.h>

#include "ensure.h"
#include "fuzz.h"
#include "routing.h"

static const char config_text[] =
	"version: 1\n"
	"kafka: {brokers: 'fuzz:9092'}\n"
	"postgres: {url: 'postgresql:///fuzz'}\n"
	"providers:\n"
	"  cloud: {dialect: openai, base_url: 'http://127.0.0.1:1/v1', key: k, supports_batch: "
	"true}\n"
	"  house: {dialect: openai, base_url: 'http://127.0.0.1:2/v1', self_hosted: true}\n"
	"tiers:\n"
	"  - {name: economy, candidates: [{provider: house, model: small, traits: {context_window: "
	"2048}}]}\n"
	"  - {name: frontier, candidates: [{provider: cloud, model: gpt-4o-mini}]}\n"
	"tasks: {extract: {tier: economy}}\n"
	"routing:\n"
	"  weights: {complexity: 0.4, quality: 0.3, latency: 0.1, context: 0.2}\n"
	"  thresholds: {frontier: 0.4}\n"
	"  rules:\n"
	"    - {match: {task: 'ex*', plan: free}, complexity: 0.2, max_tier: economy}\n"
	"    - {match: {business_unit: 'c*s'}, add: 0.3, lane: batch}\n";

static void decide(const struct config *config, const struct job *job)
{
	AUTO_FINISH(buffer_finish) struct buffer text = {0};
	struct routing_decision decision;
	struct error err;

	if (!routing_decide(config, job, NULL, FUZZ_WALL, &decision, &err)) {
		ENSURE(err.kind == ERROR_REJECT && *err.text);
		return;
	}
	ENSURE(config_tier(config, decision.tier->name) == decision.tier &&
	       decision.lane != LANE_AUTO);
	ENSURE(decision.score >= 0 && decision.score <= 1 && decision.tokens >= 0);
	routing_write(&decision, &text);

	json_auto_t *shown = json_read(text.data, text.len, JSON_OURS, &err);

	ENSURE(shown && json_is_object(shown));
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	static const struct job_source source = {.cluster = "C", .topic = "t"};
	static struct job_reader *reader;
	static struct config *config;
	struct error err;
	struct job *job;

	if (!reader) {
		reader = job_reader_create(1 << 20);
		config = config_read("fuzz", config_text, strlen(config_text), &err);
		ENSURE(config);
	}
	job = job_read(reader, (const char *)bytes, len, &source, &err);
	if (job && !job->thin)
		decide(config, job);
	job_destroy(job);
	return 0;
}
