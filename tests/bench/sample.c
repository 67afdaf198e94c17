#include "sample.h"

#include <inttypes.h>
#include <string.h>

#include "ensure.h"
#include "quote.h"
#include "uuid.h"

/* Of a length that the sample's facts make up: an answer of about 1 KB on the wire. */
static const char schema[] =
	"{\"type\":\"object\",\"additionalProperties\":false,"
	"\"required\":[\"category\",\"priority\",\"refund\",\"amount\",\"due\",\"facts\"],"
	"\"properties\":{"
	"\"category\":{\"type\":\"string\",\"enum\":[\"bug\",\"wish\",\"question\",\"praise\"]},"
	"\"priority\":{\"type\":\"integer\",\"minimum\":1,\"maximum\":5},"
	"\"refund\":{\"type\":\"boolean\"},"
	"\"amount\":{\"type\":\"number\",\"minimum\":0,\"maximum\":10000},"
	"\"due\":{\"type\":\"string\",\"format\":\"date\"},"
	"\"facts\":{\"type\":\"array\",\"minItems\":24,\"maxItems\":24,"
	"\"items\":{\"type\":\"string\"}}}}";

static const char instructions[] =
	"You read a customer's letter and file it. Say what it is, how urgent it is from 1 to 5, "
	"whether money is to be paid back and how much, until when an answer is due, and the facts "
	"of the letter, one short phrase each. Answer with JSON only.";

const char *sample_unit(uint64_t number)
{
	static const char *const units[SAMPLE_UNITS] = {"claims", "support", "sales"};

	return units[number % SAMPLE_UNITS];
}

static void fill(struct buffer *out, size_t bytes, uint64_t seed)
{
	static const char *const words[] = {"parcel", "meter",	"late",	 "broken",
					    "twice",  "letter", "again", "Tuesday"};
	uint64_t x = seed * 0x9e3779b97f4a7c15 + 1;

	for (size_t end = out->len + bytes; out->len < end;) {
		const char *word;
		size_t left = end - out->len;

		x = x * 6364136223846793005 + 1442695040888963407;
		word = words[x >> 61];
		buffer_append(out, word, strlen(word) < left ? strlen(word) : left);
		if (out->len < end)
			buffer_byte(out, ' ');
	}
}

void sample_job(struct buffer *out, uint64_t number)
{
	static const char tail[] =
		"\"}]},\"output\":{\"type\":\"json_schema\",\"name\":\"letter\",\"schema\":";
	static const char end[] = "},\"parameters\":{\"max_output_tokens\":1024},"
				  "\"metadata\":{\"source\":\"bench\"}}";
	size_t start = out->len, rest = sizeof(tail) - 1 + sizeof(schema) - 1 + sizeof(end) - 1;
	struct uuid id = uuid_make();
	char text[UUID_TEXT];

	buffer_printf(out,
		      "{\"version\":1,\"job_id\":\"%s\",\"business_unit\":\"%s\",\"feature\":"
		      "\"letters\",\"environment\":\"bench\",\"user\":\"u-%" PRIu64
		      "\",\"task\":\"extract\",\"prompt\":{\"name\":\"letters\",\"version\":\"1\","
		      "\"messages\":[{\"role\":\"system\",\"content\":\"%s\"},"
		      "{\"role\":\"user\",\"content\":\"Letter %" PRIu64 ": ",
		      uuid_format(text, &id), sample_unit(number), number % 1000, instructions,
		      number);
	ENSURE(out->len - start + rest < SAMPLE_BYTES);
	fill(out, SAMPLE_BYTES - rest - (out->len - start), number);
	buffer_text(out, tail);
	buffer_text(out, schema);
	buffer_text(out, end);
}

static void answer_text(struct buffer *out)
{
	buffer_text(out, "{\"category\":\"bug\",\"priority\":3,\"refund\":true,\"amount\":119.25,"
			 "\"due\":\"2026-12-04\",\"facts\":[");
	for (unsigned i = 0; i < 24; i++) {
		buffer_text(out, i > 0 ? ",\"" : "\"");
		fill(out, 16 + i % 12, i);
		buffer_byte(out, '"');
	}
	buffer_text(out, "]}");
}

void sample_answer(struct buffer *out)
{
	AUTO_FINISH(buffer_finish) struct buffer text = {0};

	answer_text(&text);
	buffer_text(out,
		    "{\"id\":\"chatcmpl-bench\",\"object\":\"chat.completion\",\"created\":"
		    "1793000000,\"model\":\"gpt-4o-mini-2024-07-18\",\"choices\":[{\"index\":0,"
		    "\"message\":{\"role\":\"assistant\",\"content\":");
	quote_json(out, text.data, text.len);
	buffer_text(out,
		    ",\"refusal\":null,\"annotations\":[]},\"logprobs\":null,"
		    "\"finish_reason\":\"stop\"}],\"usage\":{\"prompt_tokens\":512,"
		    "\"completion_tokens\":180,\"total_tokens\":692,\"prompt_tokens_details\":"
		    "{\"cached_tokens\":0,\"audio_tokens\":0},\"completion_tokens_details\":"
		    "{\"reasoning_tokens\":0,\"audio_tokens\":0}},\"service_tier\":\"default\","
		    "\"system_fingerprint\":null}");
}
