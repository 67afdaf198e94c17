#include "batch_wire.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ensure.h"
#include "json.h"
#include "json_span.h"
#include "quote.h"
#include "timestamp.h"
#include "utf8.h"

#define MIB ((size_t)1024 * 1024)
#define MAX_LINES ((int64_t)1 << 28) /* a few of them add up to what the tables hold */
#define MAX_TOKENS ((int64_t)1 << 50)

static const struct batch_wire wires[] = {
	{.dialect = "openai",
	 .max_lines = 50000,
	 .max_bytes = 200 * MIB,
	 .has_files = true,
	 .list_path = "/batches",
	 .endpoint = "/v1/chat/completions",
	 .list_limit = 100},
	{.dialect = "anthropic",
	 .max_lines = 100000,
	 .max_bytes = 256 * MIB,
	 .list_path = "/messages/batches",
	 .endpoint = "/v1/messages",
	 .list_limit = 1000},
};

const struct batch_wire *batch_wire_find(const char *dialect)
{
	for (size_t i = 0; i < COUNT_OF(wires); i++)
		if (strcmp(wires[i].dialect, dialect) == 0)
			return &wires[i];
	return NULL;
}

/* --- what goes up --- */

void batch_wire_begin(const struct batch_wire *wire, const char *boundary, const char *our_id,
		      struct buffer *out)
{
	if (wire->has_files)
		buffer_printf(
			out,
			"--%s\r\nContent-Disposition: form-data; name=\"purpose\"\r\n\r\nbatch\r\n"
			"--%s\r\nContent-Disposition: form-data; name=\"file\"; "
			"filename=\"sluice-%s.jsonl\"\r\nContent-Type: application/jsonl\r\n\r\n",
			boundary, boundary, our_id);
	else
		buffer_text(out, "{\"requests\":[");
}

void batch_wire_between(const struct batch_wire *wire, struct buffer *out)
{
	buffer_byte(out, wire->has_files ? '\n' : ',');
}

void batch_wire_end(const struct batch_wire *wire, const char *boundary, struct buffer *out)
{
	if (wire->has_files)
		buffer_printf(out, "\n\r\n--%s--\r\n", boundary);
	else
		buffer_text(out, "]}");
}

/* The code point at which some readers end a line besides \n: U+0085, U+2028, U+2029; 0: none. */
static unsigned odd_line_end(const char *at, size_t len)
{
	if (len >= 2 && memcmp(at, "\xc2\x85", 2) == 0)
		return 0x85;
	if (len >= 3 && memcmp(at, "\xe2\x80\xa8", 3) == 0)
		return 0x2028;
	if (len >= 3 && memcmp(at, "\xe2\x80\xa9", 3) == 0)
		return 0x2029;
	return 0;
}

/* JSON that is one line for every reader. Such characters can only stand in strings, so they may be
 * escaped. */
static bool append_line(struct buffer *out, const char *body, size_t len)
{
	size_t from = 0;
	bool fits = true;

	for (size_t i = 0; i < len; i++) {
		unsigned code = odd_line_end(body + i, len - i);

		if (!code)
			continue;
		fits = fits && buffer_append(out, body + from, i - from) &&
		       buffer_printf(out, "\\u%04x", code);
		i += code == 0x85 ? 1 : 2;
		from = i + 1;
	}
	return fits && buffer_append(out, body + from, len - from);
}

bool batch_wire_line(const struct batch_wire *wire, const char *custom_id, const char *body,
		     size_t len, struct buffer *out)
{
	bool fits;

	if (wire->has_files)
		fits = buffer_printf(
			out, "{\"custom_id\":\"%s\",\"method\":\"POST\",\"url\":\"%s\",\"body\":",
			custom_id, wire->endpoint);
	else
		fits = buffer_printf(out, "{\"custom_id\":\"%s\",\"params\":", custom_id);
	fits = fits &&
	       (wire->has_files ? append_line(out, body, len) : buffer_append(out, body, len));
	return fits && buffer_byte(out, '}');
}

