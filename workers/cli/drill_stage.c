#include "drill_stage.h"

#include <stdlib.h>
#include <string.h>

#include "address.h"
#include "ensure.h"
#include "http.h"
#include "json.h"

#define MAX_PLACES 64
#define PATIENCE (5 * NSEC_PER_SEC)

struct stage {
	struct http *http;
	char *places[MAX_PLACES]; /* "http://127.0.0.1:8000/control"; owned */
	size_t count;
};

void stage_destroy(struct stage *stage)
{
	if (!stage)
		return;
	for (size_t i = 0; i < stage->count; i++)
		free(stage->places[i]);
	http_destroy(stage->http);
	free(stage);
}

/* --- asking --- */

/* The JSON that a simulator tells of itself; NULL with err. The caller's. */
static json_t *read_reply(const char *url, const struct http_reply *reply, struct error *err)
{
	json_t *told;

	if (reply->failure != HTTP_NONE) {
		error_set(err, ERROR_RETRY, "%s: %s", url, reply->text);
		return NULL;
	}
	told = json_read(reply->body, reply->len, JSON_FOREIGN, err);
	if (told && reply->status == 200 && json_integer_or(told, "simulator", 0) == 1)
		return told;
	if (reply->status == 400 && told)
		error_set(err, ERROR_REJECT, "%s: %.150s", url, json_text(told, "error", "400"));
	else
		error_set(err, ERROR_REJECT,
			  "%s does not answer as a simulator (status %ld): a drill is for staging "
			  "only",
			  url, reply->status);
	json_decref(told);
	return NULL;
}

static json_t *ask(struct stage *stage, const char *url, const char *order, struct error *err)
{
	struct http_request request = {
		.url = url,
		.body = order,
		.len = order ? strlen(order) : 0,
		.timeouts = {.connect = PATIENCE,
			     .first_byte = PATIENCE,
			     .idle = PATIENCE,
			     .total = PATIENCE},
	};
	struct http_reply *reply;
	json_t *told;

	if (!http_start(stage->http, &request, stage, clock_now(), err))
		return NULL;
	while (!(reply = http_finished(stage->http)))
		http_wait(stage->http, NULL, 0, PATIENCE);
	told = read_reply(url, reply, err);
	http_reply_release(stage->http, reply);
	return told;
}

static bool tell(struct stage *stage, const char *url, const char *order, struct error *err)
{
	json_auto_t *told = ask(stage, url, order, err);

	return told != NULL;
}

bool stage_order(struct stage *stage, const char *faults, struct error *err)
{
	json_auto_t *order = json_pack("{s:s}", "fault", faults);
	AUTO(xfree) char *text = json_write(order);

	for (size_t i = 0; i < stage->count; i++)
		if (!tell(stage, stage->places[i], text, err))
			return false;
	return true;
}

/* --- who may be ordered about --- */

/* Where the host of a URL begins, and its length. Brackets of IPv6 are left out. */
static const char *host_of(const char *url, size_t *len)
{
	const char *at = strstr(url, "://"), *end;

	at = at ? at + 3 : url;
	end = at + strcspn(at, "/?#");
	if (*at == '[') {
		at++;
		*len = strcspn(at, "]");
		return at;
	}
	*len = strcspn(at, ":/?#");
	if (memchr(at, '@', (size_t)(end - at)))
		*len = 0; /* user:password@host: no place for tricks */
	return at;
}

static bool is_here(const char *url)
{
	size_t len;
	const char *host = host_of(url, &len);
	AUTO(xfree) char *text = xstrndup(host, len);

	return strcmp(text, "localhost") == 0 || address_is_loopback(text);
}

static bool may_break(const struct endpoint *endpoint, struct error *err)
{
	if (endpoint->staging || is_here(endpoint->base_url))
		return true;
	return error_set(err, ERROR_REJECT,
			 "provider %s is at %.150s, not on this host: a drill breaks what it is "
			 "let loose on. If that is a simulator, say so with staging: true",
			 endpoint->name, endpoint->base_url);
}

/* The control of a simulator is at the root of its server. */
static char *control_of(const char *url)
{
	const char *at = strstr(url, "://");
	size_t len;

	at = at ? at + 3 : url;
	len = (size_t)(at - url) + strcspn(at, "/?#");
	return xasprintf("%.*s/control", (int)len, url);
}

static void add_place(struct stage *stage, const struct endpoint *endpoint)
{
	AUTO(xfree) char *place = control_of(endpoint->base_url);

	for (size_t i = 0; i < stage->count; i++)
		if (strcmp(stage->places[i], place) == 0)
			return;
	ENSURE(stage->count < MAX_PLACES); /* the schema allows no more providers */
	stage->places[stage->count++] = TAKE(place);
}

/* Every candidate of every tier: a job may escalate to any of them. */
static bool add_places(struct stage *stage, const struct config *config, struct error *err)
{
	for (size_t t = 0; t < config->tier_count; t++)
		for (size_t c = 0; c < config->tiers[t].candidate_count; c++) {
			const struct endpoint *endpoint = config->tiers[t].candidates[c].endpoint;

			if (!may_break(endpoint, err))
				return false;
			add_place(stage, endpoint);
		}
	return true;
}

struct stage *stage_open(const struct config *config, struct error *err)
{
	AUTO(stage_destroy) struct stage *stage = xcalloc(1, sizeof(*stage));
	struct http_settings settings = {.max_in_flight = 1};

	if (!add_places(stage, config, err))
		return NULL;
	stage->http = http_create(&settings, err);
	if (!stage->http)
		return NULL;
	for (size_t i = 0; i < stage->count; i++)
		if (!tell(stage, stage->places[i], NULL, err))
			return NULL;
	return TAKE(stage);
}
