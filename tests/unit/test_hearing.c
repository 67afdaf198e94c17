#include "hearing.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "ensure.h"
#include "unit.h"

#define CONFIG                                                            \
	"providers:\n"                                                    \
	"  house: {dialect: openai, base_url: http://h/v1}\n"             \
	"defaults: {max_attempts: 2, cache_ttl: 1h}\n"                    \
	"worker: {unavailable: {first: 1s, longest: 1s, max_tries: 9}}\n" \
	"tiers:\n"                                                        \
	"  - name: economy\n"                                             \
	"    candidates: [{provider: house, model: m}]\n"                 \
	"  - name: frontier\n"                                            \
	"    candidates: [{provider: house, model: m}, {provider: house, model: n}]\n"

#define JOB_WITH(more)                                                                  \
	"{\"version\":1,\"idempotency_key\":\"k\",\"business_unit\":\"u\",\"prompt\":{" \
	"\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}]" more "}}"
#define JOB JOB_WITH("")
#define PINNED_JOB JOB_WITH("},\"routing\":{\"candidate\":\"house/m\"")
#define TOOL_JOB JOB_WITH(",\"tools\":[{\"type\":\"function\",\"function\":{\"name\":\"look\"}}]")

struct room {
	struct config *config;
	struct job_reader *reader;
	struct price_book prices;
	struct court court;
	struct job *job;
	struct memo memo;
	struct intent intent;
	struct hearing hearing;
	struct settlement *settlement;
	struct sequel sequel;
};

static void room_init_for(struct room *room, const char *job)
{
	struct job_source nowhere = {.cluster = "", .topic = ""};
	struct error err;

	*room = (struct room){.config = config_read("t", CONFIG, strlen(CONFIG), &err)};
	ck_assert_msg(room->config != NULL, "%s", err.text);
	room->court = (struct court){.config = room->config,
				     .prices = &room->prices,
				     .mode = MODE_SYNC,
				     .results_topic = "results",
				     .dead_topic = "dead"};
	room->reader = job_reader_create(10000);
	room->job = job_read(room->reader, job, strlen(job), &nowhere, &err);
	ck_assert_msg(room->job != NULL, "%s", err.text);
	room->hearing = (struct hearing){.job = room->job,
					 .headers = "",
					 .tier = &room->config->tiers[0],
					 .lane = LANE_NORMAL,
					 .memo = &room->memo,
					 .intent = &room->intent,
					 .left = clock_wall(),
					 .candidate = &room->config->tiers[0].candidates[0]};
}

static void room_init(struct room *room)
{
	room_init_for(room, JOB);
}

static void room_finish(struct room *room)
{
	settlement_destroy(room->settlement);
	memo_finish(&room->memo);
	job_destroy(room->job);
	job_reader_destroy(room->reader);
	config_destroy(room->config);
}

static void judge_reply(struct room *room, struct reply *reply)
{
	settlement_destroy(room->settlement);
	room->settlement = settlement_create();
	hearing_judge(&room->court, &room->hearing, reply, room->settlement, &room->sequel);
	hearing_tell(&room->court, &room->hearing, room->settlement);
	reply_finish(reply);
}

static void judge(struct room *room, enum reply_kind kind)
{
	struct reply reply = {.kind = kind, .text = xstrdup(""), .confidence = NAN};

	judge_reply(room, &reply);
}

/* An answer that calls for a tool. */
static void judge_call(struct room *room, const char *text, const char *name, const char *arguments)
{
	struct reply reply = {.kind = REPLY_ANSWER,
			      .text = xstrdup(text),
			      .len = strlen(text),
			      .confidence = NAN};

	reply.tool_calls = json_pack("[{s:s, s:s, s:{s:s, s:s}}]", "id", "call_1", "type",
				     "function", "function", "name", name, "arguments", arguments);
	judge_reply(room, &reply);
}

START_TEST(an_outage_uses_up_no_attempt_however_many_calls_it_fails)
{
	struct room room;

	room_init(&room);
	room.hearing.answered = room.hearing.left; /* then it went down */
	for (int i = 0; i < 99; i++) {
		judge(&room, REPLY_UNAVAILABLE);
		ck_assert_int_eq(room.memo.attempts, 0);
		ck_assert_msg(room.sequel.keeps, "after %d failures", i + 1);
	}
	room_finish(&room);
}
END_TEST

/* Has the outage begun so long ago. */
static void fail_since(struct room *room, nsec ago)
{
	room->memo.failing_since = clock_wall() - ago;
}

