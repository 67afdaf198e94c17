#include "http.h"

#include <arpa/inet.h>
#include <curl/curl.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "address.h"
#include "buffer.h"
#include "ensure.h"
#include "failpoint.h"
#include "socket_set.h"

#define DEFAULT_IN_FLIGHT 512
#define DEFAULT_REPLY_BYTES ((size_t)8 << 20)
#define KEPT_BODY_BYTES ((size_t)64 << 10) /* a larger buffer is not kept for the next call */
#define MAX_DESCRIPTORS 32
#define SOCKETS_PER_MOVE 256
#define LONGEST_NAP (60 * NSEC_PER_SEC)
#define NEVER CALL_CLOCK_NEVER
/* A kept connection this old is not used again: servers close them after a minute or so. */
#define KEPT_SECONDS 50L
#define PEER_SILENCE_MS 60000 /* unacknowledged bytes for that long: the peer is gone */

/* A call's place; places are used again and again, with curl's handle and its constant settings. */
struct http_call {
	CURL *easy;
	struct http *http;
	struct call_clock clock;
	struct http_call *next, *previous; /* in flight, finished or idle */
	enum http_failure verdict;	   /* why we stopped it ourselves; NONE: we did not */
	bool public_only;
	bool (*sink)(void *owner, const char *bytes, size_t len);
	size_t (*source)(void *owner, char *bytes, size_t room);
	struct curl_slist *request_headers;
	char *ca_file;
	struct buffer body;
	struct header_list headers;
	char why[CURL_ERROR_SIZE];
	struct http_reply reply;
};

struct call_list {
	struct http_call *first, *last;
};

/*
 * `earliest` is never later than the first deadline of all calls. Deadlines
 * mostly move away or vanish, so this is cheap to keep: all calls are looked at
 * only when it has passed.
 */
struct http {
	CURLM *multi;
	struct socket_set *sockets;
	char *ca_file;
	char *user_agent;
	size_t max_reply_bytes;
	nsec now; /* of the move under way, for curl's callbacks */
	nsec curl_due;
	nsec earliest;
	size_t in_flight;
	struct call_list flying, finished, idle;
};

static const char *const failure_names[] = {
	[HTTP_NONE] = "none",
	[HTTP_UNREACHABLE] = "unreachable",
	[HTTP_FORBIDDEN] = "forbidden",
	[HTTP_CONNECT_TIMEOUT] = "connect_timeout",
	[HTTP_FIRST_BYTE_TIMEOUT] = "first_byte_timeout",
	[HTTP_IDLE_TIMEOUT] = "idle_timeout",
	[HTTP_TOTAL_TIMEOUT] = "total_timeout",
	[HTTP_RESET] = "reset",
	[HTTP_TRUNCATED] = "truncated",
	[HTTP_TOO_LARGE] = "too_large",
	[HTTP_MALFORMED] = "malformed",
	[HTTP_SINK] = "sink",
};

/* -- lists -- */

static void list_add(struct call_list *list, struct http_call *call)
{
	call->previous = list->last;
	call->next = NULL;
	if (list->last)
		list->last->next = call;
	else
		list->first = call;
	list->last = call;
}

static void list_remove(struct call_list *list, struct http_call *call)
{
	if (call->previous)
		call->previous->next = call->next;
	else
		list->first = call->next;
	if (call->next)
		call->next->previous = call->previous;
	else
		list->last = call->previous;
}

/* -- deadlines -- */

static void note_deadline(struct http_call *call)
{
	struct call_deadline d = call_clock_deadline(&call->clock);

	if (d.at < call->http->earliest)
		call->http->earliest = d.at;
}

static void enter(struct http_call *call, enum call_phase phase)
{
	ENSURE(call && call->http);
	call_clock_enter(&call->clock, phase, call->http->now);
	note_deadline(call);
}

/* -- the end of a call -- */

static enum http_failure failure_of(const struct http_call *call, CURLcode code)
{
	if (call->verdict != HTTP_NONE || code == CURLE_OK)
		return call->verdict;
	if (call->clock.phase == CALL_CONNECTING)
		return code == CURLE_OPERATION_TIMEDOUT ? HTTP_CONNECT_TIMEOUT : HTTP_UNREACHABLE;
	if (code == CURLE_WEIRD_SERVER_REPLY || code == CURLE_UNSUPPORTED_PROTOCOL)
		return HTTP_MALFORMED;
	return call->clock.phase == CALL_SENT ? HTTP_RESET : HTTP_TRUNCATED;
}

