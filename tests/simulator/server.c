#include "server.h"

#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "agenda.h"
#include "ensure.h"

#define MAX_EVENTS 256
#define READ_BYTES ((size_t)32 * 1024)
#define PAUSE_STEP (20 * NSEC_PER_MSEC)
#define KEEP_BUFFER ((size_t)256 * 1024) /* larger buffers are given back when idle */

enum connection_state {
	STATE_HEAD,    /* reading a request's head */
	STATE_BODY,    /* reading its body */
	STATE_WAITING, /* answered, not yet due; in the agenda */
	STATE_SENDING, /* reply is leaving; in the agenda when it waits for its pace */
	STATE_HANGING, /* never to be answered */
	STATE_DEAD,    /* closed; freed at the end of the turn */
};

struct connection {
	int fd;
	enum connection_state state;
	uint32_t interest; /* what epoll is asked for */
	struct buffer in;
	struct buffer head; /* the request's, cut into strings */
	size_t body_at;	    /* where the body starts in `in` */
	size_t request_end; /* where the next request starts in `in` */
	size_t body_len;
	bool chunked;
	bool keep_alive;
	struct buffer out;
	size_t sent;
	size_t out_end;	 /* bytes of `out` that are to leave before reply.end */
	size_t head_len; /* of `out` */
	struct appointment wake;
	struct exchange exchange;
	struct connection *prev, *next; /* all connections */
	struct connection *dead_next;
};

struct server {
	struct server_config config;
	int listener, epoll, signals;
	int port;
	bool stopping;
	bool paused;
	struct connection *all;
	struct connection *dead;
	struct agenda agenda;
};

/* --- connections --- */

static void watch(struct server *s, struct connection *c, uint32_t interest)
{
	struct epoll_event event = {.events = interest, .data.ptr = c};

	if (interest == c->interest)
		return;
	c->interest = interest;
	ENSURE(epoll_ctl(s->epoll, EPOLL_CTL_MOD, c->fd, &event) == 0);
}

static void exchange_over(struct server *s, struct connection *c, bool delivered)
{
	struct exchange *x = &c->exchange;

	if (s->config.done)
		s->config.done(s->config.world, x, delivered);
	if (x->reply.body.capacity > KEEP_BUFFER)
		buffer_finish(&x->reply.body);
	buffer_clear(&x->reply.body);
	buffer_clear(&x->reply.head);
	x->note = NULL;
}

static void connection_close(struct server *s, struct connection *c, bool reset)
{
	struct linger linger = {.l_onoff = 1, .l_linger = 0};

	if (c->state == STATE_DEAD)
		return;
	if (c->state >= STATE_WAITING)
		exchange_over(s, c, false);
	agenda_remove(&s->agenda, &c->wake);
	if (reset)
		setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
	close(c->fd);
	c->state = STATE_DEAD;
	if (c->prev)
		c->prev->next = c->next;
	else
		s->all = c->next;
	if (c->next)
		c->next->prev = c->prev;
	c->dead_next = s->dead;
	s->dead = c;
}

static void bury(struct server *s)
{
	struct connection *c;

	while ((c = s->dead) != NULL) {
		s->dead = c->dead_next;
		buffer_finish(&c->in);
		buffer_finish(&c->head);
		buffer_finish(&c->out);
		buffer_finish(&c->exchange.reply.head);
		buffer_finish(&c->exchange.reply.body);
		free(c);
	}
}

static void accept_all(struct server *s)
{
	for (int i = 0; i < 64; i++) {
		int fd = accept4(s->listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC), on = 1;
		struct epoll_event event = {.events = EPOLLIN | EPOLLRDHUP};
		struct connection *c;

		if (fd < 0)
			return;
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
		c = xcalloc(1, sizeof(*c));
		c->fd = fd;
		c->wake.owner = c;
		c->interest = event.events;
		c->in.max = s->config.max_body + REQUEST_MAX_HEAD + READ_BYTES;
		c->next = s->all;
		if (s->all)
			s->all->prev = c;
		s->all = c;
		event.data.ptr = c;
		ENSURE(epoll_ctl(s->epoll, EPOLL_CTL_ADD, fd, &event) == 0);
	}
}

