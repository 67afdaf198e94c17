/* What comes over a connection: one request at a time, checked, read, handed over and answered. */
#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "digest.h"
#include "ensure.h"
#include "uuid.h"
#include "web_internal.h"

#define MAX_IN_MEMORY ((size_t)1 << 20) /* longer bodies go to a file */
#define STREAM_BLOCK ((size_t)64 << 10)

/* -- strictness -- */

struct framing {
	int hosts, lengths, encodings;
	bool odd; /* a line break within a value: to another server it may be the end of it */
};

static enum MHD_Result count_framing(void *context, enum MHD_ValueKind kind, const char *name,
				     const char *value)
{
	struct framing *f = context;

	(void)kind;
	f->odd |= value && strpbrk(value, "\r\n");
	f->hosts += strcasecmp(name, "Host") == 0;
	f->lengths += strcasecmp(name, "Content-Length") == 0;
	f->encodings += strcasecmp(name, "Transfer-Encoding") == 0;
	return MHD_YES;
}

/* What is wrong with the request before its body is read: a status, or 0. */
static unsigned objection(struct open_request *r, const char *version)
{
	struct framing f = {0};
	const char *length = web_header(&r->request, "Content-Length");
	const char *encoding = web_header(&r->request, "Transfer-Encoding");

	MHD_get_connection_values(r->connection, MHD_HEADER_KIND, count_framing, &f);
	if (f.lengths > 1 || f.encodings > 1 || (f.lengths && f.encodings) || f.hosts > 1 ||
	    f.odd || r->odd_path)
		return MHD_HTTP_BAD_REQUEST;
	if (encoding && strcasecmp(encoding, "chunked") != 0)
		return MHD_HTTP_BAD_REQUEST; /* else its body would last until it hangs up */
	if (f.hosts == 0 && strcmp(version, MHD_HTTP_VERSION_1_1) == 0)
		return MHD_HTTP_BAD_REQUEST;
	if (r->web->token && !web_has_token(&r->request, r->web->token))
		return MHD_HTTP_UNAUTHORIZED;
	if (r->web->body_limit)
		r->limit = r->web->body_limit(r->web->context, &r->request);
	if (length && strtoull(length, NULL, 10) > r->limit)
		return MHD_HTTP_CONTENT_TOO_LARGE;
	return 0;
}

/* -- replying -- */

static void set_header(struct MHD_Response *response, const char *name, const char *value)
{
	MHD_add_response_header(response, name, value); /* refused: a line break in it */
}

static void describe(struct MHD_Response *response, const char *content_type)
{
	set_header(response, "Content-Type", content_type);
	set_header(response, "X-Content-Type-Options", "nosniff");
}

static struct MHD_Response *response_of(const char *content_type, const char *body, size_t len)
{
	struct MHD_Response *response = MHD_create_response_from_buffer(len, (void *)body,
									MHD_RESPMEM_MUST_COPY);

	ENSURE(response);
	describe(response, content_type);
	return response;
}

static void enlist(struct open_request **list, struct open_request *r)
{
	r->previous = NULL;
	r->next = *list;
	if (r->next)
		r->next->previous = r;
	*list = r;
}

static void strike_out(struct open_request **list, struct open_request *r)
{
	if (r->previous)
		r->previous->next = r->next;
	else
		*list = r->next;
	if (r->next)
		r->next->previous = r->previous;
}

static void go_on(struct open_request *r)
{
	r->web->due = true;
	MHD_resume_connection(r->connection);
}

/* The handler has answered, with so many bytes in hand. */
static void answered(struct open_request *r, unsigned status, size_t len,
		     const struct header *headers, size_t header_count)
{
	for (size_t i = 0; i < header_count; i++)
		set_header(r->response, headers[i].name, headers[i].value);
	if (!header_find(headers, header_count, "Cache-Control"))
		set_header(r->response, "Cache-Control", "no-store");
	r->status = status;
	r->stage = REPLIED;
	strike_out(&r->web->handed, r);
	r->web->handed_count--;
	patience_send(&r->web->patience, &r->peer->wait, len, clock_now());
	if (r->suspended)
		go_on(r);
	r->suspended = false;
}

