#include "cascade.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "ensure.h"
#include "unit.h"

static const struct cascade_policy usual_policy = {
	.min_confidence = 0.85,
	.max_repairs = 2,
	.max_transient = 3,
	.max_attempts = 8,
	.max_hops = 4,
	.max_cost = PICO_PER_USD,
	.refusal_escalates = true,
};

/* In the middle of its way: everything is still open to it. */
static const struct cascade_history usual_history = {
	.attempts = 1,
	.spent = PICO_PER_USD / 100,
	.has_next_candidate = true,
	.has_higher_tier = true,
	.has_larger_window = true,
};

static struct cascade_policy policy;
static struct cascade_history history;
static struct cascade_finding finding;

static void came_back(enum reply_kind kind, bool valid)
{
	policy = usual_policy;
	history = usual_history;
	finding = (struct cascade_finding){.kind = kind, .valid = valid, .confidence = NAN};
}

static void came_back_unsure(void)
{
	came_back(REPLY_ANSWER, true);
	finding.confidence = 0.5;
}

static void came_back_invalid(const char *signature)
{
	came_back(REPLY_ANSWER, false);
	snprintf(finding.signature, sizeof(finding.signature), "%s", signature);
}

static void had_failed_with(const char *signature)
{
	history.repairs = 1;
	snprintf(history.signature, sizeof(history.signature), "%s", signature);
}

static struct verdict judged(void)
{
	return cascade_judge(&policy, &history, &finding);
}

