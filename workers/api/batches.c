/*
 * Batches as OpenAI's clients know them: made, shown, listed, cancelled. What
 * becomes of one is the business of turns.h.
 */
#include <stdlib.h>
#include <string.h>

#include "batch_job.h"
#include "ensure.h"
#include "files.h"
#include "json_writer.h"
#include "openai.h"
#include "routes.h"

#define ENDPOINT "/v1/chat/completions"
#define WINDOW "24h"
#define WINDOW_SECONDS (24 * 3600)
#define MOST 100
#define FEW 20
#define MOST_TAG 128

/* Columns of batch.sql and its kin. */
enum {
	BATCH_ID,
	BATCH_ENDPOINT,
	BATCH_MODEL,
	BATCH_ERRORS,
	BATCH_INPUT,
	BATCH_WINDOW,
	BATCH_STATE,
	BATCH_OUTPUT_FILE,
	BATCH_ERROR_FILE,
	BATCH_CREATED,
	BATCH_IN_PROGRESS,
	BATCH_EXPIRES,
	BATCH_FINALIZING,
	BATCH_COMPLETED,
	BATCH_FAILED,
	BATCH_EXPIRED,
	BATCH_CANCELLING,
	BATCH_CANCELLED,
	BATCH_LINES,
	BATCH_LINES_DONE,
	BATCH_LINES_FAILED,
	BATCH_USAGE,
	BATCH_METADATA,
};

/* --- one as an object --- */

static void put_text(struct json_writer *w, const char *name, const struct pg_rows *rows, int row,
		     int column)
{
	json_key(w, name);
	json_put_text(w, pg_get_text(rows, row, column));
}

/* Text of ours that is JSON; null where it is empty. */
static void put_json(struct json_writer *w, const char *name, const char *text)
{
	json_key(w, name);
	json_put_raw(w, *text ? text : "null", *text ? strlen(text) : 4);
}

static void put_times(struct json_writer *w, const struct pg_rows *rows, int row)
{
	static const struct {
		const char *name;
		int column;
	} times[] = {
		{"created_at", BATCH_CREATED},	   {"in_progress_at", BATCH_IN_PROGRESS},
		{"expires_at", BATCH_EXPIRES},	   {"finalizing_at", BATCH_FINALIZING},
		{"completed_at", BATCH_COMPLETED}, {"failed_at", BATCH_FAILED},
		{"expired_at", BATCH_EXPIRED},	   {"cancelling_at", BATCH_CANCELLING},
		{"cancelled_at", BATCH_CANCELLED},
	};

	for (size_t i = 0; i < COUNT_OF(times); i++)
		openai_put_time(w, times[i].name, pg_get_time(rows, row, times[i].column));
}

static void put_file(struct json_writer *w, const char *name, const struct pg_rows *rows, int row,
		     int column)
{
	struct uuid id = pg_get_uuid(rows, row, column);

	openai_put_id(w, name, FILE_PREFIX, &id);
}

static void put_counts(struct json_writer *w, const struct pg_rows *rows, int row)
{
	json_key(w, "request_counts");
	json_open(w, '{');
	json_key(w, "total");
	json_put_integer(w, pg_get_int(rows, row, BATCH_LINES));
	json_key(w, "completed");
	json_put_integer(w, pg_get_int(rows, row, BATCH_LINES_DONE));
	json_key(w, "failed");
	json_put_integer(w, pg_get_int(rows, row, BATCH_LINES_FAILED));
	json_close(w, '}');
}

static void write_batch(struct json_writer *w, const struct pg_rows *rows, int row)
{
	struct uuid id = pg_get_uuid(rows, row, BATCH_ID);
	const char *usage = pg_get_text(rows, row, BATCH_USAGE);

	json_open(w, '{');
	openai_put_id(w, "id", BATCH_PREFIX, &id);
	json_key(w, "object");
	json_put_text(w, "batch");
	put_text(w, "endpoint", rows, row, BATCH_ENDPOINT);
	if (*pg_get_text(rows, row, BATCH_MODEL))
		put_text(w, "model", rows, row, BATCH_MODEL);
	put_json(w, "errors", pg_get_text(rows, row, BATCH_ERRORS));
	put_file(w, "input_file_id", rows, row, BATCH_INPUT);
	put_text(w, "completion_window", rows, row, BATCH_WINDOW);
	put_text(w, "status", rows, row, BATCH_STATE);
	put_file(w, "output_file_id", rows, row, BATCH_OUTPUT_FILE);
	put_file(w, "error_file_id", rows, row, BATCH_ERROR_FILE);
	put_times(w, rows, row);
	put_counts(w, rows, row);
	if (*usage)
		put_json(w, "usage", usage);
	put_json(w, "metadata", pg_get_text(rows, row, BATCH_METADATA));
	json_close(w, '}');
}

static void reply_batch(struct exchange *x, const struct pg_rows *rows)
{
	AUTO_FINISH(buffer_finish) struct buffer body = {0};
	struct json_writer w = {.out = &body};

	write_batch(&w, rows, 0);
	exchange_json(x, 200, &body, NULL, 0);
}

