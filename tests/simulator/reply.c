#include "reply.h"

#include <inttypes.h>

#include "compiler.h"

const char *reply_status_text(int status)
{
	static const struct {
		int status;
		const char *text;
	} texts[] = {
		{200, "OK"},
		{206, "Partial Content"},
		{400, "Bad Request"},
		{401, "Unauthorized"},
		{402, "Payment Required"},
		{403, "Forbidden"},
		{404, "Not Found"},
		{405, "Method Not Allowed"},
		{409, "Conflict"},
		{413, "Content Too Large"},
		{429, "Too Many Requests"},
		{431, "Request Header Fields Too Large"},
		{500, "Internal Server Error"},
		{502, "Bad Gateway"},
		{503, "Service Unavailable"},
		{504, "Gateway Timeout"},
	};

	for (size_t i = 0; i < COUNT_OF(texts); i++)
		if (texts[i].status == status)
			return texts[i].text;
	return "Status";
}

void reply_write_head(const struct reply *reply, bool closes, struct buffer *out)
{
	buffer_printf(out, "HTTP/1.1 %d %s\r\nContent-Type: %s\r\n", reply->status,
		      reply_status_text(reply->status),
		      reply->type ? reply->type : "application/json");
	if (reply->chunked)
		buffer_text(out, "Transfer-Encoding: chunked\r\n");
	else
		buffer_printf(out, "Content-Length: %" PRId64 "\r\n",
			      (int64_t)reply->body.len + reply->length_lie);
	if (closes)
		buffer_text(out, "Connection: close\r\n");
	if (reply->head.len > 0)
		buffer_append(out, reply->head.data, reply->head.len);
	buffer_text(out, "\r\n");
}

size_t reply_bytes_to_send(const struct reply *reply, size_t head_len, size_t len)
{
	switch (reply->cut) {
	case CUT_AT_ONCE:
		return 0;
	case CUT_AFTER_HEAD:
		return head_len;
	case CUT_IN_BODY:
		return head_len + (len - head_len) / 2;
	case CUT_NOWHERE:
		break;
	}
	return len;
}