/* curl's words are about hosts and sockets; no header is ever in them. */
static void explain(struct http_call *call, CURLcode code)
{
	struct http_reply *r = &call->reply;
	char *line;

	if (r->failure == HTTP_NONE || r->text[0])
		return;
	if (call->verdict == HTTP_NONE)
		snprintf(r->text, sizeof(r->text), "%s",
			 call->why[0] ? call->why : curl_easy_strerror(code));
	else
		snprintf(r->text, sizeof(r->text), "%s after %.1f s", http_failure_name(r->failure),
			 (double)r->total / NSEC_PER_SEC);
	for (line = r->text; *line; line++)
		if (*line == '\n' || *line == '\r')
			*line = ' ';
}

static void finish(struct http_call *call, CURLcode code)
{
	struct http *http = call->http;
	struct http_reply *r = &call->reply;

	curl_multi_remove_handle(http->multi, call->easy);
	r->failure = failure_of(call, code);
	r->maybe_sent = call->clock.phase != CALL_CONNECTING;
	r->total = http->now - call->clock.started;
	explain(call, code);
	header_list_close(&call->headers);
	r->headers = call->headers.items;
	r->header_count = call->headers.count;
	r->body = call->body.len > 0 ? call->body.data : "";
	r->len = call->body.len;
	enter(call, CALL_FINISHED);
	list_remove(&http->flying, call);
	list_add(&http->finished, call);
}

static void collect(struct http *http)
{
	CURLMsg *message;
	int left;

	while ((message = curl_multi_info_read(http->multi, &left))) {
		CURLcode code = message->data.result;
		struct http_call *call;

		if (message->msg != CURLMSG_DONE)
			continue;
		curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &call);
		finish(call, code);
	}
}

static void expire(struct http *http)
{
	static const enum http_failure timeouts[] = {
		[LIMIT_CONNECT] = HTTP_CONNECT_TIMEOUT,
		[LIMIT_FIRST_BYTE] = HTTP_FIRST_BYTE_TIMEOUT,
		[LIMIT_IDLE] = HTTP_IDLE_TIMEOUT,
		[LIMIT_TOTAL] = HTTP_TOTAL_TIMEOUT,
	};
	struct http_call *next;

	if (http->now < http->earliest)
		return;
	http->earliest = NEVER;
	for (struct http_call *call = http->flying.first; call; call = next) {
		struct call_deadline d = call_clock_deadline(&call->clock);

		next = call->next;
		if (d.at <= http->now) {
			call->verdict = timeouts[d.limit];
			finish(call, CURLE_OPERATION_TIMEDOUT);
		} else if (d.at < http->earliest) {
			http->earliest = d.at;
		}
	}
}

/* -- what curl tells during a call -- */

/*
 * The connection stands and the request is about to leave. A second time for
 * the same call means that a kept connection died with the request, and that
 * curl wants to send it again: the server may have seen it, so it must not.
 */
static int on_connected(void *context, char *address, char *local, int port, int local_port)
{
	struct http_call *call = context;

	(void)local;
	(void)port;
	(void)local_port;
	if (call->clock.phase != CALL_CONNECTING) {
		call->verdict = HTTP_RESET;
		snprintf(call->reply.text, sizeof(call->reply.text),
			 "the kept connection closed without an answer");
		return CURL_PREREQFUNC_ABORT;
	}
	snprintf(call->reply.address, sizeof(call->reply.address), "%s", address);
	if (call->public_only && !address_is_public(address)) {
		call->verdict = HTTP_FORBIDDEN;
		snprintf(call->reply.text, sizeof(call->reply.text), "%s is no public address",
			 address);
		return CURL_PREREQFUNC_ABORT;
	}
	if (call->verdict == HTTP_FORBIDDEN) { /* of another address of the same name */
		call->verdict = HTTP_NONE;
		call->reply.text[0] = '\0';
	}
	enter(call, CALL_SENT);
	return CURL_PREREQFUNC_OK;
}