#define ASSERT_NEXT(step, why)                                                          \
	do {                                                                            \
		struct verdict v_ = judged();                                           \
		ck_assert_str_eq(next_step_name(v_.next), next_step_name(NEXT_##step)); \
		ck_assert_str_eq(v_.reason, why);                                       \
	} while (0)

/* The table, row by row. */

START_TEST(a_valid_and_confident_answer_is_accepted)
{
	came_back(REPLY_ANSWER, true);
	finding.confidence = 0.85;
	ASSERT_NEXT(ACCEPT, "accepted");
	ck_assert(!judged().unmeasured);
}
END_TEST

START_TEST(a_valid_answer_below_the_threshold_escalates)
{
	came_back_unsure();
	ASSERT_NEXT(ESCALATE, "low_confidence");
}
END_TEST

START_TEST(an_unmeasured_answer_is_accepted_and_counted_as_such)
{
	came_back(REPLY_ANSWER, true);
	ASSERT_NEXT(ACCEPT, "accepted");
	ck_assert(judged().unmeasured);
	policy.min_confidence = 0;
	ck_assert(!judged().unmeasured);
}
END_TEST

START_TEST(an_unmeasured_answer_escalates_where_the_task_needs_confidence)
{
	came_back(REPLY_ANSWER, true);
	policy.needs_confidence = true;
	ASSERT_NEXT(ESCALATE, "low_confidence");
	policy.min_confidence = 0;
	ASSERT_NEXT(ACCEPT, "accepted");
}
END_TEST

START_TEST(an_invalid_answer_is_repaired_by_the_same_model)
{
	came_back_invalid("schema /price type");
	ASSERT_NEXT(REPAIR, "invalid_output");
}
END_TEST

START_TEST(after_max_repairs_an_invalid_answer_escalates)
{
	came_back_invalid("schema /price type");
	history.repairs = policy.max_repairs;
	ASSERT_NEXT(ESCALATE, "invalid_output");
}
END_TEST

START_TEST(the_same_failure_twice_escalates_at_once)
{
	came_back_invalid("schema /price type");
	had_failed_with("schema /price type");
	ASSERT_NEXT(ESCALATE, "same_failure");
	had_failed_with("schema /name required");
	ASSERT_NEXT(REPAIR, "invalid_output");
}
END_TEST

START_TEST(a_failure_of_another_model_does_not_count_as_the_same_failure)
{
	came_back_invalid("schema /price type");
	had_failed_with("schema /price type");
	history.repairs = 0;
	ASSERT_NEXT(REPAIR, "invalid_output");
}
END_TEST

START_TEST(failures_without_a_signature_are_never_the_same)
{
	came_back_invalid("");
	had_failed_with("");
	ASSERT_NEXT(REPAIR, "invalid_output");
}
END_TEST

START_TEST(a_truncated_answer_is_not_valid_even_if_it_parses)
{
	came_back(REPLY_TRUNCATED, true);
	finding.confidence = 1;
	ASSERT_NEXT(REPAIR, "truncated");
	history.repairs = policy.max_repairs;
	ASSERT_NEXT(ESCALATE, "truncated");
}
END_TEST

START_TEST(a_paid_garbled_reply_is_an_invalid_output_and_never_a_transport_retry)
{
	came_back(REPLY_GARBLED, false);
	ASSERT_NEXT(REPAIR, "garbled");
	history.repairs = policy.max_repairs;
	ASSERT_NEXT(ESCALATE, "garbled");
	history.has_higher_tier = history.has_next_candidate = false;
	ASSERT_NEXT(DIE, "garbled");
}
END_TEST

START_TEST(a_refusal_escalates_once_and_then_is_dead)
{
	came_back(REPLY_REFUSED, false);
	ASSERT_NEXT(ESCALATE, "refused");
	history.refusals = 1;
	ASSERT_NEXT(DIE, "refused");
}
END_TEST

START_TEST(a_refusal_is_dead_at_once_where_the_task_says_so)
{
	came_back(REPLY_REFUSED, false);
	policy.refusal_escalates = false;
	ASSERT_NEXT(DIE, "refused");
}
END_TEST

START_TEST(throttled_waits_and_never_counts)
{
	came_back(REPLY_THROTTLED, false);
	history.attempts = 1000;
	history.transient = 1000;
	history.spent = 5 * PICO_PER_USD;
	history.hop = 100;
	ASSERT_NEXT(WAIT, "throttled");
}
END_TEST

START_TEST(throttled_past_the_deadline_waits_for_nothing)
{
	came_back(REPLY_THROTTLED, false);
	history.past_deadline = true;
	ASSERT_NEXT(DIE, "deadline");
}
END_TEST

START_TEST(a_request_that_is_too_large_looks_for_a_larger_window_or_dies)
{
	came_back(REPLY_TOO_LARGE, false);
	ASSERT_NEXT(WIDEN, "too_large");
	history.has_larger_window = false;
	ASSERT_NEXT(DIE, "too_large");
}
END_TEST

START_TEST(a_broken_credential_parks_and_never_kills)
{
	came_back(REPLY_CREDENTIAL, false);
	ASSERT_NEXT(PARK, "credential");
	history.attempts = 1000;
	history.spent = 5 * PICO_PER_USD;
	history.past_deadline = true;
	history.has_next_candidate = history.has_higher_tier = false;
	finding.never_retry = true;
	ASSERT_NEXT(PARK, "credential");
}
END_TEST

static void trouble_backs_off_then_moves_on(enum reply_kind kind, const char *reason)
{
	came_back(kind, false);
	ASSERT_NEXT(RETRY, reason);
	history.transient = policy.max_transient;
	ASSERT_NEXT(FALLBACK, reason);
	history.has_next_candidate = false;
	ASSERT_NEXT(RETRY, reason);
	history.attempts = policy.max_attempts;
	ASSERT_NEXT(DIE, "max_attempts");
}

START_TEST(trouble_of_the_provider_backs_off_then_takes_the_next_candidate)
{
	trouble_backs_off_then_moves_on(REPLY_UNAVAILABLE, "unavailable");
	trouble_backs_off_then_moves_on(REPLY_LOST, "lost");
}
END_TEST

START_TEST(what_must_not_be_retried_goes_to_the_next_candidate_or_dies)
{
	came_back(REPLY_UNAVAILABLE, false);
	finding.never_retry = true;
	ASSERT_NEXT(FALLBACK, "unavailable");
	history.has_next_candidate = false;
	ASSERT_NEXT(DIE, "unavailable");
}
END_TEST

START_TEST(an_invalid_request_is_dead)
{
	came_back(REPLY_INVALID, false);
	ASSERT_NEXT(DIE, "invalid_request");
}
END_TEST

START_TEST(an_unknown_model_falls_back_or_dies)
{
	came_back(REPLY_UNKNOWN_MODEL, false);
	ASSERT_NEXT(FALLBACK, "unknown_model");
	history.has_next_candidate = false;
	ASSERT_NEXT(DIE, "unknown_model");
}
END_TEST

/* The limits. */

static void break_deadline(void)
{
	history.past_deadline = true;
}

static void break_cost(void)
{
	history.spent = policy.max_cost;
}

static void break_attempts(void)
{
	history.attempts = policy.max_attempts;
}

static void break_patience(void)
{
	history.uncounted = policy.max_attempts * CASCADE_UNCOUNTED_PER_ATTEMPT;
	history.failing = CASCADE_LONGEST_OUTAGE;
}

static const struct {
	const char *reason;
	void (*break_it)(void);
} limits[] = {{"deadline", break_deadline},
	      {"max_cost", break_cost},
	      {"max_attempts", break_attempts},
	      {"max_attempts", break_patience}};

START_TEST(a_limit_ends_every_step_that_would_call_again_with_its_own_reason)
{
	static const enum reply_kind kinds[] = {
		REPLY_ANSWER, REPLY_TRUNCATED,	 REPLY_GARBLED,	  REPLY_REFUSED,
		REPLY_LOST,   REPLY_UNAVAILABLE, REPLY_TOO_LARGE, REPLY_UNKNOWN_MODEL};

	for (size_t l = 0; l < COUNT_OF(limits); l++) {
		for (size_t k = 0; k < COUNT_OF(kinds); k++) {
			came_back(kinds[k], false);
			limits[l].break_it();
			ASSERT_NEXT(DIE, limits[l].reason);
		}
	}
}
END_TEST

START_TEST(an_outage_ends_a_job_by_its_length_and_its_failures_together)
{
	came_back(REPLY_UNAVAILABLE, false);
	break_patience();
	history.uncounted--;
	ASSERT_NEXT(RETRY, "unavailable");
	break_patience();
	history.failing--;
	ASSERT_NEXT(RETRY, "unavailable");
	break_patience();
	ASSERT_NEXT(DIE, "max_attempts");
}
END_TEST

START_TEST(a_good_answer_is_accepted_however_late_or_dear)
{
	for (size_t l = 0; l < COUNT_OF(limits); l++) {
		came_back(REPLY_ANSWER, true);
		finding.confidence = 0.9;
		limits[l].break_it();
		ASSERT_NEXT(ACCEPT, "accepted");
	}
}
END_TEST

START_TEST(a_limit_does_not_hide_why_a_job_was_hopeless_anyway)
{
	came_back(REPLY_INVALID, false);
	break_deadline();
	ASSERT_NEXT(DIE, "invalid_request");
}
END_TEST

START_TEST(without_a_cost_cap_any_cost_goes)
{
	came_back_unsure();
	policy.max_cost = 0;
	history.spent = 1000 * PICO_PER_USD;
	ASSERT_NEXT(ESCALATE, "low_confidence");
}
END_TEST

START_TEST(the_hop_limit_forbids_escalation_but_not_the_tiers_other_candidates)
{
	came_back_invalid("schema / type");
	history.repairs = policy.max_repairs;
	history.hop = policy.max_hops;
	ASSERT_NEXT(FALLBACK, "invalid_output");
	history.has_next_candidate = false;
	ASSERT_NEXT(DIE, "max_hops");
	came_back_unsure();
	history.hop = policy.max_hops;
	ASSERT_NEXT(DIE, "max_hops");
}
END_TEST

/* The end of the road. */

START_TEST(with_no_higher_tier_an_invalid_answer_tries_the_next_candidate_then_dies)
{
	came_back_invalid("schema / type");
	history.repairs = policy.max_repairs;
	history.has_higher_tier = false;
	ASSERT_NEXT(FALLBACK, "invalid_output");
	history.has_next_candidate = false;
	ASSERT_NEXT(DIE, "invalid_output");
}
END_TEST

START_TEST(with_no_higher_tier_the_same_failure_twice_is_not_asked_a_third_time)
{
	came_back_invalid("schema / type");
	had_failed_with("schema / type");
	history.has_higher_tier = history.has_next_candidate = false;
	ASSERT_NEXT(DIE, "invalid_output");
}
END_TEST

START_TEST(an_unsure_answer_at_the_end_is_degraded_only_where_that_is_allowed)
{
	came_back_unsure();
	history.has_higher_tier = false;
	ASSERT_NEXT(DIE, "low_confidence");
	policy.degraded_allowed = true;
	ASSERT_NEXT(DEGRADE, "low_confidence");
}
END_TEST

START_TEST(an_earlier_valid_answer_beats_none_at_every_end)
{
	static const enum reply_kind kinds[] = {REPLY_ANSWER, REPLY_REFUSED, REPLY_INVALID,
						REPLY_TOO_LARGE, REPLY_UNKNOWN_MODEL};

	for (size_t k = 0; k < COUNT_OF(kinds); k++) {
		came_back(kinds[k], false);
		history = (struct cascade_history){.attempts = 1, .repairs = 2, .refusals = 1};
		policy.degraded_allowed = true;
		ck_assert_int_eq(judged().next, NEXT_DIE);
		history.has_fallback_answer = true;
		ck_assert_int_eq(judged().next, NEXT_DEGRADE);
	}
}
END_TEST

START_TEST(a_limit_degrades_where_a_valid_answer_was_seen_and_that_is_allowed)
{
	for (size_t l = 0; l < COUNT_OF(limits); l++) {
		came_back(REPLY_LOST, false);
		limits[l].break_it();
		policy.degraded_allowed = true;
		ASSERT_NEXT(DIE, limits[l].reason);
		history.has_fallback_answer = true;
		ASSERT_NEXT(DEGRADE, limits[l].reason);
	}
}
END_TEST

/* A judge that asks a provider again and again must come to an end. */
START_TEST(every_kind_of_reply_ends_within_the_attempt_limit)
{
	for (int kind = 0; kind <= REPLY_UNKNOWN_MODEL; kind++) {
		int calls = 0;

		if (kind == REPLY_THROTTLED || kind == REPLY_CREDENTIAL)
			continue;
		came_back((enum reply_kind)kind, false);
		for (;; calls++, history.attempts++, history.transient++) {
			struct verdict v = judged();

			if (v.next == NEXT_DIE)
				break;
			ck_assert_int_ne(v.next, NEXT_ACCEPT);
			ck_assert_int_lt(calls, policy.max_attempts);
			history.repairs = v.next == NEXT_REPAIR ? history.repairs + 1 : 0;
		}
	}
}
END_TEST

/* The JSON in an answer. */

static const struct {
	const char *answer;
	const char *value;
} readable[] = {
	{"{\"a\":1}", "{\"a\":1}"},
	{"  \n{\"a\": 1}\n", "{\"a\": 1}"},
	{"\xef\xbb\xbf{\"a\":1}", "{\"a\":1}"},
	{"```json\n{\"a\":1}\n```", "{\"a\":1}"},
	{"```\n[1,2]\n```\n", "[1,2]"},
	{"```{\"a\":1}```", "{\"a\":1}"},
	{"```json\n\"yes\"\n```", "\"yes\""},
	{"42", "42"},
	{"Sure! Here it is:\n```json\n{\"a\":[1]}\n```\nTell me if it helps.", "{\"a\":[1]}"},
	{"The answer is {\"a\":\"}\\\"]\"} as you asked.", "{\"a\":\"}\\\"]\"}"},
	{"As [1] and [see note] say, {name} is:\n{\"a\": [1, 2, 3]}", "{\"a\": [1, 2, 3]}"},
	{"{\"a\":1} and that is all :-[", "{\"a\":1}"},
	{"Flags: [true, false, null]", "[true, false, null]"},
	{"{\"a\":1,\"a\":2}", "{\"a\":1,\"a\":2}"},
	{"{\"a\":\"\\u0000\"}", "{\"a\":\"\\u0000\"}"},
};

START_TEST(fences_and_prose_around_the_value_are_forgiven)
{
	for (size_t i = 0; i < COUNT_OF(readable); i++) {
		const char *answer = readable[i].answer;
		struct error err = {0};
		const char *start;
		size_t len;
		json_t *value = cascade_extract_json(answer, strlen(answer), &start, &len, &err);

		ck_assert_msg(value != NULL, "%s: %s", answer, err.text);
		ck_assert_uint_eq(len, strlen(readable[i].value));
		ck_assert_mem_eq(start, readable[i].value, len);
		json_decref(value);
	}
}
END_TEST

static const struct {
	const char *answer;
	const char *complaint;
} unreadable[] = {
	{"", "empty"},
	{" \n ", "empty"},
	{"``````", "empty"},
	{"I can't do that.", "no JSON object"},
	{"{\"items\":[{\"a\":1},{\"a\":2},", "never closed"},
	{"Here: {\"items\":[{\"a\":1}], \"b\": \"unfinished", "starts at byte 6"},
	{"See [1]: {\"items\":[{\"a\":1},", "never closed"},
	{"{\"a\": 1, \"b\": {\"c\": 2} \"d\": 3}", "not JSON"},
	{"{\"a\": 123456789012345678901}", "not JSON"},
	{"{\"a\": 1e999}", "not JSON"},
	{"{", "never closed"},
	{"{'a': 1}", "no JSON object"},
	{"]}", "no JSON object"},
	{"{\"a\":1]", "not JSON"},
};

START_TEST(what_cannot_be_read_is_rejected_with_words_for_the_model)
{
	for (size_t i = 0; i < COUNT_OF(unreadable); i++) {
		const char *answer = unreadable[i].answer;
		struct error err = {0};
		const char *start;
		size_t len;

		ck_assert_msg(!cascade_extract_json(answer, strlen(answer), &start, &len, &err),
			      "\"%s\" was read", answer);
		ck_assert_int_eq(err.kind, ERROR_REJECT);
		ck_assert_msg(strstr(err.text, unreadable[i].complaint), "%s: %s", answer,
			      err.text);
	}
}
END_TEST

/* Quadratic work on these would take hours. */
START_TEST(hostile_answers_cost_no_more_than_their_length)
{
	static const char *const patterns[] = {"{",   "[",  "[ ", "{\"a\":", "[1] ",
					       "{x ", "\"", "]",  "```",     "[\"\\"};
	const size_t size = 4 << 20;
	char *answer = xcalloc(1, size);

	for (size_t p = 0; p < COUNT_OF(patterns); p++) {
		size_t n = strlen(patterns[p]);
		struct error err;
		const char *start;
		size_t len;

		for (size_t at = 0; at < size; at++)
			answer[at] = patterns[p][at % n];
		json_decref(cascade_extract_json(answer, size, &start, &len, &err));
	}
	free(answer);
}
END_TEST

START_TEST(every_step_has_a_name)
{
	for (int next = 0; next <= NEXT_DIE; next++)
		ck_assert_ptr_nonnull(next_step_name((enum next_step)next));
}
END_TEST

UNIT_TESTS(cascade, a_valid_and_confident_answer_is_accepted,
	   a_valid_answer_below_the_threshold_escalates,
	   an_unmeasured_answer_is_accepted_and_counted_as_such,
	   an_unmeasured_answer_escalates_where_the_task_needs_confidence,
	   an_invalid_answer_is_repaired_by_the_same_model,
	   after_max_repairs_an_invalid_answer_escalates, the_same_failure_twice_escalates_at_once,
	   a_failure_of_another_model_does_not_count_as_the_same_failure,
	   failures_without_a_signature_are_never_the_same,
	   a_truncated_answer_is_not_valid_even_if_it_parses,
	   a_paid_garbled_reply_is_an_invalid_output_and_never_a_transport_retry,
	   a_refusal_escalates_once_and_then_is_dead,
	   a_refusal_is_dead_at_once_where_the_task_says_so, throttled_waits_and_never_counts,
	   throttled_past_the_deadline_waits_for_nothing,
	   a_request_that_is_too_large_looks_for_a_larger_window_or_dies,
	   a_broken_credential_parks_and_never_kills,
	   trouble_of_the_provider_backs_off_then_takes_the_next_candidate,
	   what_must_not_be_retried_goes_to_the_next_candidate_or_dies, an_invalid_request_is_dead,
	   an_unknown_model_falls_back_or_dies,
	   a_limit_ends_every_step_that_would_call_again_with_its_own_reason,
	   an_outage_ends_a_job_by_its_length_and_its_failures_together,
	   a_good_answer_is_accepted_however_late_or_dear,
	   a_limit_does_not_hide_why_a_job_was_hopeless_anyway, without_a_cost_cap_any_cost_goes,
	   the_hop_limit_forbids_escalation_but_not_the_tiers_other_candidates,
	   with_no_higher_tier_an_invalid_answer_tries_the_next_candidate_then_dies,
	   with_no_higher_tier_the_same_failure_twice_is_not_asked_a_third_time,
	   an_unsure_answer_at_the_end_is_degraded_only_where_that_is_allowed,
	   an_earlier_valid_answer_beats_none_at_every_end,
	   a_limit_degrades_where_a_valid_answer_was_seen_and_that_is_allowed,
	   every_kind_of_reply_ends_within_the_attempt_limit,
	   fences_and_prose_around_the_value_are_forgiven,
	   what_cannot_be_read_is_rejected_with_words_for_the_model,
	   hostile_answers_cost_no_more_than_their_length, every_step_has_a_name)
