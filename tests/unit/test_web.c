/*
 * The HTTP server against plain sockets, server and client in one thread: what
 * is sent is exactly what stands here.
 */
#include "web.h"

#include <arpa/inet.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "ensure.h"
#include "unit.h"

#define PATIENCE (5 * NSEC_PER_SEC)

/* What the handler saw, and requests it keeps for later. */
static struct {
	int requests;
	char line[256];
	struct web_request *kept[8];
	size_t kept_count;
	int fed, wanted, over, whole;
	int refusals;
	char refusal[256]; /* the last */
} seen;

#define PIECES 40
#define PIECE 10000

/* An answer of 40 pieces, each of one letter. Every other one is fed at once, the rest later. */
static void feed(struct web_request *request)
{
	static char piece[PIECE];

	memset(piece, 'a' + seen.fed % 26, sizeof(piece));
	seen.fed++;
	web_feed(request, piece, sizeof(piece));
}

static void over(void *owner, bool whole)
{
	(void)owner;
	seen.over++;
	seen.whole += whole;
}

static void on_request(void *context, struct web_request *request)
{
	const char *unit = web_query(request, "unit"), *trace = web_header(request, "x-TRACE");
	struct header headers[] = {{"Retry-After", "7"}, {"Cache-Control", "max-age=5"}};

	(void)context;
	seen.requests++;
	snprintf(seen.line, sizeof(seen.line), "%s %s unit=%s trace=%s body=%zu:%s from=%s",
		 request->method, request->path, unit ? unit : "-", trace ? trace : "-",
		 request->len, request->body, request->client);
	if (strcmp(request->path, "/later") == 0)
		seen.kept[seen.kept_count++] = request;
	else if (strcmp(request->path, "/headers") == 0)
		web_reply(request, 429, "application/json", "{}", 2, headers, 2);
	else
		web_reply_text(request, 200, seen.line);
}

static void on_refusal(void *context, const struct web_refusal *refusal)
{
	(void)context;
	seen.refusals++;
	snprintf(seen.refusal, sizeof(seen.refusal), "%u %s %s from=%s id=%zu", refusal->status,
		 refusal->method ? refusal->method : "-", refusal->path ? refusal->path : "-",
		 refusal->client ? refusal->client : "-", strlen(refusal->id));
}

static struct web *serve(struct web_settings settings)
{
	struct error err;
	struct web *web;

	settings.listen = "127.0.0.1:0";
	settings.refused = on_refusal;
	web = web_create(&settings, on_request, NULL, &err);
	ck_assert_msg(web, "%s", err.text);
	return web;
}