void batch_wire_order(const char *file_id, const char *our_id, struct buffer *out)
{
	buffer_text(out, "{\"input_file_id\":");
	quote_json(out, file_id, strlen(file_id));
	buffer_printf(out,
		      ",\"endpoint\":\"%s\",\"completion_window\":\"24h\",\"metadata\":"
		      "{\"sluice_batch\":\"%s\"}}",
		      wires[0].endpoint, our_id);
}

/* An id becomes part of a URL: what could leave its place there is none. */
static bool copy_id(char id[BATCH_ID_TEXT], const char *text)
{
	size_t len = strlen(text);

	if (len >= BATCH_ID_TEXT ||
	    strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-") != len)
		return false;
	memcpy(id, text, len + 1);
	return true;
}

bool batch_wire_file_id(const char *bytes, size_t len, char id[BATCH_ID_TEXT], struct error *err)
{
	json_auto_t *file = json_read(bytes, len, JSON_FOREIGN, err);

	if (!file)
		return error_wrap(err, "the answer to an upload");
	if (!copy_id(id, json_text(file, "id", "?")) || !*id)
		return error_set(err, ERROR_REJECT, "the answer to an upload has no id of a file");
	return true;
}

/* --- what the provider says of a batch --- */

static nsec unix_seconds(const json_t *object, const char *name)
{
	double at = json_number_or(object, name, 0);

	return at > 0 && at < 1e10 ? (nsec)at * NSEC_PER_SEC : 0;
}

static nsec date_of(const json_t *object, const char *name)
{
	nsec wall;

	return timestamp_parse(json_text(object, name, ""), &wall) ? wall : 0;
}

static void note_bad_line(struct batch_report *report, const json_t *error)
{
	const char *code = json_text(error, "code", "");
	int64_t line = json_integer_or(error, "line", 0);

	if (!*report->code) {
		utf8_copy(report->code, sizeof(report->code), code);
		utf8_copy(report->message, sizeof(report->message),
			  json_text(error, "message", ""));
	}
	/* Spelled differently by the providers of this dialect. */
	report->token_limit |= strstr(code, "token_limit") != NULL;
	if (line > 0 && report->bad_line_count < BATCH_MAX_BAD_LINES)
		report->bad_lines[report->bad_line_count++] = line;
}

static void read_openai_errors(struct batch_report *report, const json_t *errors)
{
	size_t i;
	const json_t *error;

	json_array_foreach (json_object_get(errors, "data"), i, error)
		note_bad_line(report, error);
}

/* Of lines or tokens; what no batch can have counts as not told. */
static int64_t count_or(const json_t *counts, const char *name, int64_t most, int64_t otherwise)
{
	int64_t count = json_integer_or(counts, name, otherwise);

	return count >= 0 && count <= most ? count : otherwise;
}

static bool read_openai(const json_t *batch, struct batch_report *report)
{
	static const char *const ended[] = {"completed", "expired", "cancelled"};
	const json_t *counts = json_object_get(batch, "request_counts");
	const json_t *usage = json_object_get(batch, "usage");

	utf8_copy(report->status, sizeof(report->status), json_text(batch, "status", ""));
	if (strcmp(report->status, "failed") == 0)
		report->phase = BATCH_PHASE_FAILED;
	for (size_t i = 0; i < COUNT_OF(ended); i++)
		if (strcmp(report->status, ended[i]) == 0)
			report->phase = BATCH_PHASE_ENDED;
	report->cancelling = strcmp(report->status, "cancelling") == 0;
	report->total = count_or(counts, "total", MAX_LINES, -1);
	report->completed = count_or(counts, "completed", MAX_LINES, -1);
	report->failed = count_or(counts, "failed", MAX_LINES, -1);
	report->input_tokens = count_or(usage, "input_tokens", MAX_TOKENS, -1);
	report->output_tokens = count_or(usage, "output_tokens", MAX_TOKENS, -1);
	report->created = unix_seconds(batch, "created_at");
	report->expires = unix_seconds(batch, "expires_at");
	read_openai_errors(report, json_object_get(batch, "errors"));
	/* Null, absent or "" all mean that there is none. */
	return copy_id(report->file_id, json_text(batch, "input_file_id", "")) &&
	       copy_id(report->output_id, json_text(batch, "output_file_id", "")) &&
	       copy_id(report->error_id, json_text(batch, "error_file_id", ""));
}

static void read_metadata(const json_t *batch, struct batch_report *report)
{
	const char *ours = json_text(json_object_get(batch, "metadata"), "sluice_batch", "");

	if (strlen(ours) < sizeof(report->our_id))
		memcpy(report->our_id, ours, strlen(ours) + 1);
}

/* Everything but `processing` is 0 until the end, so the sum is all that counts before. */
static bool read_anthropic(const json_t *batch, struct batch_report *report)
{
	const json_t *counts = json_object_get(batch, "request_counts");
	int64_t processing = count_or(counts, "processing", MAX_LINES, 0);
	int64_t undone = count_or(counts, "canceled", MAX_LINES, 0) +
			 count_or(counts, "expired", MAX_LINES, 0);

	utf8_copy(report->status, sizeof(report->status),
		  json_text(batch, "processing_status", ""));
	report->completed = count_or(counts, "succeeded", MAX_LINES, 0);
	report->failed = count_or(counts, "errored", MAX_LINES, 0) + undone;
	report->total = processing + report->completed + report->failed;
	report->input_tokens = report->output_tokens = -1;
	report->cancelling = strcmp(report->status, "canceling") == 0;
	report->created = date_of(batch, "created_at");
	report->expires = date_of(batch, "expires_at");
	if (strcmp(report->status, "ended") != 0) {
		report->completed = report->failed = -1;
		return true;
	}
	report->phase = BATCH_PHASE_ENDED;
	memcpy(report->output_id, report->id, sizeof(report->output_id));
	return true;
}

static bool read_report(const struct batch_wire *wire, const json_t *batch,
			struct batch_report *report, struct error *err)
{
	*report = (struct batch_report){0};
	if (!copy_id(report->id, json_text(batch, "id", "?")) || !*report->id)
		return error_set(err, ERROR_REJECT,
				 "the provider's description of a batch has no id");
	read_metadata(batch, report);
	if (!(wire->has_files ? read_openai : read_anthropic)(batch, report) || !*report->status)
		return error_set(err, ERROR_REJECT,
				 "the provider's description of batch %s cannot be read",
				 report->id);
	return true;
}

bool batch_wire_report(const struct batch_wire *wire, const char *bytes, size_t len,
		       struct batch_report *report, struct error *err)
{
	json_auto_t *batch = json_read(bytes, len, JSON_FOREIGN, err);

	return batch && read_report(wire, batch, report, err);
}

bool batch_wire_page(const struct batch_wire *wire, const char *bytes, size_t len,
		     struct batch_page *page, struct error *err)
{
	json_auto_t *list = json_read(bytes, len, JSON_FOREIGN, err);
	const json_t *data = json_object_get(list, "data");

	*page = (struct batch_page){0};
	if (!list)
		return false;
	if (!json_is_array(data))
		return error_set(err, ERROR_REJECT, "the provider's list of batches has no data");
	page->reports = xcalloc(json_array_size(data), sizeof(*page->reports));
	for (size_t i = 0; i < json_array_size(data); i++)
		if (read_report(wire, json_array_get(data, i), &page->reports[page->count], err))
			page->count++;
	page->has_more = json_bool_or(list, "has_more", false);
	if (!copy_id(page->last_id, json_text(list, "last_id", "")) || !*page->last_id)
		page->has_more = false;
	return true;
}

void batch_page_finish(struct batch_page *page)
{
	free(page->reports);
	page->reports = NULL;
}

/* --- what comes back --- */

static bool span_text(struct json_span object, const char *name, char *out, size_t size)
{
	struct json_span value;
	struct error ignored;
	json_auto_t *text = NULL;

	*out = '\0';
	if (!json_span_member(object, name, &value))
		return false;
	text = json_read(value.bytes, value.len, JSON_FOREIGN, &ignored);
	if (!json_is_string(text) || json_string_length(text) >= size)
		return false;
	memcpy(out, json_string_value(text), json_string_length(text) + 1);
	return true;
}

static long span_number(struct json_span object, const char *name)
{
	struct json_span value;
	char text[24] = "";

	if (!json_span_member(object, name, &value) || value.len >= sizeof(text))
		return 0;
	memcpy(text, value.bytes, value.len);
	return strtol(text, NULL, 10);
}

static void read_openai_result(struct json_span line, struct batch_result *result)
{
	struct json_span response, error, body;

	if (json_span_member(line, "response", &response) && response.len > 0 &&
	    response.bytes[0] == '{') {
		result->fate = BATCH_ANSWERED;
		result->status = span_number(response, "status_code");
		span_text(response, "request_id", result->request_id, sizeof(result->request_id));
		if (json_span_member(response, "body", &body)) {
			result->body = body.bytes;
			result->len = body.len;
		}
		return;
	}
	if (json_span_member(line, "error", &error))
		span_text(error, "code", result->code, sizeof(result->code));
}

/* The status that the same error has where a call is made alone. */
static long status_of(const char *type)
{
	static const struct {
		const char *type;
		long status;
	} errors[] = {
		{"invalid_request_error", 400}, {"authentication_error", 401},
		{"billing_error", 402},		{"permission_error", 403},
		{"not_found_error", 404},	{"request_too_large", 413},
		{"rate_limit_error", 429},	{"api_error", 500},
		{"timeout_error", 504},		{"overloaded_error", 529},
	};

	for (size_t i = 0; i < COUNT_OF(errors); i++)
		if (strcmp(errors[i].type, type) == 0)
			return errors[i].status;
	return 500;
}

static void read_anthropic_error(struct json_span outer, struct batch_result *result)
{
	struct json_span error, body;
	char type[64] = "";

	if (!json_span_member(outer, "error", &body))
		return;
	result->fate = BATCH_ANSWERED;
	result->body = body.bytes;
	result->len = body.len;
	span_text(body, "request_id", result->request_id, sizeof(result->request_id));
	if (json_span_member(body, "error", &error))
		span_text(error, "type", type, sizeof(type));
	result->status = status_of(type);
}

static void read_anthropic_result(struct json_span line, struct batch_result *result)
{
	struct json_span outer, body;
	char type[32] = "";

	if (!json_span_member(line, "result", &outer))
		return;
	span_text(outer, "type", type, sizeof(type));
	if (strcmp(type, "succeeded") == 0 && json_span_member(outer, "message", &body)) {
		result->fate = BATCH_ANSWERED;
		result->status = 200;
		result->body = body.bytes;
		result->len = body.len;
	} else if (strcmp(type, "errored") == 0) {
		read_anthropic_error(outer, result);
	} else {
		snprintf(result->code, sizeof(result->code), "batch_%s", type);
	}
}

bool batch_wire_result(const struct batch_wire *wire, const char *line, size_t len,
		       struct batch_result *result, struct error *err)
{
	struct json_span whole = {line, len};

	*result = (struct batch_result){.fate = BATCH_UNDONE, .body = ""};
	if (!span_text(whole, "custom_id", result->custom_id, sizeof(result->custom_id)))
		return error_set(err, ERROR_REJECT, "a line of results has no custom_id");
	(wire->has_files ? read_openai_result : read_anthropic_result)(whole, result);
	if (result->fate == BATCH_UNDONE && !*result->code)
		snprintf(result->code, sizeof(result->code), "batch_unreadable");
	return true;
}
