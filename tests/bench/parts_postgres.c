/*
 * The rows of one job, by the statements of the protocol in groups of 100: claim
 * with intent, settle with result, ledger and debt, deletion of the debt.
 */
#include <math.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include "ask.h"
#include "ensure.h"
#include "event.h"
#include "meter.h"
#include "parts.h"
#include "sample.h"
#include "statements.h"
#include "store_claim.h"
#include "store_settle.h"

#define GROUP 100
#define LANES_OPEN 4 /* groups on their way at once, as in a worker */

enum step { STEP_CLAIM, STEP_SETTLE, STEP_PAY };

struct row {
	struct job job; /* borrows all but its id from a sample */
	struct intent intent;
	int32_t day;
	struct uuid event_id;
};

struct group {
	enum step step;
	struct uuid claim_id;
	struct row rows[GROUP];
};

struct bench {
	struct pg *claims, *settles;
	struct uuid owner;
	struct ask asks[SAMPLE_UNITS];
	struct buffer answer; /* stands for the output and for the event about it */
	size_t to_start, open;
	struct group groups[LANES_OPEN];
};

/* --- the three statements --- */

static void send_claim(struct bench *bench, struct group *group)
{
	struct claim_row rows[GROUP];

	group->claim_id = uuid_make();
	for (size_t i = 0; i < GROUP; i++) {
		struct row *row = &group->rows[i];
		const struct ask *ask = &bench->asks[i % SAMPLE_UNITS];

		row->job = *ask->job;
		row->job.id = uuid_make();
		row->intent = (struct intent){
			.attempt_id = uuid_make(),
			.provider = "openai",
			.model = "gpt-4o-mini",
			.credential = "openai",
			.tier = "economy",
			.bound = 1500000000,
		};
		rows[i] = (struct claim_row){
			.job = &row->job,
			.tier = "economy",
			.lane = LANE_NORMAL,
			.bytes = ask->bytes.data,
			.len = ask->bytes.len,
			.headers = "",
			.intent = &row->intent,
		};
	}
	pg_send(bench->claims, "claim",
		store_claim_args(&bench->owner, &group->claim_id, rows, GROUP), group);
}

static char *copy(const struct buffer *bytes)
{
	return xmemdup(bytes->data, bytes->len + 1);
}

static struct settlement *settlement_of(const struct bench *bench, struct row *row)
{
	struct settlement *s = settlement_create();

	*s = (struct settlement){
		.closes = true,
		.attempt_id = row->intent.attempt_id,
		.attempt_day = row->day,
		.attempt_state = "closed",
		.verdict = "accept",
		.purpose = "accepted",
		.reply = "answer",
		.status = 200,
		.answered_model = "gpt-4o-mini-2024-07-18",
		.request_id = "req_0123456789abcdef0123456789abcdef",
		.billed = true,
		.cost = 184500000,
		.usage = {.known = true, .input = 512, .output = 180},
		.decides = true,
		.job_id = row->job.id,
		.epoch = 1,
		.state = "DONE",
		.hop = -1,
		.tier = "economy",
		.reason = "accepted",
		.is_json = true,
		.attempts = 1,
		.confidence = NAN,
		.spent = 184500000,
		.provider = "openai",
		.model = "gpt-4o-mini",
		.output = copy(&bench->answer),
		.output_len = bench->answer.len,
	};
	row->event_id = uuid_make();
	settlement_owe(s, "result", &row->event_id, "sluice.results", row->job.business_unit,
		       xstrdup("{\"sluice-event\":\"result\",\"sluice-run\":\"0\"}"),
		       copy(&bench->answer), bench->answer.len);
	return s;
}

static void send_settle(struct bench *bench, struct group *group)
{
	struct settlement *all[GROUP];

	for (size_t i = 0; i < GROUP; i++)
		all[i] = settlement_of(bench, &group->rows[i]);
	pg_send(bench->settles, "settle", store_settle_args(all, GROUP), group);
	for (size_t i = 0; i < GROUP; i++)
		settlement_destroy(all[i]);
}

static void send_pay(struct bench *bench, struct group *group)
{
	struct pg_args *args = pg_args_create();
	int ids = pg_array(args, PG_UUID);

	for (size_t i = 0; i < GROUP; i++)
		pg_push_uuid(args, ids, &group->rows[i].event_id);
	pg_send(bench->settles, "outbox_paid", args, group);
}

/* --- one after the other, some groups at once --- */

