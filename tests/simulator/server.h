/*
 * An HTTP/1.1 server in one thread that answers when, and as badly as, it is
 * told: after a delay, in drops, cut short, with a lying length, or with a reset.
 *
 *	reading ─► waiting (until exchange->due) ─► sending ─► reading …
 *	                                               └─► hanging, closed or reset
 *
 *	static void handle(void *world, struct exchange *x, nsec now)
 *	{
 *		x->reply.status = 200;
 *		buffer_text(&x->reply.body, "{}");
 *		x->due = now + 50 * NSEC_PER_MSEC;
 *	}
 *	struct server *server = server_create(&config, err);
 *	server_run(server);                     -- until SIGTERM or SIGINT
 */
#ifndef SIMULATOR_SERVER_H
#define SIMULATOR_SERVER_H

#include "buffer.h"
#include "clock.h"
#include "compiler.h"
#include "error.h"
#include "request.h"

/* How much of the answer leaves before `end` happens. */
enum reply_cut {
	CUT_NOWHERE,
	CUT_AT_ONCE,	/* nothing leaves */
	CUT_AFTER_HEAD, /* status and headers only */
	CUT_IN_BODY,	/* half of the body */
};

enum reply_end {
	END_KEEP, /* the connection stays open, unless the client wants otherwise */
	END_CLOSE,
	END_RESET, /* RST */
	END_HANG,  /* silent until the client gives up */
};

struct reply {
	int status;
	const char *type;   /* Content-Type; a literal */
	struct buffer head; /* further header lines, each ending in CRLF */
	struct buffer body;
	bool chunked; /* the body is framed in chunks already */
	enum reply_cut cut;
	enum reply_end end;
	int64_t length_lie; /* added to Content-Length */
	size_t piece;	    /* send the body in pieces of so many bytes, … */
	nsec pace;	    /* … one every so often; 0: at once */
};

struct exchange {
	struct request request;
	struct reply reply;
	nsec arrived;
	nsec due;      /* when the reply starts to leave */
	bool holdable; /* waits while the server is paused */
	void *note;    /* the handler's own, NULL at first; done() disposes of it */
};

struct server_config {
	const char *address;
	int port; /* 0: any */
	size_t max_body;
	void *world;
	/* Fill x->reply and x->due. The request's bytes may be changed, not kept. */
	void (*handle)(void *world, struct exchange *x, nsec now);
	/* Called before a reply leaves: make sure what must be stored before it is. */
	void (*before_send)(void *world, const struct exchange *x);
	/* The exchange is over. delivered: every byte of the reply was handed to the system. */
	void (*done)(void *world, struct exchange *x, bool delivered);
	/* Once per turn of the loop, and at the latest every second. */
	void (*turn)(void *world, nsec now);
};

struct server;

struct server *server_create(const struct server_config *config, struct error *err) MUST_USE;
void server_destroy(struct server *server);
int server_port(const struct server *server);
void server_run(struct server *server);
/* While paused, holdable exchanges wait past their time. */
void server_pause(struct server *server, bool paused);

AUTO_DEFINE(struct server, server_destroy)

#endif