void web_reply(struct web_request *request, unsigned status, const char *content_type,
	       const char *body, size_t len, const struct header *headers, size_t header_count)
{
	struct open_request *r = (struct open_request *)request;

	ENSURE(r->stage == HANDED);
	r->response = response_of(content_type, body, len);
	answered(r, status, len, headers, header_count);
}

void web_reply_text(struct web_request *request, unsigned status, const char *text)
{
	web_reply(request, status, "text/plain; charset=utf-8", text, strlen(text), NULL, 0);
}

/* -- answers in pieces -- */

/* Nothing is left to send: until there is, the client owes us nothing. */
static ssize_t ask_for_more(struct open_request *r)
{
	r->starved = true;
	patience_rest(&r->web->patience, &r->peer->wait);
	MHD_suspend_connection(r->connection);
	r->feeder.wanted(r->feeder.owner);
	return 0;
}

static ssize_t give(void *context, uint64_t at, char *to, size_t room)
{
	struct open_request *r = context;
	size_t len = r->piece.len - r->piece_at;

	(void)at;
	if (r->broken)
		return MHD_CONTENT_READER_END_WITH_ERROR;
	if (len == 0)
		return ask_for_more(r);
	len = len < room ? len : room;
	memcpy(to, r->piece.data + r->piece_at, len);
	r->piece_at += len;
	r->given += len;
	return (ssize_t)len;
}

void web_reply_stream(struct web_request *request, unsigned status, const char *content_type,
		      size_t len, const struct header *headers, size_t header_count,
		      const struct web_feeder *feeder)
{
	struct open_request *r = (struct open_request *)request;

	ENSURE(r->stage == HANDED);
	r->response = MHD_create_response_from_callback(len, STREAM_BLOCK, give, r, NULL);
	ENSURE(r->response);
	describe(r->response, content_type);
	r->streams = true;
	r->feeder = *feeder;
	r->length = len;
	answered(r, status, 0, headers, header_count);
	enlist(&r->web->streaming, r);
}

static void feed_again(struct open_request *r, size_t len)
{
	if (!r->starved)
		return;
	r->starved = false;
	patience_send(&r->web->patience, &r->peer->wait, len, clock_now());
	go_on(r);
}

void web_feed(struct web_request *request, const char *bytes, size_t len)
{
	struct open_request *r = (struct open_request *)request;

	ENSURE(r->streams && len > 0 && r->piece_at == r->piece.len);
	buffer_clear(&r->piece);
	buffer_append(&r->piece, bytes, len);
	r->piece_at = 0;
	feed_again(r, len);
}

void web_break_off(struct web_request *request)
{
	struct open_request *r = (struct open_request *)request;

	r->broken = true;
	feed_again(r, 0);
}

static void end_stream(struct open_request *r)
{
	if (!r->streams)
		return;
	strike_out(&r->web->streaming, r);
	buffer_finish(&r->piece);
	r->feeder.over(r->feeder.owner, r->given == r->length);
}

static const struct {
	unsigned status;
	const char *code;
	const char *title;
	const char *detail;
} refusals[] = {
	{MHD_HTTP_BAD_REQUEST, "malformed", "the request is not good",
	 "the request reads differently to two servers: one Host, one length or chunks, no %00, no "
	 "bare CR"},
	{MHD_HTTP_UNAUTHORIZED, "unauthorized", "a key is wanted", "bearer token wanted"},
	{MHD_HTTP_CONTENT_TOO_LARGE, "too_large", "too large",
	 "the body is longer than is taken here"},
};

/* A problem (RFC 9457) that OpenAI's clients understand as well: nobody knows yet which path it is.
 */
