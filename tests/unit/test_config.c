#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "buffer.h"
#include "embedded.h"
#include "ensure.h"
#include "unit.h"
#include "yaml.h"

/* The least that is a configuration. */
#define LEAST                                                 \
	"providers:\n"                                        \
	"  house: {dialect: openai, base_url: http://h/v1}\n" \
	"tiers:\n"                                            \
	"  - name: economy\n"                                 \
	"    candidates: [{provider: house, model: m}]\n"

static struct config *read_text(const char *text, struct error *err)
{
	return config_read("t.yaml", text, strlen(text), err);
}

static struct config *must_read(const char *text)
{
	struct error err = {0};
	struct config *config = read_text(text, &err);

	ck_assert_msg(config != NULL, "%s\n%s", text, err.text);
	return config;
}

START_TEST(the_built_in_default_is_a_configuration)
{
	struct config *config = must_read(config_built_in());
	const struct tier *economy = config_tier(config, "economy");

	ck_assert_uint_eq(config->tier_count, 3);
	ck_assert_uint_eq(config->endpoint_count, 2);
	ck_assert_ptr_nonnull(economy);
	ck_assert_uint_eq(economy->rank, 0);
	ck_assert_str_eq(economy->candidates[0].model, "gpt-4o-mini"); /* by its alias */
	ck_assert(economy->candidates[0].traits.known);
	ck_assert_str_eq(economy->candidates[0].endpoint->name, "openai");
	ck_assert_str_eq(config_task(config, "classify")->tier, "economy");
	for (size_t i = 0; i < config->tier_count; i++)
		for (size_t k = 0; k < config->tiers[i].candidate_count; k++)
			ck_assert_msg(config->tiers[i].candidates[k].traits.known, "%s is unknown",
				      config->tiers[i].candidates[k].model);
	config_destroy(config);
}
END_TEST

START_TEST(what_is_left_out_has_its_default)
{
	struct config *config = must_read(LEAST);

	unsetenv("SLUICE_KAFKA_BROKERS");
	ck_assert_str_eq(config->kafka.brokers, "localhost:9092");
	ck_assert_str_eq(config->kafka.prefix, "sluice");
	ck_assert_uint_eq(config->kafka.max_message_bytes, 1 << 20);
	ck_assert_uint_eq(config->worker.max_in_flight, 256);
	ck_assert(config->worker.grace == 30 * NSEC_PER_SEC);
	ck_assert(config->worker.max_job_age == 0);
	ck_assert(config->worker.throttled.first == NSEC_PER_SEC);
	ck_assert_int_eq(config->worker.unavailable.max_tries, 3);
	ck_assert_double_eq(config->worker.breaker_share, 0.5);
	ck_assert(config->endpoints[0].total_timeout == 600 * NSEC_PER_SEC);
	ck_assert_str_eq(config->endpoints[0].key, "");
	ck_assert_uint_eq(config->tiers[0].candidates[0].weight, 1);
	ck_assert_str_eq(config->tiers[0].pick, "weighted");
	ck_assert_uint_eq(config->task_count, 1);
	ck_assert_double_eq(config->tasks[0].min_confidence, 0.85);
	ck_assert(config->tasks[0].refusal_escalates);
	ck_assert_double_eq(
		json_number_or(json_object_get(config->routing, "weights"), "complexity", 0), 0.4);
	config_destroy(config);
}
END_TEST

START_TEST(the_example_sets_every_setting)
{
	struct config *config = must_read(embedded_text("schemas/examples/config.json"));
	const struct task *task = config_task(config, "extract-invoice");
	const struct candidate *small = &config->tiers[0].candidates[0];

	ck_assert_uint_eq(config->worker.park_rows_per_unit, 5000);
	ck_assert(config->worker.max_job_age == 7 * 86400 * NSEC_PER_SEC);
	ck_assert_uint_eq(config->kafka.max_message_bytes, 4 << 20);
	ck_assert_str_eq(json_text(config->kafka.options, "socket.keepalive.enable", ""), "true");
	ck_assert_str_eq(small->model, "qwen3-8b-instruct");
	ck_assert(small->traits.known && small->traits.gives_logprobs);
	ck_assert_int_eq(small->traits.output, OUTPUT_OPENAI_SCHEMA);
	ck_assert_int_eq(small->traits.context_window, 32768);
	ck_assert(small->endpoint->self_hosted && !small->endpoint->sends_limits);
	ck_assert(task->max_cost == PICO_PER_USD / 20);
	ck_assert_str_eq(task->confidence_field, "/confidence");
	ck_assert(task->cache_ttl == 3600 * NSEC_PER_SEC);
	ck_assert(task->degraded_allowed && task->needs_confidence);
	ck_assert_ptr_nonnull(task->output_schema);
	config_destroy(config);
}
END_TEST

