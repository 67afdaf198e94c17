/*
 * OpenAI's Files: what was uploaded for a batch, and what came out of one.
 *
 *	POST /v1/files, GET /v1/files, GET|DELETE /v1/files/ID, GET /v1/files/ID/content
 */
#ifndef SIMULATOR_FILES_H
#define SIMULATOR_FILES_H

#include "simulator.h"

struct batch;

struct file {
	char id[40];
	char name[256];
	char purpose[32];
	struct buffer bytes;
	double created;	      /* virtual */
	int late;	      /* so many creates still can't find it */
	struct batch *result; /* of which batch; NULL: uploaded */
	bool deleted;
	struct file *older;
};

struct files {
	struct file *newest;
	size_t bytes; /* of all */
};

#define FILES_MAX_BYTES ((size_t)2 << 30)

/* Answers x if the path is one of the above. */
bool files_handle(struct simulator *sim, struct exchange *x, const char *request_id, nsec now);

/* Takes over the bytes (and leaves the buffer empty). The file is owned by the list. */
struct file *files_add(struct simulator *sim, const char *name, const char *purpose,
		       struct buffer *bytes, nsec now);
struct file *files_find(const struct simulator *sim, const char *id); /* NULL: none */
void files_finish(struct files *files);

#endif