static void begin(struct bench *bench, struct group *group)
{
	if (bench->to_start == 0)
		return;
	bench->to_start--;
	bench->open++;
	group->step = STEP_CLAIM;
	send_claim(bench, group);
}

static bool read_claims(struct group *group, const struct pg_rows *rows, struct error *err)
{
	if (pg_count(rows) != GROUP)
		return error_set(err, ERROR_FATAL, "%d of %d jobs were claimed", pg_count(rows),
				 GROUP);
	for (int i = 0; i < GROUP; i++)
		group->rows[i].day = store_claimed_read(rows, i).day;
	return true;
}

static bool go_on(struct bench *bench, struct group *group, const struct pg_rows *rows,
		  struct error *err)
{
	switch (group->step++) {
	case STEP_CLAIM:
		if (!read_claims(group, rows, err))
			return false;
		send_settle(bench, group);
		return true;
	case STEP_SETTLE:
		if (pg_count(rows) != GROUP)
			return error_set(err, ERROR_FATAL, "%d of %d jobs were settled",
					 pg_count(rows), GROUP);
		send_pay(bench, group);
		return true;
	default:
		bench->open--;
		begin(bench, group);
		return true;
	}
}

static bool serve(struct bench *bench, struct pg *pg, struct error *err)
{
	struct pg_answer answer;

	pg_pump(pg, clock_now());
	while (pg_next(pg, &answer)) {
		AUTO(pg_rows_destroy) struct pg_rows *rows = answer.rows;

		if (!rows) {
			*err = answer.error;
			return false;
		}
		if (!go_on(bench, answer.token, rows, err))
			return false;
	}
	return true;
}

static void await(struct bench *bench)
{
	struct pollfd fds[] = {{.fd = pg_fd(bench->claims)}, {.fd = pg_fd(bench->settles)}};

	fds[0].events = (short)(POLLIN | (pg_wants_write(bench->claims) ? POLLOUT : 0));
	fds[1].events = (short)(POLLIN | (pg_wants_write(bench->settles) ? POLLOUT : 0));
	poll(fds, COUNT_OF(fds), 100);
}

static bool connect(struct bench *bench, struct error *err)
{
	nsec until = clock_now() + 10 * NSEC_PER_SEC;

	while (!pg_ready(bench->claims) || !pg_ready(bench->settles)) {
		if (clock_now() > until)
			return error_set(err, ERROR_RETRY, "Postgres: %s",
					 pg_trouble(bench->claims));
		if (!serve(bench, bench->claims, err) || !serve(bench, bench->settles, err))
			return false;
		await(bench);
	}
	return true;
}

static bool run(struct bench *bench, size_t groups, struct error *err)
{
	bench->to_start = groups;
	for (size_t i = 0; i < LANES_OPEN; i++)
		begin(bench, &bench->groups[i]);
	while (bench->open > 0) {
		if (!serve(bench, bench->claims, err) || !serve(bench, bench->settles, err))
			return false;
		if (bench->open > 0)
			await(bench);
	}
	return true;
}

static bool measure(struct bench *bench, const struct parts_wishes *wishes, struct error *err)
{
	size_t groups = ((size_t)wishes->jobs + GROUP - 1) / GROUP;
	struct meter meter;

	if (!connect(bench, err) || !run(bench, 2 * LANES_OPEN, err)) /* plans are made */
		return false;
	meter_start(&meter, wishes->server);
	if (!run(bench, groups, err))
		return false;
	meter_print(&meter, "postgres", groups * GROUP);
	return true;
}

bool parts_postgres(const struct parts_wishes *wishes, struct error *err)
{
	struct pg_options options = {
		.url = wishes->postgres, .name = "sluice bench", .looks_up = true};
	struct bench *bench = xcalloc(1, sizeof(*bench));
	size_t count;
	const struct pg_statement *statements = statements_all(&count);
	bool ok;

	bench->owner = uuid_make();
	sample_answer(&bench->answer);
	for (size_t i = 0; i < SAMPLE_UNITS; i++)
		ask_init(&bench->asks[i], i);
	bench->claims = pg_create(&options, statements, count);
	bench->settles = pg_create(&options, statements, count);
	ok = measure(bench, wishes, err);
	pg_destroy(bench->claims);
	pg_destroy(bench->settles);
	for (size_t i = 0; i < SAMPLE_UNITS; i++)
		ask_finish(&bench->asks[i]);
	buffer_finish(&bench->answer);
	free(bench);
	return ok;
}