START_TEST(a_job_that_only_fails_where_nobody_else_calls_ends)
{
	int most = 2 * CASCADE_UNCOUNTED_PER_ATTEMPT;

	for (int probes = 0; probes < 2; probes++) {
		struct room room;

		room_init(&room);
		room.hearing.is_outage = probes;
		for (int i = 1; i < most; i++) {
			judge(&room, probes && i % 2 ? REPLY_LOST : REPLY_UNAVAILABLE);
			ck_assert_msg(room.sequel.keeps, "after %d failures", i);
			fail_since(&room, CASCADE_LONGEST_OUTAGE);
		}
		fail_since(&room, CASCADE_LONGEST_OUTAGE - 60 * NSEC_PER_SEC);
		judge(&room, REPLY_UNAVAILABLE); /* so many, but not for so long */
		ck_assert(room.sequel.keeps);
		ck_assert_int_eq(room.memo.attempts, 0);
		fail_since(&room, CASCADE_LONGEST_OUTAGE);
		judge(&room, REPLY_UNAVAILABLE);
		ck_assert_str_eq(room.settlement->state, "DEAD");
		ck_assert_str_eq(room.settlement->reason, "max_attempts");
		ck_assert_ptr_nonnull(
			strstr(room.settlement->detail, "failed it 41 times in 12 h"));
		room_finish(&room);
	}
}
END_TEST

START_TEST(an_answer_ends_an_outage_before_it_is_judged)
{
	struct room room;

	room_init(&room);
	room.memo.uncounted = 1000;
	fail_since(&room, 2 * CASCADE_LONGEST_OUTAGE);
	judge(&room, REPLY_TRUNCATED);
	ck_assert(room.sequel.keeps);
	ck_assert_int_eq(room.memo.uncounted, 0);
	ck_assert_uint_eq(room.memo.failing_since, 0);
	judge(&room, REPLY_UNAVAILABLE);
	ck_assert(room.sequel.keeps);
	ck_assert_int_eq(room.memo.uncounted, 1);
	room_finish(&room);
}
END_TEST

START_TEST(a_failure_while_others_are_answered_is_the_jobs_own)
{
	struct room room;

	room_init(&room);
	room.hearing.answered = room.hearing.left + 1;
	judge(&room, REPLY_UNAVAILABLE);
	ck_assert_int_eq(room.memo.attempts, 1);
	judge(&room, REPLY_UNAVAILABLE); /* nobody has been answered since */
	ck_assert_int_eq(room.memo.attempts, 1);
	ck_assert(room.sequel.keeps);
	room.hearing.answered = clock_wall() + 1;
	judge(&room, REPLY_UNAVAILABLE);
	ck_assert_str_eq(room.settlement->state, "DEAD");
	ck_assert_str_eq(room.settlement->reason, "max_attempts");
	room_finish(&room);
}
END_TEST

START_TEST(when_it_failed_last_is_remembered_by_who_takes_it_over)
{
	struct room room;
	nsec failed_at;

	room_init(&room);
	judge(&room, REPLY_UNAVAILABLE);
	failed_at = room.memo.failed_at;
	ck_assert_uint_gt(failed_at, 0);
	ck_assert_int_eq(room.memo.attempts, 0);
	{
		char *text = memo_write(&room.memo);

		ck_assert_ptr_nonnull(text);
		memo_finish(&room.memo);
		memo_read(&room.memo, text);
		free(text);
	}
	ck_assert_uint_eq(room.memo.failed_at, failed_at);
	room.hearing.answered = failed_at + 1;
	judge(&room, REPLY_UNAVAILABLE);
	ck_assert_int_eq(room.memo.attempts, 1);
	judge(&room, REPLY_TRUNCATED); /* an answer: what was before is over */
	ck_assert_uint_eq(room.memo.failed_at, 0);
	room_finish(&room);
}
END_TEST

START_TEST(a_lost_answer_may_cost_and_is_an_attempt_until_the_breaker_opens)
{
	struct room room;

	room_init(&room);
	judge(&room, REPLY_LOST);
	ck_assert_int_eq(room.memo.attempts, 1);
	ck_assert(room.sequel.keeps);
	room.hearing.is_outage = true;
	judge(&room, REPLY_LOST);
	ck_assert_int_eq(room.memo.attempts, 1);
	ck_assert(room.sequel.keeps);
	room.hearing.is_outage = false;
	judge(&room, REPLY_LOST);
	ck_assert_str_eq(room.settlement->state, "DEAD");
	ck_assert_str_eq(room.settlement->reason, "max_attempts");
	room_finish(&room);
}
END_TEST

START_TEST(a_probe_that_fails_is_no_attempt_of_its_job)
{
	static const enum reply_kind kinds[] = {REPLY_UNAVAILABLE, REPLY_LOST};
	struct room room;

	room_init(&room);
	room.hearing.is_outage = true;
	for (int i = 0; i < 9; i++) {
		room.hearing.answered = clock_wall() + 1;
		judge(&room, kinds[i % 2]);
		ck_assert_int_eq(room.memo.attempts, 0);
		ck_assert_msg(room.sequel.keeps, "after %d probes", i + 1);
	}
	room_finish(&room);
}
END_TEST

