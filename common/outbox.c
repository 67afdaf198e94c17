#include "outbox.h"

#include <stdlib.h>
#include <string.h>

#include "ensure.h"
#include "failpoint.h"
#include "json.h"
#include "log.h"

static size_t read_headers(json_t *object, struct kafka_header headers[KAFKA_MAX_HEADERS])
{
	const char *name;
	json_t *value;
	size_t count = 0;

	json_object_foreach (object, name, value) {
		if (count == KAFKA_MAX_HEADERS || !json_is_string(value))
			continue;
		headers[count++] = (struct kafka_header){name, json_string_value(value),
							 json_string_length(value)};
	}
	return count;
}

void outbox_produce(struct kafka_producer *producer, const struct uuid *event_id, const char *topic,
		    const char *key, const char *headers_json, const char *body, size_t len)
{
	struct kafka_header headers[KAFKA_MAX_HEADERS];
	struct error err;
	json_auto_t *object = *headers_json ? json_read(headers_json, strlen(headers_json),
							JSON_OURS, &err)
					    : NULL;
	struct uuid *token = xmemdup(event_id, sizeof(*event_id));
	struct kafka_record record = {
		.topic = topic,
		.partition = -1,
		.key = key,
		.key_len = strlen(key),
		.value = body,
		.len = len,
		.headers = headers,
		.header_count = read_headers(object, headers),
		.token = token,
	};

	switch (kafka_produce(producer, &record, &err)) {
	case KAFKA_ACCEPTED:
		FAILPOINT("K14");
		return;
	case KAFKA_FULL:
		break; /* still owed */
	case KAFKA_REFUSED:
		log_error("event_refused", "topic=%s why=%s", topic, err.text);
		break;
	}
	free(token);
}
