#include "secrets.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ensure.h"
#include "unit.h"

/* A file that holds the text; the caller frees the path. */
static char *file_with(const char *bytes, size_t len)
{
	char *path = xstrdup("/tmp/sluice-test-XXXXXX");
	int fd = mkstemp(path);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(write(fd, bytes, len), (ssize_t)len);
	close(fd);
	return path;
}

static void resolves(const char *text, const char *wanted)
{
	struct error err = {0};
	char *got = secrets_resolve(text, &err);

	ck_assert_msg(got && !strcmp(got, wanted), "%s gave %s", text, got ? got : err.text);
	free(got);
}

static void fails(const char *text, const char *why)
{
	struct error err = {0};
	char *got = secrets_resolve(text, &err);

	ck_assert_msg(!got, "%s gave %s", text, got);
	ck_assert_msg(strstr(err.text, why), "%s failed with: %s", text, err.text);
}

START_TEST(variables_are_replaced)
{
	setenv("SLUICE_TEST_A", "alpha", 1);
	setenv("SLUICE_TEST_EMPTY", "", 1);
	unsetenv("SLUICE_TEST_NONE");
	resolves("plain $ {text}", "plain $ {text}");
	resolves("${SLUICE_TEST_A}", "alpha");
	resolves("<${SLUICE_TEST_A}|${SLUICE_TEST_A}>", "<alpha|alpha>");
	resolves("${SLUICE_TEST_NONE:-fall:-back}", "fall:-back");
	resolves("${SLUICE_TEST_EMPTY:-fallback}", "fallback");
	resolves("${SLUICE_TEST_EMPTY}", "");
	resolves("${SLUICE_TEST_NONE:-}", "");
	resolves("${SLUICE_TEST_NONE:-${SLUICE_TEST_A}}", "alpha");
	resolves("$${SLUICE_TEST_A}", "${SLUICE_TEST_A}");
}
END_TEST

START_TEST(what_a_variable_holds_is_not_resolved_again)
{
	setenv("SLUICE_TEST_B", "${SLUICE_TEST_A}", 1);
	resolves("${SLUICE_TEST_B}", "${SLUICE_TEST_A}");
}
END_TEST

START_TEST(a_file_is_read_without_its_last_newline)
{
	char *path = file_with("s3cret\n\n", 8);
	char *text = xasprintf("${file:%s}", path);
	char *nested = xasprintf("${file:${SLUICE_TEST_DIR}/%s}", strrchr(path, '/') + 1);

	resolves(text, "s3cret\n");
	setenv("SLUICE_TEST_DIR", "/tmp", 1);
	resolves(nested, "s3cret\n");
	unlink(path);
	fails(text, "No such file");
	free(path);
	free(text);
	free(nested);
}
END_TEST

START_TEST(what_cannot_be_resolved_is_named)
{
	unsetenv("SLUICE_TEST_NONE");
	fails("${SLUICE_TEST_NONE}", "SLUICE_TEST_NONE is not set");
	fails("${}", "names no variable");
	fails("${1X}", "names no variable");
	fails("${A B}", "names no variable");
	fails("${SLUICE_TEST_A", "not closed");
	fails("${A:-${B}", "not closed");
	fails("${N:-${N:-${N:-${N:-${N:-${N:-x}}}}}}", "nests");
	fails("${file:/nonexistent/key}", "No such file");
	fails("${file:}", "cannot read file");
}
END_TEST

START_TEST(a_file_that_is_no_text_is_refused)
{
	char *path = file_with("a\0b", 3);
	char *text = xasprintf("${file:%s}", path);

	fails(text, "no text");
	unlink(path);
	free(path);
	free(text);
}
END_TEST

static const struct {
	const char *text;
	const char *shown;
} masked[] = {
	{"localhost:9092", "localhost:9092"},
	{"postgresql:///sluice", "postgresql:///sluice"},
	{"postgresql://u:p@h:5432/d", "postgresql://u:***@h:5432/d"},
	{"postgresql://u@h/d", "postgresql://u@h/d"},
	{"postgresql://u:p@ss@h/d", "postgresql://u:***@h/d"},
	{"postgresql://h/d?user=u&password=p&x=1", "postgresql://h/d?user=u&password=***&x=1"},
	{"host=h password=p dbname=d", "host=h password=*** dbname=d"},
	{"host=h password = 'a b\\'c' dbname=d", "host=h password = *** dbname=d"},
	{"sslpassword=x", "sslpassword=***"},
	{"password", "password"},
	{"password=", "password="},
	{"https://key:secret@proxy/v1", "https://key:***@proxy/v1"},
	{"the password is = here password=x", "the password is = here password=***"},
};

START_TEST(passwords_within_texts_are_masked)
{
	for (size_t i = 0; i < COUNT_OF(masked); i++) {
		char *shown = secrets_mask(masked[i].text);

		ck_assert_str_eq(shown, masked[i].shown);
		free(shown);
	}
}
END_TEST

START_TEST(names_of_secrets_are_known)
{
	ck_assert(secrets_is_secret_name("sasl.password"));
	ck_assert(secrets_is_secret_name("ssl.key.pem"));
	ck_assert(secrets_is_secret_name("sasl.oauthbearer.client.secret"));
	ck_assert(!secrets_is_secret_name("sasl.username"));
	ck_assert(!secrets_is_secret_name("ssl.ca.location"));
}
END_TEST

UNIT_TESTS(secrets, variables_are_replaced, what_a_variable_holds_is_not_resolved_again,
	   a_file_is_read_without_its_last_newline, what_cannot_be_resolved_is_named,
	   a_file_that_is_no_text_is_refused, passwords_within_texts_are_masked,
	   names_of_secrets_are_known)