/* --- sending --- */

static void take_request(struct server *s, struct connection *c, nsec now);

static void start_next_request(struct server *s, struct connection *c, nsec now)
{
	size_t left = c->in.len - c->request_end;

	if (left > 0)
		memmove(c->in.data, c->in.data + c->request_end, left);
	c->in.len = left;
	if (left == 0 && c->in.capacity > KEEP_BUFFER)
		buffer_finish(&c->in);
	c->state = STATE_HEAD;
	watch(s, c, EPOLLIN | EPOLLRDHUP);
	if (left > 0)
		take_request(s, c, now);
}

static void finish_sending(struct server *s, struct connection *c, nsec now)
{
	const struct reply *reply = &c->exchange.reply;
	enum reply_end end = reply->end;
	bool whole = reply->cut == CUT_NOWHERE && reply->length_lie == 0;

	if (end == END_HANG) {
		c->state = STATE_HANGING;
		watch(s, c, EPOLLRDHUP);
		return;
	}
	if (end == END_KEEP && !c->keep_alive)
		end = END_CLOSE;
	exchange_over(s, c, whole && end != END_RESET);
	c->state = STATE_HEAD;
	if (end != END_KEEP)
		connection_close(s, c, end == END_RESET);
	else
		start_next_request(s, c, now);
}

/* How many bytes may leave now: all, or up to the next piece of the body. */
static size_t allowance(const struct connection *c)
{
	const struct reply *reply = &c->exchange.reply;
	size_t start = c->sent < c->head_len ? c->head_len : c->sent;

	if (reply->pace == 0 || start + reply->piece >= c->out_end)
		return c->out_end;
	return start + reply->piece;
}

static void send_more(struct server *s, struct connection *c, nsec now)
{
	size_t until = allowance(c);

	while (c->sent < until) {
		ssize_t n = send(c->fd, c->out.data + c->sent, until - c->sent, MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN) {
			watch(s, c, EPOLLOUT | EPOLLRDHUP);
			return;
		}
		if (n < 0) {
			connection_close(s, c, false);
			return;
		}
		c->sent += (size_t)n;
	}
	if (c->sent < c->out_end) {
		watch(s, c, EPOLLRDHUP);
		agenda_add(&s->agenda, &c->wake, now + c->exchange.reply.pace);
	} else {
		finish_sending(s, c, now);
	}
}

static void start_sending(struct server *s, struct connection *c, nsec now)
{
	if (s->config.before_send)
		s->config.before_send(s->config.world, &c->exchange);
	if (c->out.capacity > KEEP_BUFFER)
		buffer_finish(&c->out);
	buffer_clear(&c->out);
	reply_write_head(&c->exchange.reply, !c->keep_alive || c->exchange.reply.end != END_KEEP,
			 &c->out);
	c->head_len = c->out.len;
	if (c->exchange.reply.body.len > 0)
		buffer_append(&c->out, c->exchange.reply.body.data, c->exchange.reply.body.len);
	c->out_end = reply_bytes_to_send(&c->exchange.reply, c->head_len, c->out.len);
	c->sent = 0;
	c->state = STATE_SENDING;
	send_more(s, c, now);
}

/* --- reading --- */

static void refuse(struct server *s, struct connection *c, int status, nsec now)
{
	struct reply *reply = &c->exchange.reply;

	*reply = (struct reply){.status = status, .head = reply->head, .body = reply->body};
	buffer_printf(&reply->body, "{\"error\":{\"message\":\"%s\"}}\n",
		      reply_status_text(status));
	reply->end = END_CLOSE;
	c->keep_alive = false;
	c->request_end = c->in.len;
	c->state = STATE_WAITING;
	agenda_add(&s->agenda, &c->wake, now);
}

static void dispatch(struct server *s, struct connection *c, nsec now)
{
	struct exchange *x = &c->exchange;

	x->request.body = c->in.data + c->body_at;
	x->request.body_len = c->body_len;
	x->reply = (struct reply){.status = 200, .head = x->reply.head, .body = x->reply.body};
	x->holdable = false;
	x->arrived = now;
	x->due = now;
	c->state = STATE_WAITING;
	s->config.handle(s->config.world, x, now);
	agenda_add(&s->agenda, &c->wake, x->due);
}