START_TEST(a_task_inherits_what_it_does_not_say)
{
	struct config *config = must_read(LEAST "defaults: {max_repairs: 5, max_cost_usd: 0.5}\n"
						"tasks: {one: {max_attempts: 3}}\n");
	const struct task *one = config_task(config, "one");

	ck_assert_int_eq(one->max_attempts, 3);
	ck_assert_int_eq(one->max_repairs, 5);
	ck_assert(one->max_cost == PICO_PER_USD / 2);
	ck_assert_double_eq(one->min_confidence, 0.85);
	ck_assert_ptr_eq(config_task(config, "another"), &config->tasks[0]);
	ck_assert_ptr_eq(config_task(config, ""), &config->tasks[0]);
	config_destroy(config);
}
END_TEST

START_TEST(settings_come_from_the_environment)
{
	struct config *config;

	setenv("T_KEY", "sk-123", 1);
	setenv("T_FLIGHT", "1_00", 1);
	setenv("T_GRACE", "7s", 1);
	setenv("T_FLAG", "true", 1);
	setenv("T_SHARE", "0.25", 1);
	config = must_read("providers:\n"
			   "  a: {dialect: openai, base_url: 'http://h/v1//', key: '${T_KEY}',\n"
			   "      self_hosted: '${T_FLAG}'}\n"
			   "tiers: [{name: t, candidates: [{provider: a, model: m}]}]\n"
			   "worker: {max_in_flight: '${T_FLIGHT}', grace: '${T_GRACE}',\n"
			   "         breaker: {share: '${T_SHARE}'}}\n");
	ck_assert_str_eq(config->endpoints[0].key, "sk-123");
	ck_assert_str_eq(config->endpoints[0].base_url, "http://h/v1");
	ck_assert(config->endpoints[0].self_hosted);
	ck_assert_uint_eq(config->worker.max_in_flight, 100);
	ck_assert(config->worker.grace == 7 * NSEC_PER_SEC);
	ck_assert_double_eq(config->worker.breaker_share, 0.25);
	config_destroy(config);
}
END_TEST

START_TEST(what_the_environment_brings_is_checked)
{
	struct error err = {0};

	setenv("T_FLIGHT", "9999", 1);
	ck_assert_ptr_null(read_text(LEAST "worker:\n  max_in_flight: ${T_FLIGHT}\n", &err));
	ck_assert_msg(!strncmp(err.text, "t.yaml:7:18: /worker/max_in_flight must be", 42), "%s",
		      err.text);
	setenv("T_FLIGHT", "many", 1);
	ck_assert_ptr_null(read_text(LEAST "worker:\n  max_in_flight: ${T_FLIGHT}\n", &err));
	ck_assert_msg(strstr(err.text, "a whole number such as 500"), "%s", err.text);
	unsetenv("T_FLIGHT");
	ck_assert_ptr_null(read_text(LEAST "worker:\n  max_in_flight: ${T_FLIGHT}\n", &err));
	ck_assert_str_eq(err.text,
			 "t.yaml:7:18: /worker/max_in_flight: environment variable T_FLIGHT is not "
			 "set; set it, or write ${T_FLIGHT:-fallback}");
}
END_TEST

