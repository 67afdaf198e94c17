/*
 * Whatever bytes come on a connection, a request that reaches the handler is whole, and the next
 * client is served. One thread is server and client, over loopback.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "ensure.h"
#include "fuzz.h"
#include "web.h"

#define MOST_BODY 3000
#define LONGEST (60 * NSEC_PER_SEC) /* until somebody is served, on any machine */

static struct web_request *kept[64];
static size_t kept_count;

static void on_request(void *context, struct web_request *request)
{
	const char *unit = web_query(request, "unit"), *trace = web_header(request, "traceparent");

	(void)context;
	ENSURE(*request->method && request->path && request->len <= MOST_BODY);
	ENSURE(request->body[request->len] == '\0');
	ENSURE(strcmp(request->client, "127.0.0.1") == 0);
	ENSURE(!unit || web_has_query(request, "unit"));
	ENSURE(!trace || !strpbrk(trace, "\r\n"));
	ENSURE(!web_has_token(request, "never sent") && (!web_token(request) || *request->method));
	if (request->len % 2 && kept_count < COUNT_OF(kept))
		kept[kept_count++] = request; /* some are answered later */
	else
		web_reply(request, 200, "text/plain", request->body, request->len, NULL, 0);
}

static void answer_kept(void)
{
	while (kept_count > 0)
		web_reply_text(kept[--kept_count], 200, "late\n");
}

static struct web *serve(void)
{
	static const struct web_settings settings = {.listen = "127.0.0.1:0",
						     .max_body = MOST_BODY};
	struct error err;
	struct web *web = web_create(&settings, on_request, NULL, &err);

	ENSURE(web);
	return web;
}

/* A reset at the end, so that no port has to rest. */
static int dial(const struct web *web)
{
	struct sockaddr_in at = {.sin_family = AF_INET,
				 .sin_port = htons((uint16_t)web_port(web)),
				 .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	struct linger hard = {.l_onoff = 1};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	ENSURE(fd >= 0 && connect(fd, (struct sockaddr *)&at, sizeof(at)) == 0);
	ENSURE(setsockopt(fd, SOL_SOCKET, SO_LINGER, &hard, sizeof(hard)) == 0);
	return fd;
}

static void turn(struct web *web)
{
	web_run(web);
	answer_kept();
}

/* What has come, as text; false: it has hung up. */
static bool receive(int fd, char *reply, size_t room, size_t *len)
{
	ssize_t got = recv(fd, reply, room - 1, MSG_DONTWAIT);

	*len = got > 0 ? (size_t)got : 0;
	reply[*len] = '\0';
	return got > 0 || (got < 0 && errno == EAGAIN);
}

/* Until all is sent and nothing more happens. Both ends are ours: what is sent has arrived. */
static void converse(struct web *web, const char *bytes, size_t len)
{
	int client = dial(web), idle = 0;
	char reply[65536];
	size_t sent = 0, came;

	while (idle < 3 && receive(client, reply, sizeof(reply), &came)) {
		ssize_t went = sent < len ? send(client, bytes + sent, len - sent,
						 MSG_DONTWAIT | MSG_NOSIGNAL)
					  : 0;

		idle = came == 0 && went <= 0 ? idle + 1 : 0;
		if (went > 0)
			sent += (size_t)went;
		turn(web);
	}
	close(client);
	while (web_open_requests(web) > 0)
		turn(web);
}

/* Somebody else is served. */
static void ask(struct web *web)
{
	static const char request[] = "GET /next HTTP/1.1\r\nHost: x\r\n\r\n";
	int client = dial(web);
	nsec until = clock_now() + LONGEST;
	char reply[4096];
	size_t came = 0;

	ENSURE(send(client, request, strlen(request), MSG_NOSIGNAL) == (ssize_t)strlen(request));
	while (came == 0) {
		turn(web);
		ENSURE(receive(client, reply, sizeof(reply), &came) && clock_now() < until);
	}
	ENSURE(strncmp(reply, "HTTP/1.1 200 ", 13) == 0);
	close(client);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	static struct web *web;

	if (!web)
		web = serve();
	converse(web, (const char *)bytes, len);
	ask(web);
	return 0;
}
