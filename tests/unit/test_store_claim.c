#include "store_claim.h"

#include <string.h>

#include "unit.h"

START_TEST(a_job_cancelled_before_it_was_seen_drops_whatever_its_body)
{
	struct standing standing = {.exists = true, .state = "CANCELLED"};
	struct job job = {.fingerprint = digest_of("body", 4)};

	ck_assert_int_eq(claim_classify(&job, &standing), CLAIM_DUPLICATE);
}
END_TEST

START_TEST(the_same_id_with_another_body_is_in_conflict)
{
	struct standing standing = {
		.exists = true, .state = "DONE", .fingerprint = digest_of("other", 5)};
	struct job job = {.fingerprint = digest_of("body", 4)};

	ck_assert_int_eq(claim_classify(&job, &standing), CLAIM_CONFLICT);
	standing.fingerprint = job.fingerprint;
	ck_assert_int_eq(claim_classify(&job, &standing), CLAIM_DUPLICATE);
}
END_TEST

START_TEST(a_follow_up_is_old_or_impossible_by_its_row)
{
	struct standing standing = {.exists = true,
				    .state = "QUEUED",
				    .run = 1,
				    .hop = 1,
				    .fingerprint = digest_of("body", 4)};
	struct job job = {.thin = true, .run = 1, .hop = 2};

	ck_assert_int_eq(claim_classify(&job, &standing), CLAIM_IMPOSSIBLE);
	job.hop = 0;
	ck_assert_int_eq(claim_classify(&job, &standing), CLAIM_DUPLICATE);
	standing.exists = false;
	ck_assert_int_eq(claim_classify(&job, &standing), CLAIM_IMPOSSIBLE);
}
END_TEST

START_TEST(a_follow_up_is_never_dropped_while_its_row_waits_for_it)
{
	struct standing standing = {.exists = true, .state = "QUEUED", .run = 1, .hop = 1};
	struct job job = {.thin = true, .run = 1, .hop = 1};

	ck_assert_int_eq(claim_classify(&job, &standing), CLAIM_AGAIN);
	memcpy(standing.state, "DONE", 5);
	ck_assert_int_eq(claim_classify(&job, &standing), CLAIM_DUPLICATE);
}
END_TEST

UNIT_TESTS(store_claim, a_follow_up_is_never_dropped_while_its_row_waits_for_it,
	   a_job_cancelled_before_it_was_seen_drops_whatever_its_body,
	   the_same_id_with_another_body_is_in_conflict,
	   a_follow_up_is_old_or_impossible_by_its_row)