/* What is added to the least, and how the error must begin. Line 6 is the first added one. */
static const struct {
	const char *added;
	const char *error;
} refusals[] = {
	{"kafak: {}\n", "t.yaml:6:1: /kafak is no setting; did you mean \"kafka\"?"},
	{"worker:\n  max_inflight: 5\n",
	 "t.yaml:7:3: /worker/max_inflight is no setting; did you mean \"max_in_flight\"?"},
	{"worker: {zzz: 5}\n", "t.yaml:6:10: /worker/zzz is no setting"},
	{"worker: {grace: 30}\n",
	 "t.yaml:6:17: /worker/grace must be a duration such as 100ms, 30s, 5m, 2h or 7d"},
	{"worker: {grace: 30 s}\n", "t.yaml:6:17: /worker/grace must be a duration"},
	{"worker: {grace: 99999999d}\n", "t.yaml:6:17: /worker/grace must be a duration"},
	{"worker: {max_in_flight: 0}\n", "t.yaml:6:25: /worker/max_in_flight must be"},
	{"worker: {max_in_flight: 513}\n", "t.yaml:6:25: /worker/max_in_flight must be"},
	{"worker: {max_in_flight: 2.5}\n",
	 "t.yaml:6:25: /worker/max_in_flight must be a whole number"},
	{"worker: {normal_share: 101}\n", "t.yaml:6:24: /worker/normal_share must be"},
	{"worker: {park_rows_per_unit: 9, park_rows_total: 8}\n",
	 "t.yaml:6:30: /worker/park_rows_per_unit must be at most park_rows_total (8)"},
	{"worker: {listen: '0.0.0.0:80'}\n", "t.yaml:6:18: /worker/listen is open to the network"},
	{"worker: {listen: here}\n", "t.yaml:6:18: /worker/listen must be host:port"},
	{"worker: {throttled: {first: 2m}}\n", "t.yaml:6:22: /worker/throttled: first must be"},
	{"worker: {breaker: {window: 0}}\n", "t.yaml:6:28: /worker/breaker/window must be above 0"},
	{"kafka: {max_message_bytes: 1MB}\n",
	 "t.yaml:6:28: /kafka/max_message_bytes must be a size such as"},
	{"kafka: {options: {group.id: x}}\n", "t.yaml:6:19: /kafka/options"},
	{"kafka: {options: {enable.auto.commit: true}}\n", "t.yaml:6:19: /kafka/options"},
	{"kafka: {options: {plugin.library.paths: x}}\n", "t.yaml:6:19: /kafka/options"},
	{"kafka: {options: {sasl.kerberos.kinit.cmd: x}}\n", "t.yaml:6:19: /kafka/options"},
	{"kafka: {reply_prefixes: [ok., slu]}\n",
	 "t.yaml:6:31: prefix \"slu\" would let a job reply to our own topic sluice.intake"},
	{"kafka: {reply_prefixes: [sluice.economy.]}\n",
	 "t.yaml:6:26: prefix \"sluice.economy.\" would let a job reply"},
	{"limits: [{provider: mars, requests_per_minute: 1}]\n",
	 "t.yaml:6:21: provider \"mars\" is not configured"},
	{"limits: [{provider: house, requests_per_minute: 0}]\n",
	 "t.yaml:6:49: /limits/0/requests_per_minute must be"},
	{"budgets: [{usd: -1}]\n", "t.yaml:6:17: /budgets/0/usd must be"},
	{"budgets: [{usd: 1, at_stop: cry}]\n", "t.yaml:6:29: /budgets/0/at_stop must be"},
	{"postgres: {url: ''}\n", "t.yaml:6:17: /postgres/url must"},
	{"postgres: {lock_timeout: 0}\n", "t.yaml:6:26: /postgres/lock_timeout must be above 0"},
	{"defaults: {tier: gold}\n", "t.yaml:6:18: tier \"gold\" is not configured"},
	{"tasks: {one: {tier: gold}}\n", "t.yaml:6:21: tier \"gold\" is not configured"},
	{"tasks: {one: {min_confidence: 2}}\n", "t.yaml:6:31: /tasks/one/min_confidence must be"},
	{"tasks: {one: {output_schema: {type: text}}}\n", "t.yaml:6:31: /tasks/one/output_schema:"},
	{"tasks: {one: {output_schema: {type: object}, static_answer: '[]'}}\n",
	 "t.yaml:6:61: /tasks/one/static_answer does not fit the task's schema"},
	{"tasks: {one: {output_schema: {type: object}, static_answer: sorry}}\n",
	 "t.yaml:6:61: /tasks/one/static_answer does not fit the task's schema: not JSON"},
	{"tasks: {one: {max_cost_usd: -1}}\n", "t.yaml:6:29: /tasks/one/max_cost_usd must be"},
	{"routing: {weights: {complexity: 0, quality: 0, latency: 0, context: 0}}\n",
	 "t.yaml:6:21: the weights of the signals are all 0"},
	{"routing: {weights: {complexity: -1}}\n",
	 "t.yaml:6:33: /routing/weights/complexity must be"},
	{"routing: {thresholds: {gold: 0.5}}\n", "t.yaml:6:30: tier \"gold\" is not configured"},
	{"routing: {rules: [{match: {task: x}, tier: gold}]}\n",
	 "t.yaml:6:44: tier \"gold\" is not configured"},
	{"routing: {rules: [{match: {task: x}}]}\n", "t.yaml:6:20: /routing/rules/0 must"},
	{"routing: {rules: [{match: {taks: x}, tier: economy}]}\n",
	 "t.yaml:6:28: /routing/rules/0/match/taks is no setting; did you mean \"task\"?"},
	{"aliases: {a: b, b: c}\n", "t.yaml:6:14: \"b\" is an alias itself"},
	{"api: {models: {gpt-4: gold}}\n",
	 "t.yaml:6:23: /api/models/gpt-4: tier \"gold\" is not configured"},
	{"api: {models: {gpt-4: house/n}}\n",
	 "t.yaml:6:23: /api/models/gpt-4: no tier has the candidate \"house/n\" (provider/model)"},
	{"api: {models: {gpt-4: house/}}\n", "t.yaml:6:23: /api/models/gpt-4 must"},
	{"version: 2\n", "t.yaml:6:10: /version must be"},
	{"tiers: []\n", "t.yaml:6:1: duplicate key"},
};

