#include "exchange.h"

#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ensure.h"
#include "json_writer.h"
#include "log.h"
#include "metrics.h"
#include "routes.h"
#include "toll.h"
#include "utf8.h"

#define MAX_HEADERS_SET 16
#define NUMBER_TEXT 64
#define DETAIL_TEXT 1024 /* what is quoted may be cut in mid-character: it is mended */

/* --- the life of one --- */

static void end(struct exchange *x)
{
	if (x->previous)
		x->previous->next = x->next;
	else
		x->api->exchanges = x->next;
	if (x->next)
		x->next->previous = x->previous;
	keyring_release(x->key);
	if (x->drop)
		x->drop(x->data);
	free(x);
}

void exchange_drop_all(struct api *api)
{
	/* The analyzer does not follow a doubly linked list: end() moves its head on. */
	while (api->exchanges)
		end(api->exchanges); /* NOLINT(clang-analyzer-unix.Malloc) */
}

static struct exchange *begin(struct api *api, struct web_request *request)
{
	struct exchange *x = xcalloc(1, sizeof(*x));
	struct uuid id = uuid_make();

	x->api = api;
	x->request = request;
	x->started = clock_now();
	uuid_format(x->id, &id);
	x->next = api->exchanges;
	if (x->next)
		x->next->previous = x;
	api->exchanges = x;
	return x;
}

/* --- replies --- */

struct extra {
	struct header items[MAX_HEADERS_SET];
	size_t count;
	struct buffer policy, state;
	char limit[NUMBER_TEXT], left[NUMBER_TEXT], reset[NUMBER_TEXT];
};

static void set(struct extra *extra, const char *name, const char *value)
{
	if (extra->count < MAX_HEADERS_SET)
		extra->items[extra->count++] = (struct header){name, value};
}

static unsigned reset_of(const struct purse *purse, double left)
{
	return (unsigned)((purse->per_minute - fmin(left, purse->per_minute)) * 60 /
			  purse->per_minute);
}

/* In the fields of the draft: all limits of the key, each by its name. */
static void tell_limit(const struct api_key *key, enum purse_unit unit, nsec now,
		       struct extra *extra)
{
	const struct purse *purse = &key->purses[unit];
	const char *comma = extra->policy.len > 0 ? ", " : "";
	double left = purse_shows(purse, now);

	if (purse->per_minute <= 0)
		return;
	buffer_printf(&extra->policy, "%s\"key-%s-%s\";q=%.0f;w=60", comma, key->id,
		      purse_name(unit), purse->per_minute);
	buffer_printf(&extra->state, "%s\"key-%s-%s\";r=%.0f;t=%u", comma, key->id,
		      purse_name(unit), left, reset_of(purse, left));
}

/* The older fields have room for one: the requests, or else the tokens. */
static void tell_one(const struct purse *purse, nsec now, struct extra *extra)
{
	double left = purse_shows(purse, now);

	snprintf(extra->limit, NUMBER_TEXT, "%.0f", purse->per_minute);
	snprintf(extra->left, NUMBER_TEXT, "%.0f", left);
	snprintf(extra->reset, NUMBER_TEXT, "%u", reset_of(purse, left));
	set(extra, "RateLimit-Limit", extra->limit);
	set(extra, "RateLimit-Remaining", extra->left);
	set(extra, "RateLimit-Reset", extra->reset);
}

/* Whose limit it is, how much of it is left, and when there is more. */
static void tell_limits(const struct exchange *x, struct extra *extra)
{
	const struct purse *purse = x->key ? x->key->purses : NULL;
	nsec now = clock_now();

	if (!purse)
		return;
	for (enum purse_unit unit = 0; unit < PURSE_COUNT; unit++)
		tell_limit(x->key, unit, now, extra);
	if (extra->policy.len == 0)
		return;
	tell_one(&purse[purse[PURSE_REQUESTS].per_minute > 0 ? PURSE_REQUESTS : PURSE_TOKENS], now,
		 extra);
	set(extra, "RateLimit-Policy", extra->policy.data);
	set(extra, "RateLimit", extra->state.data);
}

/* The methods that may stand in a log: any other word of a client may be a secret, or long. */
static const char *known_method(const char *method)
{
	static const char *const names[] = {"GET",     "HEAD",	"POST",	   "PUT",  "DELETE",
					    "OPTIONS", "PATCH", "CONNECT", "TRACE"};

	for (size_t i = 0; method && i < COUNT_OF(names); i++)
		if (strcmp(names[i], method) == 0)
			return names[i];
	return "-";
}

