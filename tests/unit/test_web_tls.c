/*
 * Our client against our server over TLS, both in one loop: the client's wait
 * is also the server's, as it is in a worker.
 */
#include "http.h"

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "ensure.h"
#include "unit.h"
#include "web.h"

#define PATIENCE (10 * NSEC_PER_SEC)

static char directory[] = "/tmp/sluice-tls-XXXXXX";
static char cert_file[64], key_file[64];

static void add_extension(X509 *cert, int what, const char *value)
{
	X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, NULL, what, value);

	ck_assert(extension && X509_add_ext(cert, extension, -1));
	X509_EXTENSION_free(extension);
}

static void write_pem(const char *path, EVP_PKEY *key, X509 *cert)
{
	FILE *file = fopen(path, "w");

	ck_assert(file);
	if (key)
		ck_assert(PEM_write_PKCS8PrivateKey(file, key, NULL, NULL, 0, NULL, NULL));
	if (cert)
		ck_assert(PEM_write_X509(file, cert));
	fclose(file);
}

/* A certificate that vouches for itself, for 127.0.0.1, in files of this test. */
static void make_certificate(void)
{
	EVP_PKEY *key = EVP_EC_gen("P-256");
	X509 *cert = X509_new();
	X509_NAME *name = X509_get_subject_name(cert);

	ck_assert(key && mkdtemp(directory));
	snprintf(cert_file, sizeof(cert_file), "%s/cert.pem", directory);
	snprintf(key_file, sizeof(key_file), "%s/key.pem", directory);
	X509_set_version(cert, 2);
	ASN1_INTEGER_set(X509_get_serialNumber(cert), 1);
	X509_gmtime_adj(X509_getm_notBefore(cert), -3600);
	X509_gmtime_adj(X509_getm_notAfter(cert), 3600);
	X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, (const unsigned char *)"test", -1, -1,
				   0);
	X509_set_issuer_name(cert, name);
	X509_set_pubkey(cert, key);
	add_extension(cert, NID_basic_constraints, "critical,CA:TRUE");
	add_extension(cert, NID_subject_alt_name, "IP:127.0.0.1");
	ck_assert(X509_sign(cert, key, EVP_sha256()));
	write_pem(cert_file, NULL, cert);
	write_pem(key_file, key, NULL);
	X509_free(cert);
	EVP_PKEY_free(key);
}

static void remove_certificate(void)
{
	unlink(cert_file);
	unlink(key_file);
	rmdir(directory);
}

static void on_request(void *context, struct web_request *request)
{
	(void)context;
	web_reply(request, 200, "text/plain", request->body, request->len, NULL, 0);
}

static struct web *serve(void)
{
	struct web_settings settings = {
		.listen = "127.0.0.1:0", .cert_file = cert_file, .key_file = key_file};
	struct error err;
	struct web *web;

	make_certificate();
	web = web_create(&settings, on_request, NULL, &err);
	ck_assert_msg(web, "%s", err.text);
	return web;
}

static struct http_reply *fetch(struct http *http, struct web *web, const char *scheme,
				const char *ca_file)
{
	struct http_request request = {.body = "hello", .len = 5, .ca_file = ca_file};
	nsec until = clock_now() + PATIENCE;
	struct http_reply *reply;
	struct error err;
	char url[64];

	snprintf(url, sizeof(url), "%s://127.0.0.1:%u/", scheme, web_port(web));
	request.url = url;
	ck_assert(http_start(http, &request, NULL, clock_now(), &err));
	while (!(reply = http_finished(http))) {
		struct http_descriptor server = {.fd = web_fd(web), .wants = HTTP_READ};
		nsec nap = web_nap(web);

		ck_assert_msg(clock_now() < until, "no reply");
		http_wait(http, &server, 1, nap < NSEC_PER_SEC ? nap : NSEC_PER_SEC);
		web_run(web);
	}
	return reply;
}

START_TEST(who_shows_a_trusted_certificate_is_talked_to)
{
	struct web *web = serve();
	struct error err;
	struct http *http = http_create(&(struct http_settings){0}, &err);

	for (int i = 0; i < 3; i++) {
		struct http_reply *reply = fetch(http, web, "https", cert_file);

		ck_assert_msg(reply->failure == HTTP_NONE, "%s", reply->text);
		ck_assert_str_eq(reply->body, "hello");
		http_reply_release(http, reply);
	}
	http_destroy(http);
	web_destroy(web);
	remove_certificate();
}
END_TEST

START_TEST(who_does_not_was_sent_nothing)
{
	struct web *web = serve();
	struct error err;
	struct http *http = http_create(&(struct http_settings){0}, &err);
	struct http_reply *reply = fetch(http, web, "https", NULL);

	ck_assert_int_eq(reply->failure, HTTP_UNREACHABLE);
	ck_assert(!reply->maybe_sent);
	ck_assert_ptr_nonnull(strstr(reply->text, "certificate"));
	http_reply_release(http, reply);
	http_destroy(http);
	web_destroy(web);
	remove_certificate();
}
END_TEST

/* curl says so only after it has written to the connection: it can't be known. */
START_TEST(plain_words_to_a_tls_port_are_not_answered)
{
	struct web *web = serve();
	struct error err;
	struct http *http = http_create(&(struct http_settings){0}, &err);
	struct http_reply *reply = fetch(http, web, "http", NULL);

	ck_assert_int_ne(reply->failure, HTTP_NONE);
	ck_assert(reply->maybe_sent);
	http_reply_release(http, reply);
	http_destroy(http);
	web_destroy(web);
	remove_certificate();
}
END_TEST

START_TEST(a_key_that_is_none_stops_the_start)
{
	struct web_settings settings = {.listen = "127.0.0.1:0"};
	struct error err;

	make_certificate();
	settings.cert_file = settings.key_file = cert_file;
	ck_assert_ptr_null(web_create(&settings, on_request, NULL, &err));
	ck_assert_int_eq(err.kind, ERROR_FATAL);
	ck_assert_ptr_nonnull(strstr(err.text, "key"));
	remove_certificate();
}
END_TEST

UNIT_TESTS(web_tls, who_shows_a_trusted_certificate_is_talked_to, who_does_not_was_sent_nothing,
	   plain_words_to_a_tls_port_are_not_answered, a_key_that_is_none_stops_the_start)
