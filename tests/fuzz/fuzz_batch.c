/* Whatever a provider says of its batches stays within bounds, and what a line holds is read as a
 * reply. */
#include <stdlib.h>
#include <string.h>

#include "batch_wire.h"
#include "ensure.h"
#include "fuzz.h"

#define IS_SHORT(text) ENSURE(memchr(text, '\0', sizeof(text)))

static void look_at_report(const struct batch_report *report)
{
	IS_SHORT(report->id);
	IS_SHORT(report->file_id);
	IS_SHORT(report->our_id);
	IS_SHORT(report->status);
	IS_SHORT(report->output_id);
	IS_SHORT(report->error_id);
	IS_SHORT(report->code);
	IS_SHORT(report->message);
	ENSURE(*report->id && *report->status);
	ENSURE(!strpbrk(report->id, "/?#%.") && !strpbrk(report->output_id, "/?#%."));
	ENSURE(report->bad_line_count <= BATCH_MAX_BAD_LINES);
	for (size_t i = 0; i < report->bad_line_count; i++)
		ENSURE(report->bad_lines[i] > 0);
	ENSURE(report->total >= -1 && report->completed >= -1 && report->failed >= -1);
}

static void read_whole(const struct batch_wire *wire, const char *text, size_t len)
{
	struct batch_report report;
	struct batch_page page;
	struct error err;
	char id[BATCH_ID_TEXT];

	if (batch_wire_report(wire, text, len, &report, &err))
		look_at_report(&report);
	if (batch_wire_file_id(text, len, id, &err)) {
		IS_SHORT(id);
		ENSURE(*id && !strpbrk(id, "/?#%."));
	}
	if (batch_wire_page(wire, text, len, &page, &err)) {
		for (size_t i = 0; i < page.count; i++)
			look_at_report(&page.reports[i]);
		ENSURE(!page.has_more || *page.last_id);
	}
	batch_page_finish(&page);
}

static void read_reply(const struct provider *provider, const struct batch_result *result)
{
	struct raw_reply raw = {.status = result->status,
				.body = result->body,
				.len = result->len,
				.wall = FUZZ_WALL};
	struct reply reply;

	provider->read(&raw, &reply);
	fuzz_check_reply(&reply);
	reply_finish(&reply);
}

static void read_line(const struct batch_wire *wire, const struct provider *provider,
		      const char *line, size_t len)
{
	struct batch_result result;
	struct error err;

	if (!batch_wire_result(wire, line, len, &result, &err)) {
		ENSURE(err.kind == ERROR_REJECT && *err.text);
		return;
	}
	IS_SHORT(result.custom_id);
	IS_SHORT(result.request_id);
	IS_SHORT(result.code);
	ENSURE(result.fate == BATCH_ANSWERED || *result.code);
	if (result.len > 0)
		ENSURE(result.body >= line && result.body + result.len <= line + len);
	if (result.fate == BATCH_ANSWERED)
		read_reply(provider, &result);
}

static void read_lines(const struct batch_wire *wire, const struct provider *provider,
		       const char *text, size_t len)
{
	while (len > 0) {
		const char *end = memchr(text, '\n', len);
		size_t size = end ? (size_t)(end - text) : len;
		char *line = xmemdup(text, size); /* so that a step past its end is seen */

		read_line(wire, provider, line, size);
		free(line);
		size += end != NULL;
		text += size;
		len -= size;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	static const struct provider *const providers[] = {&provider_openai, &provider_anthropic};
	static const char *const dialects[] = {"openai", "anthropic"};
	char *text = xmemdup(bytes, len);

	for (size_t i = 0; i < COUNT_OF(dialects); i++) {
		const struct batch_wire *wire = batch_wire_find(dialects[i]);

		read_whole(wire, text, len);
		read_lines(wire, providers[i], text, len);
	}
	free(text);
	return 0;
}
