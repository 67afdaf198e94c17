/*
 * One HTTP reply: what it says, and how much of it is to arrive.
 *
 *	reply->status = 200;
 *	buffer_text(&reply->body, "{}");
 *	reply->cut = CUT_IN_BODY, reply->end = END_RESET;
 */
#ifndef SIMULATOR_REPLY_H
#define SIMULATOR_REPLY_H

#include <stdbool.h>
#include <stdint.h>

#include "buffer.h"
#include "clock.h"

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

/* Append the status line and the headers, with the blank line. closes: the connection will. */
void reply_write_head(const struct reply *reply, bool closes, struct buffer *out);
/* Of `len` bytes written, how many leave before reply->end happens. */
size_t reply_bytes_to_send(const struct reply *reply, size_t head_len, size_t len);
const char *reply_status_text(int status);

#endif