START_TEST(what_is_wrong_is_shown_where_it_stands)
{
	for (size_t i = 0; i < COUNT_OF(refusals); i++) {
		char *text = xasprintf("%s%s", LEAST, refusals[i].added);
		struct error err = {0};
		struct config *config = read_text(text, &err);

		ck_assert_msg(!config, "%s was accepted", refusals[i].added);
		ck_assert_msg(!strncmp(err.text, refusals[i].error, strlen(refusals[i].error)),
			      "%s gave\n%s, not\n%s", refusals[i].added, err.text,
			      refusals[i].error);
		free(text);
	}
}
END_TEST

static const struct {
	const char *whole;
	const char *error;
} wholes[] = {
	{"[]\n", "t.yaml:1:1: the file must be"},
	{"tiers: []\n", "t.yaml:1:1: the file "},
	{"tires: []\nproviders: {}\n", "t.yaml:1:1: /tires is no setting; did you mean \"tiers\"?"},
	{"providers: {}\ntiers: []\n", "t.yaml:1:"},
	{"providers:\n  a: {dialect: gemini, base_url: http://h}\ntiers: [{name: t, candidates: "
	 "[{provider: a, model: m}]}]\n",
	 "t.yaml:2:16: /providers/a/dialect must be"},
	{"providers:\n  a: {dialect: openai, base_url: ftp://h}\ntiers: [{name: t, candidates: "
	 "[{provider: a, model: m}]}]\n",
	 "t.yaml:2:34: /providers/a/base_url "},
	{"providers:\n  a: {dialect: openai, base_url: http://h}\ntiers: [{name: t, candidates: "
	 "[{provider: b, model: m}]}]\n",
	 "t.yaml:3:43: provider \"b\" is not configured"},
	{"providers:\n  a: {dialect: openai, base_url: http://h}\ntiers: [{name: auto, candidates: "
	 "[{provider: a, model: m}]}]\n",
	 "t.yaml:3:16: /tiers/0/name "},
	{"providers:\n  a: {dialect: openai, base_url: http://h}\ntiers: [{name: t, candidates: "
	 "[]}]\n",
	 "t.yaml:3:19: /tiers/0/candidates must"},
	{"providers:\n  a: {dialect: openai, base_url: http://h}\ntiers: [{name: t, candidates: "
	 "[{provider: a, model: m}, {provider: a, model: m}]}]\n",
	 "t.yaml:3:58: m of a is already a candidate"},
	{"providers:\n  a: {dialect: openai, base_url: http://h}\ntiers:\n"
	 "- {name: t, candidates: [{provider: a, model: m}]}\n"
	 "- {name: t, candidates: [{provider: a, model: n}]}\n",
	 "t.yaml:5:10: a second tier is named \"t\""},
	{"providers:\n  a: {dialect: openai, base_url: http://h}\ntiers:\n"
	 "- {name: t, candidates: [{provider: a, model: m}]}\n"
	 "- {name: u, candidates: [{provider: a, model: n}]}\n"
	 "- {name: v, candidates: [{provider: a, model: o}]}\n"
	 "routing: {thresholds: {u: 0.7, v: 0.7}}\n",
	 "t.yaml:7:35: must be above that of tier \"u\""},
};

