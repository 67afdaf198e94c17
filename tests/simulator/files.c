#include "files.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "batch.h"
#include "call.h"
#include "ensure.h"
#include "multipart.h"
#include "text.h"

#define LIFE (30 * 86400.0)
#define LATE_CREATES 2

static const char base[] = "/v1/files";

static void refuse(struct exchange *x, const char *request_id, int status, const char *param,
		   const char *message)
{
	struct failure failure = failure_invalid(OPENAI, param, NULL, "%s", message);

	failure.status = status;
	call_refuse(x, OPENAI, &failure, request_id);
}

struct file *files_find(const struct simulator *sim, const char *id)
{
	for (struct file *file = sim->files->newest; file; file = file->older)
		if (!file->deleted && strcmp(file->id, id) == 0)
			return file;
	return NULL;
}

struct file *files_add(struct simulator *sim, const char *name, const char *purpose,
		       struct buffer *bytes, nsec now)
{
	struct file *file = xcalloc(1, sizeof(*file));
	struct dice dice = dice_seeded(hash_mix(sim->seed ^ 0x66696c65u, ++sim->serial));

	memcpy(file->id, "file-", 5);
	dice_name(&dice, file->id + 5, 22);
	snprintf(file->name, sizeof(file->name), "%s", name);
	snprintf(file->purpose, sizeof(file->purpose), "%s", purpose);
	file->bytes = *bytes;
	*bytes = (struct buffer){0};
	file->created = virtual_clock_read(&sim->clock, now);
	file->older = sim->files->newest;
	sim->files->newest = file;
	sim->files->bytes += file->bytes.len;
	return file;
}

static void write_file(const struct file *file, struct buffer *out)
{
	buffer_printf(out,
		      "{\"id\":\"%s\",\"object\":\"file\",\"bytes\":%zu,\"created_at\":%" PRId64
		      ",\"expires_at\":%" PRId64 ",\"filename\":",
		      file->id, file->bytes.len, (int64_t)file->created,
		      (int64_t)(file->created + LIFE));
	text_quote(out, file->name);
	buffer_printf(out, ",\"purpose\":\"%s\",\"status\":\"processed\",\"status_details\":null}",
		      file->purpose);
}

static void upload(struct simulator *sim, struct exchange *x, const char *request_id, nsec now)
{
	const struct request *request = &x->request;
	const char *type = request_header(request, "content-type");
	struct buffer bytes = {0};
	struct part purpose, part;
	struct file *file;
	size_t len;

	if (!multipart_find(type, request->body, request->body_len, "purpose", &purpose) ||
	    !multipart_find(type, request->body, request->body_len, "file", &part)) {
		refuse(x, request_id, 400, "file", "'purpose' and 'file' are required parts.");
		return;
	}
	len = strlen(part.filename);
	if (purpose.len != 5 || memcmp(purpose.bytes, "batch", 5) != 0) {
		refuse(x, request_id, 400, "purpose",
		       "The simulator takes files for batches only.");
		return;
	}
	if (len < 6 || strcmp(part.filename + len - 6, ".jsonl") != 0) {
		refuse(x, request_id, 400, NULL,
		       "Invalid file format for Batch API. Must be .jsonl");
		return;
	}
	if (part.len > (size_t)200 * 1024 * 1024 ||
	    sim->files->bytes + part.len > FILES_MAX_BYTES) {
		refuse(x, request_id, 413, "file", "The file is too large.");
		return;
	}
	buffer_append(&bytes, part.bytes, part.len);
	file = files_add(sim, part.filename, "batch", &bytes, now);
	if (batch_fault_strikes(sim, FAULT_BATCH_FILE_LATE, file->bytes.data, file->bytes.len, now))
		file->late = LATE_CREATES;
	write_file(file, &x->reply.body);
	if (batch_fault_strikes(sim, FAULT_BATCH_LOST_UPLOAD, file->bytes.data, file->bytes.len,
				now)) {
		x->reply.cut = CUT_AT_ONCE;
		x->reply.end = END_RESET;
	}
}

