/*
 * A request from its first look to its answer: who asks, what for, and the one
 * reply it gets, with its id, its limits and its line in the log.
 *
 *	static void show(struct exchange *x)
 *	{
 *		exchange_ask(x, API_READS, "job", args, shown);
 *	}
 *
 *	static void shown(struct exchange *x, const struct pg_rows *rows)
 *	{
 *		if (pg_count(rows) == 0)
 *			exchange_problem(x, 404, "not_found", "job %s is not known", …);
 *		else
 *			exchange_json(x, 200, &body, NULL, 0);
 *	}
 *
 * After a reply the exchange is gone. What a handler puts in `data` goes with it.
 */
#ifndef API_EXCHANGE_H
#define API_EXCHANGE_H

#include "api.h"
#include "buffer.h"
#include "keyring.h"
#include "uuid.h"
#include "web.h"

#define EXCHANGE_WORDS 2

struct route;

typedef void exchange_then(struct exchange *x, const struct pg_rows *rows);

struct exchange {
	struct api *api;
	struct web_request *request;
	const struct route *route; /* NULL: nothing is there */
	struct api_key *key;	   /* NULL: the route wants none */
	char id[UUID_TEXT];
	const char *words[EXCHANGE_WORDS]; /* what stands for {…} in the path */
	char path[256];			   /* cut up for them */
	struct uuid job_id;		   /* of the path, if it has one */
	nsec started;
	bool handled;	 /* it got as far as its handler */
	nsec wait_until; /* of a long poll; 0: at once */
	void *data;
	void (*drop)(void *data);
	exchange_then *then;
	bool asking; /* Postgres; the answer finds this exchange */
	bool gone;   /* … only to end it: the client has hung up */
	void (*wanted)(struct exchange *x);
	size_t length;
	struct exchange *next, *previous;
};

/* From the web server: finds the route, the key and the handler. */
void exchange_begin(void *api, struct web_request *request);

/* From the web server: what it refused by itself. */
void exchange_refused(void *api, const struct web_refusal *refusal);

/* Again, after the keys were read. */
void exchange_resume(struct exchange *x);

/* Ask Postgres; troubles are replied to here, rows go to `then`. Takes args. */
void exchange_ask(struct exchange *x, int which, const char *statement, struct pg_args *args,
		  exchange_then *then);

/* Replies. Each ends the exchange. */
void exchange_json(struct exchange *x, unsigned status, const struct buffer *body,
		   const struct header *headers, size_t header_count);
void exchange_bytes(struct exchange *x, unsigned status, const char *content_type, const char *body,
		    size_t len, const struct header *headers, size_t header_count);
/* RFC 9457, or OpenAI's shape on its paths. The code is what programs go by. */
void exchange_problem(struct exchange *x, unsigned status, const char *code, const char *fmt, ...)
	PRINTF(4, 5);
/* The same with the parameter that is wrong, for OpenAI's shape; code and param may be NULL. */
void exchange_refuse(struct exchange *x, unsigned status, const char *code, const char *param,
		     const char *fmt, ...) PRINTF(5, 6);
void exchange_limited(struct exchange *x, enum purse_unit unit);    /* the key has nothing left */
void exchange_trouble(struct exchange *x, const struct error *err); /* of Postgres */

/*
 * A reply of `len` bytes in pieces: `wanted` is called for each and leads to one exchange_feed(),
 * or to exchange_break_off(). The exchange ends when the client has all of it or has hung up; what
 * was asked of Postgres then is not answered any more.
 */
void exchange_stream(struct exchange *x, const char *content_type, size_t len,
		     void (*wanted)(struct exchange *x), const struct header *headers,
		     size_t header_count);
void exchange_feed(struct exchange *x, const char *bytes, size_t len);
void exchange_break_off(struct exchange *x, const char *why);

/* The problem as an object, appended; for lists with a problem per line. */
void exchange_write_problem(struct buffer *out, unsigned status, const char *code,
			    const char *detail, const char *request_id);

/* Whether the key may see the unit. */
bool exchange_sees(const struct exchange *x, const char *business_unit);

/* Put the id of the path into job_id; false: replied that there is no such job. */
bool exchange_job(struct exchange *x);

/* All that are unanswered, without a reply: the server is gone. */
void exchange_drop_all(struct api *api);

#endif
