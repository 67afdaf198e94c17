/* All JSON of one job, by the product's own modules. */
#include <math.h>
#include <string.h>

#include "ask.h"
#include "cascade.h"
#include "ensure.h"
#include "event.h"
#include "meter.h"
#include "parts.h"
#include "provider.h"
#include "sample.h"

#define ATTEMPT "01890a5d-ac96-774b-bcce-b302099a8057"

struct bench {
	struct ask ask;
	struct buffer answer; /* a provider's reply */
	struct reply reply;   /* read */
	size_t jobs;
};

static void read_jobs(struct bench *bench)
{
	for (size_t i = 0; i < bench->jobs; i++)
		job_destroy(ask_read(&bench->ask));
}

static void build_requests(struct bench *bench)
{
	for (size_t i = 0; i < bench->jobs; i++) {
		struct buffer body = {0};

		ask_build(&bench->ask, ATTEMPT, &body);
		buffer_finish(&body);
	}
}

static struct reply read_reply(const struct bench *bench)
{
	struct raw_reply raw = {
		.status = 200,
		.body = bench->answer.data,
		.len = bench->answer.len,
	};
	struct reply reply;

	provider_openai.read(&raw, &reply);
	ENSURE(reply.kind == REPLY_ANSWER);
	return reply;
}

static void read_replies(struct bench *bench)
{
	for (size_t i = 0; i < bench->jobs; i++) {
		struct reply reply = read_reply(bench);

		reply_finish(&reply);
	}
}

static void check_answers(struct bench *bench)
{
	const struct schema *schema = bench->ask.contract->schema;

	for (size_t i = 0; i < bench->jobs; i++) {
		struct schema_errors errors;
		const char *start;
		size_t len;
		struct error err;
		json_auto_t *value = cascade_extract_json(bench->reply.text, bench->reply.len,
							  &start, &len, &err);

		ENSURE(value && schema_check(schema, value, &errors));
	}
}

static void write_events(struct bench *bench)
{
	struct event event = {
		.job = bench->ask.job,
		.outcome = "done",
		.reason = "accepted",
		.detail = "",
		.output = bench->reply.text,
		.output_len = bench->reply.len,
		.is_json = true,
		.confidence = NAN,
		.tier = "economy",
		.lane = "normal",
		.provider = "openai",
		.model = "gpt-4o-mini",
		.attempts = 1,
		.usage = bench->reply.usage,
		.cost = 184500000,
		.finished_at = clock_wall(),
	};

	for (size_t i = 0; i < bench->jobs; i++) {
		struct buffer out = {0};

		event_result(&event, &out);
		buffer_finish(&out);
	}
}

static const struct {
	const char *name;
	void (*run)(struct bench *bench);
} steps[] = {
	{"read_job", read_jobs},	{"build_request", build_requests},
	{"read_reply", read_replies},	{"check_answer", check_answers},
	{"write_result", write_events},
};

bool parts_json(const struct parts_wishes *wishes, struct error *err)
{
	struct bench bench = {.jobs = (size_t)wishes->jobs};

	(void)err;
	ask_init(&bench.ask, 0);
	sample_answer(&bench.answer);
	bench.reply = read_reply(&bench);
	for (size_t i = 0; i < COUNT_OF(steps); i++) {
		struct meter meter;

		meter_start(&meter, 0);
		steps[i].run(&bench);
		meter_print(&meter, steps[i].name, bench.jobs);
	}
	reply_finish(&bench.reply);
	buffer_finish(&bench.answer);
	ask_finish(&bench.ask);
	return true;
}
