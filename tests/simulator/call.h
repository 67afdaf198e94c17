/*
 * One chat call, from its bytes to the reply: is it allowed, is it valid, what
 * goes wrong with it, what does the model say, what does it cost.
 *
 *	call_answer(sim, x, OPENAI, now);               -- fills x->reply and x->due
 */
#ifndef SIMULATOR_CALL_H
#define SIMULATOR_CALL_H

#include "simulator.h"

/* What must be remembered of a call until its answer has left. */
struct receipt {
	char request_id[40];
	char id[513]; /* the client's */
	size_t mark;  /* of the bill */
	enum fault fault;
	bool billed;
	struct batch *download; /* no call, but the download of this batch's results */
	char key[96];
	char model[96];
};

void call_answer(struct simulator *sim, struct exchange *x, enum maker maker, nsec now);

/* The same for a request that came in a batch: no limits, no latency, no faults of delivery. */
struct batch_call {
	enum maker maker;
	const struct document *doc;
	node_id root;
	const char *key;
	const char *request_id;
	const char *custom_id;
	const char *batch_id;
};

/* Append the body. Returns the HTTP status; *tokens is what it used (zero unless 200). */
int call_answer_line(struct simulator *sim, const struct batch_call *line, struct buffer *body,
		     struct tokens *tokens, nsec now);

/* A fault that was drawn for another request than a call. */
void call_strike(struct simulator *sim, struct exchange *x, enum maker maker, enum fault fault,
		 const char *request_id);

/* The headers every answer of the provider carries. */
void call_headers(enum maker maker, const char *request_id, struct buffer *head);
void call_refuse(struct exchange *x, enum maker maker, const struct failure *failure,
		 const char *request_id);
void call_name(struct simulator *sim, char request_id[40]);

#endif
