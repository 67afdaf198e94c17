#include "webhook.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base64.h"
#include "buffer.h"
#include "digest.h"
#include "ensure.h"

#define FIRST_WAIT (5 * NSEC_PER_SEC)
#define LONGEST_WAIT (6 * 3600 * NSEC_PER_SEC)
#define MOST_TRIPLES 8 /* 5 s × 3^8 is above the longest wait */

/* --- secrets and signatures --- */

/* The label keeps a unit of any name apart from the alerts. */
static struct digest key_of(const char *master, const char *unit)
{
	AUTO(xfree)
	char *label = *unit ? xasprintf("sluice webhooks of unit %s", unit)
			    : xstrdup("sluice webhooks of alerts");

	return digest_hmac(master, strlen(master), label, strlen(label));
}

const char *webhook_secret(char text[WEBHOOK_SECRET_TEXT], const char *master, const char *unit)
{
	AUTO_FINISH(buffer_finish) struct buffer encoded = {0};
	struct digest key = key_of(master, unit);

	base64_encode(&encoded, key.bytes, sizeof(key.bytes));
	snprintf(text, WEBHOOK_SECRET_TEXT, "whsec_%s", encoded.data);
	return text;
}

static void add_signature(struct buffer *out, const char *master, const char *unit,
			  const struct buffer *content)
{
	struct digest key = key_of(master, unit);
	struct digest signature = digest_hmac(key.bytes, sizeof(key.bytes), content->data,
					      content->len);

	buffer_text(out, out->len > 0 ? " v1," : "v1,");
	base64_encode(out, signature.bytes, sizeof(signature.bytes));
}

/* --- headers --- */

static void add_line(struct webhook_headers *headers, char *line)
{
	headers->lines = xrealloc(headers->lines, (headers->count + 1) * sizeof(char *));
	headers->lines[headers->count++] = line;
}

/* What a job may not set: what we say ourselves, and what frames the message. */
static bool is_ours(const char *name)
{
	static const char *const ours[] = {
		"connection", "content-length", "content-type",	     "expect",
		"host",	      "keep-alive",	"transfer-encoding", "te",
		"trailer",    "upgrade",	"user-agent"};

	for (size_t i = 0; i < COUNT_OF(ours); i++)
		if (strcasecmp(name, ours[i]) == 0)
			return true;
	return strncasecmp(name, "webhook-", 8) == 0 || strncasecmp(name, "proxy-", 6) == 0;
}

static void add_wished(struct webhook_headers *headers, const char *wished)
{
	struct error ignored;
	json_auto_t *object = *wished ? json_read(wished, strlen(wished), JSON_OURS, &ignored)
				      : NULL;
	const char *name;
	json_t *value;

	json_object_foreach (object, name, value)
		if (json_is_string(value) && !is_ours(name))
			add_line(headers, xasprintf("%s: %s", name, json_string_value(value)));
}

bool webhook_sign(struct webhook_headers *headers, const json_t *masters, const char *unit,
		  const struct webhook_message *message)
{
	AUTO_FINISH(buffer_finish) struct buffer content = {0};
	AUTO_FINISH(buffer_finish) struct buffer signatures = {0};
	uint64_t seconds = message->at / NSEC_PER_SEC;
	char id[UUID_TEXT];

	uuid_format(id, &message->id);
	buffer_printf(&content, "%s.%" PRIu64 ".", id, seconds);
	buffer_append(&content, message->body, message->len);
	for (size_t i = 0; i < json_array_size(masters); i++) {
		const char *master = json_string_value(json_array_get(masters, i));

		if (master && *master)
			add_signature(&signatures, master, unit, &content);
	}
	if (signatures.len == 0)
		return false;
	add_wished(headers, message->headers);
	add_line(headers, xstrdup("Content-Type: application/json"));
	add_line(headers, xasprintf("webhook-id: %s", id));
	add_line(headers, xasprintf("webhook-timestamp: %" PRIu64, seconds));
	add_line(headers, xasprintf("webhook-signature: %s", signatures.data));
	return true;
}

void webhook_headers_finish(struct webhook_headers *headers)
{
	for (size_t i = 0; i < headers->count; i++)
		free(headers->lines[i]);
	free(headers->lines);
	*headers = (struct webhook_headers){0};
}

/* --- what came of a try --- */

/* 5 s, 15 s, 45 s … to 6 h, and up to a fifth more, so that failures do not come back together. */
static nsec wait_after(int tries, uint64_t random)
{
	nsec wait = FIRST_WAIT;

	for (int i = 1; i < tries && i <= MOST_TRIPLES; i++)
		wait *= 3;
	if (wait > LONGEST_WAIT)
		wait = LONGEST_WAIT;
	return wait + random % (wait / 5);
}

struct webhook_verdict webhook_judge(const struct webhook_answer *answer, uint64_t random)
{
	nsec wait = wait_after(answer->tries, random);
	nsec hint = answer->hint < LONGEST_WAIT ? answer->hint : LONGEST_WAIT;

	if (answer->forbidden)
		return (struct webhook_verdict){.fate = WEBHOOK_REFUSED};
	if (answer->status / 100 == 2)
		return (struct webhook_verdict){.fate = WEBHOOK_DELIVERED};
	if (answer->status == 410)
		return (struct webhook_verdict){.fate = WEBHOOK_GONE};
	if (hint > wait)
		wait = hint;
	if (answer->age + wait > WEBHOOK_LONGEST)
		return (struct webhook_verdict){.fate = WEBHOOK_EXHAUSTED};
	return (struct webhook_verdict){.fate = WEBHOOK_RETRY, .wait = wait};
}

const char *webhook_fate_name(enum webhook_fate fate)
{
	static const char *const names[] = {
#define FATE_NAME(name, text) [WEBHOOK_##name] = text,
		WEBHOOK_FATES(FATE_NAME)
#undef FATE_NAME
	};

	return names[fate];
}