START_TEST(a_file_that_cannot_work_is_refused)
{
	for (size_t i = 0; i < COUNT_OF(wholes); i++) {
		struct error err = {0};

		ck_assert_msg(!read_text(wholes[i].whole, &err), "%s was accepted",
			      wholes[i].whole);
		ck_assert_msg(!strncmp(err.text, wholes[i].error, strlen(wholes[i].error)),
			      "%s gave\n%s, not\n%s", wholes[i].whole, err.text, wholes[i].error);
	}
}
END_TEST

START_TEST(secrets_are_never_shown)
{
	struct config *config;
	json_t *shown;
	char *text;

	setenv("T_KEY", "sk-very-secret", 1);
	config = must_read("providers:\n"
			   "  a: {dialect: openai, base_url: 'https://u:very-secret@h/v1',\n"
			   "      key: '${T_KEY}'}\n"
			   "tiers: [{name: t, candidates: [{provider: a, model: m}]}]\n"
			   "postgres: {url: 'postgresql://u:very-secret@h/d'}\n"
			   "worker: {listen_token: very-secret}\n"
			   "api: {webhook_secrets: [very-secret, also-very-secret]}\n"
			   "kafka: {options: {sasl.username: me, sasl.password: very-secret}}\n");
	shown = config_show(config);
	text = json_write(shown);
	ck_assert_msg(!strstr(text, "very-secret"), "%s", text);
	ck_assert_msg(strstr(text, "postgresql://u:***@h/d"), "%s", text);
	ck_assert_msg(strstr(text, "\"sasl.username\":\"me\""), "%s", text);
	ck_assert_str_eq(config->endpoints[0].key, "sk-very-secret");
	free(text);
	json_decref(shown);
	config_destroy(config);
}
END_TEST

START_TEST(what_is_shown_can_be_read_again)
{
	struct config *config = must_read(config_built_in()), *again;
	json_t *shown = config_show(config);
	AUTO_FINISH(buffer_finish) struct buffer text = {0};

	ck_assert(yaml_write(&text, shown));
	again = must_read(text.data);
	ck_assert_uint_eq(again->tier_count, config->tier_count);
	ck_assert(json_equal(again->routing, config->routing));
	config_destroy(again);
	config_destroy(config);
	json_decref(shown);
}
END_TEST

/* Whether some note holds both texts. */
static bool is_noted(const json_t *notes, const char *one, const char *other)
{
	json_t *note;
	size_t i;

	json_array_foreach ((json_t *)notes, i, note) {
		const char *text = json_string_value(note);

		if (strstr(text, one) && strstr(text, other))
			return true;
	}
	return false;
}

START_TEST(what_is_probably_not_meant_is_noted)
{
	struct config *config = must_read(
		"providers:\n"
		"  bare: {dialect: openai, base_url: https://h/v1}\n"
		"  open: {dialect: openai, base_url: http://h/v1, key: k}\n"
		"  idle: {dialect: openai, base_url: https://h/v1, key: k}\n"
		"tiers:\n"
		"- {name: t, candidates: [{provider: bare, model: no-such-model},\n"
		"   {provider: open, model: gpt-4o-mini}]}\n");
	json_t *notes = config_notes(config);

	ck_assert(is_noted(notes, "provider bare", "no key"));
	ck_assert(!is_noted(notes, "provider open", "no key"));
	ck_assert(is_noted(notes, "provider open", "plain http"));
	ck_assert(is_noted(notes, "no-such-model", "nothing is known"));
	ck_assert(!is_noted(notes, "gpt-4o-mini", "nothing is known"));
	ck_assert(is_noted(notes, "tier t", "batch API"));
	ck_assert(is_noted(notes, "self-hosted", "restricted"));
	ck_assert(is_noted(notes, "provider idle", "in no tier"));
	ck_assert(!is_noted(notes, "provider open", "in no tier"));
	json_decref(notes);
	config_destroy(config);
}
END_TEST

START_TEST(the_example_leaves_nothing_to_note)
{
	struct config *config;
	json_t *notes;

	setenv("OPENAI_API_KEY", "k", 1);
	config = must_read(embedded_text("schemas/examples/config.json"));
	notes = config_notes(config);
	ck_assert_uint_eq(json_array_size(notes), 0);
	json_decref(notes);
	config_destroy(config);
	unsetenv("OPENAI_API_KEY");
}
END_TEST