static char *write_refusal(unsigned status, const char *id)
{
	size_t i = 0;

	while (refusals[i].status != status) {
		i++;
		ENSURE(i < COUNT_OF(refusals));
	}
	return xasprintf("{\"type\":\"urn:sluice:problem:%s\",\"title\":\"%s\",\"status\":%u,"
			 "\"detail\":\"%s\",\"instance\":\"%s\",\"error\":{\"message\":\"%s\","
			 "\"type\":\"invalid_request_error\",\"param\":null,\"code\":\"%s\"}}\n",
			 refusals[i].code, refusals[i].title, status, refusals[i].detail, id,
			 refusals[i].detail, refusals[i].code);
}

static void note_client(struct open_request *r)
{
	const union MHD_ConnectionInfo *info = MHD_get_connection_info(
		r->connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
	const struct sockaddr *address = info ? info->client_addr : NULL;

	if (address && address->sa_family == AF_INET)
		inet_ntop(AF_INET, &((const struct sockaddr_in *)(const void *)address)->sin_addr,
			  r->request.client, sizeof(r->request.client));
	else if (address && address->sa_family == AF_INET6)
		inet_ntop(AF_INET6,
			  &((const struct sockaddr_in6 *)(const void *)address)->sin6_addr,
			  r->request.client, sizeof(r->request.client));
}

void web_tell_refusal(const struct web *web, const struct web_refusal *refusal)
{
	if (web->refused)
		web->refused(web->context, refusal);
}

static void tell_request(struct open_request *r, unsigned status, const char *id)
{
	struct web_refusal refusal = {
		.id = id,
		.method = r->request.method,
		.path = r->request.path,
		.client = r->request.client,
		.status = status,
		.took = clock_now() - r->begun,
	};

	note_client(r);
	web_tell_refusal(r->web, &refusal);
}

static enum MHD_Result refuse(struct open_request *r, unsigned status)
{
	struct uuid name = uuid_make();
	char id[UUID_TEXT];
	AUTO(xfree) char *body = write_refusal(status, uuid_format(id, &name));
	struct MHD_Response *response = response_of("application/problem+json", body, strlen(body));
	enum MHD_Result queued;

	if (status == MHD_HTTP_UNAUTHORIZED)
		set_header(response, "WWW-Authenticate", "Bearer");
	set_header(response, "X-Request-Id", id);
	set_header(response, "Connection", "close");
	queued = MHD_queue_response(r->connection, status, response);
	MHD_destroy_response(response);
	tell_request(r, status, id);
	return queued;
}

static enum MHD_Result send_reply(struct open_request *r)
{
	enum MHD_Result queued = MHD_queue_response(r->connection, r->status, r->response);

	MHD_destroy_response(r->response);
	r->response = NULL;
	return queued;
}

/* -- requests -- */

void *web_on_begin(void *context, const char *uri, struct MHD_Connection *connection)
{
	struct open_request *r = xcalloc(1, sizeof(*r));

	r->web = context;
	r->connection = connection;
	r->peer = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT)
			  ->socket_context;
	patience_await(&r->web->patience, &r->peer->wait, clock_now());
	r->limit = r->web->max_body;
	r->begun = clock_now();
	r->odd_path = strstr(uri, "%00") != NULL;
	return r;
}

/* -- bodies -- */

static bool move_to_file(struct open_request *r)
{
	r->file = tmpfile();
	if (!r->file || fwrite(r->body.data, 1, r->body.len, r->file) != r->body.len)
		return false;
	buffer_finish(&r->body);
	return true;
}

/* False: too long, or no room on disk. */
static bool take_piece(struct open_request *r, const char *bytes, size_t len)
{
	if (len > r->limit - r->request.len)
		return false;
	r->request.len += len;
	patience_moved(&r->peer->wait, len);
	if (!r->file && r->request.len <= MAX_IN_MEMORY)
		return buffer_append(&r->body, bytes, len);
	if (!r->file && !move_to_file(r))
		return false;
	return fwrite(bytes, 1, len, r->file) == len;
}

/* The file with the zero byte behind it that was promised. */
static bool map_file(struct open_request *r)
{
	void *map;

	if (fputc('\0', r->file) == EOF || fflush(r->file) != 0)
		return false;
	map = mmap(NULL, r->request.len + 1, PROT_READ, MAP_PRIVATE, fileno(r->file), 0);
	if (map == MAP_FAILED)
		return false;
	r->map = map;
	return true;
}