/* An interim reply (1xx) is no beginning: what was asked for may still take its time. */
static void note_bytes(struct http_call *call)
{
	if (call->reply.status / 100 == 1)
		return;
	if (call->clock.phase == CALL_SENT) {
		call->reply.first_byte = call->http->now - call->clock.started;
		enter(call, CALL_REPLYING);
	}
	if (call->clock.phase == CALL_REPLYING)
		call_clock_byte(&call->clock, call->http->now);
}

/* A status line begins a reply; after an interim one (100) another follows. */
static void begin_reply(struct http_call *call, const char *line, size_t len)
{
	const char *blank = memchr(line, ' ', len);

	header_list_clear(&call->headers);
	call->reply.status = blank ? strtol(blank, NULL, 10) : 0;
}

static size_t on_header(char *line, size_t size, size_t count, void *context)
{
	struct http_call *call = context;
	size_t len = size * count;

	if (len > 5 && memcmp(line, "HTTP/", 5) == 0)
		begin_reply(call, line, len);
	else
		header_list_add(&call->headers, line, len);
	note_bytes(call);
	return len;
}

/* A source that has nothing more breaks the call off: the server must not take it for the whole. */
static size_t on_more(char *bytes, size_t size, size_t count, void *context)
{
	struct http_call *call = context;
	size_t len = call->source(call->reply.owner, bytes, size * count);

	return len > 0 ? len : CURL_READFUNC_ABORT;
}

static size_t on_body(char *bytes, size_t size, size_t count, void *context)
{
	struct http_call *call = context;
	size_t len = size * count;

	FAILPOINT("K08");
	note_bytes(call);
	if (call->sink && call->reply.status / 100 == 2) {
		if (call->sink(call->reply.owner, bytes, len))
			return len;
		call->verdict = HTTP_SINK;
		return 0;
	}
	if (buffer_append(&call->body, bytes, len))
		return len;
	call->verdict = HTTP_TOO_LARGE;
	return 0;
}

/* -- sockets -- */

static int on_socket(CURL *easy, curl_socket_t fd, int what, void *context, void *unused)
{
	static const unsigned interest[] = {
		[CURL_POLL_NONE] = 0,		[CURL_POLL_IN] = SOCKET_READ,
		[CURL_POLL_OUT] = SOCKET_WRITE, [CURL_POLL_INOUT] = SOCKET_READ | SOCKET_WRITE,
		[CURL_POLL_REMOVE] = 0,
	};
	struct http *http = context;

	(void)easy;
	(void)unused;
	socket_set_want(http->sockets, fd, interest[what]);
	return 0;
}

static int on_close(void *context, curl_socket_t fd)
{
	struct http *http = context;

	socket_set_closed(http->sockets, fd);
	return close(fd);
}

static int on_open(void *context, curl_socket_t fd, curlsocktype purpose)
{
	struct http *http = context;
	unsigned silence = PEER_SILENCE_MS;

	(void)purpose;
	socket_set_opened(http->sockets, fd);
	setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &silence, sizeof(silence));
	return CURL_SOCKOPT_OK;
}

/*
 * The address is judged as it was resolved, for this very connection, so that a
 * name that changes between a look and the call leads nowhere.
 */
static curl_socket_t on_socket_wanted(void *context, curlsocktype purpose, struct curl_sockaddr *to)
{
	struct http_call *call = context;
	char address[INET6_ADDRSTRLEN] = "";

	(void)purpose;
	if (call->public_only) {
		(void)!getnameinfo(&to->addr, to->addrlen, address, sizeof(address), NULL, 0,
				   NI_NUMERICHOST);
		if (!address_is_public(address)) {
			call->verdict = HTTP_FORBIDDEN;
			snprintf(call->reply.text, sizeof(call->reply.text),
				 "%s is no public address", address);
			return CURL_SOCKET_BAD;
		}
	}
	return socket(to->family, to->socktype | SOCK_CLOEXEC, to->protocol);
}

static int on_timer(CURLM *multi, long milliseconds, void *context)
{
	struct http *http = context;

	(void)multi;
	http->curl_due = milliseconds < 0 ? NEVER : http->now + (nsec)milliseconds * NSEC_PER_MSEC;
	return 0;
}

