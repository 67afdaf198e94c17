#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "ensure.h"
#include "fuzz.h"
#include "retry_hint.h"
#include "usage.h"

struct fuzz_halves fuzz_split(const uint8_t *bytes, size_t len)
{
	const char *text = (const char *)bytes,
		   *line = len >= 5 ? memmem(text, len, "\n---\n", 5) : NULL;

	if (!line)
		return (struct fuzz_halves){.first = text, .first_len = len, .second = text};
	return (struct fuzz_halves){
		.first = text,
		.first_len = (size_t)(line - text),
		.second = line + 5,
		.second_len = len - (size_t)(line - text) - 5,
	};
}

/* The first line is the status; the others are headers, until an empty one. */
static void read_raw(struct raw_reply *raw, struct header_list *list, const char *text, size_t len)
{
	const char *end = memchr(text, '\n', len);
	size_t at = end ? (size_t)(end - text) + 1 : len;

	for (size_t i = 0; i < at && i < 3 && text[i] >= '0' && text[i] <= '9'; i++)
		raw->status = raw->status * 10 + (text[i] - '0');
	while (at < len) {
		const char *line = text + at;
		size_t size;

		end = memchr(line, '\n', len - at);
		size = end ? (size_t)(end - line) + 1 : len - at;
		at += size;
		if (size == 1)
			break;
		header_list_add(list, line, size);
	}
	header_list_close(list);
	raw->headers = list->items;
	raw->header_count = list->count;
	raw->body = text + at;
	raw->len = len - at;
	raw->wall = FUZZ_WALL;
}

void fuzz_check_reply(const struct reply *reply)
{
	const struct usage *u = &reply->usage;

	ENSURE(*reply_kind_name(reply->kind));
	ENSURE(reply->text && strlen(reply->text) <= reply->len);
	ENSURE(u->input >= 0 && u->cache_read >= 0 && u->cache_write >= 0 &&
	       u->cache_write_1h >= 0);
	ENSURE(u->output >= 0 && u->reasoning >= 0);
	ENSURE(u->known || usage_prompt(u) + u->output == 0);
	ENSURE(reply->retry_after <= RETRY_HINT_LONGEST);
	ENSURE(isnan(reply->confidence) || (reply->confidence >= 0 && reply->confidence <= 1));
	ENSURE(reply->reading_count <= MAX_READINGS);
	ENSURE(memchr(reply->model, '\0', sizeof(reply->model)));
	ENSURE(memchr(reply->message, '\0', sizeof(reply->message)));
	for (const char *p = reply->message; *p; p++)
		ENSURE((unsigned char)*p >= ' ' && *p != 127);
}

void fuzz_reply(const struct provider *provider, const uint8_t *bytes, size_t len)
{
	static struct header_list list;
	struct raw_reply raw = {0};
	struct reply reply;
	char *copy = xmemdup(bytes, len); /* its own room, so that a step past its end is seen */

	header_list_clear(&list);
	read_raw(&raw, &list, copy, len);
	provider->read(&raw, &reply);
	fuzz_check_reply(&reply);
	reply_finish(&reply);
	free(copy);
}
