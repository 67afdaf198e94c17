#include "webhook.h"

#include <string.h>

#include "base64.h"
#include "buffer.h"
#include "digest.h"
#include "unit.h"

static const struct uuid id = {.bytes = {0x01, 0x02, 0x03, 0x04, 0x05, 0x06, 0x47, 0x08, 0x89, 0x0a,
					 0x0b, 0x0c, 0x0d, 0x0e, 0x0f, 0x10}};

static struct webhook_message message(const char *headers, const char *body)
{
	return (struct webhook_message){id, 1700000000 * NSEC_PER_SEC, headers, body, strlen(body)};
}

static const char *line_of(const struct webhook_headers *headers, const char *name)
{
	for (size_t i = 0; i < headers->count; i++)
		if (strncmp(headers->lines[i], name, strlen(name)) == 0)
			return headers->lines[i] + strlen(name) + 2;
	return NULL;
}

/* As a receiver does it: from the secret's text and what came over the wire. */
static bool receiver_agrees(const char *secret, const char *signature, const char *content)
{
	AUTO_FINISH(buffer_finish) struct buffer key = {0};
	AUTO_FINISH(buffer_finish) struct buffer wanted = {0};
	struct digest digest;

	ck_assert(strncmp(secret, "whsec_", 6) == 0);
	ck_assert(base64_decode(&key, secret + 6, strlen(secret + 6)));
	digest = digest_hmac(key.data, key.len, content, strlen(content));
	buffer_text(&wanted, "v1,");
	base64_encode(&wanted, digest.bytes, sizeof(digest.bytes));
	return strstr(signature, wanted.data) != NULL;
}

START_TEST(a_receiver_can_check_the_signature)
{
	json_auto_t *masters = json_pack("[s]", "correct horse");
	struct webhook_message m = message("", "{\"a\":1}");
	AUTO_FINISH(webhook_headers_finish) struct webhook_headers headers = {0};
	char secret[WEBHOOK_SECRET_TEXT];

	ck_assert(webhook_sign(&headers, masters, "search", &m));
	ck_assert_str_eq(line_of(&headers, "webhook-id"), "01020304-0506-4708-890a-0b0c0d0e0f10");
	ck_assert_str_eq(line_of(&headers, "webhook-timestamp"), "1700000000");
	ck_assert(receiver_agrees(webhook_secret(secret, "correct horse", "search"),
				  line_of(&headers, "webhook-signature"),
				  "01020304-0506-4708-890a-0b0c0d0e0f10.1700000000.{\"a\":1}"));
	ck_assert(!receiver_agrees(secret, line_of(&headers, "webhook-signature"),
				   "01020304-0506-4708-890a-0b0c0d0e0f10.1700000000.{\"a\":2}"));
}
END_TEST

START_TEST(while_secrets_change_both_sign)
{
	json_auto_t *masters = json_pack("[ss]", "new", "old");
	struct webhook_message m = message("", "x");
	AUTO_FINISH(webhook_headers_finish) struct webhook_headers headers = {0};
	const char *content = "01020304-0506-4708-890a-0b0c0d0e0f10.1700000000.x";
	char secret[WEBHOOK_SECRET_TEXT];

	ck_assert(webhook_sign(&headers, masters, "search", &m));
	ck_assert(receiver_agrees(webhook_secret(secret, "new", "search"),
				  line_of(&headers, "webhook-signature"), content));
	ck_assert(receiver_agrees(webhook_secret(secret, "old", "search"),
				  line_of(&headers, "webhook-signature"), content));
}
END_TEST

START_TEST(units_and_alerts_have_secrets_of_their_own)
{
	char a[WEBHOOK_SECRET_TEXT], b[WEBHOOK_SECRET_TEXT], c[WEBHOOK_SECRET_TEXT];

	webhook_secret(a, "m", "search");
	webhook_secret(b, "m", "alerts");
	webhook_secret(c, "m", "");
	ck_assert_str_ne(a, b);
	ck_assert_str_ne(b, c);
	ck_assert_str_ne(a, c);
}
END_TEST