/* --- making one --- */

/* What a request for a batch says. Borrows from the body. */
struct wish {
	struct uuid input;
	const json_t *metadata;
	const char *unit, *feature, *environment, *usage_tier, *task, *lane;
	int64_t output_seconds;
};

static bool missing(struct exchange *x, const char *name)
{
	exchange_refuse(x, 400, "missing_required_parameter", name,
			"Missing required parameter: '%s'.", name);
	return false;
}

static bool invalid(struct exchange *x, const char *name, const char *wanted)
{
	exchange_refuse(x, 400, "invalid_value", name, "Invalid value: '%s' must be %s.", name,
			wanted);
	return false;
}

static bool check_names(struct exchange *x, const json_t *body)
{
	static const char *const known[] = {"input_file_id", "endpoint", "completion_window",
					    "metadata", "output_expires_after"};
	const char *name;
	json_t *value;

	json_object_foreach ((json_t *)body, name, value) {
		size_t i = 0;

		while (i < COUNT_OF(known) && strcmp(known[i], name) != 0)
			i++;
		if (i < COUNT_OF(known))
			continue;
		exchange_refuse(x, 400, "unknown_parameter", NULL, "Unknown parameter: '%.60s'.",
				name);
		return false;
	}
	return true;
}

static bool read_fixed(struct exchange *x, const json_t *body, const char *name, const char *only)
{
	const char *text = json_text(body, name, NULL);

	if (!text)
		return missing(x, name);
	return strcmp(text, only) == 0 || invalid(x, name, only);
}

static bool is_tag(const char *text)
{
	size_t len = strlen(text);

	for (size_t i = 0; i < len; i++)
		if ((unsigned char)text[i] < ' ' || text[i] == 0x7f)
			return false;
	return len > 0 && len <= MOST_TAG;
}

static bool check_metadata(struct exchange *x, const json_t *metadata)
{
	const char *name;
	json_t *value;

	if (!json_is_object(metadata) || json_object_size(metadata) > 16)
		return invalid(x, "metadata", "an object of at most 16 texts");
	json_object_foreach ((json_t *)metadata, name, value)
		if (strlen(name) > 64 || !json_is_string(value) || json_string_length(value) > 512)
			return invalid(x, "metadata",
				       "of names of at most 64 bytes and texts of at most 512");
	return true;
}

static bool read_tag(struct exchange *x, const json_t *metadata, const char *name,
		     const char **into)
{
	const char *text = json_text(metadata, name, NULL);

	if (!text)
		return true;
	*into = text;
	return is_tag(text) || invalid(x, "metadata",
				       "without control characters where Sluice goes by it, and of "
				       "1 to 128 bytes");
}

/* Members of the metadata that Sluice goes by. */
static bool read_metadata(struct exchange *x, const json_t *body, struct wish *wish)
{
	const json_t *m = json_object_get(body, "metadata");
	enum lane lane;

	wish->feature = x->key->feature;
	wish->unit = wish->environment = wish->usage_tier = wish->task = "";
	wish->lane = "auto";
	if (!m || json_is_null(m))
		return true;
	wish->metadata = m;
	if (!check_metadata(x, m) || !read_tag(x, m, "business_unit", &wish->unit) ||
	    !read_tag(x, m, "feature", &wish->feature) ||
	    !read_tag(x, m, "environment", &wish->environment) ||
	    !read_tag(x, m, "usage_tier", &wish->usage_tier) ||
	    !read_tag(x, m, "task", &wish->task) || !read_tag(x, m, "lane", &wish->lane))
		return false;
	return lane_parse(wish->lane, &lane) ||
	       invalid(x, "metadata", "of a lane that is auto, express, normal or batch");
}

static bool read_unit(struct exchange *x, struct wish *wish)
{
	if (!*wish->unit && !openai_unit(x, &wish->unit))
		return false;
	if (*wish->unit && exchange_sees(x, wish->unit) && is_tag(wish->unit))
		return true;
	if (*wish->unit)
		exchange_refuse(x, 403, "forbidden", "metadata",
				"key %s may not submit for business unit \"%.60s\"", x->key->id,
				wish->unit);
	else
		exchange_refuse(x, 400, "missing_required_parameter", "metadata",
				"key %s has several business units: say who pays, by "
				"business_unit in the metadata, or by OpenAI-Project",
				x->key->id);
	return false;
}

static bool read_expiry(struct exchange *x, const json_t *body, struct wish *wish)
{
	const json_t *after = json_object_get(body, "output_expires_after");
	int64_t seconds = json_integer_or(after, "seconds", 0);

	if (!after || json_is_null(after))
		return true;
	wish->output_seconds = seconds;
	return (strcmp(json_text(after, "anchor", ""), "created_at") == 0 &&
		seconds >= FILE_KEPT_LEAST && seconds <= FILE_KEPT) ||
	       invalid(x, "output_expires_after",
		       "of anchor created_at and 3600 to 2592000 seconds");
}

static bool no_file(struct exchange *x, const char *id)
{
	exchange_refuse(x, 400, "invalid_request", "input_file_id",
			"Cannot find file %.60s with purpose 'batch', or the key does not see it.",
			id);
	return false;
}

