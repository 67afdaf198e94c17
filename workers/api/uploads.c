/*
 * POST /v1/files: the form is read piece by piece where it waits, and each
 * piece of the file is a row of Postgres; some are on their way at a time, so
 * that a long file takes no more memory than a short one. Last comes the row
 * that makes it a file. What has no such row after an hour is swept away.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ensure.h"
#include "files.h"
#include "multipart.h"
#include "openai.h"
#include "routes.h"
#include "units.h"
#include "utf8.h"

#define PIECES_OPEN 4
#define FIELD_BYTES 128

struct upload {
	struct exchange *x;
	struct multipart form;
	struct part part;
	bool in_part;
	bool ended; /* the form was read to its end */
	struct uuid id;
	char *unit; /* owned */
	char purpose[FIELD_BYTES];
	char anchor[FIELD_BYTES];
	char seconds[FIELD_BYTES];
	char filename[256];
	bool has_file;
	size_t bytes;
	int32_t pieces;
	size_t open;
	bool failed;
	struct error err; /* of the form, or of Postgres where failed */
};

static void pump(struct upload *u);

static void drop(void *data)
{
	struct upload *u = data;

	free(u->unit);
	free(u);
}

/* --- the file --- */

static void refuse_purpose(struct exchange *x, const char *purpose)
{
	if (*purpose)
		exchange_refuse(x, 400, "invalid_value", "purpose",
				"'%.60s' is not a purpose for files here: only 'batch' is",
				purpose);
	else
		exchange_refuse(x, 400, "missing_required_parameter", "purpose",
				"Missing required parameter: 'purpose'.");
}

static bool ends_in(const char *text, const char *end)
{
	size_t len = strlen(text), tail = strlen(end);

	return len > tail && strcmp(text + len - tail, end) == 0;
}

static bool read_seconds(const struct upload *u, int64_t *seconds)
{
	int64_t count;

	*seconds = FILE_KEPT;
	if (!*u->anchor && !*u->seconds)
		return true;
	if (strcmp(u->anchor, "created_at") != 0 || !units_count(u->seconds, &count) ||
	    count < FILE_KEPT_LEAST || count > FILE_KEPT)
		return false;
	*seconds = count;
	return true;
}

/* False: replied what is wrong. */
static bool check(struct upload *u, int64_t *seconds)
{
	struct exchange *x = u->x;

	if (*u->err.text)
		exchange_refuse(x, 400, "invalid_form", NULL, "%s", u->err.text);
	else if (strcmp(u->purpose, "batch") != 0)
		refuse_purpose(x, u->purpose);
	else if (!u->has_file)
		exchange_refuse(x, 400, "missing_required_parameter", "file",
				"Missing required parameter: 'file'.");
	else if (!ends_in(u->filename, ".jsonl") || !utf8_is_valid(u->filename))
		exchange_refuse(x, 400, NULL, NULL,
				"Invalid file format for Batch API. Must be .jsonl");
	else if (u->bytes == 0)
		exchange_refuse(x, 400, "empty_file", "file", "The file is empty.");
	else if (!read_seconds(u, seconds))
		exchange_refuse(
			x, 400, "invalid_value", "expires_after",
			"'expires_after' wants the anchor 'created_at' and %d to %d seconds",
			FILE_KEPT_LEAST, FILE_KEPT);
	else
		return true;
	return false;
}

static void finish(struct upload *u)
{
	struct pg_args *args;
	int64_t seconds;

	if (u->failed) {
		exchange_trouble(u->x, &u->err);
		return;
	}
	if (!check(u, &seconds))
		return;
	args = pg_args_create();
	pg_uuid(args, &u->id);
	pg_string(args, u->unit);
	pg_string(args, u->x->key->id);
	pg_string(args, u->purpose);
	pg_string(args, u->filename);
	pg_big(args, (int64_t)u->bytes);
	pg_big(args, seconds);
	exchange_ask(u->x, API_FILES, "file_make", args, files_reply);
}

/* --- its pieces --- */

static void stored(struct api *api, void *owner, struct pg_answer *answer)
{
	struct upload *u = owner;

	(void)api;
	u->open--;
	if (!answer->rows && !u->failed) {
		u->failed = true;
		u->err = answer->error;
	}
	pump(u);
}

static void send_piece(struct upload *u, const char *bytes, size_t len)
{
	struct pg_args *args = pg_args_create();

	pg_uuid(args, &u->id);
	pg_int(args, u->pieces++);
	pg_bytes(args, bytes, len);
	u->bytes += len;
	web_body_done(u->x->request, (size_t)(bytes + len - u->x->request->body));
	if (api_ask(u->x->api, API_FILES, "file_chunk_put", args, stored, u)) {
		u->open++;
		return;
	}
	u->failed = true;
	error_set(&u->err, ERROR_RETRY, "the database is away");
}

/* --- the form --- */

static char *field_of(struct upload *u)
{
	static const struct {
		const char *name;
		size_t at;
	} fields[] = {
		{"purpose", offsetof(struct upload, purpose)},
		{"expires_after[anchor]", offsetof(struct upload, anchor)},
		{"expires_after[seconds]", offsetof(struct upload, seconds)},
	};

	for (size_t i = 0; i < COUNT_OF(fields); i++)
		if (strcmp(u->part.name, fields[i].name) == 0)
			return (char *)u + fields[i].at;
	return NULL;
}

static void take_field(struct upload *u, const char *bytes, size_t len)
{
	char *field = field_of(u);

	if (!field)
		error_set(&u->err, ERROR_REJECT, "unknown field '%.60s'", u->part.name);
	else if (*field || len >= FIELD_BYTES)
		error_set(&u->err, ERROR_REJECT, "field '%.60s' is given twice, or too long",
			  u->part.name);
	else
		memcpy(field, bytes, len);
}

static void begin_part(struct upload *u)
{
	struct error err;

	u->in_part = multipart_next(&u->form, &u->part, &err);
	if (*err.text)
		u->err = err;
	if (!u->in_part || strcmp(u->part.name, "file") != 0)
		return;
	if (u->has_file)
		error_set(&u->err, ERROR_REJECT, "there are two files");
	u->has_file = true;
	snprintf(u->filename, sizeof(u->filename), "%s", u->part.filename);
}

/* A step through the form. */
static void step(struct upload *u)
{
	const char *bytes;
	size_t len;

	if (*u->err.text) {
		u->ended = true;
	} else if (!u->in_part) {
		begin_part(u);
		u->ended = !u->in_part;
	} else if (!multipart_piece(&u->form, FILE_PIECE, &bytes, &len)) {
		u->in_part = false;
	} else if (strcmp(u->part.name, "file") == 0) {
		send_piece(u, bytes, len);
	} else {
		take_field(u, bytes, len);
	}
}

static void pump(struct upload *u)
{
	while (!u->ended && !u->failed && u->open < PIECES_OPEN)
		step(u);
	if (u->open == 0 && (u->ended || u->failed))
		finish(u);
}

void files_upload(struct exchange *x)
{
	struct upload *u;
	const char *unit;

	if (!openai_unit(x, &unit))
		return;
	u = xcalloc(1, sizeof(*u));
	x->data = u;
	x->drop = drop;
	u->x = x;
	u->unit = xstrdup(unit);
	u->id = uuid_make();
	if (!multipart_begin(&u->form, web_header(x->request, "Content-Type"), x->request->body,
			     x->request->len, &u->err)) {
		exchange_refuse(x, 415, "unsupported_media_type", NULL, "%s", u->err.text);
		return;
	}
	pump(u);
}