/* Finds out from the head how the body is delimited. False: refused. */
static bool plan_body(struct server *s, struct connection *c, nsec now)
{
	const struct request *request = &c->exchange.request;
	const char *length = request_header(request, "content-length");
	const char *coding = request_header(request, "transfer-encoding");
	const char *connection = request_header(request, "connection");
	const char *expect = request_header(request, "expect");
	static const char go_on[] = "HTTP/1.1 100 Continue\r\n\r\n";

	c->keep_alive = !request->http_1_0 && !(connection && strcasecmp(connection, "close") == 0);
	c->chunked = coding && strcasecmp(coding, "chunked") == 0;
	c->body_len = 0;
	if (!c->chunked && length) {
		unsigned long long value = strtoull(length, NULL, 10);

		if (value > s->config.max_body) {
			refuse(s, c, 413, now);
			return false;
		}
		c->body_len = (size_t)value;
	}
	if (expect && strcasecmp(expect, "100-continue") == 0)
		(void)!send(c->fd, go_on, sizeof(go_on) - 1, MSG_NOSIGNAL);
	return true;
}

static void take_body(struct server *s, struct connection *c, nsec now)
{
	size_t have = c->in.len - c->body_at, used;
	enum request_progress progress;

	if (!c->chunked) {
		if (have < c->body_len)
			return;
		c->request_end = c->body_at + c->body_len;
		dispatch(s, c, now);
		return;
	}
	progress = request_unchunk(c->in.data + c->body_at, have, s->config.max_body, &c->body_len,
				   &used);
	if (progress == REQUEST_MORE)
		return;
	if (progress != REQUEST_WHOLE) {
		refuse(s, c, progress == REQUEST_BAD ? 400 : 413, now);
		return;
	}
	c->request_end = c->body_at + used;
	dispatch(s, c, now);
}

/* Reads the head and plans the body. False: more is needed, or the request was refused. */
static bool take_head(struct server *s, struct connection *c, nsec now)
{
	enum request_progress progress;

	progress = request_head_length(c->in.data, c->in.len, &c->body_at);
	if (progress == REQUEST_MORE)
		return false;
	if (progress == REQUEST_WHOLE) {
		buffer_clear(&c->head);
		buffer_append(&c->head, c->in.data, c->body_at);
		progress = request_head(&c->exchange.request, c->head.data, c->head.len);
	}
	if (progress != REQUEST_WHOLE) {
		refuse(s, c, progress == REQUEST_BAD ? 400 : 431, now);
		return false;
	}
	return plan_body(s, c, now);
}

static void take_request(struct server *s, struct connection *c, nsec now)
{
	if (c->state == STATE_HEAD) {
		if (!take_head(s, c, now))
			return;
		c->state = STATE_BODY;
	}
	take_body(s, c, now);
}

static void read_more(struct server *s, struct connection *c, nsec now)
{
	char bytes[READ_BYTES];
	ssize_t n = recv(c->fd, bytes, sizeof(bytes), 0);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0 || !buffer_append(&c->in, bytes, (size_t)n)) {
		connection_close(s, c, false);
		return;
	}
	take_request(s, c, now);
}

static void serve(struct server *s, struct connection *c, uint32_t events, nsec now)
{
	if (c->state == STATE_DEAD)
		return;
	if (events & (EPOLLHUP | EPOLLERR)) {
		connection_close(s, c, false);
		return;
	}
	if (c->state <= STATE_BODY) {
		if (events & (EPOLLIN | EPOLLRDHUP))
			read_more(s, c, now);
		return;
	}
	if (events & EPOLLRDHUP) /* nobody is there to read the answer */
		connection_close(s, c, false);
	else if (c->state == STATE_SENDING && (events & EPOLLOUT))
		send_more(s, c, now);
	else if (events & EPOLLIN) /* a second request before the first is answered */
		watch(s, c, c->interest & ~(uint32_t)EPOLLIN);
}

/* --- the loop --- */

