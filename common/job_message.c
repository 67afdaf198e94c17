#include "job_message.h"

#include <stdlib.h>
#include <string.h>

#include "quote.h"

static int32_t header_number(const struct kafka_message *message, const char *name)
{
	struct kafka_header header;
	char text[12] = "";

	if (!kafka_message_header(message, name, &header) || !header.value ||
	    header.len >= sizeof(text))
		return 0;
	memcpy(text, header.value, header.len);
	return (int32_t)strtol(text, NULL, 10);
}

static void add_header(struct buffer *json, const struct kafka_message *message, const char *name)
{
	struct kafka_header header;

	if (!kafka_message_header(message, name, &header) || !header.value || header.len > 512)
		return;
	buffer_printf(json, "%s\"%s\":", json->len > 1 ? "," : "{", name);
	quote_json(json, header.value, header.len);
}

/* The headers that come back on every event of the job, as a JSON object; "" for none. */
char *job_message_headers(const struct kafka_message *message)
{
	struct buffer json = {0};

	add_header(&json, message, "traceparent");
	add_header(&json, message, "tracestate");
	if (json.len > 0)
		buffer_byte(&json, '}');
	return buffer_take(&json);
}

struct job *job_message_read(const struct job_reader *reader, const struct config *config,
			     const char *topic, const struct kafka_message *message,
			     struct error *err)
{
	struct job_source source = {
		.cluster = config->kafka.brokers,
		.topic = topic,
		.partition = message->partition,
		.offset = message->offset,
		.run = header_number(message, "sluice-run"),
		.hop = header_number(message, "sluice-hop"),
	};

	if (!message->value) {
		error_set(err, ERROR_REJECT, "the message has no value");
		return NULL;
	}
	return job_read(reader, message->value, message->len, &source, err);
}