START_TEST(nothing_leaves_unsigned)
{
	json_auto_t *none = json_array(), *empty = json_pack("[s]", "");
	struct webhook_message m = message("", "x");
	AUTO_FINISH(webhook_headers_finish) struct webhook_headers headers = {0};

	ck_assert(!webhook_sign(&headers, none, "search", &m));
	ck_assert(!webhook_sign(&headers, empty, "search", &m));
}
END_TEST

START_TEST(a_job_cannot_speak_for_us)
{
	json_auto_t *masters = json_pack("[s]", "m");
	struct webhook_message m = message("{\"X-Mine\":\"1\",\"Webhook-Id\":\"forged\",\"Host\":"
					   "\"evil\",\"CONTENT-LENGTH\":\"1\"}",
					   "x");
	AUTO_FINISH(webhook_headers_finish) struct webhook_headers headers = {0};

	ck_assert(webhook_sign(&headers, masters, "search", &m));
	ck_assert_str_eq(line_of(&headers, "X-Mine"), "1");
	ck_assert_ptr_null(line_of(&headers, "Webhook-Id"));
	ck_assert_ptr_null(line_of(&headers, "Host"));
	ck_assert_ptr_null(line_of(&headers, "CONTENT-LENGTH"));
}
END_TEST

static struct webhook_verdict judge(long status, int tries, nsec age, nsec hint)
{
	struct webhook_answer answer = {.status = status, .tries = tries, .age = age, .hint = hint};

	return webhook_judge(&answer, 0);
}

START_TEST(answers_mean_what_the_standard_says)
{
	struct webhook_answer forbidden = {.forbidden = true, .tries = 1};

	ck_assert_int_eq(judge(204, 1, 0, 0).fate, WEBHOOK_DELIVERED);
	ck_assert_int_eq(judge(410, 1, 0, 0).fate, WEBHOOK_GONE);
	ck_assert_int_eq(judge(302, 1, 0, 0).fate, WEBHOOK_RETRY);
	ck_assert_int_eq(judge(400, 1, 0, 0).fate, WEBHOOK_RETRY);
	ck_assert_int_eq(judge(0, 1, 0, 0).fate, WEBHOOK_RETRY);
	ck_assert_int_eq(webhook_judge(&forbidden, 0).fate, WEBHOOK_REFUSED);
}
END_TEST

START_TEST(tries_spread_over_a_day_and_end)
{
	nsec age = 0;
	int tries = 1;

	for (; judge(500, tries, age, 0).fate == WEBHOOK_RETRY; tries++) {
		nsec wait = judge(500, tries, age, 0).wait;

		ck_assert_uint_ge(wait, 5 * NSEC_PER_SEC);
		ck_assert_uint_le(wait, 6 * 3600 * NSEC_PER_SEC);
		age += wait;
	}
	ck_assert_int_eq(judge(500, tries, age, 0).fate, WEBHOOK_EXHAUSTED);
	ck_assert_uint_ge(age, 18 * 3600 * NSEC_PER_SEC);
	ck_assert_uint_le(age, 24 * 3600 * NSEC_PER_SEC);
	ck_assert_int_ge(tries, 8);
}
END_TEST

START_TEST(a_receiver_may_ask_for_a_longer_wait_but_not_for_ever)
{
	ck_assert_uint_eq(judge(429, 1, 0, 60 * NSEC_PER_SEC).wait, 60 * NSEC_PER_SEC);
	ck_assert_uint_eq(judge(429, 1, 0, NSEC_PER_SEC).wait, 5 * NSEC_PER_SEC);
	ck_assert_uint_eq(judge(503, 1, 0, 100 * 3600 * NSEC_PER_SEC).wait,
			  6 * 3600 * NSEC_PER_SEC);
}
END_TEST

START_TEST(a_thousand_tries_overflow_nothing)
{
	ck_assert_uint_eq(judge(500, 1000, 0, 0).wait, 6 * 3600 * NSEC_PER_SEC);
}
END_TEST

UNIT_TESTS(webhook, a_receiver_can_check_the_signature, while_secrets_change_both_sign,
	   units_and_alerts_have_secrets_of_their_own, nothing_leaves_unsigned,
	   a_job_cannot_speak_for_us, answers_mean_what_the_standard_says,
	   tries_spread_over_a_day_and_end, a_receiver_may_ask_for_a_longer_wait_but_not_for_ever,
	   a_thousand_tries_overflow_nothing)