static void list(struct simulator *sim, struct exchange *x)
{
	int64_t limit = request_parameter_integer(&x->request, "limit", 10000), count = 0;
	char after[64] = "", purpose[32] = "";
	bool started = !request_parameter(&x->request, "after", after, sizeof(after));
	struct buffer *body = &x->reply.body;
	const struct file *first = NULL, *last = NULL, *file = sim->files->newest;

	request_parameter(&x->request, "purpose", purpose, sizeof(purpose));
	buffer_text(body, "{\"object\":\"list\",\"data\":[");
	for (; file; file = file->older) {
		if (file->deleted || (purpose[0] && strcmp(purpose, file->purpose) != 0))
			continue;
		if (!started) {
			started = strcmp(file->id, after) == 0;
			continue;
		}
		if (count++ >= limit)
			break;
		if (last)
			buffer_byte(body, ',');
		first = first ? first : file;
		last = file;
		write_file(file, body);
	}
	buffer_text(body, "],\"first_id\":");
	text_nullable(body, first ? first->id : NULL);
	buffer_text(body, ",\"last_id\":");
	text_nullable(body, last ? last->id : NULL);
	buffer_printf(body, ",\"has_more\":%s}", file ? "true" : "false");
}

/* A Range of the form "bytes=N-" resumes a download. */
static size_t range_start(const struct request *request, size_t len)
{
	const char *range = request_header(request, "range");
	unsigned long long start;

	if (!range || strncmp(range, "bytes=", 6) != 0)
		return 0;
	start = strtoull(range + 6, NULL, 10);
	return start < len ? (size_t)start : 0;
}

static void content(struct simulator *sim, struct exchange *x, const struct file *file)
{
	size_t len = file->bytes.len, start = range_start(&x->request, len);

	x->reply.type = "application/octet-stream";
	if (start > 0) {
		x->reply.status = 206;
		buffer_printf(&x->reply.head, "Content-Range: bytes %zu-%zu/%zu\r\n", start,
			      len - 1, len);
	}
	if (len > 0)
		buffer_append(&x->reply.body, file->bytes.data + start, len - start);
	if (file->result && file == file->result->output_file)
		simulator_download(sim, x, file->result);
}

static void delete (struct simulator *sim, struct file *file, struct exchange *x)
{
	sim->files->bytes -= file->bytes.len;
	buffer_finish(&file->bytes);
	file->deleted = true;
	buffer_printf(&x->reply.body, "{\"id\":\"%s\",\"object\":\"file\",\"deleted\":true}",
		      file->id);
}

static void handle_one(struct simulator *sim, struct exchange *x, const char *rest,
		       const char *request_id)
{
	const char *method = x->request.method;
	size_t len = strcspn(rest, "/");
	char id[64], message[120];
	struct file *file;

	snprintf(id, sizeof(id), "%.*s", (int)len, rest);
	file = files_find(sim, id);
	snprintf(message, sizeof(message), "No such File object: %s", id);
	if (!file)
		refuse(x, request_id, 404, "id", message);
	else if (rest[len] == '\0' && strcmp(method, "GET") == 0)
		write_file(file, &x->reply.body);
	else if (rest[len] == '\0' && strcmp(method, "DELETE") == 0)
		delete (sim, file, x);
	else if (strcmp(rest + len, "/content") == 0 && strcmp(method, "GET") == 0)
		content(sim, x, file);
	else
		refuse(x, request_id, 404, NULL, "Unknown request URL.");
}

bool files_handle(struct simulator *sim, struct exchange *x, const char *request_id, nsec now)
{
	const struct request *request = &x->request;

	if (strncmp(request->path, base, sizeof(base) - 1) != 0)
		return false;
	if (strcmp(request->path, base) == 0 && strcmp(request->method, "POST") == 0)
		upload(sim, x, request_id, now);
	else if (strcmp(request->path, base) == 0 && strcmp(request->method, "GET") == 0)
		list(sim, x);
	else if (request->path[sizeof(base) - 1] == '/')
		handle_one(sim, x, request->path + sizeof(base), request_id);
	else
		return false;
	return true;
}

void files_finish(struct files *files)
{
	struct file *file;

	while ((file = files->newest) != NULL) {
		files->newest = file->older;
		buffer_finish(&file->bytes);
		free(file);
	}
}
