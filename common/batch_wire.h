/*
 * How a provider's batches look on the wire: the lines that go up, the batch as
 * the provider describes it, the lines that come back. Pure functions over
 * bytes; what an answer in a line means is told by the provider's own adapter.
 *
 *	const struct batch_wire *wire = batch_wire_find("openai");
 *
 *	batch_wire_line(wire, attempt_id, body.data, body.len, &file);
 *	if (!batch_wire_report(wire, reply.body, reply.len, &report, err)) ...
 *	if (batch_wire_result(wire, line, len, &result, err))
 *		provider->read(&(struct raw_reply){.status = result.status, .body = result.body, …},
 *&reply);
 */
#ifndef SLUICE_BATCH_WIRE_H
#define SLUICE_BATCH_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "buffer.h"
#include "clock.h"
#include "error.h"

#define BATCH_ID_TEXT 96
#define BATCH_CUSTOM_ID 65

struct batch_wire {
	const char *dialect;
	size_t max_lines; /* the provider's own limits */
	size_t max_bytes;
	bool has_files;	       /* lines go into a file first, and a batch is made of it */
	const char *list_path; /* under the base URL; a batch is list_path/ID */
	const char *endpoint;  /* what every line asks for */
	size_t list_limit;
};

const struct batch_wire *batch_wire_find(const char *dialect); /* NULL: it has no batches */

/* --- what goes up --- */

/* What stands before the first line, between two and after the last. `boundary` is ours to choose.
 */
void batch_wire_begin(const struct batch_wire *wire, const char *boundary, const char *our_id,
		      struct buffer *out);
void batch_wire_between(const struct batch_wire *wire, struct buffer *out);
void batch_wire_end(const struct batch_wire *wire, const char *boundary, struct buffer *out);

/* One line around the body of a request. */
bool batch_wire_line(const struct batch_wire *wire, const char *custom_id, const char *body,
		     size_t len, struct buffer *out);

/* The order to run an uploaded file, with our id in its metadata. */
void batch_wire_order(const char *file_id, const char *our_id, struct buffer *out);

/* The id of the file that an upload made. */
bool batch_wire_file_id(const char *bytes, size_t len, char id[BATCH_ID_TEXT],
			struct error *err) MUST_USE;

/* --- what the provider says of a batch --- */

enum batch_phase {
	BATCH_PHASE_RUNNING, /* or waiting to */
	BATCH_PHASE_ENDED,   /* there are results, if only that lines have expired */
	BATCH_PHASE_FAILED,  /* nothing ran, nothing is billed */
};

#define BATCH_MAX_BAD_LINES 64

struct batch_report {
	char id[BATCH_ID_TEXT];
	char file_id[BATCH_ID_TEXT]; /* of its input; "" : none */
	char our_id[40];	     /* in its metadata; "" */
	char status[32];
	enum batch_phase phase;
	bool cancelling;
	int64_t total; /* lines; -1: not told, and so below */
	int64_t completed;
	int64_t failed;
	int64_t input_tokens;
	int64_t output_tokens;
	char output_id[BATCH_ID_TEXT]; /* file of results; "" : none */
	char error_id[BATCH_ID_TEXT];
	nsec created; /* wall clock */
	nsec expires;
	bool token_limit; /* FAILED: too many tokens are enqueued, later it may pass */
	int64_t bad_lines[BATCH_MAX_BAD_LINES]; /* FAILED: numbers of lines that are at fault, from
						   1 */
	size_t bad_line_count;
	char code[64];
	char message[256];
};

bool batch_wire_report(const struct batch_wire *wire, const char *bytes, size_t len,
		       struct batch_report *report, struct error *err) MUST_USE;

/* One page of the provider's list, newest first. */
struct batch_page {
	struct batch_report *reports; /* owned */
	size_t count;
	bool has_more;
	char last_id[BATCH_ID_TEXT];
};
bool batch_wire_page(const struct batch_wire *wire, const char *bytes, size_t len,
		     struct batch_page *page, struct error *err) MUST_USE;
void batch_page_finish(struct batch_page *page);

/* --- what comes back --- */

enum batch_fate {
	BATCH_ANSWERED, /* there is a reply, good or bad: status and body */
	BATCH_UNDONE,	/* expired, cancelled or never tried: not run, not billed */
};

struct batch_result {
	char custom_id[BATCH_CUSTOM_ID];
	enum batch_fate fate;
	long status;	  /* as if it had been called alone; 0: the provider tells none */
	const char *body; /* in the line */
	size_t len;
	char request_id[96];
	char code[64]; /* UNDONE: why */
};

/* False with a REJECT error: no custom id can be read from it. */
bool batch_wire_result(const struct batch_wire *wire, const char *line, size_t len,
		       struct batch_result *result, struct error *err) MUST_USE;

#endif