/*
 * The line of a request that no handler saw. Whoever sends such ones needs no key, so they are
 * logged as warnings are: a hundred in ten seconds, and the next says how many were left out.
 */
static void log_refused(const char *id, const char *client, const char *key, const char *method,
			const char *route, unsigned status, nsec took)
{
	log_warn("http_refused",
		 "request=%s client=%s key=%s method=%s route=%s status=%u ms=%" PRIu64,
		 *id ? id : "-", client ? client : "-", key, known_method(method), route, status,
		 took / NSEC_PER_MSEC);
}

static void measure(const char *route, unsigned status, nsec took)
{
	char text[8];

	snprintf(text, sizeof(text), "%u", status);
	metrics_add(METRIC_http_requests_total, 1, LABELS(route, text));
	metrics_observe_time(METRIC_http_request_seconds, took, LABELS(route));
}

static void count(const struct exchange *x, unsigned status, size_t len)
{
	const char *route = x->route ? x->route->pattern : "none";
	const char *key = x->key ? x->key->id : "";
	nsec took = clock_now() - x->started;

	measure(route, status, took);
	if (x->route && x->route->quiet)
		return;
	if (!x->handled) {
		log_refused(x->id, x->request->client, key, x->request->method,
			    x->route ? route : "-", status, took);
		return;
	}
	log_info("http_request",
		 "request=%s client=%s key=%s method=%s route=%s status=%u in=%zu out=%zu "
		 "ms=%" PRIu64,
		 x->id, x->request->client, key, x->request->method, route, status, x->request->len,
		 len, took / NSEC_PER_MSEC);
}

static const char *route_of(const struct web_refusal *refusal)
{
	char copy[256], allowed[64];
	const char *words[EXCHANGE_WORDS];
	const struct route *route = refusal->path ? route_find(refusal->method, refusal->path, copy,
							       words, allowed)
						  : NULL;

	return route ? route->pattern : NULL;
}

void exchange_refused(void *api, const struct web_refusal *refusal)
{
	const char *route = route_of(refusal);

	(void)api;
	measure(route ? route : "none", refusal->status, refusal->took);
	log_refused(refusal->id, refusal->client, "", refusal->method, route ? route : "-",
		    refusal->status, refusal->took);
}

void exchange_bytes(struct exchange *x, unsigned status, const char *content_type, const char *body,
		    size_t len, const struct header *headers, size_t header_count)
{
	struct extra extra = {0};

	for (size_t i = 0; i < header_count; i++)
		set(&extra, headers[i].name, headers[i].value);
	set(&extra, "X-Request-Id", x->id);
	tell_limits(x, &extra);
	count(x, status, len);
	web_reply(x->request, status, content_type, body, len, extra.items, extra.count);
	buffer_finish(&extra.policy);
	buffer_finish(&extra.state);
	end(x);
}

/* --- replies in pieces --- */

static void wanted(void *owner)
{
	struct exchange *x = owner;

	x->wanted(x);
}

static void over(void *owner, bool whole)
{
	struct exchange *x = owner;

	count(x, whole ? 200 : 499, x->length);
	x->gone = true;
	if (!x->asking)
		end(x);
}

void exchange_stream(struct exchange *x, const char *content_type, size_t len,
		     void (*more)(struct exchange *x), const struct header *headers,
		     size_t header_count)
{
	struct web_feeder feeder = {.wanted = wanted, .over = over, .owner = x};
	struct extra extra = {0};

	for (size_t i = 0; i < header_count; i++)
		set(&extra, headers[i].name, headers[i].value);
	set(&extra, "X-Request-Id", x->id);
	tell_limits(x, &extra);
	x->wanted = more;
	x->length = len;
	web_reply_stream(x->request, 200, content_type, len, extra.items, extra.count, &feeder);
	buffer_finish(&extra.policy);
	buffer_finish(&extra.state);
}

void exchange_feed(struct exchange *x, const char *bytes, size_t len)
{
	web_feed(x->request, bytes, len);
}

void exchange_break_off(struct exchange *x, const char *why)
{
	log_warn("download_broken_off", "request=%s why=%s", x->id, why);
	web_break_off(x->request);
}

void exchange_json(struct exchange *x, unsigned status, const struct buffer *body,
		   const struct header *headers, size_t header_count)
{
	exchange_bytes(x, status, "application/json", body->data ? body->data : "", body->len,
		       headers, header_count);
}