static void serve_sockets(struct http *http)
{
	struct ready_socket ready[SOCKETS_PER_MOVE];
	size_t count = socket_set_ready(http->sockets, ready, SOCKETS_PER_MOVE);
	int running;

	for (size_t i = 0; i < count; i++)
		curl_multi_socket_action(http->multi, ready[i].fd,
					 (ready[i].readable ? CURL_CSELECT_IN : 0) |
						 (ready[i].writable ? CURL_CSELECT_OUT : 0) |
						 (ready[i].broken ? CURL_CSELECT_ERR : 0),
					 &running);
	if (http->curl_due <= http->now) {
		http->curl_due = NEVER; /* curl sets it anew */
		curl_multi_socket_action(http->multi, CURL_SOCKET_TIMEOUT, 0, &running);
	}
}

/* -- the one sleep -- */

nsec http_nap(const struct http *http, nsec now, nsec longest)
{
	nsec until = http->earliest < http->curl_due ? http->earliest : http->curl_due;
	nsec nap = until <= now ? 0 : until - now;

	if (http->finished.first)
		return 0;
	if (longest < nap)
		nap = longest;
	return nap;
}

static int nap_ms(const struct http *http, nsec now, nsec longest)
{
	nsec nap = http_nap(http, now, longest < LONGEST_NAP ? longest : LONGEST_NAP);

	return (int)((nap + NSEC_PER_MSEC - 1) / NSEC_PER_MSEC);
}

int http_fd(const struct http *http)
{
	return socket_set_fd(http->sockets);
}

static unsigned ready_of(const struct http_descriptor *d, short revents)
{
	unsigned ready = 0;

	if (revents & (POLLERR | POLLHUP | POLLNVAL))
		return d->wants;
	if (revents & POLLIN)
		ready |= HTTP_READ;
	if (revents & POLLOUT)
		ready |= HTTP_WRITE;
	return ready;
}

static void sleep_on(struct http *http, struct http_descriptor *others, size_t count, int nap)
{
	struct pollfd fds[1 + MAX_DESCRIPTORS] = {
		{.fd = socket_set_fd(http->sockets), .events = POLLIN}};

	for (size_t i = 0; i < count; i++) {
		fds[1 + i].fd = others[i].wants ? others[i].fd : -1;
		if (others[i].wants & HTTP_READ)
			fds[1 + i].events |= POLLIN;
		if (others[i].wants & HTTP_WRITE)
			fds[1 + i].events |= POLLOUT;
	}
	if (poll(fds, (nfds_t)(1 + count), nap) < 0)
		ENSURE(errno == EINTR);
	for (size_t i = 0; i < count; i++)
		others[i].ready = ready_of(&others[i], fds[1 + i].revents);
}

void http_wait(struct http *http, struct http_descriptor *others, size_t count, nsec longest)
{
	ENSURE(count <= MAX_DESCRIPTORS);
	sleep_on(http, others, count, nap_ms(http, clock_now(), longest));
	http->now = clock_now();
	serve_sockets(http);
	collect(http);
	expire(http);
}

/* -- starting -- */