START_TEST(a_probe_that_is_answered_is_one)
{
	struct room room;

	room_init(&room);
	room.hearing.is_outage = true;
	judge(&room, REPLY_TRUNCATED);
	ck_assert_int_eq(room.memo.attempts, 1);
	room_finish(&room);
}
END_TEST

START_TEST(a_bad_key_never_kills_a_job)
{
	struct room room;

	room_init(&room);
	for (int i = 0; i < 9; i++) {
		judge(&room, REPLY_CREDENTIAL);
		ck_assert_msg(room.sequel.keeps, "after %d refusals", i + 1);
	}
	ck_assert_int_eq(room.memo.attempts, 0);
	room_finish(&room);
}
END_TEST

static void answer(struct room *room, const char *text)
{
	struct reply reply = {.kind = REPLY_ANSWER,
			      .text = xstrdup(text),
			      .len = strlen(text),
			      .confidence = 0.99};

	settlement_destroy(room->settlement);
	room->settlement = settlement_create();
	hearing_judge(&room->court, &room->hearing, &reply, room->settlement, &room->sequel);
	reply_finish(&reply);
}

START_TEST(an_answer_is_kept_where_its_question_is_known)
{
	struct digest key = {{1}};
	struct room room;

	room_init(&room);
	answer(&room, "hello");
	ck_assert_str_eq(room.settlement->state, "DONE");
	ck_assert(!room.settlement->has_key);
	room.hearing.answer_key = &key;
	answer(&room, "hello");
	ck_assert(room.settlement->has_key);
	ck_assert(digest_equal(&room.settlement->answer_key, &key));
	ck_assert_uint_eq(room.settlement->keep_for, 3600 * NSEC_PER_SEC);
	room_finish(&room);
}
END_TEST

START_TEST(who_leads_tells_of_every_end_and_only_of_an_end)
{
	static const char *const ends[] = {"DEAD", "CANCELLED", "PARKED", "QUEUED"};
	struct digest key = {{1}};
	struct room room;

	room_init(&room);
	room.hearing.answer_key = &key;
	for (int leads = 0; leads < 2; leads++) {
		room.hearing.leads = leads;
		for (size_t i = 0; i < COUNT_OF(ends); i++) {
			AUTO(settlement_destroy) struct settlement *s = settlement_create();

			hearing_decide(&room.hearing, s, ends[i], "why");
			ck_assert_int_eq(s->has_key, leads);
			ck_assert_uint_eq(s->keep_for, 0);
		}
	}
	room.settlement = settlement_create();
	hearing_decide(&room.hearing, room.settlement, "CLAIMED", NULL);
	ck_assert(!room.settlement->has_key);
	room_finish(&room);
}
END_TEST

START_TEST(an_answer_from_the_cache_costs_nothing_and_is_not_kept_again)
{
	struct recalled answer = {.provider = "house",
				  .model = "m-2026",
				  .output = "hello",
				  .len = 5,
				  .confidence = NAN};
	struct room room;

	room_init(&room);
	room.settlement = settlement_create();
	hearing_recall(&room.court, &room.hearing, room.settlement, &answer);
	hearing_tell(&room.court, &room.hearing, room.settlement);
	ck_assert_str_eq(room.settlement->state, "DONE");
	ck_assert_str_eq(room.settlement->reason, "cached");
	ck_assert_str_eq(room.settlement->provider, "house");
	ck_assert_str_eq(room.settlement->model, "m-2026");
	ck_assert_int_eq(room.settlement->spent, 0);
	ck_assert_int_eq(room.settlement->attempts, 0);
	ck_assert(!room.settlement->closes);
	ck_assert(!room.settlement->has_key);
	ck_assert_uint_eq(room.settlement->debt_count, 1);
	ck_assert_ptr_nonnull(strstr(room.settlement->debts[0].body, "\"cost_pico\":\"0\""));
	room_finish(&room);
}
END_TEST

START_TEST(a_job_that_wants_one_candidate_never_leaves_it)
{
	static const struct {
		const char *job, *state;
	} cases[] = {{JOB, "QUEUED"}, {PINNED_JOB, "DEAD"}};

	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		struct room room;

		room_init_for(&room, cases[i].job);
		judge(&room, REPLY_REFUSED);
		ck_assert_str_eq(room.settlement->state, cases[i].state);
		ck_assert_str_eq(room.settlement->reason, "refused");
		room_finish(&room);
	}
}
END_TEST

