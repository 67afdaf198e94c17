#include "kafka_message.h"

#include "kafka_internal.h"

void kafka_message_fill(struct kafka_message *out, rd_kafka_message_t *message)
{
	rd_kafka_timestamp_type_t type;

	out->partition = message->partition;
	out->offset = message->offset;
	out->timestamp_ms = rd_kafka_message_timestamp(message, &type);
	out->key = message->key;
	out->key_len = message->key_len;
	out->value = message->payload;
	out->len = message->len;
	out->handle = message;
}

void kafka_message_release(struct kafka_message *message)
{
	if (message->handle)
		rd_kafka_message_destroy(message->handle);
	*message = (struct kafka_message){0};
}

bool kafka_message_header(const struct kafka_message *message, const char *name,
			  struct kafka_header *header)
{
	rd_kafka_headers_t *headers;

	if (rd_kafka_message_headers(message->handle, &headers))
		return false;
	header->name = name;
	return rd_kafka_header_get_last(headers, name, &header->value, &header->len) ==
	       RD_KAFKA_RESP_ERR_NO_ERROR;
}

bool kafka_message_header_at(const struct kafka_message *message, size_t i,
			     struct kafka_header *header)
{
	rd_kafka_headers_t *headers;

	if (rd_kafka_message_headers(message->handle, &headers))
		return false;
	return rd_kafka_header_get_all(headers, i, &header->name, &header->value, &header->len) ==
	       RD_KAFKA_RESP_ERR_NO_ERROR;
}
