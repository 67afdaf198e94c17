/*
 * The HTTP client against a small server of our own, one thread a connection,
 * that does what the path says, often badly.
 */
#include "http.h"

#include <arpa/inet.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "ensure.h"
#include "unit.h"

#define PATIENCE (10 * NSEC_PER_SEC)
#define MSEC(n) ((n)*NSEC_PER_MSEC)

static struct {
	int socket;
	int port;
	atomic_int connections;
	atomic_int requests;
} server;

/* Read one request with its body; false: the client has gone. */
static bool read_request(int client, char *request, size_t size)
{
	size_t len = 0, want = 0;
	char *end;

	for (;;) {
		ssize_t got = recv(client, request + len, size - 1 - len, 0);

		if (got <= 0)
			return false;
		len += (size_t)got;
		request[len] = '\0';
		end = strstr(request, "\r\n\r\n");
		if (!end)
			continue;
		if (strstr(request, "Content-Length: "))
			want = (size_t)atoi(strstr(request, "Content-Length: ") + 16);
		if (len >= (size_t)(end + 4 - request) + want)
			return true;
	}
}

static void say(int client, const char *text)
{
	ssize_t put = send(client, text, strlen(text), MSG_NOSIGNAL);

	(void)put;
}

static void reset(int client)
{
	struct linger now = {.l_onoff = 1};

	setsockopt(client, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
}

static void wait_for_close(int client)
{
	char byte;

	while (recv(client, &byte, 1, 0) > 0)
		;
}

/* False: close the connection. */
static bool answer(int client, const char *request)
{
	static char block[1 << 16];
	char head[256];

	if (strstr(request, " /hang ")) {
		wait_for_close(client);
		return false;
	}
	if (strstr(request, " /interim ")) {
		say(client, "HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n");
		wait_for_close(client);
		return false;
	}
	if (strstr(request, " /stall ")) {
		say(client, "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc");
		wait_for_close(client);
		return false;
	}
	if (strstr(request, " /reset ")) {
		reset(client);
		return false;
	}
	if (strstr(request, " /close "))
		return false;
	if (strstr(request, " /cut ")) {
		say(client, "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc");
		return false;
	}
	if (strstr(request, " /chunk ")) {
		say(client, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab");
		return false;
	}
	if (strstr(request, " /noise ")) {
		say(client, "SSH-2.0-OpenSSH_9.2\r\n\r\n");
		return false;
	}
	if (strstr(request, " /redirect ")) {
		say(client, "HTTP/1.1 302 Found\r\nLocation: /ok\r\nContent-Length: 0\r\n\r\n");
		return true;
	}
	if (strstr(request, " /limits ")) {
		say(client, "HTTP/1.1 100 Continue\r\nX-Early: 1\r\n\r\n"
			    "HTTP/1.1 429 Too Many Requests\r\nRetry-After:  7 \r\n"
			    "X-RateLimit-Remaining-Tokens: 0\r\nX-Empty:\r\n"
			    "Content-Length: 4\r\n\r\nwait");
		return true;
	}
	if (strstr(request, " /big ")) {
		memset(block, 'x', sizeof(block));
		say(client, "HTTP/1.1 200 OK\r\nContent-Length: 655360\r\n\r\n");
		for (int i = 0; i < 10; i++)
			if (send(client, block, sizeof(block), MSG_NOSIGNAL) < 0)
				return false;
		return true;
	}
	if (strstr(request, " /headers ")) {
		say(client, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n");
		for (int i = 0; i < 500; i++) {
			snprintf(head, sizeof(head), "X-%d: %0200d\r\n", i, i);
			say(client, head);
		}
		say(client, "\r\nok");
		return true;
	}
	snprintf(head, sizeof(head), "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n\r\n",
		 strlen(request));
	say(client, head);
	say(client, request); /* an echo of all that came */
	return !strstr(request, " /last ");
}

static void *serve_client(void *arg)
{
	int client = (int)(intptr_t)arg;
	char *request = xcalloc(1, 1 << 16);

	while (read_request(client, request, 1 << 16)) {
		server.requests++;
		if (!answer(client, request))
			break;
	}
	free(request);
	close(client);
	return NULL;
}

static void *serve(void *arg)
{
	(void)arg;
	for (;;) {
		int client = accept(server.socket, NULL, NULL);
		pthread_t thread;

		if (client < 0)
			return NULL;
		server.connections++;
		pthread_create(&thread, NULL, serve_client, (void *)(intptr_t)client);
		pthread_detach(thread);
	}
}

static int listen_on_loopback(int backlog, int *port)
{
	struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof(at);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	ENSURE(bind(fd, (struct sockaddr *)&at, len) == 0);
	ENSURE(getsockname(fd, (struct sockaddr *)&at, &len) == 0);
	*port = ntohs(at.sin_port);
	if (backlog >= 0)
		ENSURE(listen(fd, backlog) == 0);
	return fd;
}

static struct http *client_of_server(void)
{
	struct http *http;
	struct error err;
	pthread_t thread;

	server.socket = listen_on_loopback(512, &server.port);
	ENSURE(pthread_create(&thread, NULL, serve, NULL) == 0);
	pthread_detach(thread);
	http = http_create(&(struct http_settings){0}, &err);
	ck_assert_msg(http, "%s", err.text);
	return http;
}

static const char *url_of(const char *path)
{
	static char url[128];

	snprintf(url, sizeof(url), "http://127.0.0.1:%d%s", server.port, path);
	return url;
}

static struct http_call *start(struct http *http, struct http_request request, void *owner)
{
	struct error err;
	struct http_call *call = http_start(http, &request, owner, clock_now(), &err);

	ck_assert_msg(call, "%s", err.text);
	return call;
}

static struct http_reply *wait_for_reply(struct http *http)
{
	nsec until = clock_now() + PATIENCE;
	struct http_reply *reply;

	while (!(reply = http_finished(http))) {
		ck_assert_msg(clock_now() < until, "no reply came");
		http_wait(http, NULL, 0, PATIENCE);
	}
	return reply;
}

static struct http_reply *fetch(struct http *http, struct http_request request)
{
	start(http, request, NULL);
	return wait_for_reply(http);
}

static void expect_failure(const char *path, struct http_timeouts timeouts,
			   enum http_failure failure, bool maybe_sent)
{
	struct http *http = client_of_server();
	struct http_reply *reply = fetch(
		http, (struct http_request){
			      .url = url_of(path), .body = "{}", .len = 2, .timeouts = timeouts});

	ck_assert_msg(reply->failure == failure, "%s: %s (%s)", path,
		      http_failure_name(reply->failure), reply->text);
	ck_assert(reply->maybe_sent == maybe_sent);
	ck_assert(reply->text[0]);
	http_reply_release(http, reply);
	ck_assert_uint_eq(http_in_flight(http), 0);
	http_destroy(http);
}

START_TEST(a_call_carries_body_and_headers_and_brings_the_reply)
{
	const char *headers[] = {"Content-Type: application/json", "Authorization: Bearer k"};
	struct http *http = client_of_server();
	struct http_reply *reply;
	int owner;

	start(http,
	      (struct http_request){.url = url_of("/echo"),
				    .body = "{\"a\":1}",
				    .len = 7,
				    .headers = headers,
				    .header_count = 2},
	      &owner);
	ck_assert_uint_eq(http_in_flight(http), 1);
	reply = wait_for_reply(http);
	ck_assert_int_eq(reply->failure, HTTP_NONE);
	ck_assert_ptr_eq(reply->owner, &owner);
	ck_assert_int_eq(reply->status, 200);
	ck_assert(strncmp(reply->body, "POST /echo HTTP/1.1\r\n", 21) == 0);
	ck_assert_ptr_nonnull(strstr(reply->body, "Authorization: Bearer k\r\n"));
	ck_assert_ptr_nonnull(strstr(reply->body, "\r\n\r\n{\"a\":1}"));
	ck_assert_ptr_null(strstr(reply->body, "Expect:"));
	ck_assert_str_eq(reply->address, "127.0.0.1");
	ck_assert(reply->first_byte > 0 && reply->first_byte <= reply->total);
	http_reply_release(http, reply);
	http_destroy(http);
}
END_TEST

START_TEST(headers_of_the_final_reply_are_found_in_any_case)
{
	struct http *http = client_of_server();
	struct http_reply *r = fetch(http, (struct http_request){.url = url_of("/limits")});

	ck_assert_int_eq(r->status, 429);
	ck_assert_str_eq(header_find(r->headers, r->header_count, "retry-after"), "7");
	ck_assert_str_eq(header_find(r->headers, r->header_count, "x-ratelimit-remaining-tokens"),
			 "0");
	ck_assert_str_eq(header_find(r->headers, r->header_count, "x-empty"), "");
	ck_assert_ptr_null(header_find(r->headers, r->header_count, "x-early"));
	ck_assert_str_eq(r->body, "wait");
	http_reply_release(http, r);
	http_destroy(http);
}
END_TEST

START_TEST(a_flood_of_headers_is_cut_and_the_reply_stands)
{
	struct http *http = client_of_server();
	struct http_reply *r = fetch(http, (struct http_request){.url = url_of("/headers")});

	ck_assert_int_eq(r->failure, HTTP_NONE);
	ck_assert_uint_gt(r->header_count, 50);
	ck_assert_uint_lt(r->header_count, 500);
	ck_assert_str_eq(r->body, "ok");
	http_reply_release(http, r);
	http_destroy(http);
}
END_TEST

START_TEST(calls_one_after_the_other_share_a_connection)
{
	struct http *http = client_of_server();

	for (int i = 0; i < 20; i++)
		http_reply_release(http,
				   fetch(http, (struct http_request){.url = url_of("/echo")}));
	ck_assert_int_eq(server.connections, 1);
	ck_assert_int_eq(server.requests, 20);
	http_destroy(http);
}
END_TEST

START_TEST(many_calls_fly_at_once_each_to_its_owner)
{
	struct http *http = client_of_server();
	bool seen[200] = {false};

	for (int round = 0; round < 3; round++) {
		memset(seen, 0, sizeof(seen));
		for (int i = 0; i < 200; i++) {
			char path[32];

			snprintf(path, sizeof(path), "/echo/%d", i);
			start(http, (struct http_request){.url = url_of(path)}, &seen[i]);
		}
		for (int i = 0; i < 200; i++) {
			struct http_reply *r = wait_for_reply(http);
			bool *mine = r->owner;
			char line[48];

			snprintf(line, sizeof(line), "GET /echo/%d HTTP", (int)(mine - seen));
			ck_assert(strncmp(r->body, line, strlen(line)) == 0);
			ck_assert(!*mine);
			*mine = true;
			http_reply_release(http, r);
		}
	}
	ck_assert_int_le(server.connections, 210);
	http_destroy(http);
}
END_TEST

START_TEST(each_deadline_ends_its_own_phase)
{
	expect_failure("/hang", (struct http_timeouts){.first_byte = MSEC(50)},
		       HTTP_FIRST_BYTE_TIMEOUT, true);
	expect_failure("/hang", (struct http_timeouts){.first_byte = PATIENCE, .total = MSEC(50)},
		       HTTP_TOTAL_TIMEOUT, true);
	expect_failure("/interim", (struct http_timeouts){.first_byte = MSEC(50), .idle = PATIENCE},
		       HTTP_FIRST_BYTE_TIMEOUT, true);
	expect_failure("/stall", (struct http_timeouts){.first_byte = PATIENCE, .idle = MSEC(50)},
		       HTTP_IDLE_TIMEOUT, true);
}
END_TEST

START_TEST(a_connection_that_does_not_stand_in_time_sent_nothing)
{
	struct http *http = client_of_server();
	int port, queue[8];
	int full = listen_on_loopback(0, &port); /* nobody accepts; its queue is filled */
	struct sockaddr_in at = {.sin_family = AF_INET,
				 .sin_port = htons((uint16_t)port),
				 .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	struct http_reply *reply;
	char url[64];

	for (size_t i = 0; i < COUNT_OF(queue); i++) {
		queue[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
		connect(queue[i], (struct sockaddr *)&at, sizeof(at));
	}
	snprintf(url, sizeof(url), "http://127.0.0.1:%d/", port);
	reply = fetch(http, (struct http_request){.url = url, .timeouts = {.connect = MSEC(50)}});
	ck_assert_int_eq(reply->failure, HTTP_CONNECT_TIMEOUT);
	ck_assert(!reply->maybe_sent);
	ck_assert_uint_lt(reply->total, NSEC_PER_SEC);
	http_reply_release(http, reply);
	http_destroy(http);
	for (size_t i = 0; i < COUNT_OF(queue); i++)
		close(queue[i]);
	close(full);
}
END_TEST

START_TEST(who_can_not_be_reached_was_sent_nothing)
{
	struct http *http = client_of_server();
	int port, closed = listen_on_loopback(-1, &port);
	char refused[64];
	const char *urls[] = {refused, "http://no-such-host.invalid/", "ftp://127.0.0.1/",
			      "not a url"};

	snprintf(refused, sizeof(refused), "http://127.0.0.1:%d/", port);
	for (size_t i = 0; i < COUNT_OF(urls); i++) {
		struct http_reply *r = fetch(http, (struct http_request){.url = urls[i]});

		ck_assert_msg(r->failure == HTTP_UNREACHABLE, "%s: %s", urls[i],
			      http_failure_name(r->failure));
		ck_assert(!r->maybe_sent);
		ck_assert_int_eq(r->status, 0);
		http_reply_release(http, r);
	}
	http_destroy(http);
	close(closed);
}
END_TEST

START_TEST(a_broken_connection_may_have_sent)
{
	struct http_timeouts none = {0};

	expect_failure("/reset", none, HTTP_RESET, true);
	expect_failure("/close", none, HTTP_RESET, true);
	expect_failure("/cut", none, HTTP_TRUNCATED, true);
	expect_failure("/chunk", none, HTTP_TRUNCATED, true);
	expect_failure("/noise", none, HTTP_MALFORMED, true);
}
END_TEST

/* curl would send it again on a new connection, and the provider bill it twice. */
START_TEST(a_request_swallowed_by_a_kept_connection_is_not_sent_again)
{
	struct http *http = client_of_server();
	struct http_request swallowed = {.url = url_of("/close"), .body = "{}", .len = 2};
	struct http_reply *reply;

	http_reply_release(http, fetch(http, (struct http_request){.url = url_of("/echo")}));
	swallowed.url = url_of("/close");
	reply = fetch(http, swallowed);
	ck_assert_int_eq(reply->failure, HTTP_RESET);
	ck_assert(reply->maybe_sent);
	http_reply_release(http, reply);
	ck_assert_int_eq(server.requests, 2);
	/* The client is still of use. */
	reply = fetch(http, (struct http_request){.url = url_of("/echo")});
	ck_assert_int_eq(reply->failure, HTTP_NONE);
	http_reply_release(http, reply);
	ck_assert_int_eq(server.requests, 3);
	http_destroy(http);
}
END_TEST

START_TEST(a_connection_closed_while_idle_is_replaced)
{
	struct http *http = client_of_server();

	for (int i = 0; i < 5; i++) {
		struct http_reply *r = fetch(http, (struct http_request){.url = url_of("/last")});

		ck_assert_msg(r->failure == HTTP_NONE, "%d: %s", i, r->text);
		http_reply_release(http, r);
		/* Our end hears of it before the next call. */
		http_wait(http, NULL, 0, MSEC(20));
	}
	ck_assert_int_eq(server.requests, 5);
	http_destroy(http);
}
END_TEST

START_TEST(a_reply_over_its_cap_is_dropped)
{
	struct http *http = client_of_server();
	struct http_reply *r = fetch(
		http, (struct http_request){.url = url_of("/big"), .max_reply_bytes = 100000});

	ck_assert_int_eq(r->failure, HTTP_TOO_LARGE);
	ck_assert_uint_le(r->len, 100000);
	http_reply_release(http, r);
	r = fetch(http, (struct http_request){.url = url_of("/big")});
	ck_assert_int_eq(r->failure, HTTP_NONE);
	ck_assert_uint_eq(r->len, 655360);
	http_reply_release(http, r);
	http_destroy(http);
}
END_TEST

static bool count_bytes(void *owner, const char *bytes, size_t len)
{
	(void)bytes;
	*(size_t *)owner += len;
	return *(size_t *)owner < 700000;
}

static bool take_nothing(void *owner, const char *bytes, size_t len)
{
	(void)owner;
	(void)bytes;
	(void)len;
	return false;
}

START_TEST(a_sink_takes_the_body_piece_by_piece_or_gives_up)
{
	struct http *http = client_of_server();
	struct http_reply *r;
	size_t total = 0;

	start(http, (struct http_request){.url = url_of("/big"), .sink = count_bytes}, &total);
	r = wait_for_reply(http);
	ck_assert_int_eq(r->failure, HTTP_NONE);
	ck_assert_uint_eq(total, 655360);
	ck_assert_uint_eq(r->len, 0);
	http_reply_release(http, r);
	r = fetch(http, (struct http_request){.url = url_of("/big"), .sink = take_nothing});
	ck_assert_int_eq(r->failure, HTTP_SINK);
	http_reply_release(http, r);
	http_destroy(http);
}
END_TEST

START_TEST(redirects_are_not_followed)
{
	struct http *http = client_of_server();
	struct http_reply *r = fetch(http, (struct http_request){.url = url_of("/redirect")});

	ck_assert_int_eq(r->status, 302);
	ck_assert_int_eq(server.requests, 1);
	http_reply_release(http, r);
	http_destroy(http);
}
END_TEST

START_TEST(loopback_is_not_public)
{
	struct http *http = client_of_server();
	struct http_reply *r = fetch(
		http, (struct http_request){.url = url_of("/echo"), .public_only = true});

	ck_assert_int_eq(r->failure, HTTP_FORBIDDEN);
	ck_assert(!r->maybe_sent);
	http_reply_release(http, r);
	ck_assert_int_eq(server.requests, 0);
	http_destroy(http);
}
END_TEST

START_TEST(a_cancelled_call_brings_no_reply)
{
	struct http *http = client_of_server();
	struct http_call *call = start(http, (struct http_request){.url = url_of("/hang")}, NULL);
	struct http_reply *r;

	http_wait(http, NULL, 0, MSEC(20));
	http_cancel(http, call);
	ck_assert_uint_eq(http_in_flight(http), 0);
	r = fetch(http, (struct http_request){.url = url_of("/echo")});
	ck_assert_int_eq(r->failure, HTTP_NONE);
	http_reply_release(http, r);
	ck_assert_ptr_null(http_finished(http));
	http_destroy(http);
}
END_TEST

START_TEST(a_header_with_a_line_break_is_refused_and_not_quoted)
{
	const char *headers[] = {"Authorization: Bearer secret\r\nX-Evil: 1"};
	struct http *http = client_of_server();
	struct http_request request = {
		.url = url_of("/echo"), .headers = headers, .header_count = 1};
	struct error err;

	ck_assert_ptr_null(http_start(http, &request, NULL, clock_now(), &err));
	ck_assert_int_eq(err.kind, ERROR_REJECT);
	ck_assert_ptr_null(strstr(err.text, "secret"));
	http_destroy(http);
}
END_TEST

START_TEST(waiting_ends_when_another_descriptor_stirs)
{
	struct http *http = client_of_server();
	int bell = eventfd(1, EFD_NONBLOCK), silent = eventfd(0, EFD_NONBLOCK), pair[2];
	struct http_descriptor others[] = {
		{.fd = -1, .wants = HTTP_READ},	  {.fd = silent, .wants = HTTP_READ},
		{.fd = bell, .wants = HTTP_READ}, {.fd = silent, .wants = HTTP_WRITE},
		{.fd = bell, .wants = 0},
	};
	nsec before = clock_now();

	http_wait(http, others, COUNT_OF(others), PATIENCE);
	ck_assert_uint_lt(clock_now() - before, PATIENCE / 2);
	ck_assert_uint_eq(others[0].ready, 0);
	ck_assert_uint_eq(others[1].ready, 0);
	ck_assert_uint_eq(others[2].ready, HTTP_READ);
	ck_assert_uint_eq(others[3].ready, HTTP_WRITE);
	ck_assert_uint_eq(others[4].ready, 0);
	ck_assert(socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0);
	close(pair[1]);
	others[0] = (struct http_descriptor){.fd = pair[0], .wants = HTTP_READ};
	http_wait(http, others, 1, PATIENCE);
	ck_assert_uint_eq(others[0].ready, HTTP_READ);
	http_destroy(http);
}
END_TEST

UNIT_TESTS(http, a_call_carries_body_and_headers_and_brings_the_reply,
	   headers_of_the_final_reply_are_found_in_any_case,
	   a_flood_of_headers_is_cut_and_the_reply_stands,
	   calls_one_after_the_other_share_a_connection, many_calls_fly_at_once_each_to_its_owner,
	   each_deadline_ends_its_own_phase, a_connection_that_does_not_stand_in_time_sent_nothing,
	   who_can_not_be_reached_was_sent_nothing, a_broken_connection_may_have_sent,
	   a_request_swallowed_by_a_kept_connection_is_not_sent_again,
	   a_connection_closed_while_idle_is_replaced, a_reply_over_its_cap_is_dropped,
	   a_sink_takes_the_body_piece_by_piece_or_gives_up, redirects_are_not_followed,
	   loopback_is_not_public, a_cancelled_call_brings_no_reply,
	   a_header_with_a_line_break_is_refused_and_not_quoted,
	   waiting_ends_when_another_descriptor_stirs)