static const char *title_of(unsigned status)
{
	static const struct {
		unsigned status;
		const char *title;
	} titles[] = {
		{400, "the request is not good"},
		{401, "a key is wanted"},
		{403, "the key may not do this"},
		{404, "there is no such thing"},
		{405, "not with this method"},
		{409, "in conflict with what is there"},
		{413, "too large"},
		{415, "not in this form"},
		{422, "what it asks for can't be done"},
		{429, "too many requests"},
		{500, "our fault"},
		{503, "not now"},
	};

	for (size_t i = 0; i < COUNT_OF(titles); i++)
		if (titles[i].status == status)
			return titles[i].title;
	return "";
}

void exchange_write_problem(struct buffer *out, unsigned status, const char *code,
			    const char *detail, const char *request_id)
{
	struct json_writer w = {.out = out};
	AUTO(xfree) char *type = xasprintf("urn:sluice:problem:%s", code);

	json_open(&w, '{');
	json_key(&w, "type");
	json_put_text(&w, type);
	json_key(&w, "title");
	json_put_text(&w, title_of(status));
	json_key(&w, "status");
	json_put_integer(&w, status);
	json_key(&w, "detail");
	json_put_text(&w, detail);
	json_key(&w, "instance");
	json_put_text(&w, request_id);
	json_close(&w, '}');
}

/* Names that OpenAI's clients know for what they know. */
static const char *openai_code(const char *code)
{
	static const char *const names[][2] = {
		{"unauthorized", "invalid_api_key"},
		{"rate_limited", "rate_limit_exceeded"},
	};

	for (size_t i = 0; code && i < COUNT_OF(names); i++)
		if (strcmp(names[i][0], code) == 0)
			return names[i][1];
	return code;
}

static void put_text_or_null(struct json_writer *w, const char *name, const char *text)
{
	json_key(w, name);
	if (text)
		json_put_text(w, text);
	else
		json_put_raw(w, "null", 4);
}

static const char *openai_type(unsigned status)
{
	return status == 429   ? "requests"
	       : status >= 500 ? "server_error"
			       : "invalid_request_error";
}

static void write_openai_error(struct buffer *out, unsigned status, const char *code,
			       const char *param, const char *detail)
{
	struct json_writer w = {.out = out};

	json_open(&w, '{');
	json_key(&w, "error");
	json_open(&w, '{');
	json_key(&w, "message");
	json_put_text(&w, detail);
	json_key(&w, "type");
	json_put_text(&w, openai_type(status));
	put_text_or_null(&w, "param", param);
	put_text_or_null(&w, "code", openai_code(code));
	json_close(&w, '}');
	json_close(&w, '}');
}

/* Also where nothing is served under its paths. */
static bool speaks_openai(const struct exchange *x)
{
	return x->route ? x->route->openai
			: strncmp(x->request->path, "/v1/files", 9) == 0 ||
				  strncmp(x->request->path, "/v1/batches", 11) == 0;
}

static void problem_at(struct exchange *x, unsigned status, const char *code, const char *param,
		       const char *detail, const struct header *headers, size_t header_count)
{
	AUTO_FINISH(buffer_finish) struct buffer body = {0};
	bool openai = speaks_openai(x);

	if (openai)
		write_openai_error(&body, status, code, param, detail);
	else
		exchange_write_problem(&body, status, code, detail, x->id);
	exchange_bytes(x, status, openai ? "application/json" : "application/problem+json",
		       body.data, body.len, headers, header_count);
}

static void problem(struct exchange *x, unsigned status, const char *code, const char *detail,
		    const struct header *headers, size_t header_count)
{
	problem_at(x, status, code, NULL, detail, headers, header_count);
}

void exchange_problem(struct exchange *x, unsigned status, const char *code, const char *fmt, ...)
{
	static const struct header headers[] = {{"Retry-After", "1"}};
	char text[DETAIL_TEXT], detail[DETAIL_TEXT];
	va_list args;

	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	utf8_copy(detail, sizeof(detail), text);
	problem(x, status, code, detail, headers, status == 503 ? 1 : 0);
}

void exchange_refuse(struct exchange *x, unsigned status, const char *code, const char *param,
		     const char *fmt, ...)
{
	char text[DETAIL_TEXT], detail[DETAIL_TEXT];
	va_list args;

	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	utf8_copy(detail, sizeof(detail), text);
	problem_at(x, status, code, param, detail, NULL, 0);
}