static void set_constants(struct http_call *call)
{
	struct http *http = call->http;
	CURL *e = call->easy;

	curl_easy_setopt(e, CURLOPT_PRIVATE, call);
	curl_easy_setopt(e, CURLOPT_ERRORBUFFER, call->why);
	curl_easy_setopt(e, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(e, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
	curl_easy_setopt(e, CURLOPT_PROTOCOLS_STR, "http,https");
	curl_easy_setopt(e, CURLOPT_FOLLOWLOCATION, 0L);
	curl_easy_setopt(e, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
	curl_easy_setopt(e, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
	curl_easy_setopt(e, CURLOPT_CAPATH, NULL); /* reading it costs 17 ms a connection */
	curl_easy_setopt(e, CURLOPT_USERAGENT, http->user_agent);
	curl_easy_setopt(e, CURLOPT_BUFFERSIZE, 8192L);
	curl_easy_setopt(e, CURLOPT_UPLOAD_BUFFERSIZE, 16384L);
	curl_easy_setopt(e, CURLOPT_TCP_KEEPALIVE, 1L);
	curl_easy_setopt(e, CURLOPT_TCP_KEEPIDLE, 30L);
	curl_easy_setopt(e, CURLOPT_TCP_KEEPINTVL, 10L);
	curl_easy_setopt(e, CURLOPT_MAXAGE_CONN, KEPT_SECONDS);
	curl_easy_setopt(e, CURLOPT_SOCKOPTFUNCTION, on_open);
	curl_easy_setopt(e, CURLOPT_SOCKOPTDATA, http);
	curl_easy_setopt(e, CURLOPT_OPENSOCKETFUNCTION, on_socket_wanted);
	curl_easy_setopt(e, CURLOPT_OPENSOCKETDATA, call);
	curl_easy_setopt(e, CURLOPT_CLOSESOCKETFUNCTION, on_close);
	curl_easy_setopt(e, CURLOPT_CLOSESOCKETDATA, http);
	curl_easy_setopt(e, CURLOPT_PREREQFUNCTION, on_connected);
	curl_easy_setopt(e, CURLOPT_PREREQDATA, call);
	curl_easy_setopt(e, CURLOPT_HEADERFUNCTION, on_header);
	curl_easy_setopt(e, CURLOPT_HEADERDATA, call);
	curl_easy_setopt(e, CURLOPT_WRITEFUNCTION, on_body);
	curl_easy_setopt(e, CURLOPT_WRITEDATA, call);
	curl_easy_setopt(e, CURLOPT_READFUNCTION, on_more);
	curl_easy_setopt(e, CURLOPT_READDATA, call);
}

static struct http_call *take_place(struct http *http)
{
	struct http_call *call = http->idle.last; /* the one used last is still in the cache */

	if (call) {
		list_remove(&http->idle, call);
		return call;
	}
	call = xcalloc(1, sizeof(*call));
	call->http = http;
	call->easy = curl_easy_init();
	ENSURE(call->easy);
	set_constants(call);
	return call;
}

static void set_method(CURL *e, const struct http_request *r)
{
	if (r->body || r->source) {
		curl_easy_setopt(e, CURLOPT_POST, 1L);
		curl_easy_setopt(e, CURLOPT_POSTFIELDS, r->source ? NULL : r->body);
		curl_easy_setopt(e, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)r->len);
	} else {
		curl_easy_setopt(e, CURLOPT_HTTPGET, 1L);
	}
	curl_easy_setopt(e, CURLOPT_CUSTOMREQUEST, r->method);
}

static void set_headers(struct http_call *call, const struct http_request *r)
{
	struct curl_slist *list = curl_slist_append(NULL, "Expect:");

	for (size_t i = 0; list && i < r->header_count; i++)
		list = curl_slist_append(list, r->headers[i]);
	ENSURE(list);
	call->request_headers = list;
	curl_easy_setopt(call->easy, CURLOPT_HTTPHEADER, list);
}

static void set_authorities(struct http_call *call, const char *ca_file)
{
	if (!ca_file || (call->ca_file && strcmp(call->ca_file, ca_file) == 0))
		return;
	free(call->ca_file);
	call->ca_file = xstrdup(ca_file);
	curl_easy_setopt(call->easy, CURLOPT_CAINFO, ca_file);
}

static bool headers_are_lines(const struct http_request *r)
{
	for (size_t i = 0; i < r->header_count; i++)
		if (strpbrk(r->headers[i], "\r\n"))
			return false;
	return true;
}

struct http_call *http_start(struct http *http, const struct http_request *request, void *owner,
			     nsec now, struct error *err)
{
	struct http_call *call;

	if (!headers_are_lines(request)) {
		error_set(err, ERROR_REJECT, "a header of the request has a line break in it");
		return NULL;
	}
	call = take_place(http);
	call->public_only = request->public_only;
	call->sink = request->sink;
	call->source = request->source;
	call->body.max = request->max_reply_bytes ? request->max_reply_bytes
						  : http->max_reply_bytes;
	call->reply.owner = owner;
	curl_easy_setopt(call->easy, CURLOPT_URL, request->url);
	curl_easy_setopt(call->easy, CURLOPT_PROXY, request->public_only ? "" : NULL);
	set_method(call->easy, request);
	set_headers(call, request);
	set_authorities(call, request->ca_file ? request->ca_file : http->ca_file);
	list_add(&http->flying, call);
	http->in_flight++;
	http->now = now;
	call_clock_start(&call->clock, &request->timeouts, now);
	note_deadline(call);
	ENSURE(curl_multi_add_handle(http->multi, call->easy) == CURLM_OK);
	return call;
}

/* Make the place ready for the next call. */
static void leave_place(struct http *http, struct http_call *call)
{
	curl_slist_free_all(call->request_headers);
	call->request_headers = NULL;
	if (call->body.capacity > KEPT_BODY_BYTES)
		buffer_finish(&call->body);
	buffer_clear(&call->body);
	header_list_clear(&call->headers);
	call->verdict = HTTP_NONE;
	call->why[0] = '\0';
	call->reply = (struct http_reply){0};
	enter(call, CALL_IDLE);
	list_add(&http->idle, call);
	http->in_flight--;
}

void http_cancel(struct http *http, struct http_call *call)
{
	ENSURE(call->clock.phase != CALL_IDLE && call->clock.phase != CALL_FINISHED);
	curl_multi_remove_handle(http->multi, call->easy);
	list_remove(&http->flying, call);
	leave_place(http, call);
}

struct http_reply *http_finished(struct http *http)
{
	struct http_call *call = http->finished.first;

	if (!call)
		return NULL;
	list_remove(&http->finished, call);
	return &call->reply;
}

void http_reply_release(struct http *http, struct http_reply *reply)
{
	struct http_call *call = (struct http_call *)((char *)reply -
						      offsetof(struct http_call, reply));

	leave_place(http, call);
}

size_t http_in_flight(const struct http *http)
{
	return http->in_flight;
}

const char *http_failure_name(enum http_failure failure)
{
	return failure_names[failure];
}

/* -- birth and death -- */

struct http *http_create(const struct http_settings *s, struct error *err)
{
	AUTO(http_destroy) struct http *http = xcalloc(1, sizeof(*http));
	const curl_version_info_data *curl;

	curl_global_init(CURL_GLOBAL_DEFAULT);
	curl = curl_version_info(CURLVERSION_NOW);
	http->curl_due = http->earliest = NEVER;
	http->sockets = socket_set_create();
	http->multi = curl_multi_init();
	ENSURE(http->multi);
	if (!curl->ssl_version || !strstr(curl->ssl_version, "OpenSSL")) {
		error_set(err, ERROR_FATAL,
			  "libcurl is built with %s, but only its OpenSSL build carries our load: "
			  "install libcurl4-openssl-dev",
			  curl->ssl_version ? curl->ssl_version : "no TLS");
		return NULL;
	}
	http->ca_file = s->ca_file && s->ca_file[0] ? xstrdup(s->ca_file)
			: curl->cainfo		    ? xstrdup(curl->cainfo)
						    : NULL;
	http->user_agent = xstrdup(s->user_agent ? s->user_agent : "sluice/" SLUICE_VERSION);
	http->max_reply_bytes = s->max_reply_bytes ? s->max_reply_bytes : DEFAULT_REPLY_BYTES;
	curl_multi_setopt(http->multi, CURLMOPT_MAXCONNECTS,
			  (long)(s->max_in_flight ? s->max_in_flight : DEFAULT_IN_FLIGHT));
	curl_multi_setopt(http->multi, CURLMOPT_SOCKETFUNCTION, on_socket);
	curl_multi_setopt(http->multi, CURLMOPT_SOCKETDATA, http);
	curl_multi_setopt(http->multi, CURLMOPT_TIMERFUNCTION, on_timer);
	curl_multi_setopt(http->multi, CURLMOPT_TIMERDATA, http);
	return TAKE(http);
}

static void free_calls(struct http *http, struct call_list *list)
{
	struct http_call *next;

	for (struct http_call *call = list->first; call; call = next) {
		next = call->next;
		if (call->clock.phase != CALL_IDLE && call->clock.phase != CALL_FINISHED)
			curl_multi_remove_handle(http->multi, call->easy);
		curl_easy_cleanup(call->easy);
		curl_slist_free_all(call->request_headers);
		buffer_finish(&call->body);
		header_list_finish(&call->headers);
		free(call->ca_file);
		free(call);
	}
}

void http_destroy(struct http *http)
{
	if (!http)
		return;
	free_calls(http, &http->flying);
	free_calls(http, &http->finished);
	free_calls(http, &http->idle);
	curl_multi_cleanup(http->multi); /* closes the kept connections through on_close() */
	curl_global_cleanup();
	socket_set_destroy(http->sockets);
	free(http->ca_file);
	free(http->user_agent);
	free(http);
}

const char *http_library_version(void)
{
	return curl_version();
}
