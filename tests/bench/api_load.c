/*
 * Asks a server on loopback as fast as it answers, on so many connections at
 * once, each with one question open; cheap enough not to be what is measured.
 *
 *	api_load --submit PORT KEY COUNT CONNECTIONS PID        -- prints the ids of jobs made
 *	api_load --poll PORT KEY COUNT CONNECTIONS PID <IDS
 *
 * On stderr, as meter.h prints it: own and server's microseconds of processor a
 * request, requests a second.
 */
#include <arpa/inet.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "ensure.h"
#include "meter.h"
#include "uuid.h"

#define MOST_CONNECTIONS 256
#define MOST_BYTES 8192

struct line {
	int fd;
	size_t len;
	char text[MOST_BYTES]; /* the answer that is coming */
};

static struct {
	bool submit;
	const char *key;
	size_t count, asked, answered;
	char (*ids)[UUID_TEXT];
	size_t id_count;
} load;

static _Noreturn void fail(const char *why, const char *detail)
{
	fprintf(stderr, "api_load: %s %.300s\n", why, detail);
	exit(1);
}

static int dial(unsigned port)
{
	struct sockaddr_in at = {.sin_family = AF_INET,
				 .sin_port = htons((uint16_t)port),
				 .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || connect(fd, (struct sockaddr *)&at, sizeof(at)) != 0)
		fail("can't connect", "");
	return fd;
}

static void ask(struct line *line)
{
	char text[2048], body[512];
	int len;

	if (load.asked == load.count)
		return;
	snprintf(
		body, sizeof(body),
		"{\"prompt\":{\"messages\":[{\"role\":\"user\",\"content\":\"Is this spam? Message "
		"%zu\"}]},\"routing\":{\"tier\":\"economy\"}}",
		load.asked);
	len = load.submit ? snprintf(text, sizeof(text),
				     "POST /v1/jobs HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer "
				     "%s\r\nContent-Type: application/json\r\nContent-Length: "
				     "%zu\r\n\r\n%s",
				     load.key, strlen(body), body)
			  : snprintf(text, sizeof(text),
				     "GET /v1/jobs/%s HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer "
				     "%s\r\n\r\n",
				     load.ids[load.asked % load.id_count], load.key);
	load.asked++;
	line->len = 0;
	if (send(line->fd, text, (size_t)len, MSG_NOSIGNAL) != len)
		fail("can't send", "");
}

/* Where the answer ends; 0: not here yet. */
static size_t end_of(const struct line *line)
{
	const char *body = strstr(line->text, "\r\n\r\n");
	const char *length = strstr(line->text, "Content-Length: ");
	size_t end;

	if (!body || !length || length > body)
		return 0;
	end = (size_t)(body + 4 - line->text) + strtoul(length + 16, NULL, 10);
	return line->len >= end ? end : 0;
}

static void take_answer(const struct line *line)
{
	const char *id = load.submit ? strstr(line->text, "Location: /v1/jobs/") : NULL;

	if (strncmp(line->text, "HTTP/1.1 20", 11) != 0)
		fail("was answered", line->text);
	if (id)
		printf("%.36s\n", id + strlen("Location: /v1/jobs/"));
	load.answered++;
}

static void hear(struct line *line)
{
	ssize_t got = recv(line->fd, line->text + line->len, MOST_BYTES - 1 - line->len, 0);

	if (got <= 0)
		fail("was hung up on", "");
	line->len += (size_t)got;
	line->text[line->len] = '\0';
	if (end_of(line) == 0)
		return;
	take_answer(line);
	ask(line);
}

static void read_ids(void)
{
	char text[64];

	load.ids = xcalloc(load.count, sizeof(*load.ids));
	while (load.id_count < load.count && fgets(text, sizeof(text), stdin))
		snprintf(load.ids[load.id_count++], UUID_TEXT, "%.36s", text);
	if (load.id_count == 0)
		fail("no ids", "on stdin");
}

static void run(unsigned port, size_t connections)
{
	static struct line lines[MOST_CONNECTIONS];
	struct pollfd fds[MOST_CONNECTIONS];

	for (size_t i = 0; i < connections; i++) {
		lines[i].fd = dial(port);
		fds[i] = (struct pollfd){.fd = lines[i].fd, .events = POLLIN};
		ask(&lines[i]);
	}
	while (load.answered < load.count) {
		if (poll(fds, connections, 10000) <= 0)
			fail("no answer", "for 10 s");
		for (size_t i = 0; i < connections; i++)
			if (fds[i].revents)
				hear(&lines[i]);
	}
	for (size_t i = 0; i < connections; i++)
		close(lines[i].fd);
}

int main(int argc, char **argv)
{
	struct meter meter;
	size_t connections;

	if (argc != 7)
		fail("wants", "--submit|--poll PORT KEY COUNT CONNECTIONS PID");
	load.submit = strcmp(argv[1], "--submit") == 0;
	load.key = argv[3];
	load.count = strtoul(argv[4], NULL, 10);
	connections = strtoul(argv[5], NULL, 10);
	if (connections == 0 || connections > MOST_CONNECTIONS || load.count < connections)
		fail("wants", "1 to 256 connections, and a request for each");
	if (!load.submit)
		read_ids();
	meter_start(&meter, (int64_t)strtoll(argv[6], NULL, 10));
	run((unsigned)atoi(argv[2]), connections);
	fflush(stdout);
	dup2(STDERR_FILENO, STDOUT_FILENO); /* the ids are out */
	meter_print(&meter, argv[1] + 2, load.count);
	free(load.ids);
	return 0;
}
