/*
 * Makes HTTP calls, hundreds at a time, in one thread. Its http_wait() is the
 * only place where a worker sleeps: it waits for the calls and for every other
 * descriptor the worker follows.
 *
 *	struct http *http = http_create(&settings, err);
 *	if (!http_start(http, &request, job, clock_now(), err)) ...
 *	for (;;) {
 *		struct http_descriptor others[] = {{.fd = kafka_consumer_fd(c), .wants =
 *HTTP_READ}};
 *
 *		http_wait(http, others, 1, nap);
 *		while ((reply = http_finished(http))) {
 *			settle(reply->owner, reply);
 *			http_reply_release(http, reply);
 *		}
 *	}
 *
 * A reply says two things apart: what came back, and whether the request may
 * have reached the server. Only a call that surely was not sent may be made
 * again without the risk of paying twice; so no call is ever repeated in here.
 * (curl would: a request that a kept connection swallowed ends as RESET instead.)
 *
 * HTTP/1.1 with kept connections, no redirects, https and http only, proxies as
 * the environment says. Errors never quote headers, so no keys.
 */
#ifndef SLUICE_HTTP_H
#define SLUICE_HTTP_H

#include <stdbool.h>
#include <stddef.h>

#include "call_clock.h"
#include "clock.h"
#include "compiler.h"
#include "error.h"
#include "header.h"

struct http_settings {
	size_t max_in_flight;	/* connections kept; 0: 512, beyond which curl gets slow */
	const char *ca_file;	/* bundle of authorities; NULL: the system's */
	size_t max_reply_bytes; /* default for a request; 0: 8 MiB */
	const char *user_agent; /* NULL: "sluice/<version>" */
};

struct http_request {
	const char *method; /* NULL: POST with a body, GET without */
	const char *url;
	const char *const *headers; /* "Name: value" */
	size_t header_count;
	const char *body; /* NULL: none; borrowed until the call has finished */
	size_t len;
	/* Gives a body of `len` bytes piece by piece instead: how many it put there; 0: give up.
	 * Asked with the owner; NULL: `body` is all of it. */
	size_t (*source)(void *owner, char *bytes, size_t room);
	struct http_timeouts timeouts;
	size_t max_reply_bytes; /* 0: the default */
	const char *ca_file;	/* NULL: the default */
	bool public_only;	/* refuse to talk to loopback, private and link-local addresses */
	/* Takes a 2xx reply's body piece by piece instead of keeping it; false: give up. NULL: keep
	 * it. */
	bool (*sink)(void *owner, const char *bytes, size_t len);
};

#define HTTP_FAILURES(X)                                                          \
	X(NONE)	       /* a whole reply came; its status may still be an error */ \
	X(UNREACHABLE) /* no such host, refused, no TLS: surely not sent */       \
	X(FORBIDDEN)   /* an address public_only excludes: surely not sent */     \
	X(CONNECT_TIMEOUT)                                                        \
	X(FIRST_BYTE_TIMEOUT)                                                     \
	X(IDLE_TIMEOUT)                                                           \
	X(TOTAL_TIMEOUT)                                                          \
	X(RESET)     /* the connection broke before the reply began */            \
	X(TRUNCATED) /* the connection broke within the reply */                  \
	X(TOO_LARGE) /* the reply is over its cap */                              \
	X(MALFORMED) /* the server does not speak HTTP */                         \
	X(SINK)	     /* the sink gave up */

enum http_failure {
#define HTTP_FAILURE(name) HTTP_##name,
	HTTP_FAILURES(HTTP_FAILURE)
#undef HTTP_FAILURE
};

/* What became of a call. Valid until http_reply_release(). */
struct http_reply {
	void *owner;
	enum http_failure failure;
	bool maybe_sent;	      /* false: the server has surely not seen the request */
	char text[256];		      /* the failure in words; "" */
	long status;		      /* 0: none came */
	const struct header *headers; /* of the final reply; the first hundred or so */
	size_t header_count;
	const char
		*body; /* ends with a zero byte that len does not count; what came, on a failure */
	size_t len;
	nsec first_byte; /* from the start to the reply's beginning; 0: it did not begin */
	nsec total;
	char address[48]; /* of the server; "": never connected */
};

enum http_interest { HTTP_READ = 1, HTTP_WRITE = 2 };

/* A descriptor of somebody else to be waited for as well. */
struct http_descriptor {
	int fd;		/* negative: skipped */
	unsigned wants; /* of enum http_interest; 0: skipped */
	unsigned ready; /* filled in; an error counts as whatever was wanted */
};

struct http;
struct http_call;

struct http *http_create(const struct http_settings *settings, struct error *err) MUST_USE;

/* Drops calls in flight without a word. Replies must have been released. */
void http_destroy(struct http *http);
AUTO_DEFINE(struct http, http_destroy)

/*
 * Begin a call; its reply comes with that owner. All of the request but the body
 * is copied. NULL with a REJECT error for a header with a line break in it. What is
 * wrong with the URL comes as a reply.
 */
struct http_call *http_start(struct http *http, const struct http_request *request, void *owner,
			     nsec now, struct error *err) MUST_USE;

/* Drop a call: its connection closes, no reply will come. Not for finished ones. */
void http_cancel(struct http *http, struct http_call *call);

/* Sleep until a call or a descriptor needs us, at most so long; then move all calls on. */
void http_wait(struct http *http, struct http_descriptor *others, size_t count, nsec longest);

/*
 * To wait for these calls in a http_wait() of others: the descriptor to read
 * from, and how long to sleep at most. Then move on with http_wait(http, NULL, 0, 0).
 */
int http_fd(const struct http *http);
nsec http_nap(const struct http *http, nsec now, nsec longest);

/* The next finished call's reply; NULL: none now. */
struct http_reply *http_finished(struct http *http);
void http_reply_release(struct http *http, struct http_reply *reply);

size_t http_in_flight(const struct http *http); /* finished but not yet fetched ones included */

const char *http_failure_name(enum http_failure failure); /* "first_byte_timeout" */

const char *
http_library_version(void); /* "libcurl/7.88.1 OpenSSL/3.0.17 ..."; lives as long as the process */

#endif