static int dial(struct web *web)
{
	struct sockaddr_in at = {.sin_family = AF_INET,
				 .sin_port = htons((uint16_t)web_port(web)),
				 .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	ck_assert_int_eq(connect(fd, (struct sockaddr *)&at, sizeof(at)), 0);
	return fd;
}

/* One turn of a program's loop: sleep on the server's descriptor and the client's. */
static void turn(struct web *web, int client)
{
	struct pollfd fds[] = {{.fd = web_fd(web), .events = POLLIN},
			       {.fd = client, .events = POLLIN}};
	nsec nap = web_nap(web);

	poll(fds, 2, nap > NSEC_PER_SEC / 20 ? 50 : (int)(nap / NSEC_PER_MSEC));
	web_run(web);
}

static bool is_whole(const char *reply, size_t len)
{
	const char *end = strstr(reply, "\r\n\r\n");
	const char *length = strstr(reply, "Content-Length: ");

	return end && length && len >= (size_t)(end + 4 - reply) + (size_t)atoi(length + 16);
}

/* The next whole reply on that connection, or "" when it was closed without one. */
static const char *receive(struct web *web, int client)
{
	static char reply[1 << 16];
	nsec until = clock_now() + PATIENCE;
	size_t len = 0;

	reply[0] = '\0';
	while (!is_whole(reply, len)) {
		ssize_t got = recv(client, reply + len, sizeof(reply) - 1 - len, MSG_DONTWAIT);

		if (got == 0)
			break;
		if (got > 0)
			len += (size_t)got;
		reply[len] = '\0';
		if (got < 0)
			turn(web, client);
		ck_assert_msg(clock_now() < until, "no reply: \"%s\"", reply);
	}
	return reply;
}

static void say(int client, const char *text)
{
	ck_assert_int_eq(send(client, text, strlen(text), MSG_NOSIGNAL), (ssize_t)strlen(text));
}

static const char *ask(struct web *web, const char *request)
{
	int client = dial(web);
	const char *reply;

	say(client, request);
	reply = receive(web, client);
	close(client);
	return reply;
}

static void expect(struct web *web, const char *request, const char *status)
{
	const char *reply = ask(web, request);

	ck_assert_msg(strstr(reply, status) == reply, "%.60s\n-> %.60s", request, reply);
}

START_TEST(the_handler_gets_method_path_query_headers_and_body)
{
	struct web *web = serve((struct web_settings){0});
	const char *reply = ask(web, "POST /jobs%2F42?unit=a%26b&x HTTP/1.1\r\nHost: h\r\n"
				     "X-Trace: 00-ab\r\nContent-Length: 5\r\n\r\nhello");

	ck_assert_ptr_nonnull(strstr(reply, "HTTP/1.1 200 OK\r\n"));
	ck_assert_ptr_nonnull(strstr(reply, "Cache-Control: no-store\r\n"));
	ck_assert_ptr_nonnull(strstr(reply, "X-Content-Type-Options: nosniff\r\n"));
	ck_assert_str_eq(seen.line, "POST /jobs/42 unit=a&b trace=00-ab body=5:hello "
				    "from=127.0.0.1");
	web_destroy(web);
}
END_TEST

START_TEST(a_reply_has_its_status_type_and_headers)
{
	struct web *web = serve((struct web_settings){0});
	const char *reply = ask(web, "GET /headers HTTP/1.1\r\nHost: h\r\n\r\n");

	ck_assert_ptr_nonnull(strstr(reply, "HTTP/1.1 429 "));
	ck_assert_ptr_nonnull(strstr(reply, "Content-Type: application/json\r\n"));
	ck_assert_ptr_nonnull(strstr(reply, "Retry-After: 7\r\n"));
	ck_assert_ptr_nonnull(strstr(reply, "Cache-Control: max-age=5\r\n"));
	ck_assert_ptr_null(strstr(reply, "no-store"));
	web_destroy(web);
}
END_TEST

START_TEST(a_connection_is_kept_for_the_next_request)
{
	struct web *web = serve((struct web_settings){0});
	int client = dial(web);

	for (int i = 0; i < 3; i++) {
		say(client, "GET /ok HTTP/1.1\r\nHost: h\r\n\r\n");
		ck_assert_ptr_nonnull(strstr(receive(web, client), "200 OK"));
	}
	ck_assert_int_eq(seen.requests, 3);
	close(client);
	web_destroy(web);
}
END_TEST

START_TEST(a_reply_may_come_later_and_others_do_not_wait)
{
	struct web *web = serve((struct web_settings){0});
	int client = dial(web);

	say(client, "GET /later HTTP/1.1\r\nHost: h\r\n\r\n");
	while (seen.kept_count == 0)
		turn(web, client);
	ck_assert_uint_eq(web_open_requests(web), 1);
	expect(web, "GET /ok HTTP/1.1\r\nHost: h\r\n\r\n", "HTTP/1.1 200 ");
	web_reply_text(seen.kept[0], 202, "now\n");
	ck_assert_uint_eq(web_open_requests(web), 0);
	ck_assert_ptr_nonnull(strstr(receive(web, client), "HTTP/1.1 202 "));
	say(client, "GET /ok HTTP/1.1\r\nHost: h\r\n\r\n");
	ck_assert_ptr_nonnull(strstr(receive(web, client), "200 OK"));
	close(client);
	web_destroy(web);
}
END_TEST

START_TEST(a_client_that_left_may_still_be_replied_to)
{
	struct web *web = serve((struct web_settings){0});
	int client = dial(web);

	say(client, "GET /later HTTP/1.1\r\nHost: h\r\n\r\n");
	while (seen.kept_count == 0)
		turn(web, client);
	close(client);
	web_reply_text(seen.kept[0], 200, "gone\n");
	expect(web, "GET /ok HTTP/1.1\r\nHost: h\r\n\r\n", "HTTP/1.1 200 ");
	web_destroy(web);
}
END_TEST

START_TEST(what_two_servers_may_read_differently_is_refused)
{
	static const char *const bad[] = {
		"GET / HTTP/1.1\r\n\r\n",
		"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
		"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nabc",
		"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\nab",
		"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\nTransfer-Encoding: "
		"chunked\r\n\r\n0",
		"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: +2\r\n\r\nab",
		"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
		"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: "
		"chunked\r\n\r\n0x2\r\nab\r\n0\r\n\r\n",
		"GET /a%00b HTTP/1.1\r\nHost: h\r\n\r\n",
		"GET / HTTP/1.1\r\nHost: h\r\nX: a\rTransfer-Encoding: chunked\r\n\r\n",
	};
	struct web *web = serve((struct web_settings){0});

	for (size_t i = 0; i < COUNT_OF(bad); i++) {
		const char *reply = ask(web, bad[i]);

		ck_assert_msg(reply[0] == '\0' || strstr(reply, " 400 ") || strstr(reply, " 413 "),
			      "%s\n-> %.40s", bad[i], reply);
		ck_assert_msg(seen.requests == 0, "handled: %s", bad[i]);
		ck_assert_msg(seen.refusals == (int)i + 1, "told %d times: %s", seen.refusals,
			      bad[i]);
	}
	web_destroy(web);
}
END_TEST

START_TEST(a_body_over_the_cap_is_refused_announced_or_not)
{
	struct web *web = serve((struct web_settings){.max_body = 10});

	expect(web, "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 10\r\n\r\n0123456789",
	       "HTTP/1.1 200 ");
	expect(web, "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 11\r\n\r\n", "HTTP/1.1 413 ");
	expect(web, "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 99999999999999999999\r\n\r\n",
	       "HTTP/1.1 413 ");
	ck_assert_str_eq(ask(web, "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"
				  "b\r\n01234567890\r\n0\r\n\r\n"),
			 "");
	ck_assert_int_eq(seen.requests, 1);
	ck_assert_int_eq(seen.refusals, 3);
	ck_assert_str_eq(seen.refusal, "413 POST / from=127.0.0.1 id=0");
	web_destroy(web);
}
END_TEST

START_TEST(without_the_token_nothing_is_told)
{
	struct web *web = serve((struct web_settings){.token = "s3cret"});

	expect(web, "GET / HTTP/1.1\r\nHost: h\r\n\r\n", "HTTP/1.1 401 ");
	expect(web, "GET / HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer s3cre\r\n\r\n",
	       "HTTP/1.1 401 ");
	expect(web, "GET / HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer \r\n\r\n", "HTTP/1.1 401 ");
	expect(web, "GET / HTTP/1.1\r\nHost: h\r\nAuthorization: Basic s3cret\r\n\r\n",
	       "HTTP/1.1 401 ");
	ck_assert_int_eq(seen.requests, 0);
	ck_assert_int_eq(seen.refusals, 4);
	ck_assert_str_eq(seen.refusal, "401 GET / from=127.0.0.1 id=36");
	expect(web, "GET / HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer s3cret\r\n\r\n",
	       "HTTP/1.1 200 ");
	web_destroy(web);
}
END_TEST

START_TEST(connections_are_limited_and_places_become_free_again)
{
	struct web *web = serve((struct web_settings){.max_connections = 4});
	int clients[4];

	for (int i = 0; i < 4; i++) {
		clients[i] = dial(web);
		say(clients[i], "GET /ok HTTP/1.1\r\nHost: h\r\n\r\n");
		ck_assert_ptr_nonnull(strstr(receive(web, clients[i]), "200 OK"));
	}
	for (int i = 0; i < 4; i++)
		close(clients[i]);
	for (int i = 0; i < 20; i++)
		expect(web, "GET /ok HTTP/1.1\r\nHost: h\r\n\r\n", "HTTP/1.1 200 ");
	web_destroy(web);
}
END_TEST

START_TEST(a_connection_too_many_of_one_address_is_told)
{
	struct web *web = serve((struct web_settings){.max_per_address = 1});
	int first = dial(web), second;

	say(first, "GET /ok HTTP/1.1\r\nHost: h\r\n\r\n");
	ck_assert_ptr_nonnull(strstr(receive(web, first), "200 OK"));
	second = dial(web);
	ck_assert_str_eq(receive(web, second), "");
	ck_assert_int_eq(seen.refusals, 1);
	ck_assert_str_eq(seen.refusal, "0 - - from=- id=0");
	close(second);
	close(first);
	web_destroy(web);
}
END_TEST

START_TEST(the_end_answers_what_is_still_open)
{
	struct web *web = serve((struct web_settings){0});
	int client = dial(web);
	char reply[512] = "";

	say(client, "GET /later HTTP/1.1\r\nHost: h\r\n\r\n");
	while (seen.kept_count == 0)
		turn(web, client);
	web_destroy(web);
	ck_assert_int_gt(recv(client, reply, sizeof(reply) - 1, 0), 0);
	ck_assert_ptr_nonnull(strstr(reply, "HTTP/1.1 503 "));
	close(client);
}
END_TEST

START_TEST(an_address_that_can_not_be_had_is_named)
{
	static const char *const bad[] = {"nonsense", "127.0.0.1:", "no-such-host.invalid:80",
					  "127.0.0.1:99999999", ""};
	struct web *web = serve((struct web_settings){0});
	struct web_settings settings = {0};
	char taken[32];
	struct error err;

	for (size_t i = 0; i < COUNT_OF(bad); i++) {
		settings.listen = bad[i];
		ck_assert_ptr_null(web_create(&settings, on_request, NULL, &err));
		ck_assert_msg(strstr(err.text, bad[i]), "%s", err.text);
	}
	snprintf(taken, sizeof(taken), "127.0.0.1:%u", web_port(web));
	settings.listen = taken;
	ck_assert_ptr_null(web_create(&settings, on_request, NULL, &err));
	ck_assert_msg(strstr(err.text, taken), "%s", err.text);
	settings.listen = "127.0.0.1:0";
	settings.cert_file = "/nonexistent/cert.pem";
	settings.key_file = "/nonexistent/key.pem";
	ck_assert_ptr_null(web_create(&settings, on_request, NULL, &err));
	ck_assert_ptr_nonnull(strstr(err.text, "/nonexistent/cert.pem"));
	web_destroy(web);
}
END_TEST

/* Until nothing more comes for a while of turns; what was owed is fed. Returns how much came. */
static size_t read_long(struct web *web, int client, const char *request, char *last)
{
	static char got[1 << 16];
	size_t total = 0;

	say(client, request);
	for (int quiet = 0; quiet < 20;) {
		ssize_t len = recv(client, got, sizeof(got), MSG_DONTWAIT);

		if (len == 0)
			break;
		quiet = len > 0 ? 0 : quiet + 1;
		if (len > 0) {
			total += (size_t)len;
			*last = got[len - 1];
			continue;
		}
		if (seen.wanted > seen.fed && seen.kept_count > 0)
			feed(seen.kept[0]);
		turn(web, client);
	}
	return total;
}

static struct web_request *the_streamed;

static void wanted_later(void *owner)
{
	seen.wanted++;
	if (seen.wanted % 2 == 0)
		feed(owner);
	else
		seen.kept[0] = the_streamed = owner, seen.kept_count = 1;
}

static void stream(void *context, struct web_request *request)
{
	(void)context;
	web_reply_stream(request, 200, "text/plain", (size_t)PIECES * PIECE, NULL, 0,
			 &(struct web_feeder){wanted_later, over, request});
}

static struct web *serve_long(void)
{
	struct web_settings settings = {.listen = "127.0.0.1:0"};
	struct error err;
	struct web *web = web_create(&settings, stream, NULL, &err);

	ck_assert_msg(web, "%s", err.text);
	return web;
}

#define LONG "GET /long HTTP/1.1\r\nHost: h\r\n\r\n"

START_TEST(a_long_answer_is_asked_for_piece_by_piece_and_comes_whole)
{
	struct web *web = serve_long();
	int client = dial(web);
	char last = 0;

	for (int i = 1; i <= 2; i++) {
		size_t total = read_long(web, client, LONG, &last);

		ck_assert_msg(total > (size_t)PIECES * PIECE &&
				      total < (size_t)PIECES * PIECE + 500,
			      "%zu bytes", total);
		ck_assert_int_eq(last, 'a' + (PIECES * i - 1) % 26);
		ck_assert_int_eq(seen.fed, PIECES * i);
		ck_assert_int_eq(seen.over, i);
		ck_assert_int_eq(seen.whole, i);
	}
	close(client);
	web_destroy(web);
}
END_TEST

START_TEST(a_long_answer_that_breaks_off_is_not_taken_for_whole)
{
	struct web *web = serve_long();
	int client = dial(web);
	char got[4096];
	ssize_t len;

	say(client, LONG);
	while (seen.wanted == 0)
		turn(web, client);
	web_break_off(the_streamed);
	while (seen.over == 0)
		turn(web, client);
	ck_assert_int_eq(seen.whole, 0);
	while ((len = recv(client, got, sizeof(got), 0)) > 0)
		;
	ck_assert_int_eq(len, 0);
	close(client);
	web_destroy(web);
}
END_TEST

START_TEST(the_end_of_the_server_ends_a_long_answer)
{
	struct web *web = serve_long();
	int client = dial(web);

	say(client, LONG);
	while (seen.wanted == 0)
		turn(web, client);
	web_destroy(web);
	ck_assert_int_eq(seen.over, 1);
	ck_assert_int_eq(seen.whole, 0);
	close(client);
}
END_TEST

UNIT_TESTS(web, the_handler_gets_method_path_query_headers_and_body,
	   a_reply_has_its_status_type_and_headers, a_connection_is_kept_for_the_next_request,
	   a_reply_may_come_later_and_others_do_not_wait,
	   a_client_that_left_may_still_be_replied_to,
	   what_two_servers_may_read_differently_is_refused,
	   a_body_over_the_cap_is_refused_announced_or_not,
	   a_connection_too_many_of_one_address_is_told, without_the_token_nothing_is_told,
	   connections_are_limited_and_places_become_free_again, the_end_answers_what_is_still_open,
	   an_address_that_can_not_be_had_is_named,
	   a_long_answer_is_asked_for_piece_by_piece_and_comes_whole,
	   a_long_answer_that_breaks_off_is_not_taken_for_whole,
	   the_end_of_the_server_ends_a_long_answer)
