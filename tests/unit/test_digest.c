#include "digest.h"

#include <string.h>

#include "unit.h"

static const char *hex(struct digest digest)
{
	static char text[DIGEST_TEXT];

	return digest_format(text, &digest);
}

START_TEST(digests_are_those_of_the_standard)
{
	/* FIPS 180-2, appendix B. */
	ck_assert_str_eq(hex(digest_of("", 0)),
			 "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
	ck_assert_str_eq(hex(digest_of("abc", 3)),
			 "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}
END_TEST

START_TEST(signatures_are_those_of_the_standard)
{
	/* RFC 4231, test cases 2 and 6. */
	static const char what[] = "what do ya want for nothing?";
	static const char large[] = "Test Using Larger Than Block-Size Key - Hash Key First";
	char key[131];

	memset(key, 0xaa, sizeof(key));
	ck_assert_str_eq(hex(digest_hmac("Jefe", 4, what, strlen(what))),
			 "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
	ck_assert_str_eq(hex(digest_hmac(key, sizeof(key), large, strlen(large))),
			 "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
}
END_TEST

START_TEST(a_digest_survives_its_text)
{
	struct digest digest = digest_of("abc", 3), back;
	char text[DIGEST_TEXT];

	ck_assert(digest_parse(digest_format(text, &digest), &back));
	ck_assert(digest_equal(&digest, &back));
	text[0] = 'B'; /* any case */
	ck_assert(digest_parse(text, &back));
	ck_assert(digest_equal(&digest, &back));
}
END_TEST

START_TEST(one_bit_makes_another_digest)
{
	struct digest digest = digest_of("abc", 3), other = digest;

	other.bytes[31] ^= 1;
	ck_assert(!digest_equal(&digest, &other));
}
END_TEST

START_TEST(what_is_not_a_digest_is_refused)
{
	char text[DIGEST_TEXT + 1];
	struct digest digest = digest_of("abc", 3), back;

	ck_assert(!digest_parse("", &back));
	digest_format(text, &digest);
	text[63] = 'g';
	ck_assert(!digest_parse(text, &back));
	text[63] = '\0';
	ck_assert(!digest_parse(text, &back));
	digest_format(text, &digest);
	memcpy(text + DIGEST_TEXT - 1, "0", 2);
	ck_assert(!digest_parse(text, &back));
}
END_TEST

UNIT_TESTS(digest, digests_are_those_of_the_standard, signatures_are_those_of_the_standard,
	   a_digest_survives_its_text, one_bit_makes_another_digest,
	   what_is_not_a_digest_is_refused)
