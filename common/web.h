/*
 * Serves HTTP from the loop of the program it is in: /metrics and health of a
 * worker, the REST API and the ops page. No thread of its own; it wants to be
 * run when its descriptor is readable or its timeout has passed.
 *
 *	struct web *web = web_create(&settings, on_request, worker, err);
 *	others[0] = (struct http_descriptor){.fd = web_fd(web), .wants = HTTP_READ};
 *	http_wait(http, others, 1, web_nap(web));
 *	web_run(web);
 *
 *	static void on_request(void *context, struct web_request *request)
 *	{
 *		if (strcmp(request->path, "/healthz") == 0)
 *			web_reply_text(request, 200, "ok\n");
 *		else
 *			remember(request);      -- web_reply() may come later, from the same loop
 *	}
 *
 * Every request that reaches the handler must be replied to exactly once; it
 * is gone then. Sizes, numbers and times are capped; what reads differently to
 * two servers (two lengths, a length and a chunked body, no host, %00 in the
 * path, a line break in a header's value) never gets to the handler.
 */
#ifndef SLUICE_WEB_H
#define SLUICE_WEB_H

#include <stdbool.h>
#include <stddef.h>

#include "clock.h"
#include "compiler.h"
#include "error.h"
#include "header.h"

struct web_request;

/* A request that was refused before the handler could see it: what is known of it. */
struct web_refusal {
	const char *id;	    /* that its answer has; "": none, or no answer */
	const char *method; /* NULL: not known, and so below */
	const char *path;
	const char *client;
	unsigned status; /* 0: hung up on at once, there is no place for it */
	nsec took;
};

struct web_settings {
	const char
		*listen; /* "127.0.0.1:9464", "[::1]:80", ":8080" for all addresses; port 0: any */
	unsigned max_connections; /* 0: 256 */
	unsigned max_per_address; /* 0: no limit of its own */
	nsec idle_timeout;	  /* for a request to come, an answer to be taken; 0: 30 s */
	size_t max_body;	  /* 0: 1 MiB */
	/* How long this request's body may be, asked when its headers are read; what is over 1 MiB
	   waits in an unlinked file, not in memory. NULL: max_body. */
	size_t (*body_limit)(void *context, const struct web_request *request);
	/* Told of each refusal, for a log. NULL: nobody asks. */
	void (*refused)(void *context, const struct web_refusal *refusal);
	const char *token;     /* wanted as bearer token by every request; NULL or "": none */
	const char *cert_file; /* both in PEM: TLS; NULL: plain */
	const char *key_file;
};

struct web_request {
	const char *method; /* "GET" */
	const char *path;   /* decoded, without the query: "/jobs/42" */
	const char *body;   /* ends with a zero byte that len does not count */
	size_t len;
	char client[48]; /* address it came from */
	void *data;	 /* the handler's own */
};

typedef void web_handler(void *context, struct web_request *request);

struct web;

struct web *web_create(const struct web_settings *settings, web_handler *handler, void *context,
		       struct error *err) MUST_USE;

/* Requests still unanswered get 503 first; theirs must not be replied to afterwards. */
void web_destroy(struct web *web);
AUTO_DEFINE(struct web, web_destroy)

int web_fd(const struct web *web);
nsec web_nap(const struct web *web); /* until web_run() is due, readable or not */
void web_run(struct web *web);
unsigned web_port(const struct web *web);
size_t web_open_requests(const struct web *web); /* with the handler, not yet replied to */

/* A parameter of the query, decoded, or a header in any case; NULL: absent. As long as the request.
 */
const char *web_query(const struct web_request *request, const char *name);
bool web_has_query(const struct web_request *request, const char *name); /* with a value or not */
const char *web_header(const struct web_request *request, const char *name);

/* Whether the request brings this bearer token; takes the same time whatever it brings. */
bool web_has_token(const struct web_request *request, const char *token);
const char *web_token(const struct web_request *request); /* NULL: it brings none */

/* The first so many bytes of the body are not looked at any more: what memory they take goes back.
 */
void web_body_done(struct web_request *request, size_t len);

/* Answer; all is copied. Cache-Control: no-store unless the headers say otherwise. */
void web_reply(struct web_request *request, unsigned status, const char *content_type,
	       const char *body, size_t len, const struct header *headers, size_t header_count);
void web_reply_text(struct web_request *request, unsigned status, const char *text);

/*
 * An answer too long to hold. Its length is told first; then the feeder is asked for piece after
 * piece, a new one when the last is gone, and told at the end that the request is no more, also
 * when the client has hung up.
 *
 *	web_reply_stream(request, 200, "text/plain", file->bytes, NULL, 0, &feeder);
 *
 *	static void wanted(void *owner)         -- feed now, or later from the same loop, once
 *	{
 *		web_feed(request, bytes, len);
 *	}
 */
struct web_feeder {
	void (*wanted)(void *owner);
	void (*over)(void *owner, bool whole); /* whole: all of it has left */
	void *owner;
};

void web_reply_stream(struct web_request *request, unsigned status, const char *content_type,
		      size_t len, const struct header *headers, size_t header_count,
		      const struct web_feeder *feeder);
void web_feed(struct web_request *request, const char *bytes,
	      size_t len);			 /* copied; at least one */
void web_break_off(struct web_request *request); /* instead: hang up, there is no more */

#endif