static bool read_wish(struct exchange *x, const json_t *body, struct wish *wish)
{
	const char *input = json_text(body, "input_file_id", NULL);

	if (!check_names(x, body))
		return false;
	if (!input)
		return missing(x, "input_file_id");
	if (!openai_read_id(input, FILE_PREFIX, &wish->input))
		return no_file(x, input);
	return read_fixed(x, body, "endpoint", ENDPOINT) &&
	       read_fixed(x, body, "completion_window", WINDOW) && read_metadata(x, body, wish) &&
	       read_unit(x, wish) && read_expiry(x, body, wish);
}

static void made(struct exchange *x, const struct pg_rows *rows)
{
	if (pg_count(rows) == 0) {
		no_file(x, "of that id");
		return;
	}
	turns_hurry(x->api->turns);
	reply_batch(x, rows);
}

/* A client that asks again because it heard no answer says so. */
static bool is_again(const struct exchange *x)
{
	const char *count = web_header(x->request, "X-Stainless-Retry-Count");

	return count && strcmp(count, "0") != 0;
}

static void make(struct exchange *x, const struct wish *wish)
{
	AUTO(xfree) char *metadata = wish->metadata ? json_canonical(wish->metadata) : NULL;
	struct pg_args *args = pg_args_create();
	struct uuid id = uuid_make();

	openai_push_scope(args, x);
	pg_uuid(args, &id);
	pg_uuid(args, &wish->input);
	pg_string(args, wish->unit);
	pg_string(args, wish->feature);
	pg_string(args, wish->environment);
	pg_string(args, wish->usage_tier);
	pg_string(args, wish->task);
	pg_string(args, wish->lane);
	pg_string(args, ENDPOINT);
	pg_string(args, WINDOW);
	pg_big(args, WINDOW_SECONDS);
	pg_string(args, metadata);
	pg_int(args, (int32_t)wish->output_seconds);
	pg_bool(args, is_again(x));
	exchange_ask(x, API_WRITES, "batch_make", args, made);
}

void batches_create(struct exchange *x)
{
	struct error err;
	json_auto_t *body = json_read(x->request->body, x->request->len, JSON_OURS, &err);
	struct wish wish = {0};

	if (!json_is_object(body))
		exchange_refuse(x, 400, "invalid_json", NULL, "The body is not a JSON object%s%s",
				body ? "." : ": ", body ? "" : err.text);
	else if (read_wish(x, body, &wish))
		make(x, &wish);
}

/* --- one that is there --- */

static void refuse_unknown(struct exchange *x)
{
	exchange_refuse(x, 404, NULL, "id", "No batch found with id '%.60s'.", x->words[0]);
}

static struct pg_args *one_batch(struct exchange *x)
{
	struct pg_args *args = openai_args_of_one(x, BATCH_PREFIX);

	if (!args)
		refuse_unknown(x);
	return args;
}

static void shown(struct exchange *x, const struct pg_rows *rows)
{
	if (pg_count(rows) > 0)
		reply_batch(x, rows);
	else
		refuse_unknown(x);
}

void batches_show(struct exchange *x)
{
	struct pg_args *args = one_batch(x);

	if (args)
		exchange_ask(x, API_READS, "batch", args, shown);
}

static void not_cancelled(struct exchange *x, const struct pg_rows *rows)
{
	if (pg_count(rows) == 0)
		refuse_unknown(x);
	else if (strcmp(pg_get_text(rows, 0, BATCH_STATE), "cancelled") == 0)
		reply_batch(x, rows);
	else
		exchange_refuse(x, 400, "invalid_request", NULL,
				"Cannot cancel a batch with status '%s'.",
				pg_get_text(rows, 0, BATCH_STATE));
}

static void cancelled(struct exchange *x, const struct pg_rows *rows)
{
	if (pg_count(rows) == 0) {
		exchange_ask(x, API_WRITES, "batch", one_batch(x), not_cancelled);
		return;
	}
	turns_hurry(x->api->turns);
	reply_batch(x, rows);
}

void batches_cancel(struct exchange *x)
{
	struct pg_args *args = one_batch(x);

	if (args)
		exchange_ask(x, API_WRITES, "batch_cancel", args, cancelled);
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
		write_batch(&w, rows, row);
	json_close(&w, ']');
	openai_put_list_end(&w, BATCH_PREFIX, rows, count);
	json_close(&w, '}');
	exchange_json(x, 200, &body, NULL, 0);
}

void batches_list(struct exchange *x)
{
	struct pg_args *args;
	struct uuid after;
	bool given;
	long limit = FEW;

	if (!openai_query_number(x, "limit", 1, MOST, &limit) ||
	    !openai_query_after(x, BATCH_PREFIX, &after, &given))
		return;
	args = pg_args_create();
	openai_push_scope(args, x);
	pg_uuid(args, given ? &after : NULL);
	pg_big(args, limit + 1);
	x->data = (void *)(intptr_t)limit;
	exchange_ask(x, API_SLOW, "batch_list", args, listed);
}