void web_body_done(struct web_request *request, size_t len)
{
	struct open_request *r = (struct open_request *)request;
	size_t page = (size_t)sysconf(_SC_PAGESIZE);

	if (r->map)
		madvise(r->map, len / page * page, MADV_DONTNEED);
}

static void drop_body(struct open_request *r)
{
	if (r->map)
		munmap(r->map, r->request.len + 1);
	if (r->file)
		fclose(r->file);
	buffer_finish(&r->body);
}

static void hand_over(struct open_request *r)
{
	struct web *web = r->web;

	r->stage = HANDED;
	patience_rest(&web->patience, &r->peer->wait);
	r->request.body = r->map ? r->map : r->body.len > 0 ? r->body.data : "";
	note_client(r);
	enlist(&web->handed, r);
	web->handed_count++;
	web->handler(web->context, &r->request);
}

enum MHD_Result web_on_request(void *context, struct MHD_Connection *connection, const char *url,
			       const char *method, const char *version, const char *data,
			       size_t *len, void **state)
{
	struct open_request *r = *state;
	unsigned wrong;

	(void)context;
	switch (r->stage) {
	case BEGUN:
		r->request.method = method;
		r->request.path = url;
		r->stage = READING;
		wrong = objection(r, version);
		return wrong ? refuse(r, wrong) : MHD_YES;
	case READING:
		if (*len > 0) {
			bool fits = take_piece(r, data, *len);

			*len = 0;
			if (!fits)
				tell_request(r, MHD_HTTP_CONTENT_TOO_LARGE, "");
			return fits ? MHD_YES : MHD_NO; /* a chunked flood: hang up */
		}
		if (r->web->closing || (r->file && !map_file(r)))
			return MHD_NO;
		hand_over(r);
		if (r->stage == REPLIED)
			return send_reply(r);
		r->suspended = true;
		MHD_suspend_connection(connection);
		return MHD_YES;
	case REPLIED:
		return r->response ? send_reply(r) : MHD_YES;
	case HANDED:
		break;
	}
	return MHD_YES;
}

void web_on_end(void *context, struct MHD_Connection *connection, void **state,
		enum MHD_RequestTerminationCode code)
{
	struct open_request *r = *state;

	(void)context;
	(void)connection;
	(void)code;
	if (!r)
		return;
	*state = NULL;
	if (r->stage != HANDED)
		patience_await(&r->web->patience, &r->peer->wait, clock_now());
	if (r->response)
		MHD_destroy_response(r->response);
	end_stream(r);
	drop_body(r);
	free(r);
}

const char *web_query(const struct web_request *request, const char *name)
{
	const struct open_request *r = (const struct open_request *)request;

	return MHD_lookup_connection_value(r->connection, MHD_GET_ARGUMENT_KIND, name);
}

bool web_has_query(const struct web_request *request, const char *name)
{
	const struct open_request *r = (const struct open_request *)request;

	return MHD_lookup_connection_value_n(r->connection, MHD_GET_ARGUMENT_KIND, name,
					     strlen(name), NULL, NULL) == MHD_YES;
}

const char *web_header(const struct web_request *request, const char *name)
{
	const struct open_request *r = (const struct open_request *)request;

	return MHD_lookup_connection_value(r->connection, MHD_HEADER_KIND, name);
}

const char *web_token(const struct web_request *request)
{
	const char *value = web_header(request, "Authorization");

	if (!value || strncasecmp(value, "Bearer ", 7) != 0)
		return NULL;
	return value + 7;
}

/* Of digests, so that not even the length shows. */
bool web_has_token(const struct web_request *request, const char *token)
{
	const char *brought = web_token(request);
	struct digest theirs = digest_of(brought ? brought : "", brought ? strlen(brought) : 0);
	struct digest ours = digest_of(token, strlen(token));

	return digest_equal(&theirs, &ours) && brought;
}
