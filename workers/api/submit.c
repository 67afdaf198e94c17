/*
 * POST /v1/jobs: one job, or a list with a job a line. Every line is answered
 * for itself; with an Idempotency-Key all of it can be sent again.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "admit.h"
#include "ensure.h"
#include "estimate.h"
#include "json_writer.h"
#include "routes.h"
#include "toll.h"

#define MAX_LINES 1000
#define MAX_KEY 200
#define TRACE_LEN 55

struct entry {
	struct admission admission; /* first: told() gets a pointer to it */
	struct submission *submission;
	size_t line;
	bool good; /* it was packed */
};

struct submission {
	struct exchange *x;
	bool list;
	bool dry;
	char headers[128]; /* that come back on every event */
	nsec wall;
	size_t count;
	size_t untold;
	struct entry *entries;
};

static void drop(void *data)
{
	struct submission *s = data;

	for (size_t i = 0; i < s->count; i++)
		parcel_finish(&s->entries[i].admission.parcel);
	free(s->entries);
	free(s);
}

/* --- answers --- */

static unsigned status_of(const struct entry *e)
{
	if (!e->good)
		return 400;
	switch (e->admission.result) {
	case ADMISSION_NEW:
	case ADMISSION_SAME:
		return e->submission->dry ? 200 : 202;
	case ADMISSION_CONFLICT:
	case ADMISSION_TAKEN:
		return 409;
	case ADMISSION_FAILED:
		break;
	}
	return e->admission.err.kind == ERROR_RETRY    ? 503
	       : e->admission.err.kind == ERROR_REJECT ? 422
						       : 500;
}

static const char *code_of(const struct entry *e)
{
	switch (status_of(e)) {
	case 400:
		return "bad_job";
	case 409:
		return e->admission.result == ADMISSION_CONFLICT ? "other_body" : "id_taken";
	case 422:
		return "not_storable";
	case 503:
		return "unavailable";
	default:
		return "internal";
	}
}

static void write_detail(const struct entry *e, struct buffer *out)
{
	char stands[DIGEST_TEXT], came[DIGEST_TEXT];

	switch (status_of(e)) {
	case 400:
	case 422:
		buffer_text(out, e->admission.err.text);
		break;
	case 409:
		if (e->admission.result == ADMISSION_TAKEN)
			buffer_text(out, "the id is taken by a job that can't be compared with");
		else
			buffer_printf(out,
				      "the same key or id came before with another body: its "
				      "fingerprint is %s, this one's %s",
				      digest_format(stands, &e->admission.standing),
				      digest_format(came, &e->admission.parcel.job->fingerprint));
		break;
	case 503:
		buffer_text(out, "the database is away; send it again with the same "
				 "Idempotency-Key or job_id");
		break;
	default:
		buffer_text(out, "an error of ours");
	}
}

static void write_accepted(const struct entry *e, struct json_writer *w)
{
	const struct submission *s = e->submission;
	bool costs = s->x->key->rights & RIGHT_COSTS;
	char id[UUID_TEXT];

	if (!s->dry) {
		json_key(w, "job_id");
		json_put_text(w, uuid_format(id, &e->admission.parcel.id));
		json_key(w, "new");
		json_put_bool(w, e->admission.result == ADMISSION_NEW);
	}
	json_key(w, "quote");
	estimate_write(s->x->api, &e->admission.parcel, s->wall, costs, w);
}

static void reply_single(struct submission *s)
{
	struct entry *e = &s->entries[0];
	AUTO_FINISH(buffer_finish) struct buffer body = {0};
	struct json_writer w = {.out = &body};
	char location[sizeof("/v1/jobs/") + UUID_TEXT], id[UUID_TEXT];
	const struct header headers[] = {{"Location", location}};
	unsigned status = status_of(e);

	if (status >= 300) {
		write_detail(e, &body);
		exchange_problem(s->x, status, code_of(e), "%s", body.data);
		return;
	}
	json_open(&w, '{');
	write_accepted(e, &w);
	json_close(&w, '}');
	snprintf(location, sizeof(location), "/v1/jobs/%s",
		 uuid_format(id, &e->admission.parcel.id));
	exchange_json(s->x, status, &body, headers, s->dry ? 0 : 1);
}