START_TEST(limits_and_budgets_become_allowances)
{
	struct config *config = must_read(LEAST
					  "limits:\n"
					  "  - {provider: house, model: 'm*', requests_per_minute: "
					  "3000, tokens_per_minute: 1_000}\n"
					  "budgets:\n"
					  "  - {match: {business_unit: search, plan: free}, per: "
					  "day, usd: 2.5, at_stop: dead}\n"
					  "  - {calls: 40}\n");
	const struct allowance_setting *a = config->allowances;

	ck_assert_uint_eq(config->allowance_count, 4);
	ck_assert_str_eq(a[0].kind, "rate");
	ck_assert_str_eq(a[0].unit, "requests");
	ck_assert_int_eq(a[0].cap, 3000);
	ck_assert(a[0].calibrate);
	ck_assert_str_eq(json_text(a[0].scope, "model", ""), "m*");
	ck_assert_str_eq(a[1].unit, "tokens");
	ck_assert_str_eq(a[2].kind, "balance");
	ck_assert_str_eq(a[2].unit, "usd");
	ck_assert_str_eq(a[2].period, "day");
	ck_assert_str_eq(a[2].policy, "dead");
	ck_assert_int_eq(a[2].cap, 2500000000000);
	ck_assert_str_eq(json_text(a[2].scope, "plan", ""), "free");
	ck_assert_str_eq(a[3].period, "none");
	ck_assert_str_eq(a[3].policy, "park");
	ck_assert_uint_eq(json_object_size(a[3].scope), 0);
	config_destroy(config);
}
END_TEST

START_TEST(a_reply_topic_needs_an_allowed_prefix)
{
	struct config *config = must_read(LEAST "kafka: {reply_prefixes: [a.replies., b-]}\n");

	ck_assert(config_allows_reply(config, "a.replies.x"));
	ck_assert(config_allows_reply(config, "b-y"));
	ck_assert(!config_allows_reply(config, "sluice.intake"));
	ck_assert(!config_allows_reply(config, "a.replie"));
	config_destroy(config);
}
END_TEST

START_TEST(a_models_name_leads_to_a_tier_or_to_one_candidate)
{
	struct config *config = must_read(LEAST
					  "aliases: {mine: m}\n"
					  "api: {models: {gpt-4: economy, gpt-5: house/m}}\n");
	struct model_place place = config_model(config, "gpt-4");

	ck_assert_str_eq(place.tier->name, "economy");
	ck_assert_ptr_null(place.candidate);
	place = config_model(config, "gpt-5");
	ck_assert_str_eq(place.tier->name, "economy");
	ck_assert_str_eq(place.candidate, "house/m");
	ck_assert(candidate_is(tier_candidate(place.tier, place.candidate), "house/m"));
	ck_assert_ptr_null(config_model(config, "mine").candidate);
	ck_assert_str_eq(config_model(config, "economy").tier->name, "economy");
	ck_assert_ptr_null(config_model(config, "house/m").tier);
	config_destroy(config);
}
END_TEST

START_TEST(a_file_is_found_and_named)
{
	char path[] = "/tmp/sluice-config-XXXXXX";
	int fd = mkstemp(path);
	struct error err = {0};
	struct config *config;

	ck_assert_int_eq(write(fd, LEAST, strlen(LEAST)), (ssize_t)strlen(LEAST));
	close(fd);
	setenv("SLUICE_CONFIG", path, 1);
	ck_assert_str_eq(config_find(NULL), path);
	ck_assert_str_eq(config_find("other"), "other");
	config = config_load(NULL, &err);
	ck_assert_msg(config != NULL, "%s", err.text);
	config_destroy(config);
	unlink(path);
	ck_assert_ptr_null(config_load(NULL, &err));
	ck_assert_msg(strstr(err.text, path) && strstr(err.text, "No such file"), "%s", err.text);
	ck_assert_ptr_null(config_load("/", &err));
	unsetenv("SLUICE_CONFIG");
}
END_TEST

UNIT_TESTS(config, the_built_in_default_is_a_configuration, what_is_left_out_has_its_default,
	   the_example_sets_every_setting, a_task_inherits_what_it_does_not_say,
	   settings_come_from_the_environment, what_the_environment_brings_is_checked,
	   what_is_wrong_is_shown_where_it_stands, a_file_that_cannot_work_is_refused,
	   secrets_are_never_shown, what_is_shown_can_be_read_again,
	   what_is_probably_not_meant_is_noted, the_example_leaves_nothing_to_note,
	   limits_and_budgets_become_allowances, a_reply_topic_needs_an_allowed_prefix,
	   a_models_name_leads_to_a_tier_or_to_one_candidate, a_file_is_found_and_named)
