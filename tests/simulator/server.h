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
#include "reply.h"
#include "request.h"

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
	/* Once per turn of the loop. Returns when it wants to be called again at the latest. */
	nsec (*turn)(void *world, nsec now);
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