void exchange_trouble(struct exchange *x, const struct error *err)
{
	if (err->kind == ERROR_RETRY) {
		exchange_problem(x, 503, "unavailable",
				 "the database is away; ask again, with the same Idempotency-Key");
		return;
	}
	log_error("api_statement_failed", "request=%s why=%s", x->id, err->text);
	exchange_problem(x, 500, "internal", "an error of ours; the log has it as request %s",
			 x->id);
}

/* --- asking --- */

static void asked(struct api *api, void *owner, struct pg_answer *answer)
{
	struct exchange *x = owner;

	(void)api;
	x->asking = false;
	if (x->gone)
		end(x);
	else if (answer->rows)
		x->then(x, answer->rows);
	else if (x->wanted)
		exchange_break_off(x, answer->error.text);
	else
		exchange_trouble(x, &answer->error);
}

void exchange_ask(struct exchange *x, int which, const char *statement, struct pg_args *args,
		  exchange_then *then)
{
	x->then = then;
	x->asking = api_ask(x->api, which, statement, args, asked, x);
	if (x->asking)
		return;
	if (x->wanted)
		exchange_break_off(x, "the database is away");
	else
		exchange_problem(x, 503, "unavailable", "the database is away; ask again");
}

bool exchange_sees(const struct exchange *x, const char *business_unit)
{
	return api_key_sees(x->key, business_unit);
}

bool exchange_job(struct exchange *x)
{
	if (uuid_parse(x->words[0], &x->job_id))
		return true;
	exchange_problem(x, 404, "not_found", "\"%.60s\" is not the id of a job (a UUID)",
			 x->words[0]);
	return false;
}

/* --- the way to the handler --- */

static void refuse_key(struct exchange *x)
{
	static const struct header headers[] = {{"WWW-Authenticate", "Bearer"}};

	problem(x, 401, "unauthorized",
		web_token(x->request) ? "this key is not known or was revoked"
				      : "send a key as \"Authorization: Bearer slc_...\"",
		headers, 1);
}

void exchange_limited(struct exchange *x, enum purse_unit unit)
{
	const struct purse *purse = &x->key->purses[unit];
	AUTO(xfree) char *wait = xasprintf("%u", purse_wait(purse, clock_now()));
	AUTO(xfree)
	char *detail = xasprintf("this is key %s's own limit, not a provider's: %.0f %s a minute; "
				 "there is room in %s s",
				 x->key->id, purse->per_minute, purse_name(unit), wait);
	const struct header headers[] = {{"Retry-After", wait}};

	problem(x, 429, "rate_limited", detail, headers, 1);
}

static void let_in(struct exchange *x)
{
	x->handled = true;
	x->route->handle(x);
}

void exchange_resume(struct exchange *x)
{
	const struct route *route = x->route;

	if (route->right != RIGHT_NONE) {
		x->key = keyring_find(x->api->keyring, web_token(x->request));
		if (!x->key) {
			refuse_key(x);
			return;
		}
		if (!(x->key->rights & route->right)) {
			exchange_problem(x, 403, "forbidden", "key %s lacks the right \"%s\"",
					 x->key->id, api_right_name(route->right));
			return;
		}
		toll_pay(x->api->toll, x, PURSE_REQUESTS, 1, let_in);
		return;
	}
	let_in(x);
}

static void nothing_there(struct exchange *x, const char *allowed)
{
	const struct header headers[] = {{"Allow", allowed}};

	if (*allowed)
		problem(x, 405, "method_not_allowed", "see Allow for what is possible here",
			headers, 1);
	else
		exchange_problem(x, 404, "not_found", "nothing is served here; see /openapi.json");
}

/* A key that is not known may be a minute old, or a second. */
static bool may_be_new(const struct exchange *x)
{
	struct api_key *key = keyring_find(x->api->keyring, web_token(x->request));

	keyring_release(key);
	return !key && web_token(x->request) && keyring_is_older(x->api->keyring, x->started);
}

void exchange_begin(void *api, struct web_request *request)
{
	struct exchange *x = begin(api, request);
	char allowed[64];

	x->route = route_find(request->method, request->path, x->path, x->words, allowed);
	if (!x->route)
		nothing_there(x, allowed);
	else if (x->api->stop_at && !x->route->quiet)
		exchange_problem(x, 503, "stopping", "this process is shutting down");
	else if (x->route->right != RIGHT_NONE && may_be_new(x))
		keyring_wait(x->api->keyring, x);
	else
		exchange_resume(x);
}
