/*
 * Files as OpenAI's clients know them: the list, one of them, its bytes, its
 * end. They lie in Postgres in pieces, so every process of the api has them;
 * uploads.c brings them there.
 */
#include "files.h"

#include <stdlib.h>
#include <string.h>

#include "ensure.h"
#include "openai.h"
#include "routes.h"
#include "utf8.h"

#define MOST 10000

/* --- one as an object --- */

void files_write(struct json_writer *w, const struct pg_rows *rows, int row)
{
	struct uuid id = pg_get_uuid(rows, row, FILE_ID);

	json_open(w, '{');
	openai_put_id(w, "id", FILE_PREFIX, &id);
	json_key(w, "object");
	json_put_text(w, "file");
	json_key(w, "bytes");
	json_put_integer(w, pg_get_int(rows, row, FILE_BYTES));
	openai_put_time(w, "created_at", pg_get_time(rows, row, FILE_CREATED));
	openai_put_time(w, "expires_at", pg_get_time(rows, row, FILE_EXPIRES));
	json_key(w, "filename");
	json_put_text(w, pg_get_text(rows, row, FILE_NAME));
	json_key(w, "purpose");
	json_put_text(w, pg_get_text(rows, row, FILE_PURPOSE));
	json_key(w, "status");
	json_put_text(w, "processed");
	json_key(w, "status_details");
	json_put_raw(w, "null", 4);
	json_close(w, '}');
}

void files_reply(struct exchange *x, const struct pg_rows *rows)
{
	AUTO_FINISH(buffer_finish) struct buffer body = {0};
	struct json_writer w = {.out = &body};

	files_write(&w, rows, 0);
	exchange_json(x, 200, &body, NULL, 0);
}

static void refuse_unknown(struct exchange *x)
{
	exchange_refuse(x, 404, NULL, "id", "No such File object: %.60s", x->words[0]);
}

/* What a statement asks of the file in the path; NULL: replied that there is none. */
static struct pg_args *one_file(struct exchange *x)
{
	struct pg_args *args = openai_args_of_one(x, FILE_PREFIX);

	if (!args)
		refuse_unknown(x);
	return args;
}

static void shown(struct exchange *x, const struct pg_rows *rows)
{
	if (pg_count(rows) > 0)
		files_reply(x, rows);
	else
		refuse_unknown(x);
}

void files_show(struct exchange *x)
{
	struct pg_args *args = one_file(x);

	if (args)
		exchange_ask(x, API_READS, "file", args, shown);
}

/* --- its bytes --- */

struct download {
	int32_t next;
	size_t left;
};

static void told_piece(struct exchange *x, const struct pg_rows *rows)
{
	struct download *d = x->data;
	size_t len = 0;
	const char *bytes = pg_count(rows) > 0 ? pg_get_bytes(rows, 0, 0, &len) : NULL;

	if (len == 0 || len > d->left) {
		exchange_break_off(x, "the file was deleted meanwhile");
		return;
	}
	d->left -= len;
	exchange_feed(x, bytes, len);
}

static void send_piece(struct exchange *x)
{
	struct download *d = x->data;
	struct pg_args *args = pg_args_create();

	pg_uuid(args, &x->job_id);
	pg_int(args, d->next++);
	exchange_ask(x, API_FILES, "file_chunk", args, told_piece);
}

static void told_content(struct exchange *x, const struct pg_rows *rows)
{
	struct download *d;
	size_t len;

	if (pg_count(rows) == 0) {
		refuse_unknown(x);
		return;
	}
	len = (size_t)pg_get_int(rows, 0, FILE_BYTES);
	d = xcalloc(1, sizeof(*d));
	d->left = len;
	x->data = d;
	x->drop = free;
	exchange_stream(x, "application/octet-stream", len, send_piece, NULL, 0);
}

void files_content(struct exchange *x)
{
	struct pg_args *args = one_file(x);

	if (args)
		exchange_ask(x, API_FILES, "file", args, told_content);
}

/* --- its end --- */

static void deleted(struct exchange *x, const struct pg_rows *rows)
{
	AUTO_FINISH(buffer_finish) struct buffer body = {0};
	struct json_writer w = {.out = &body};

	if (pg_count(rows) == 0) {
		refuse_unknown(x);
		return;
	}
	json_open(&w, '{');
	openai_put_id(&w, "id", FILE_PREFIX, &x->job_id);
	json_key(&w, "object");
	json_put_text(&w, "file");
	json_key(&w, "deleted");
	json_put_bool(&w, true);
	json_close(&w, '}');
	exchange_json(x, 200, &body, NULL, 0);
}

void files_delete(struct exchange *x)
{
	struct pg_args *args = one_file(x);

	if (args)
		exchange_ask(x, API_WRITES, "file_delete", args, deleted);
}

/* --- the list --- */

static void listed(struct exchange *x, const struct pg_rows *rows)
{
	AUTO_FINISH(buffer_finish) struct buffer body = {0};
	struct json_writer w = {.out = &body};
	int limit = (int)(intptr_t)x->data;
	int count = pg_count(rows) > limit ? limit : pg_count(rows);

	json_open(&w, '{');
	json_key(&w, "object");
	json_put_text(&w, "list");
	json_key(&w, "data");
	json_open(&w, '[');
	for (int row = 0; row < count; row++)
		files_write(&w, rows, row);
	json_close(&w, ']');
	openai_put_list_end(&w, FILE_PREFIX, rows, count);
	json_close(&w, '}');
	exchange_json(x, 200, &body, NULL, 0);
}

static bool query_order(struct exchange *x, bool *oldest_first)
{
	const char *order = web_query(x->request, "order");

	*oldest_first = order && strcmp(order, "asc") == 0;
	if (*oldest_first || (!order && !web_has_query(x->request, "order")) ||
	    (order && strcmp(order, "desc") == 0))
		return true;
	exchange_refuse(x, 400, "invalid_value", "order", "'order' is asc or desc");
	return false;
}

static bool query_purpose(struct exchange *x, const char **purpose)
{
	*purpose = web_query(x->request, "purpose");
	if (!*purpose || utf8_is_valid(*purpose))
		return true;
	exchange_refuse(x, 400, "invalid_value", "purpose", "'purpose' is not UTF-8");
	return false;
}

void files_list(struct exchange *x)
{
	const char *purpose;
	struct pg_args *args;
	struct uuid after;
	bool oldest_first, given;
	long limit = MOST;

	if (!openai_query_number(x, "limit", 1, MOST, &limit) || !query_order(x, &oldest_first) ||
	    !openai_query_after(x, FILE_PREFIX, &after, &given) || !query_purpose(x, &purpose))
		return;
	args = pg_args_create();
	openai_push_scope(args, x);
	pg_string(args, purpose);
	pg_bool(args, oldest_first);
	pg_uuid(args, given ? &after : NULL);
	pg_big(args, limit + 1);
	x->data = (void *)(intptr_t)limit;
	exchange_ask(x, API_SLOW, "file_list", args, listed);
}
