/*
 * The one door to libmicrohttpd, for the web modules only: web.c is the server
 * with its connections, web_request.c what comes over them, one request at a
 * time, and the answers.
 *
 *	web_request.c is called by libmicrohttpd: web_on_begin(), web_on_request(), web_on_end().
 */
#ifndef SLUICE_WEB_INTERNAL_H
#define SLUICE_WEB_INTERNAL_H

#include <microhttpd.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "buffer.h"
#include "clock.h"
#include "web.h"
#include "web_patience.h"

/*
 * A request as libmicrohttpd brings it: begun by its request line, then the
 * headers, the body in pieces, and the end, where the handler gets it. If the
 * handler has not replied when it returns, the connection is suspended; the
 * reply resumes it, and libmicrohttpd asks once more for what to send.
 *
 *	BEGUN -> READING -> HANDED -> REPLIED -> freed
 *	    \________________\________/
 *	     refused by ourselves
 */
enum stage { BEGUN, READING, HANDED, REPLIED };

struct connection {
	struct patience_wait wait; /* first: patience hands out pointers to it */
	int fd;
	bool leaving; /* hung up on, not closed yet */
};

struct open_request {
	struct web_request request; /* first: the handler holds a pointer to it */
	struct web *web;
	struct MHD_Connection *connection;
	struct connection *peer;
	enum stage stage;
	bool suspended;
	bool odd_path; /* %00 */
	nsec begun;
	size_t limit; /* of the body */
	struct buffer body;
	FILE *file; /* that the body is in, once it is long; NULL: in `body` */
	char *map;  /* of the file */
	struct MHD_Response *response;
	unsigned status;
	struct open_request *next, *previous; /* all that are HANDED, or all that stream */

	/* Of an answer that streams. */
	bool streams;
	struct web_feeder feeder;
	struct buffer piece;
	size_t piece_at;
	size_t length, given;
	bool starved; /* suspended until there is another piece */
	bool broken;
};

struct web {
	struct MHD_Daemon *daemon;
	web_handler *handler;
	void *context;
	int fd;
	char *token;
	size_t max_body;
	size_t (*body_limit)(void *context, const struct web_request *request);
	void (*refused)(void *context, const struct web_refusal *refusal);
	char *cert;
	char *key;
	struct open_request *handed;
	size_t handed_count;
	struct open_request *streaming;
	struct patience patience;
	nsec looked_at; /* when somebody overdue was looked for last */
	size_t places;	/* for connections, … */
	size_t taken;	/* … how many of them are taken, … */
	size_t leaving; /* … and how many of these will soon be free */
	bool due;	/* a connection was resumed since the last run */
	bool closing;
};

void *web_on_begin(void *web, const char *uri, struct MHD_Connection *connection);
enum MHD_Result web_on_request(void *web, struct MHD_Connection *connection, const char *url,
			       const char *method, const char *version, const char *data,
			       size_t *len, void **state);
void web_on_end(void *web, struct MHD_Connection *connection, void **state,
		enum MHD_RequestTerminationCode code);

/* For the log of whoever wants to know of refusals. */
void web_tell_refusal(const struct web *web, const struct web_refusal *refusal);

#endif
