/* The server: its connections, its place in the loop, its birth and its death. */
#include "web.h"

#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "buffer.h"
#include "ensure.h"
#include "web_internal.h"

#define DEFAULT_CONNECTIONS 256
#define DEFAULT_IDLE (30 * NSEC_PER_SEC)
#define DEFAULT_BODY ((size_t)1 << 20)
#define CONNECTION_MEMORY ((size_t)32 << 10) /* request line and headers of one request */
#define MAX_PEM_BYTES ((size_t)1 << 20)
#define NEVER UINT64_MAX
#define LOOK_EVERY (NSEC_PER_SEC / 2) /* for the slow */

/* -- connections -- */

static void on_connection(void *context, struct MHD_Connection *connection, void **state,
			  enum MHD_ConnectionNotificationCode code)
{
	struct web *web = context;
	struct connection *c = *state;

	if (code == MHD_CONNECTION_NOTIFY_STARTED) {
		c = *state = xcalloc(1, sizeof(*c));
		c->fd = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD)
				->connect_fd;
		patience_await(&web->patience, &c->wait, clock_now());
		web->taken++;
	} else {
		patience_rest(&web->patience, &c->wait);
		web->leaving -= c->leaving;
		web->due |= web->taken-- >= web->places; /* it listens again at its next run */
		free(c);
	}
}

/* libmicrohttpd finds the end of its input and closes. */
static void hang_up(struct web *web, struct patience_wait *wait)
{
	struct connection *c = (struct connection *)wait;

	patience_rest(&web->patience, wait);
	shutdown(c->fd, SHUT_RDWR);
	c->leaving = true;
	web->leaving++;
	web->due = true;
}

static void hang_up_on_slow(struct web *web, nsec now)
{
	struct patience_wait *wait;

	web->looked_at = now;
	while ((wait = patience_overdue(&web->patience, now)))
		hang_up(web, wait);
}

static bool is_full(const struct web *web)
{
	return web->taken - web->leaving >= web->places;
}

/* An eighth at once, so that a crowd has no place to stand on. */
static void make_room(struct web *web, nsec now)
{
	size_t enough = web->places - web->places / 8 - 1;
	struct patience_wait *wait;

	if (!is_full(web))
		return;
	while (web->taken - web->leaving > enough && (wait = patience_longest(&web->patience, now)))
		hang_up(web, wait);
}

/* -- the loop's side -- */

int web_fd(const struct web *web)
{
	return web->fd;
}

nsec web_nap(const struct web *web)
{
	nsec longest = !web->patience.first ? NEVER
		       : is_full(web)	    ? PATIENCE_LEAST / 4
					    : LOOK_EVERY;
	MHD_UNSIGNED_LONG_LONG milliseconds;

	if (web->due)
		return 0;
	if (MHD_get_timeout(web->daemon, &milliseconds) == MHD_YES &&
	    (nsec)milliseconds * NSEC_PER_MSEC < longest)
		return (nsec)milliseconds * NSEC_PER_MSEC;
	return longest;
}

void web_run(struct web *web)
{
	nsec now;

	web->due = false;
	MHD_run(web->daemon);
	now = clock_now();
	if (now - web->looked_at >= LOOK_EVERY)
		hang_up_on_slow(web, now);
	make_room(web, now);
}

unsigned web_port(const struct web *web)
{
	return MHD_get_daemon_info(web->daemon, MHD_DAEMON_INFO_BIND_PORT)->port;
}

size_t web_open_requests(const struct web *web)
{
	return web->handed_count;
}

/* -- birth and death -- */

static bool split_listen(const char *listen, char host[256], char port[16], struct error *err)
{
	const char *colon = strrchr(listen, ':');
	const char *from = listen, *to = colon;

	if (colon && from[0] == '[' && colon > from && colon[-1] == ']') {
		from++;
		to = colon - 1;
	}
	if (!colon || (size_t)(to - from) >= 256 || !colon[1] || strlen(colon + 1) > 5 ||
	    strspn(colon + 1, "0123456789") != strlen(colon + 1) || atoi(colon + 1) > 65535)
		return error_set(err, ERROR_FATAL, "listen \"%s\": wants ADDRESS:PORT", listen);
	snprintf(host, 256, "%.*s", (int)(to - from), from);
	snprintf(port, 16, "%s", colon + 1);
	return true;
}

static struct addrinfo *resolve(const char *listen, struct error *err)
{
	struct addrinfo hints = {.ai_flags = AI_PASSIVE | AI_NUMERICSERV,
				 .ai_family = AF_UNSPEC,
				 .ai_socktype = SOCK_STREAM};
	struct addrinfo *found = NULL;
	char host[256] = "", port[16] = "";
	int code;

	if (!split_listen(listen, host, port, err))
		return NULL;
	if (!host[0])
		hints.ai_family = AF_INET;
	code = getaddrinfo(host[0] ? host : NULL, port, &hints, &found);
	if (code)
		error_set(err, ERROR_FATAL, "listen \"%s\": %s", listen, gai_strerror(code));
	return code ? NULL : found;
}

static char *read_pem(const char *path, struct error *err)
{
	AUTO_FINISH(buffer_finish) struct buffer text = {.max = MAX_PEM_BYTES};
	FILE *file = fopen(path, "re");
	char block[4096];
	size_t got;
	bool fits = true;

	if (!file) {
		error_set(err, ERROR_FATAL, "%s: %s", path, strerror(errno));
		return NULL;
	}
	while (fits && (got = fread(block, 1, sizeof(block), file)) > 0)
		fits = buffer_append(&text, block, got);
	fclose(file);
	if (!fits) {
		error_set(err, ERROR_FATAL, "%s: too large for a PEM file", path);
		return NULL;
	}
	return buffer_take(&text);
}