static void send_due(struct server *s, nsec now)
{
	struct appointment *wake;

	while ((wake = agenda_next(&s->agenda)) != NULL && wake->at <= now) {
		struct connection *c = wake->owner;

		agenda_remove(&s->agenda, wake);
		if (s->paused && c->exchange.holdable)
			agenda_add(&s->agenda, &c->wake, now + PAUSE_STEP);
		else if (c->state == STATE_WAITING)
			start_sending(s, c, now);
		else
			send_more(s, c, now);
	}
}

/* Milliseconds to sleep: until the next appointment or turn, a second at most. */
static int until_next(const struct server *s, nsec turn, nsec now)
{
	const struct appointment *wake = agenda_next(&s->agenda);
	nsec next = wake && wake->at < turn ? wake->at : turn;
	nsec wait = next > now ? next - now : 0;

	if (wait > NSEC_PER_SEC)
		wait = NSEC_PER_SEC;
	return (int)((wait + NSEC_PER_MSEC - 1) / NSEC_PER_MSEC);
}

void server_run(struct server *s)
{
	struct epoll_event events[MAX_EVENTS];
	nsec turn = 0;

	while (!s->stopping) {
		int count = epoll_wait(s->epoll, events, MAX_EVENTS,
				       until_next(s, turn, clock_now()));
		nsec now = clock_now();

		for (int i = 0; i < count; i++) {
			if (events[i].data.ptr == s)
				accept_all(s);
			else if (events[i].data.ptr == &s->signals)
				s->stopping = true;
			else
				serve(s, events[i].data.ptr, events[i].events, now);
		}
		send_due(s, clock_now());
		turn = s->config.turn(s->config.world, now);
		bury(s);
	}
}

static bool listen_at(struct server *s, struct error *err)
{
	struct sockaddr_in address = {.sin_family = AF_INET};
	socklen_t len = sizeof(address);
	int on = 1;

	address.sin_port = htons((uint16_t)s->config.port);
	if (inet_pton(AF_INET, s->config.address, &address.sin_addr) != 1)
		return error_set(err, ERROR_FATAL, "%s is no IPv4 address", s->config.address);
	s->listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	setsockopt(s->listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (bind(s->listener, (struct sockaddr *)&address, sizeof(address)) != 0 ||
	    listen(s->listener, 4096) != 0)
		return error_set(err, ERROR_FATAL, "can't listen on %s:%d: %s", s->config.address,
				 s->config.port, strerror(errno));
	getsockname(s->listener, (struct sockaddr *)&address, &len);
	s->port = ntohs(address.sin_port);
	return true;
}

static void add_own(struct server *s, int fd, void *tag)
{
	struct epoll_event event = {.events = EPOLLIN, .data.ptr = tag};

	ENSURE(epoll_ctl(s->epoll, EPOLL_CTL_ADD, fd, &event) == 0);
}

struct server *server_create(const struct server_config *config, struct error *err)
{
	AUTO(server_destroy) struct server *s = xcalloc(1, sizeof(*s));
	sigset_t stops;

	s->config = *config;
	s->listener = s->epoll = s->signals = -1;
	if (!listen_at(s, err))
		return NULL;
	sigemptyset(&stops);
	sigaddset(&stops, SIGTERM);
	sigaddset(&stops, SIGINT);
	sigprocmask(SIG_BLOCK, &stops, NULL);
	s->signals = signalfd(-1, &stops, SFD_NONBLOCK | SFD_CLOEXEC);
	s->epoll = epoll_create1(EPOLL_CLOEXEC);
	ENSURE(s->signals >= 0 && s->epoll >= 0);
	add_own(s, s->listener, s);
	add_own(s, s->signals, &s->signals);
	return TAKE(s);
}

void server_destroy(struct server *s)
{
	if (!s)
		return;
	while (s->all)
		connection_close(s, s->all, false);
	bury(s);
	if (s->listener >= 0)
		close(s->listener);
	if (s->signals >= 0)
		close(s->signals);
	if (s->epoll >= 0)
		close(s->epoll);
	agenda_finish(&s->agenda);
	free(s);
}

int server_port(const struct server *s)
{
	return s->port;
}

void server_pause(struct server *s, bool paused)
{
	s->paused = paused;
}