static void write_line(const struct entry *e, struct json_writer *w)
{
	AUTO_FINISH(buffer_finish) struct buffer detail = {0};
	AUTO_FINISH(buffer_finish) struct buffer problem = {0};
	unsigned status = status_of(e);

	json_open(w, '{');
	json_key(w, "line");
	json_put_integer(w, (int64_t)e->line);
	json_key(w, "status");
	json_put_integer(w, status);
	if (status < 300) {
		write_accepted(e, w);
	} else {
		write_detail(e, &detail);
		exchange_write_problem(&problem, status, code_of(e), detail.data,
				       e->submission->x->id);
		json_key(w, "problem");
		json_put_raw(w, problem.data, problem.len);
	}
	json_close(w, '}');
}

/* 200 for a list: each line has a status of its own. */
static void reply_list(struct submission *s)
{
	AUTO_FINISH(buffer_finish) struct buffer body = {0};
	struct json_writer w = {.out = &body};
	int64_t accepted = 0;

	for (size_t i = 0; i < s->count; i++)
		accepted += status_of(&s->entries[i]) < 300;
	json_open(&w, '{');
	json_key(&w, "accepted");
	json_put_integer(&w, accepted);
	json_key(&w, "refused");
	json_put_integer(&w, (int64_t)s->count - accepted);
	json_key(&w, "lines");
	json_open(&w, '[');
	for (size_t i = 0; i < s->count; i++)
		write_line(&s->entries[i], &w);
	json_close(&w, ']');
	json_close(&w, '}');
	exchange_json(s->x, accepted > 0 && !s->dry ? 202 : 200, &body, NULL, 0);
}

static void reply(struct submission *s)
{
	if (s->list)
		reply_list(s);
	else
		reply_single(s);
}

static void told(struct admission *admission)
{
	struct submission *s = ((struct entry *)admission)->submission;

	if (--s->untold == 0)
		reply(s);
}

/* --- the lines of the request --- */

static bool check_entry(const struct exchange *x, struct entry *e)
{
	struct parcel *parcel = &e->admission.parcel;
	struct error *err = &e->admission.err;

	if (!exchange_sees(x, parcel->business_unit))
		return error_set(err, ERROR_REJECT,
				 "/business_unit: key %s may not submit for \"%.60s\"", x->key->id,
				 parcel->business_unit);
	if (parcel->job->routed)
		return error_set(err, ERROR_REJECT, "/routed: only the router writes this");
	ENSURE(parcel->tier);
	return true;
}

static json_t *defaults_of(const struct exchange *x)
{
	const char *unit = api_key_only_unit(x->key);
	json_t *defaults = json_pack("{s:i}", "version", 1);

	if (unit)
		json_object_set_new(defaults, "business_unit", json_string(unit));
	return defaults;
}

static void pack(struct submission *s, const json_t *defaults, const char *line, size_t len)
{
	struct entry *e = &s->entries[s->count++];
	const char *key = web_header(s->x->request, "Idempotency-Key");
	AUTO(xfree)
	char *key_of_line = key && s->list ? xasprintf("%s#%zu", key, e->line)
			    : key	   ? xstrdup(key)
					   : NULL;
	struct envelope_rules rules = {.config = s->x->api->config,
				       .reader = s->x->api->reader,
				       .defaults = defaults,
				       .news = &s->x->api->news,
				       .key = key_of_line,
				       .route = true};

	e->submission = s;
	e->admission.headers = s->headers;
	e->admission.told = told;
	e->good = envelope_pack(&rules, line, len, s->wall, &e->admission.parcel,
				&e->admission.err) &&
		  check_entry(s->x, e);
}

static bool is_blank(const char *line, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (!strchr(" \t\r", line[i]))
			return false;
	return true;
}