static bool read_tls(struct web *web, const struct web_settings *s, struct error *err)
{
	if (!s->cert_file && !s->key_file)
		return true;
	if (!s->cert_file || !s->key_file)
		return error_set(err, ERROR_FATAL, "TLS wants both a certificate and a key file");
	if (MHD_is_feature_supported(MHD_FEATURE_TLS) != MHD_YES)
		return error_set(err, ERROR_FATAL, "this libmicrohttpd is built without TLS");
	web->cert = read_pem(s->cert_file, err);
	web->key = web->cert ? read_pem(s->key_file, err) : NULL;
	return web->key;
}

/*
 * libmicrohttpd's messages are about clients' faults; its start tells us by its result. What it
 * refuses by itself is only told here: a request line or headers that are none, with the status of
 * its answer, and a connection too many.
 */
static void read_log(void *context, const char *format, va_list args)
{
	static const char answered_with[] = "Error processing request (HTTP response code is %u";
	static const char too_many[] = "Server reached connection limit";
	struct web_refusal refusal = {.id = ""};

	if (strncmp(format, answered_with, strlen(answered_with)) == 0)
		refusal.status = va_arg(args, unsigned);
	else if (strncmp(format, too_many, strlen(too_many)) != 0)
		return;
	web_tell_refusal(context, &refusal);
}

static bool start_daemon(struct web *web, const struct web_settings *s, const struct addrinfo *at)
{
	unsigned flags = MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ERROR_LOG;
	struct MHD_OptionItem options[] = {
		{MHD_OPTION_CONNECTION_LIMIT, (intptr_t)web->places, NULL},
		{MHD_OPTION_PER_IP_CONNECTION_LIMIT, s->max_per_address, NULL},
		{MHD_OPTION_CONNECTION_TIMEOUT,
		 (intptr_t)((web->patience.idle + NSEC_PER_SEC - 1) / NSEC_PER_SEC), NULL},
		{MHD_OPTION_CONNECTION_MEMORY_LIMIT, CONNECTION_MEMORY, NULL},
		{MHD_OPTION_STRICT_FOR_CLIENT, 1, NULL},
		{web->cert ? MHD_OPTION_HTTPS_MEM_CERT : MHD_OPTION_END, 0, web->cert},
		{MHD_OPTION_HTTPS_MEM_KEY, 0, web->key},
		{MHD_OPTION_END, 0, NULL},
	};

	if (at->ai_family == AF_INET6)
		flags |= MHD_USE_IPv6;
	if (web->cert)
		flags |= MHD_USE_TLS;
	web->daemon = MHD_start_daemon(
		flags, 0, NULL, NULL, web_on_request, web, MHD_OPTION_EXTERNAL_LOGGER, read_log,
		web, MHD_OPTION_SOCK_ADDR, at->ai_addr, MHD_OPTION_URI_LOG_CALLBACK, web_on_begin,
		web, MHD_OPTION_NOTIFY_COMPLETED, web_on_end, web, MHD_OPTION_NOTIFY_CONNECTION,
		on_connection, web, MHD_OPTION_ARRAY, options, MHD_OPTION_END);
	return web->daemon;
}

struct web *web_create(const struct web_settings *settings, web_handler *handler, void *context,
		       struct error *err)
{
	AUTO(web_destroy) struct web *web = xcalloc(1, sizeof(*web));
	struct addrinfo *at;
	bool started;

	web->handler = handler;
	web->context = context;
	web->max_body = settings->max_body ? settings->max_body : DEFAULT_BODY;
	web->body_limit = settings->body_limit;
	web->refused = settings->refused;
	web->places = settings->max_connections ? settings->max_connections : DEFAULT_CONNECTIONS;
	web->patience.idle = settings->idle_timeout ? settings->idle_timeout : DEFAULT_IDLE;
	if (settings->token && settings->token[0])
		web->token = xstrdup(settings->token);
	if (!read_tls(web, settings, err))
		return NULL;
	at = resolve(settings->listen, err);
	if (!at)
		return NULL;
	errno = 0;
	started = start_daemon(web, settings, at);
	freeaddrinfo(at);
	if (!started) {
		error_set(err, ERROR_FATAL, "listen on %s: %s", settings->listen,
			  errno ? strerror(errno) : "the certificate or its key is not accepted");
		return NULL;
	}
	web->fd = MHD_get_daemon_info(web->daemon, MHD_DAEMON_INFO_EPOLL_FD)->epoll_fd;
	return TAKE(web);
}

void web_destroy(struct web *web)
{
	if (!web)
		return;
	web->closing = true;
	while (web->handed)
		web_reply_text(&web->handed->request, MHD_HTTP_SERVICE_UNAVAILABLE,
			       "shutting down\n");
	for (struct open_request *r = web->streaming; r; r = r->next)
		web_break_off(&r->request);
	if (web->daemon) {
		MHD_run(web->daemon);
		MHD_stop_daemon(web->daemon);
	}
	free(web->token);
	free(web->cert);
	if (web->key)
		explicit_bzero(web->key, strlen(web->key));
	free(web->key);
	free(web);
}
