#include "routes.h"

#include <stdio.h>
#include <string.h>

#include "ensure.h"

static const struct route routes[] = {
	{"POST", "/v1/jobs", RIGHT_SUBMIT, submit_jobs, false, false, false},
	{"GET", "/v1/jobs", RIGHT_READ, jobs_list, false, false, false},
	{"GET", "/v1/jobs/{job_id}", RIGHT_READ, jobs_show, false, false, false},
	{"DELETE", "/v1/jobs/{job_id}", RIGHT_OPERATE, jobs_cancel, false, false, false},
	{"POST", "/v1/jobs/{job_id}/retry", RIGHT_OPERATE, jobs_retry, false, false, false},
	{"GET", "/v1/jobs/{job_id}/explain", RIGHT_READ, jobs_explain, false, false, false},
	{"POST", "/v1/files", RIGHT_SUBMIT, files_upload, true, true, false},
	{"GET", "/v1/files", RIGHT_READ, files_list, true, false, false},
	{"GET", "/v1/files/{file_id}", RIGHT_READ, files_show, true, false, false},
	{"GET", "/v1/files/{file_id}/content", RIGHT_READ, files_content, true, false, false},
	{"DELETE", "/v1/files/{file_id}", RIGHT_SUBMIT, files_delete, true, false, false},
	{"POST", "/v1/batches", RIGHT_SUBMIT, batches_create, true, false, false},
	{"GET", "/v1/batches", RIGHT_READ, batches_list, true, false, false},
	{"GET", "/v1/batches/{batch_id}", RIGHT_READ, batches_show, true, false, false},
	{"POST", "/v1/batches/{batch_id}/cancel", RIGHT_SUBMIT, batches_cancel, true, false, false},
	{"GET", "/openapi.json", RIGHT_NONE, door_openapi, false, false, false},
	{"GET", "/healthz", RIGHT_NONE, door_health, false, false, true},
	{"GET", "/readyz", RIGHT_NONE, door_ready, false, false, true},
	{"GET", "/metrics", RIGHT_OPERATE, door_metrics, false, false, true},
	{0},
};

const struct route *routes_all(void)
{
	return routes;
}

/* Whether the path is one of the pattern; both are taken word by word between slashes. */
static bool fits(const char *pattern, char *path, const char *words[EXCHANGE_WORDS])
{
	size_t count = 0;

	while (*pattern == '/' && *path == '/') {
		size_t wanted = strcspn(++pattern, "/"), len = strcspn(++path, "/");

		if (*pattern == '{') {
			if (len == 0)
				return false;
			ENSURE(count < EXCHANGE_WORDS);
			words[count++] = path;
		} else if (wanted != len || memcmp(pattern, path, len) != 0) {
			return false;
		}
		pattern += wanted;
		path += len;
	}
	return !*pattern && !*path;
}

static void cut(const char *words[EXCHANGE_WORDS])
{
	for (size_t i = 0; i < EXCHANGE_WORDS && words[i]; i++)
		((char *)words[i])[strcspn(words[i], "/")] = '\0';
}

const struct route *route_find(const char *method, const char *path, char copy[256],
			       const char *words[EXCHANGE_WORDS], char allowed[64])
{
	allowed[0] = '\0';
	if (snprintf(copy, 256, "%s", path) >= 256)
		return NULL;
	for (const struct route *route = routes; route->method; route++) {
		memset(words, 0, EXCHANGE_WORDS * sizeof(*words));
		if (!fits(route->pattern, copy, words))
			continue;
		if (strcmp(route->method, method) == 0) {
			cut(words);
			return route;
		}
		snprintf(allowed + strlen(allowed), 64 - strlen(allowed), "%s%s",
			 *allowed ? ", " : "", route->method);
	}
	return NULL;
}