static bool split(struct submission *s)
{
	const struct web_request *request = s->x->request;
	const char *line = request->body, *end = request->body + request->len;
	json_auto_t *defaults = defaults_of(s->x);

	for (size_t number = 1; line < end; number++) {
		const char *stop = s->list ? memchr(line, '\n', (size_t)(end - line)) : NULL;
		size_t len = (size_t)((stop ? stop : end) - line);

		if (!is_blank(line, len)) {
			if (s->count == MAX_LINES)
				return false;
			s->entries[s->count].line = number;
			pack(s, defaults, line, len);
		}
		line += len + 1;
	}
	return true;
}

/* traceparent, as W3C spells it, comes back on every event. */
static void keep_trace(struct submission *s)
{
	const char *trace = web_header(s->x->request, "traceparent");

	if (!trace || strlen(trace) != TRACE_LEN || strspn(trace, "0123456789abcdef-") != TRACE_LEN)
		return;
	snprintf(s->headers, sizeof(s->headers), "{\"traceparent\":\"%s\"}", trace);
}

static bool is_list(const struct exchange *x)
{
	const char *type = web_header(x->request, "Content-Type");

	return type && (strncmp(type, "application/x-ndjson", 20) == 0 ||
			strncmp(type, "application/jsonl", 17) == 0);
}

static bool is_dry(const struct exchange *x)
{
	const char *wish = web_query(x->request, "dry_run");

	return wish && strcmp(wish, "true") == 0;
}

/* What is nearly a dry run must not spend money. */
static bool check_query(struct exchange *x)
{
	const char *wish = web_query(x->request, "dry_run");

	if (!web_has_query(x->request, "dry_run") ||
	    (wish && (strcmp(wish, "true") == 0 || strcmp(wish, "false") == 0)))
		return true;
	exchange_problem(x, 400, "bad_query", "dry_run is true or false");
	return false;
}

static struct submission *begin(struct exchange *x)
{
	struct submission *s = xcalloc(1, sizeof(*s));

	s->x = x;
	s->list = is_list(x);
	s->dry = is_dry(x);
	s->wall = clock_wall();
	s->entries = xcalloc(s->list ? MAX_LINES : 1, sizeof(*s->entries));
	x->data = s;
	x->drop = drop;
	keep_trace(s);
	return s;
}

static void admit_all(struct exchange *x)
{
	struct submission *s = x->data;

	for (size_t i = 0; i < s->count; i++)
		if (s->entries[i].good)
			admit_add(s->x->api->admit, &s->entries[i].admission);
}

static double tokens_of(const struct submission *s)
{
	double tokens = 0;

	if (s->x->key->purses[PURSE_TOKENS].per_minute <= 0)
		return 0;
	for (size_t i = 0; i < s->count; i++)
		if (s->entries[i].good)
			tokens += (double)estimate_tokens(s->x->api,
							  &s->entries[i].admission.parcel, s->wall);
	return tokens;
}

/* Each line is a request; what is refused or only quoted takes no tokens. */
static void pay(struct submission *s)
{
	struct exchange *x = s->x;

	toll_charge(x->api->toll, x->key, PURSE_REQUESTS, (double)(s->count - 1));
	for (size_t i = 0; i < s->count; i++)
		s->untold += s->entries[i].good;
	if (s->untold == 0 || s->dry)
		reply(s);
	else
		toll_pay(x->api->toll, x, PURSE_TOKENS, tokens_of(s), admit_all);
}

void submit_jobs(struct exchange *x)
{
	const char *key = web_header(x->request, "Idempotency-Key");
	struct submission *s;

	if (!check_query(x))
		return;
	if (key && (!*key || strlen(key) > MAX_KEY)) {
		exchange_problem(x, 400, "bad_key", "Idempotency-Key has 1 to %d characters",
				 MAX_KEY);
		return;
	}
	s = begin(x);
	if (!split(s)) {
		exchange_problem(x, 413, "too_many_lines", "a list has at most %d jobs", MAX_LINES);
		return;
	}
	if (s->count == 0) {
		exchange_problem(x, 400, "bad_job", "there is no job in the body");
		return;
	}
	pay(s);
}