START_TEST(the_next_candidate_is_not_for_a_job_that_wants_one)
{
	for (int i = 0; i < 2; i++) {
		struct room room;

		room_init_for(&room, i == 0 ? JOB : PINNED_JOB);
		room.hearing.tier = &room.config->tiers[1];
		judge(&room, REPLY_UNKNOWN_MODEL);
		ck_assert_int_eq(room.sequel.keeps, i == 0);
		ck_assert_int_eq(room.settlement->decides, i == 1);
		room_finish(&room);
	}
}
END_TEST

#define CALL                                                                         \
	"[{\"id\":\"call_1\",\"type\":\"function\",\"function\":{\"name\":\"look\"," \
	"\"arguments\":\"{\\\"at\\\":1e2}\"}}]"

START_TEST(a_call_for_a_tool_is_an_answer_of_its_own)
{
	struct room room;
	const struct debt *told;

	room_init_for(&room, TOOL_JOB);
	judge_call(&room, "", "look", "{\"at\":1e2}");
	ck_assert_str_eq(room.settlement->state, "DONE");
	ck_assert_str_eq(room.settlement->reason, "accepted");
	ck_assert_str_eq(room.settlement->tool_calls, CALL);
	ck_assert_ptr_null(room.settlement->output);
	told = &room.settlement->debts[0];
	ck_assert_ptr_nonnull(strstr(told->body, "\"tool_calls\":" CALL));
	ck_assert_ptr_null(strstr(told->body, "\"text\""));
	room_finish(&room);
}
END_TEST

START_TEST(a_contract_is_that_of_the_last_answer_not_of_the_calls_before)
{
	struct error err;
	json_auto_t *document = json_pack("{s:s}", "type", "object");
	struct contract contract = {.schema = schema_compile(document, &err)};
	struct room room;

	room_init_for(&room, TOOL_JOB);
	room.hearing.contract = &contract;
	judge_call(&room, "Let me look.", "look", "{}");
	ck_assert_str_eq(room.settlement->state, "DONE");
	ck_assert_ptr_nonnull(room.settlement->tool_calls);
	ck_assert_uint_eq(room.settlement->output_len, strlen("Let me look."));
	ck_assert_mem_eq(room.settlement->output, "Let me look.", strlen("Let me look."));
	ck_assert(!room.settlement->is_json);
	room_finish(&room);
	schema_destroy(contract.schema);
}
END_TEST

START_TEST(a_call_that_cant_be_made_is_asked_for_again)
{
	static const struct {
		const char *name, *arguments, *note;
	} cases[] = {
		{"find", "{}", "There is no tool \"find\"."},
		{"", "{}", "There is no tool \"\"."},
		{"look", "{\"at\":", "The arguments of the tool \"look\" are not a JSON object."},
		{"look", "", "The arguments of the tool \"look\" are not a JSON object."},
	};

	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		struct room room;

		room_init_for(&room, TOOL_JOB);
		judge_call(&room, "", cases[i].name, cases[i].arguments);
		ck_assert(room.sequel.quotes);
		ck_assert_str_eq(room.sequel.note, cases[i].note);
		ck_assert_ptr_null(room.settlement->tool_calls);
		room_finish(&room);
	}
}
END_TEST

START_TEST(calls_for_tools_that_nobody_offered_are_no_answer)
{
	struct room room;

	room_init(&room);
	judge_call(&room, "", "look", "{}");
	ck_assert(room.sequel.quotes);
	ck_assert_str_eq(room.settlement->signature, "empty");
	judge_call(&room, "Hello", "look", "{}");
	ck_assert_str_eq(room.settlement->state, "DONE");
	ck_assert_ptr_null(room.settlement->tool_calls);
	room_finish(&room);
}
END_TEST

UNIT_TESTS(hearing, an_outage_uses_up_no_attempt_however_many_calls_it_fails,
	   a_job_that_only_fails_where_nobody_else_calls_ends,
	   an_answer_ends_an_outage_before_it_is_judged,
	   a_failure_while_others_are_answered_is_the_jobs_own,
	   when_it_failed_last_is_remembered_by_who_takes_it_over,
	   a_lost_answer_may_cost_and_is_an_attempt_until_the_breaker_opens,
	   a_probe_that_fails_is_no_attempt_of_its_job, a_probe_that_is_answered_is_one,
	   a_bad_key_never_kills_a_job, an_answer_is_kept_where_its_question_is_known,
	   who_leads_tells_of_every_end_and_only_of_an_end,
	   an_answer_from_the_cache_costs_nothing_and_is_not_kept_again,
	   a_call_for_a_tool_is_an_answer_of_its_own,
	   a_contract_is_that_of_the_last_answer_not_of_the_calls_before,
	   a_call_that_cant_be_made_is_asked_for_again,
	   calls_for_tools_that_nobody_offered_are_no_answer,
	   a_job_that_wants_one_candidate_never_leaves_it,
	   the_next_candidate_is_not_for_a_job_that_wants_one)
