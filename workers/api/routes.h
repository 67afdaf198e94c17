/*
 * What is served: method, path, the right it takes, and who answers.
 *
 *	const struct route *route = route_find("GET", path, x->path, x->words, &allowed);
 *
 * schemas/openapi.json describes the same; a test holds the two together.
 */
#ifndef API_ROUTES_H
#define API_ROUTES_H

#include <stdbool.h>

#include "exchange.h"

struct route {
	const char *method;
	const char *pattern; /* "/v1/jobs/{job_id}" */
	enum api_right right;
	void (*handle)(struct exchange *x);
	bool openai; /* errors in OpenAI's shape */
	bool upload; /* bodies up to api.max_upload */
	bool quiet;  /* no line in the log */
};

/*
 * NULL: nothing there; then `allowed` says which methods there are ("": no such
 * path). `words` point into `copy`.
 */
const struct route *route_find(const char *method, const char *path, char copy[256],
			       const char *words[EXCHANGE_WORDS], char allowed[64]);

const struct route *routes_all(void); /* ends with a NULL method */

/* The handlers. */
void submit_jobs(struct exchange *x);
void jobs_list(struct exchange *x);
void jobs_show(struct exchange *x);
void jobs_cancel(struct exchange *x);
void jobs_retry(struct exchange *x);
void jobs_explain(struct exchange *x);
void files_upload(struct exchange *x);
void files_list(struct exchange *x);
void files_show(struct exchange *x);
void files_content(struct exchange *x);
void files_delete(struct exchange *x);
void batches_create(struct exchange *x);
void batches_list(struct exchange *x);
void batches_show(struct exchange *x);
void batches_cancel(struct exchange *x);
void door_health(struct exchange *x);
void door_ready(struct exchange *x);
void door_metrics(struct exchange *x);
void door_openapi(struct exchange *x);

#endif
