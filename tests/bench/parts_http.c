/* Calls to the simulator: a request of 2 KB and an answer of 1 KB, many at once. */
#include <stdio.h>

#include "ask.h"
#include "ensure.h"
#include "http.h"
#include "meter.h"
#include "parts.h"
#include "uuid.h"

#define TIMEOUT (30 * NSEC_PER_SEC)

static bool start(struct http *http, const char *url, const struct buffer *body, struct error *err)
{
	struct uuid attempt = uuid_make();
	char text[UUID_TEXT], id[80];
	const char *headers[] = {"Content-Type: application/json", "Authorization: Bearer bench",
				 id};
	struct http_request request = {
		.method = "POST",
		.url = url,
		.headers = headers,
		.header_count = COUNT_OF(headers),
		.body = body->data,
		.len = body->len,
		.timeouts = {TIMEOUT, TIMEOUT, TIMEOUT, TIMEOUT},
	};

	snprintf(id, sizeof(id), "X-Client-Request-Id: %s", uuid_format(text, &attempt));
	return http_start(http, &request, NULL, clock_now(), err) != NULL;
}

/* What came of the finished ones; false: one of them failed. */
static bool collect(struct http *http, size_t *done, struct error *err)
{
	struct http_reply *reply;
	bool ok = true;

	while ((reply = http_finished(http))) {
		if (reply->failure != HTTP_NONE || reply->status != 200)
			ok = error_set(err, ERROR_FATAL, "status %ld %s: %.200s", reply->status,
				       reply->text, reply->body);
		http_reply_release(http, reply);
		++*done;
	}
	return ok;
}

static bool run(struct http *http, const char *url, const struct buffer *body, size_t jobs,
		size_t most, struct error *err)
{
	size_t started = 0, done = 0;

	while (done < jobs) {
		while (started < jobs && started - done < most) {
			if (!start(http, url, body, err))
				return false;
			started++;
		}
		http_wait(http, NULL, 0, NSEC_PER_SEC);
		if (!collect(http, &done, err))
			return false;
	}
	return true;
}

bool parts_http(const struct parts_wishes *wishes, struct error *err)
{
	size_t most = (size_t)wishes->in_flight, jobs = (size_t)wishes->jobs;
	struct http_settings settings = {.max_in_flight = most};
	AUTO(http_destroy) struct http *http = http_create(&settings, err);
	AUTO_FINISH(buffer_finish) struct buffer body = {0};
	char url[1024];
	struct meter meter;
	struct ask ask;

	if (!http)
		return false;
	snprintf(url, sizeof(url), "%s/chat/completions", wishes->url);
	ask_init(&ask, 0);
	ask_build(&ask, "", &body);
	ask_finish(&ask);
	if (!run(http, url, &body, most, most, err)) /* connects */
		return false;
	meter_start(&meter, wishes->server);
	if (!run(http, url, &body, jobs, most, err))
		return false;
	meter_print(&meter, "http", jobs);
	return true;
}
