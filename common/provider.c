#include "provider.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "compiler.h"

static const struct provider *const providers[] = {&provider_openai, &provider_anthropic};

const struct provider *provider_find(const char *dialect)
{
	for (size_t i = 0; i < COUNT_OF(providers); i++)
		if (strcmp(providers[i]->dialect, dialect) == 0)
			return providers[i];
	return NULL;
}

const char *reply_kind_name(enum reply_kind kind)
{
	switch (kind) {
	case REPLY_ANSWER:
		return "answer";
	case REPLY_TRUNCATED:
		return "truncated";
	case REPLY_REFUSED:
		return "refused";
	case REPLY_GARBLED:
		return "garbled";
	case REPLY_THROTTLED:
		return "throttled";
	case REPLY_TOO_LARGE:
		return "too_large";
	case REPLY_CREDENTIAL:
		return "credential";
	case REPLY_UNAVAILABLE:
		return "unavailable";
	case REPLY_LOST:
		return "lost";
	case REPLY_INVALID:
		return "invalid";
	case REPLY_UNKNOWN_MODEL:
		return "unknown_model";
	}
	return "?";
}

/* A reply has twenty headers and we ask for a dozen: the first letter settles most. */
const char *raw_reply_header(const struct raw_reply *raw, const char *name)
{
	for (size_t i = 0; i < raw->header_count; i++) {
		const struct header *header = &raw->headers[i];

		if ((header->name[0] | 0x20) == (name[0] | 0x20) &&
		    strcasecmp(header->name, name) == 0)
			return header->value;
	}
	return NULL;
}

void reply_finish(struct reply *reply)
{
	free(reply->text);
	json_decref(reply->tool_calls);
	reply->text = NULL;
	reply->tool_calls = NULL;
}
